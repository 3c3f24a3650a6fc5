"""Sweeps: many runs of one scenario, every combination of some values or a search for the best ones."""
