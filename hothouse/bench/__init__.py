"""How fast a round is on this machine, beside a plain loop, Flower's own engine and what the machine could do."""
