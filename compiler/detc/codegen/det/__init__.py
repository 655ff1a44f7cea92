"""Models back as .det text: what `detc prune` writes, and what imported graphs become."""

from detc.codegen.det.spec import plain_spec, pruned_from
from detc.codegen.det.words import Unwritable, det_name

__all__ = ["Unwritable", "det_name", "plain_spec", "pruned_from"]
