"""What real machines need: warm SuperNodes, keys and certificates."""
