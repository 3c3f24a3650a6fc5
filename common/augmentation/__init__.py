"""The augmentations: each `training.augmentation[].kind` with its options and what it does to examples."""
