"""Augmentation of pictures and their boxes, each step with its probability and ranges from the lock."""

from detrt.data.augment.recipe import Recipe

__all__ = ["Recipe"]
