"""Put files with parts of your own here that the nodes of a deployment are to have: see docs/extending.md."""
