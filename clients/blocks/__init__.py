"""Training blocks of clients: what a message asks, done by whichever trainer, summed where it was computed."""
