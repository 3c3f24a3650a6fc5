"""The strategies: the server's half of each `federation.strategy`."""
