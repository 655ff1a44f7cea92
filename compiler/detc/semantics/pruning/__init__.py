"""Structured channel pruning of graphs: which channels hang together, how wide a smaller net is, and where each of its
channels comes from."""

from detc.semantics.pruning.narrow import Pruned, Refusal, prune
from detc.semantics.pruning.plan import Axis, Group, Run

__all__ = ["Axis", "Group", "Pruned", "Refusal", "Run", "prune"]
