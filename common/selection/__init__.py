"""Who takes part in a round: for each `federation.selection` its options and its rule."""
