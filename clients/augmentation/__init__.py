"""Augmentation: what training makes of a client's examples before it sees them."""

from clients.augmentation.pipeline import Pipeline

__all__ = ["Pipeline"]
