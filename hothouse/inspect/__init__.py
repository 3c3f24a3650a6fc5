"""What can be told of a scenario before anything runs."""
