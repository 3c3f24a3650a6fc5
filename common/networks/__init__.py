"""Networks that ship beside the MLP: each is a class in a file of this package, made as one of a user's own is."""
