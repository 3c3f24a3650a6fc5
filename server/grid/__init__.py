"""Grids of our own: RayGrid runs ClientApps on Ray actors, LocalGrid in this process."""
