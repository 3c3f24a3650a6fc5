"""A short file for each kind of part, which docs/extending.md explains and `hothouse new --part` starts one from."""
