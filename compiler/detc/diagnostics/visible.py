"""Text from a user's file made safe and measurable for a terminal."""

from __future__ import annotations

import unicodedata

TAB = 4


def visible(text: str) -> str:
    """`text` with line ends, escapes and direction overrides replaced by signs that only look like what they are."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _sign(character) for character in text)


def _sign(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return " " if unicodedata.category(character) == "Zs" else "\ufffd"


def expand(line: str) -> tuple[str, list[int]]:
    """The line as shown, tabs expanded and made visible, and the display column (from 0) of each character and of the
    line's end."""
    shown: list[str] = []
    columns = [0]
    for character in line:
        at = columns[-1]
        piece = " " * (TAB - at % TAB) if character == "\t" else visible(character)
        shown.append(piece)
        columns.append(at + (len(piece) if character == "\t" else width(piece)))
    return "".join(shown), columns


def width(text: str) -> int:
    """Terminal cells that `text` takes: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    cells = 0
    for character in text:
        if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
            continue
        cells += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return cells
