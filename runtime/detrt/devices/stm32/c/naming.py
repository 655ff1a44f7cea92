"""Names and texts of a spec as C can hold them. A spec's name may hold anything: quotes, line ends, the end of a comment."""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST = 48
"""Characters of an identifier made from a name; what is longer is cut."""


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """A C identifier for each name, all different: `stem.conv1` becomes `stem_conv1`, a second one `stem_conv1_2`.

    They hold letters, digits and `_` only and may be keywords of C: whoever prints one puts a prefix or a suffix to it.
    """
    taken: set[str] = set()
    found: dict[str, str] = {}
    for name in names:
        if name in found:
            continue
        plain = re.sub(r"[^A-Za-z0-9]+", "_", name)[:LONGEST].strip("_") or "layer"
        choice, number = plain, 1
        while choice in taken:
            number += 1
            choice = f"{plain}_{number}"
        taken.add(choice)
        found[name] = choice
    return found


def comment(text: str) -> str:
    """`text` as the inside of a /* comment */: one line of printable ASCII that neither ends the comment nor opens one."""
    plain = "".join(c if " " <= c <= "~" else "?" for c in text)
    return plain.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?").rstrip("\\")


def string(text: str) -> str:
    """`text` as a C string literal, in UTF-8; every byte that is no plain character is escaped in octal."""
    return '"' + "".join(_escaped(byte) for byte in text.encode("utf-8", "replace")) + '"'


def _escaped(byte: int) -> str:
    char = chr(byte)
    if char in '"\\?':  # a question mark might begin a trigraph
        return f"\\{char}"
    return char if " " <= char <= "~" else f"\\{byte:03o}"


def symbol(text: str) -> str:
    """`text` as the tail of a macro's name: `axi ram` becomes `AXI_RAM`."""
    return identifiers([text])[text].upper()
