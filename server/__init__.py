"""The server's side: a Flower ServerApp with rounds, selection, strategies, evaluation and the run folder."""
