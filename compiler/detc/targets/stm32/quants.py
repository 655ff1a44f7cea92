"""Which tensors are read with one scale and zero: kernels that only move numbers, and concatenations."""

from __future__ import annotations

from detc.targets.stm32.steps import Steps

SHARING = frozenset(("max_pool", "resize", "channels", "shuffle", "space_to_depth", "pad", "reorder"))
"""Kernels whose output has its input's Quant."""


def share_quants(steps: Steps) -> None:
    """Fills `steps.quants`.

    The inputs of a concat take the concat's Quant where nothing but kernels that share reads them, nor anything that has their
    Quant: then the concat copies bytes. Any other input, the net's input and its outputs keep theirs and come through a table.
    """
    moved = SHARING | {"concat"}
    readers: dict[str, list[str]] = {}
    for step in steps.steps:
        for name in step.inputs:
            readers.setdefault(steps.storage(name), []).append(step.kernel)
    root = {name: name for name in steps.storages()}
    group: dict[str, list[str]] = {name: [name] for name in root}

    def join(to: str, source: str) -> None:
        to, source = root[to], root[source]
        if to != source:
            for name in group.pop(source):
                root[name] = to
                group[to].append(name)

    for step in steps.steps:
        if step.kernel in SHARING:
            join(steps.storage(step.inputs[0]), step.output)
    outside = steps.kept | {steps.input}
    for step in steps.steps:
        if step.kernel == "concat":
            for name in steps.reads(step):
                members = group[root[name]]
                if all(r in moved for m in members for r in readers.get(m, ())) and not outside & set(members):
                    join(step.output, name)
    found = {name: root.get(steps.storage(name), name) for name in steps.tensors}
    steps.quants = {name: shared for name, shared in found.items() if shared != name}
