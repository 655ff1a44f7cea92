"""Which tensors of a source belong to which of a model.

Names and shapes decide. Where no name of the source is the model's, one prefix may be taken off or put on for all of them;
where that does not help either, the order decides, but only in a source that has one, and if the shapes and roles of a whole
part stand in it one after the other in exactly one place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from detrt.errors import DetrtError
from detrt.weights.found import Found, is_below, is_counted, role_of
from detrt.weights.transfer import Taken, Transfer

MOST = 20_000
"""Tensors of a source that are looked through by order."""
NAMES = 6


def match(own: Mapping[str, Tensor], found: Found, prefixes: list[str]) -> Transfer:
    """What of `found` goes into a model whose tensors are `own`, with `prefixes` only into these parts of it.

    Raises DetrtError where nothing fits, where a named part does not fit, where most of what both name differs in shape (a
    net of another width), and for weights that are no finite numbers.
    """
    wanted = {name: tensor for name, tensor in own.items() if is_below(name, prefixes)}
    pairs, rule = _by_name(wanted, found, prefixes)
    if not pairs and found.ordered:
        pairs, rule = _by_order(wanted, found, prefixes), "order"
    taken = {name: Taken(origin, rule) for name, origin in pairs.items() if _fits(own[name], found.tensors[origin])}
    others = {name: found.tensors[origin] for name, origin in pairs.items() if name not in taken and is_counted(name)}
    if not any(map(is_counted, taken)) or (prefixes and others) or len(others) > sum(map(is_counted, taken)):
        raise _misfit(wanted, found, prefixes, others)
    for entry in taken.values():
        tensor = found.tensors[entry.origin]
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor.float()).all()):
            raise DetrtError(f"the weight `{entry.origin}` holds values that are no numbers", found.source)
    left = {name: _why(name, tensor, others) for name, tensor in wanted.items() if name not in taken}
    left = {name: why for name, why in left.items() if is_counted(name)}
    used = {entry.origin for entry in taken.values()}
    unused = [name for name in found.tensors if name not in used and is_counted(name)]
    return Transfer(found, prefixes, taken, left, unused, {name: list(own[name].shape) for name in (*taken, *left)})


def _fits(own: Tensor, tensor: Tensor) -> bool:
    return own.shape == tensor.shape and own.is_floating_point() == tensor.is_floating_point()


def _why(name: str, own: Tensor, others: Mapping[str, Tensor]) -> str:
    if name not in others:
        return "not in the source"
    shape = list(others[name].shape)
    return f"{shape} there, {list(own.shape)} here" if shape != list(own.shape) else f"{others[name].dtype} there"


# ---- by name --------------------------------------------------------------------------------------------------------


def _by_name(wanted: Mapping[str, Tensor], found: Found, prefixes: list[str]) -> tuple[dict[str, str], str]:
    """Names of the model and of the source that belong together, and the rule that says so. The source's own names count
    first; another spelling of them does where they say nothing and all that it pairs fits.
    """
    for front, top, rule in _spellings(list(found.tensors), prefixes):
        pairs = {f"{top}{name[len(front) :]}": name for name in found.tensors}
        pairs = {name: pairs[name] for name in wanted if name in pairs}
        if not any(map(is_counted, pairs)):
            continue
        whole = all(name in pairs for name in wanted if is_counted(name) and name.startswith(top)) or not top
        if rule == "name" or (whole and all(_fits(wanted[n], found.tensors[o]) for n, o in pairs.items())):
            return pairs, rule
    return {}, "name"


def _spellings(names: list[str], prefixes: list[str]) -> Iterator[tuple[str, str, str]]:
    """What to take off the names, what to put before them, and how that is told: nothing, then what all of them begin
    with, and the part that is asked for.
    """
    shared = [""]
    for words in zip(*(name.split(".")[:-1] for name in names), strict=False):
        if len(set(words)) > 1:
            break
        shared.append(f"{shared[-1]}{words[0]}.")
    for front in shared:
        without = f", without `{front[:-1]}`" if front else ""
        yield front, "", f"name{without}"
        for prefix in prefixes:
            yield front, f"{prefix}.", f"name below `{prefix}`{without}"


# ---- by order -------------------------------------------------------------------------------------------------------


def _by_order(wanted: Mapping[str, Tensor], found: Found, prefixes: list[str]) -> dict[str, str]:
    """Pairs for each part whose tensors stand in the source in one place only; nothing if some part's do not."""
    if len(found.tensors) > MOST:
        return {}
    theirs = [name for name in found.tensors if is_counted(name)]
    signs = [(tuple(found.tensors[name].shape), found.role(name)) for name in theirs]
    pairs: dict[str, str] = {}
    for part in prefixes or [""]:
        ours = [name for name in wanted if is_counted(name) and is_below(name, [part] if part else [])]
        run = [(tuple(wanted[name].shape), role_of(name)) for name in ours]
        places = [i for i in range(len(signs) - len(run) + 1) if signs[i : i + len(run)] == run] if run else []
        if len(places) != 1:
            return {}
        pairs |= dict(zip(ours, theirs[places[0] : places[0] + len(run)], strict=True))
    return pairs


# ---- nothing fits ---------------------------------------------------------------------------------------------------


def _misfit(
    wanted: Mapping[str, Tensor], found: Found, prefixes: list[str], others: Mapping[str, Tensor]
) -> DetrtError:
    where = f" below {', '.join(prefixes)}" if prefixes else ""
    ours = [f"{name} {list(tensor.shape)}" for name, tensor in wanted.items() if is_counted(name)]
    if others:
        lines = [f"  {name}: {_why(name, wanted[name], others)}" for name in others]
        more = [f"  and {len(lines) - NAMES} more"] if len(lines) > NAMES else []
        text = "\n".join([f"{len(others)} of {len(ours)} weights{where} do not fit:", *lines[:NAMES], *more])
        return DetrtError(text, found.source, "use weights of a net of the same width, or load fewer parts")
    theirs = [f"{name} {list(tensor.shape)}" for name, tensor in found.tensors.items() if is_counted(name)]
    listed = "\n".join(f"  {a:<50} {b}" for a, b in zip(ours[:NAMES], [*theirs[:NAMES], *[""] * NAMES], strict=False))
    text = f"the source has no weights for what stands{where or ' in the model'}; the first here and there:\n{listed}"
    folded = not any(found.role(name) == "running_mean" for name in found.tensors)
    folded &= any(name.endswith(".running_mean") for name in wanted)
    remedy = "its batch norms are folded into its convolutions: export it without folding" if folded else ""
    if not prefixes and not remedy:
        remedy = "say with `load = PART` which part of the model it holds"
    return DetrtError(text, found.source, remedy)
