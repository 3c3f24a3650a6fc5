"""What travels: who is there, blocks and their orders, replies and whether they can be trusted."""
