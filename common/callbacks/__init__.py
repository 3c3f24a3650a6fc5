"""Callbacks on rounds: each is a class in a file of this package."""
