"""Sums over clients' examples: how good models are, and what a federation agrees on."""
