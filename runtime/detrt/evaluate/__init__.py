"""Figures of detectors: average precision by the rules of COCO and of Pascal VOC."""

from detrt.evaluate.result import ClassResult, Result
from detrt.evaluate.score import evaluate, score

__all__ = ["ClassResult", "Result", "evaluate", "score"]
