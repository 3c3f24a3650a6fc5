"""The commands, a file for each group. Heavy imports wait until a command needs them."""
