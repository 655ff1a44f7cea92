"""What the names of places say: a word with its ordinal, a number in a list, a label of its own."""

from __future__ import annotations

from detc.codegen.det.words import Unwritable, is_name
from detc.codegen.tree import Place
from detc.semantics.values import TENSOR_ATTRIBUTES


def is_numbered(place: Place) -> bool:
    return bool(place.inner) and all(name.isdigit() for name in place.inner)


def base_of(local: str, word: str) -> bool:
    """Whether `local` is `word` with an ordinal."""
    rest = local.removeprefix(word)
    return rest != local and rest.removeprefix("_" if word[-1:].isdigit() else "").isdigit()


def base_name(local: str) -> str:
    """`inverted` of `inverted1`: what a place is called that is no block's."""
    word = local.rstrip("0123456789")
    return f"{local}_layers" if word == local or not word else word


def check_label(name: str, place: Place) -> None:
    if not is_name(name) or (place.path and name in TENSOR_ATTRIBUTES):
        raise Unwritable(f"`{name}` in `{place.path or 'the model'}` is no name of the language")
