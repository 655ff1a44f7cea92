"""The folder c/ of an artifact: everything that a firmware needs, and the programs that try it without a board."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from detrt.devices.stm32.c.description import NAME as DESCRIPTION
from detrt.devices.stm32.c.description import description
from detrt.devices.stm32.c.detector import Picture, detector_c, detector_h, picture_c, picture_h, test_card
from detrt.devices.stm32.c.flash import flash_for
from detrt.devices.stm32.c.headers import config_h, network_h, weights_c, weights_h
from detrt.devices.stm32.c.layers import network_of
from detrt.devices.stm32.c.network import network_c
from detrt.devices.stm32.c.readme import readme
from detrt.devices.stm32.c.st_headers import st_header
from detrt.devices.stm32.postprocess import outputs_of
from detrt.devices.stm32.postprocess_c import files as postprocess_files
from detrt.devices.stm32.program import Program

HERE = Path(__file__).parent
COPIED = {"boards": ("*.c", "*.h", "*.ld"), "apps": ("*.c", "*.h"), "project": ("*",)}
"""Files that go with every network, by folder; those of `project` to the top."""
PARTS = {"conv": ("pointwise.c", "multiply*.c"), "dense": ("multiply*.c",)}
"""What a kernel calls besides the files that begin with its name."""


def write(
    program: Program,
    plan: Mapping[str, Any],
    lock: Mapping[str, Any],
    head: Mapping[str, Any] | None,
    folder: Path,
    classes: Sequence[str] | None = None,
    picture: Picture | None = None,
) -> None:
    """Writes the C code of `program` into the new folder `folder`; the same arguments give the same bytes.

    `plan` and `head` are `lock["plan"]` and an entry of `lock["model"]["heads"]`, or None for a network alone; `classes` are
    names, the head's own unless given; `picture` u8 [height, width, channels] is what main.c tries, a drawn one unless given.
    Raises DetrtError where plan or head are not the program's, OSError where the folder cannot be written.
    """
    network = network_of(program, plan, lock)
    order = str(((lock.get("model") or {}).get("input") or {}).get("order", ""))
    texts: dict[str, str | Iterable[str]] = {
        "network.c": network_c(network),
        "network.h": network_h(network),
        "network_config.h": config_h(network, order, flash_for(network.constant_bytes, lock), head is not None),
        "network_weights.h": weights_h(network),
        "network_weights.c": weights_c(network),
        DESCRIPTION: description(network),
        "picture.c": picture_c(test_card(network.input.shape) if picture is None else picture),
        "picture.h": picture_h(),
    }
    if head is not None:
        names = _names(head, classes)
        header, st_text = st_header(network, lock, head, names)
        texts |= {
            "detector.c": detector_c(network, outputs_of(program, head), names),
            "detector.h": detector_h(network),
            header: st_text,
            "README.md": readme(network, names, header),
            **postprocess_files(program, head),
        }
    else:
        texts["README.md"] = readme(network)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        with (folder / name).open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines([text] if isinstance(text, str) else text)
    for name, patterns in COPIED.items():
        _copy(HERE / name, patterns, folder if name == "project" else folder / name)
    kernels = {layer.call.kernel for layer in network.layers}
    wanted = [
        "*.h",
        *(["detc_stream.c"] if network.arena.windows else []),
        *(f"{kernel}*.c" for kernel in kernels),
        *(part for k in kernels for part in PARTS.get(k, ())),
    ]
    _copy(HERE / "kernels", wanted, folder / "kernels")


def _copy(source: Path, patterns: Iterable[str], folder: Path) -> None:
    """The files of a folder that some pattern fits."""
    folder.mkdir(exist_ok=True)
    for path in sorted({path for pattern in patterns for path in source.glob(pattern) if path.is_file()}):
        shutil.copy2(
            path, folder / path.name
        )  # with its time, so that make compiles a kernel once for several networks


def _names(head: Mapping[str, Any], classes: Sequence[str] | None) -> list[str]:
    options = head.get("options") or {}
    count = int(options.get("classes", 0))
    known = [str(name) for name in (classes or options.get("names") or ())]
    return [known[number] if number < len(known) else f"class {number}" for number in range(count)]
