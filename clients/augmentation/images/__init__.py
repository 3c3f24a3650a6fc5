"""Images: a function for each augmentation of theirs.

A geometric one gives maps, (spec, numbers in [0, 1), height, width) → `affine.Maps`; any other one changes pixels,
(spec, pixels, `pixels.Drawn`) → pixels.
"""
