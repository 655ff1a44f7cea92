"""The value of `train`, `val` and `test`: a name, several, or `split(images = .., annotations = ..)` for what lies elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from detc.semantics.schema.key import Schema
from detc.semantics.schema.kind import MISSING, Kind, ListOf, Text
from detc.syntax import tree

if TYPE_CHECKING:
    from detc.semantics.reading import Reader


@dataclass(eq=False, repr=False)
class Split(Kind):
    """Gives the text, the list of texts if `several` may be named, or {"name": "split", ..} with the keys of `parts`."""

    parts: Schema
    several: bool = False

    @property
    def describe(self) -> str:
        keys = ", ".join(f"{key} = .." for key in self.parts.names)
        return f"a string in quotes, {'a list of them, ' if self.several else ''}or split({keys})"

    def read(self, expr: tree.Expr, at: Reader, key: str) -> Any:
        if isinstance(expr, tree.Call) and isinstance(expr.function, tree.Name) and expr.function.id == "split":
            values = at.arguments(self.parts, expr)
            return MISSING if values is MISSING else {"name": "split", **values}
        if self.several and isinstance(expr, tree.List):
            return ListOf(Text(path=True), least=1).read(expr, at, key)
        value = at.plain(expr)
        if value is MISSING or isinstance(value, str):
            return value
        return at.wrong(expr, key, self.describe)

    def read_raw(self, text: str) -> Any:
        return MISSING if text[:1] in ("[", '"') or text.startswith("split(") else text or MISSING
