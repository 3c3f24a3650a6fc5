"""Sums over clients' rows: how good models are, and what a federation agrees on."""
