"""Who takes part in a round: a rule for each `federation.selection`."""
