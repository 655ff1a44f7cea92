"""The keys of a deploy block."""

from __future__ import annotations

from detc.semantics.schema.key import Key, Schema
from detc.semantics.schema.kind import Dotted

DEPLOY = Schema("a deploy block", (Key("model", Dotted("the name of a model"), None, "what is put on the target"),))
