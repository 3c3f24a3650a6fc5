"""Training: blocks of clients, cut into stacks, each advanced at once."""
