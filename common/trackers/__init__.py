"""Where a run's numbers go besides its own folder: for each `tracking[].kind` its options and what writes."""
