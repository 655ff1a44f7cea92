"""The softmax head of a classifier: one probability a class for the whole picture."""

from __future__ import annotations

from detc.semantics.schema.heads import rules
from detc.semantics.schema.heads.kind import HeadKind, Placed
from detc.semantics.schema.heads.shared_options import DERIVED_CLASSES, NAMES
from detc.semantics.schema.key import Key, Schema
from detc.semantics.schema.kind import Number


def _check(head: Placed) -> None:
    (output,) = head.outputs
    (type,) = output.types
    if type.is_map and (type.height, type.width) != (1, 1):
        head.findings.append(rules.NOT_A_VECTOR(output.span, output=output.name, kind=head.kind, actual=str(type)))
    elif head.derive_classes(output, 1, 0, "classes"):
        head.channels(output, 0, head.options["classes"], "classes")


SOFTMAX = HeadKind(
    Schema("a softmax head", (DERIVED_CLASSES, NAMES)),
    loss=(Key("loss.label_smoothing", Number(low=0, below=1), 0.0, "share of the target spread over all classes"),),
    reads=("logits",),
    check=_check,
    measures=("top1", "top5", "loss"),
)
