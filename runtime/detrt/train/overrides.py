"""`--set` on a built project: dotted paths into the values of the lock that do not change the network.

`train.steps.chip.lr`, `train.steps.batch` (every stage of the block), `data.cells.root`, `head.conf`. What shapes
the network, its input or its target needs new code, and is refused with the command that writes it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from detrt.errors import DetrtError
from detrt.lock import Lock, Stage, parse_lock
from detrt.train.values import parse_value

_FIXED = {"id", "name", "train", "model", "kind", "start", "quantize", "span", "gates"}
"""Keys of a stage that tie it to other stages or to the plan of the target."""
_FIXED_HEAD = {"boxes", "classes", "grid", "names", "anchors", "strides", "priors"}
"""Head options that shape its tensor."""


def apply_sets(lock: Lock, sets: Sequence[str]) -> Lock:
    """The lock with each `NAME=VALUE` of `sets` written into it and validated again; they are listed in
    `spec.overrides`.

    Raises DetrtError for unknown names (with the nearest), values of a wrong kind and model-changing names.
    """
    if not sets:
        return lock
    raw = lock.raw_copy()
    for text in sets:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise DetrtError(f"--set {text}: expected NAME=VALUE", remedy="for example --set train.steps.float.lr=1e-3")
        parsed = parse_value(value, name.rpartition(".")[2])
        _write(raw, lock, name, parsed)
        raw.setdefault("spec", {}).setdefault("overrides", {})[name] = parsed
    return parse_lock(raw, "the lock with --set " + " ".join(sets))


def _write(raw: dict[str, Any], lock: Lock, name: str, value: Any) -> None:
    parts = name.split(".")
    if parts[0] == "train" and len(parts) > 2:
        _write_train(raw, lock, name, parts[1:], value)
    elif parts[0] == "data" and len(parts) > 2:
        if parts[1] not in lock.data:
            raise _unknown(name, parts[1], lock.data)
        block = raw["data"][parts[1]]
        _write_key(block if parts[2] in block or "options" not in block else block["options"], name, parts[2:], value)
    elif parts[0] == "head" and len(parts) == 2:
        for head in raw["model"].get("heads", []):
            if parts[1] in _FIXED_HEAD:
                raise _changes_the_model(lock, name, value)
            _write_key(head["options"], name, parts[1:], value)
    elif parts[0] in lock.spec.params or parts[0] in ("model", "models", "target", "plan", lock.model.name):
        raise _changes_the_model(lock, name, value)
    else:
        raise _unknown(name, parts[0], ["train", "data", "head", *lock.spec.params])


def _write_train(raw: dict[str, Any], lock: Lock, name: str, parts: list[str], value: Any) -> None:
    block = [stage for stage in lock.stages if stage.train == parts[0]]
    if not block:
        raise _unknown(name, parts[0], {stage.train for stage in lock.stages})
    chosen = [stage for stage in block if stage.name == parts[1]]
    keys = parts[2:] if chosen else parts[1:]
    if not keys:
        raise DetrtError(f"--set {name}: which value of the stage?", remedy=f"for example {name}.lr")
    if keys[0] in _FIXED:
        raise _changes_the_model(lock, name, value)
    known = {*Stage.model_fields, *_SHORT, *(key for stage in block for key in stage.loss)} - _FIXED
    if keys[0] not in known:
        raise _unknown(name, keys[0], known if chosen else {*known, *(stage.name for stage in block)})
    for stage in chosen or block:
        entry = next(entry for entry in raw["stages"] if entry["id"] == stage.id)
        for key, default in lock.raw_stage(stage.id).items():
            entry.setdefault(key, default)
        path = _full_path(keys, stage, value)
        if path[0] == "rates":
            entry["rates"] = {**entry["rates"], path[1]: value}
        else:
            _write_key(entry, name, path, value)


_SHORT = {"lr": ["optimizer", "lr"], "for_epochs": ["freeze", "epochs"]}
_SCALAR = {"early_stop": "patience", "rescale": "images"}
"""Parts of one number, which a spec writes as that number."""


def _full_path(keys: list[str], stage: Stage, value: Any) -> list[str]:
    """Where the lock keeps what a spec calls `keys`: `lr` is the optimiser's, `lr.trunk` that of a part, `noobj` one of the
    loss.
    """
    if len(keys) == 1 and keys[0] in _SCALAR and isinstance(value, int | float):
        return [keys[0], _SCALAR[keys[0]]]
    if keys[0] in stage.loss and keys[0] not in Stage.model_fields:
        return ["loss", *keys]
    if keys[0] == "lr" and len(keys) > 1:
        return ["rates", ".".join(keys[1:])]
    return _SHORT.get(keys[0], [keys[0]]) + keys[1:]


def _write_key(block: Any, name: str, keys: list[str], value: Any) -> None:
    fresh = False
    for key in keys[:-1]:
        if not isinstance(block, dict) or key not in block:
            raise _unknown(name, key, block if isinstance(block, dict) else [])
        if block[key] is None:
            block[key], fresh = {}, True
        block = block[key]
    key = keys[-1]
    if not isinstance(block, dict) or (key not in block and block and not fresh):
        raise _unknown(name, key, block if isinstance(block, dict) else [])
    old = block.get(key)
    if isinstance(old, dict) and "name" in old:
        # `optimizer = adamw` and `schedule = cosine(warmup = 3)` replace a whole part; the rest keeps its default.
        value = {"name": value} if isinstance(value, str) else value
        if not isinstance(value, dict):
            raise DetrtError(f"--set {name}: expected a name or a call such as `{old['name']}(...)`, not {value!r}")
        if value["name"] == old["name"] or key == "optimizer":
            value = {**old, **value}
    elif isinstance(old, dict):
        raise DetrtError(
            f"--set {name}: has keys of its own", remedy=f"set one of {', '.join(f'{name}.{k}' for k in old)}"
        )
    block[key] = value


def _unknown(name: str, part: str, candidates: Iterable[str]) -> DetrtError:
    known = sorted(str(candidate) for candidate in candidates)
    near = difflib.get_close_matches(part, known, n=1)
    hint = (
        f"did you mean `{near[0]}`?"
        if near
        else f"known here: {', '.join(known)}"
        if known
        else "nothing can be set here"
    )
    return DetrtError(f"--set {name}: unknown name `{part}`", remedy=hint)


def _changes_the_model(lock: Lock, name: str, value: Any) -> DetrtError:
    file = lock.spec.file or lock.spec.name
    return DetrtError(
        f"--set {name}: this changes the network or its stages, which are written in model.py",
        remedy=f"run `detc build {file} --set {name}={value}`, or `detc train {file} --set {name}={value}`",
    )
