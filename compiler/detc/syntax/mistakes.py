"""What can be wrong with the text of a spec, in the words the user reads. One Rule each; codes SYN1xx."""

from __future__ import annotations

from detc.diagnostics import Finding, Rule, Span
from detc.diagnostics.did_you_mean import closest
from detc.syntax.units import UNITS

# ---- reading the file -----------------------------------------------------------------------------------------------

UNREADABLE = Rule(
    "SYN101",
    "error",
    """cannot read `{path}`: {reason}

    A spec is a plain text file. The path may be mistyped, or the file may not be readable by you.""",
    "check the path",
)
NOT_TEXT = Rule(
    "SYN102",
    "error",
    """`{path}` is not UTF-8 text: {reason}

    Specs are UTF-8, with or without a byte order mark. A file in another encoding, or a binary file, is refused rather than
    guessed at.""",
    "save the file as UTF-8",
)
TOO_LONG = Rule(
    "SYN103",
    "error",
    """`{path}` is too large for a spec: {actual}, the limit is {allowed}

    A spec of 5,000 layers takes about 200 kB. Anything far beyond that is most likely a data file or a runaway generator.""",
    "use `* n`, blocks and comprehensions instead of repeated text",
)
TOO_DEEP = Rule(
    "SYN104",
    "error",
    """nested deeper than {allowed} levels

    Brackets, operators and blocks may nest {allowed} levels deep. A chain such as `a |> b |> c` counts one level a link.""",
    "give the inner part a name with `let`, or use `f * n`",
)
TOO_MANY = Rule(
    "SYN105",
    "error",
    """too many mistakes: the rest of the file was not looked at

    Reading stops after {allowed} syntax errors; they rarely have that many causes.""",
    "mend the first few and try again",
)

# ---- spelling -------------------------------------------------------------------------------------------------------

STRAY = Rule(
    "SYN110",
    "error",
    """{character} means nothing in a spec

    The text holds a character that no part of the language uses.""",
    "remove it",
)
UNCLOSED_STRING = Rule(
    "SYN111",
    "error",
    """this string has no closing `"`

    A string stands on one line, between double quotes. Inside it, write `\\\\"` for a quote and `\\\\n` for a line end.""",
    'add a `"` where the string ends',
)
SINGLE_QUOTES = Rule(
    "SYN112",
    "error",
    """strings stand between double quotes

    There is one way to write a string: `"like this"`.""",
    "write {better}",
)
BAD_NUMBER = Rule(
    "SYN113",
    "error",
    """`{word}` is neither a number nor a quantity

    Numbers are `16`, `6_553_600`, `0.5`, `1e-3` and `0x24000000`; a quantity is a number with a unit (`640 KiB`); dims are
    `3x3`.""",
    "put a space between a number and the word after it",
)
UNKNOWN_UNIT = Rule(
    "SYN114",
    "error",
    """there is no unit `{unit}`

    Units measure bytes, rates, time, energy, power, arithmetic, bits, pictures, training time and shares; case matters:
    `kB` is 1000 bytes, `KiB` is 1024.""",
    "leave the unit out, or use one of: B, KiB, MiB, Hz, s, ms, bits, epochs, steps, images, %, points",
)
BAD_ESCAPE = Rule(
    "SYN115",
    "error",
    """`{word}` is no escape that strings know

    The escapes are `\\\\"`, `\\\\\\\\`, `\\\\n`, `\\\\r`, `\\\\t` and `\\\\u{{1F600}}` for a character by its number.""",
    "write `\\\\` for a backslash",
)
OUT_OF_RANGE = Rule(
    "SYN116",
    "error",
    """the number `{word}` is too {what}

    Whole numbers have at most {allowed} digits, and decimal ones must fit a 64-bit float.""",
)
FOREIGN_NAME = Rule(
    "SYN117",
    "error",
    """`{word}` is not a name: names are made of the letters A-Z and a-z, digits and `_`

    Names become attributes of Python classes and identifiers in C, so they keep to ASCII. Strings may hold any text.""",
    "rename it, or put it between double quotes if it is text",
)

# ---- grammar --------------------------------------------------------------------------------------------------------

UNCLOSED = Rule(
    "SYN120",
    "error",
    """this `{bracket}` is never closed

    Every `(`, `[` and `{{` needs its partner before the item it stands in ends.""",
    "add a `{partner}`",
)
UNOPENED = Rule(
    "SYN121",
    "error",
    """this `{bracket}` closes nothing

    There is no open `{partner}` that it could belong to.""",
    "remove it, or add the `{partner}` it should close",
)
MISMATCHED = Rule(
    "SYN139",
    "error",
    """this `{bracket}` is closed by `{wrong}`

    Brackets close in pairs: `()`, `[]`, `{{}}`.""",
    "write `{partner}`",
)
RESERVED = Rule(
    "SYN122",
    "error",
    """`{word}` is a word of the language and cannot be a name

    Reserved are: and, as, else, extends, false, for, if, in, none, not, on, or, require, then, true, use, where.""",
    "call it `{word}_` or something that says more",
)
MISPLACED = Rule(
    "SYN123",
    "error",
    """{what} does not fit here: {expected}

    The text up to here was understood; with this word it can no longer be continued to an item, a value or a body.""",
)
NO_VALUE = Rule(
    "SYN124",
    "error",
    """a value is missing after {what}

    `=`, operators, `in`, `if` and the like must be followed by an expression.""",
    "write the value, or remove {what}",
)
NO_COMMA = Rule(
    "SYN125",
    "error",
    """a comma is missing before {what}

    The elements of a list, a call or a map are separated by commas; only the items of a block are not.""",
    "write `, {text}`",
)
COMMA_BETWEEN_ITEMS = Rule(
    "SYN126",
    "error",
    """items are not separated by `{text}`

    The items of a block and of a file follow each other with white space between them.""",
    "remove the `{text}`",
)
UNFINISHED = Rule(
    "SYN127",
    "error",
    """`{head}` is not finished: {expected}

    An item is `key = value`, `kind name = value`, `kind name: type`, a bound such as `limit ram <= 4 KiB`, or a block with
    a body.""",
    "finish it or remove it",
)
MISSPELT = Rule(
    "SYN129",
    "error",
    """`{word}` does not fit here; did you mean `{better}`?

    The word stands where only a word of the language can.""",
    "write `{better}`",
)
CHAINED = Rule(
    "SYN130",
    "error",
    """comparisons do not chain

    `a < b < c` would need to mean two comparisons at once.""",
    "write `a < b and b < c`",
)
ASSIGN_FOR_EQUAL = Rule(
    "SYN131",
    "error",
    """`=` assigns; comparing is `==`

    In a condition only values are compared.""",
    "write `==`",
)
COLON_FOR_EQUAL = Rule(
    "SYN132",
    "error",
    """keys are set with `=`

    `:` stands before a type (`input frame: u8[3, 448, 448]`) and in maps (`{{grid: 19}}`) only.""",
    "write `{word} = ...`",
)
WHERE_NEEDS_TYPE = Rule(
    "SYN133",
    "error",
    """only a param with a type can have a `where`

    The range is judged against values of that type.""",
    "write `{word}: int = ... where ...`",
)
POSITIONAL_LAST = Rule(
    "SYN134",
    "error",
    """a positional argument cannot follow a named one

    Positional arguments are matched in order, so they come first.""",
    "move it to the front, or name it",
)
TWICE = Rule(
    "SYN135",
    "error",
    """`{word}` is given twice

    The second would silently win over the first.""",
    "remove one of them",
)
DANGLING = Rule(
    "SYN136",
    "error",
    """this attribute has no item to speak of

    `@source(..)` and the like stand before an item, or behind it on its last line.""",
    "move it to the line above its item",
)
DANGLING_DOC = Rule(
    "SYN137",
    "warning",
    """this `##` documents nothing

    `##` text belongs to the item after it, or to the item before it on the same line.""",
    "write `#` for a plain comment",
)

NOT_FORMATTED = Rule(
    "SYN190",
    "error",
    """`{path}` was left alone: laying it out would have changed its meaning

    The formatter reads its own output and compares. That it differs is a fault of detc, not of the spec.""",
    "please report it with the file",
)

# ---- what stands where no token is ----------------------------------------------------------------------------------

PATTERNS = (
    r"(?P<BAD_NUMBER>\.?[0-9][0-9A-Za-z_]*(?:\.[0-9][0-9A-Za-z_]*)?)",
    r"(?P<BAD_QUOTES>'[^'\n]*')",
    r'(?P<BAD_STRING>"(?:[^"\\\n]|\\[^\n])*\\?)',
    r"(?P<BAD_NAME>[^\W\d]\w*)",
    r"(?P<BAD_TEXT>(?:&&|\|\||\S))",
)
"""What the lexer tries when no terminal matches; group names say what is wrong."""

_INSTEAD = {"&&": "and", "||": "or", "&": "and", "|": "|>", "!": "not", "^": "*", "%": "//"}
_LEFT_OUT = {
    ";": "items need no separator",
    "\\": "items may go on over line ends without it",
    "'": 'strings stand between `"`',
}
_KINDS = {"&&": "AND", "||": "OR", "&": "AND", "|": "PIPE", "!": "NOT", "^": "MUL"}


def meant(operator: str) -> str:
    """The operator that a misspelt one stands for, so that a tree holds none that nobody knows."""
    return _INSTEAD.get(operator, operator)


def spelling(kind: str, word: str, span: Span) -> tuple[str | None, Finding]:
    """The token that `word` most likely stands for (None: skip it), and what to say about it."""
    if kind == "BAD_NUMBER":
        digits = word.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
        if word.startswith("."):
            return "NUMBER", BAD_NUMBER(span, word=word, help=f"write `0{word}`")
        if digits and not word.startswith("0x") and (help := _better_unit(digits, word[len(digits) :])):
            return "NUMBER", UNKNOWN_UNIT(span, unit=word[len(digits) :], help=help)
        hexadecimal = "a hexadecimal number looks like `0x2400_0000`" if word.startswith("0x") else None
        return "NUMBER", BAD_NUMBER(span, word=word, help=hexadecimal)
    if kind == "BAD_QUOTES":
        return "STRING", SINGLE_QUOTES(span, better=f'"{word[1:-1]}"'.replace("`", "'"))
    if kind == "BAD_STRING":
        return "STRING", UNCLOSED_STRING(span, label="opened here")
    if kind == "BAD_NAME":
        return "NAME", FOREIGN_NAME(span, word=word)
    if word in _INSTEAD:
        return _KINDS.get(word), STRAY(span, character=f"`{word}`", help=f"did you mean `{_INSTEAD[word]}`?")
    if word in _LEFT_OUT:
        return None, STRAY(span, character=f"`{word}`", help=f"remove it: {_LEFT_OUT[word]}")
    return None, STRAY(span, character=_shown(word))


def _shown(character: str) -> str:
    if character.isprintable() and character != "`":
        return f"`{character}`"
    return f"the character U+{ord(character[0]):04X}"


def unknown_unit(number: str, word: str, whole: Span, at: Span) -> Finding:
    """`number` is the text before the misspelt `word`; it may hold the first half of a unit (`640 KB ib`)."""
    digits = number.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ%/").rstrip()
    half = number[len(digits) :].strip()
    unit = f"{half} {word}" if half else word
    return UNKNOWN_UNIT(whole if half else at, unit=unit, help=_better_unit(digits, (half + word).replace(" ", "")))


def _better_unit(digits: str, word: str) -> str | None:
    if word.casefold() == "kb":
        return f"did you mean `{digits} KiB` (1024 B) or `{digits} kB` (1000 B)?"
    near = UNITS if len(word) > 2 else [unit for unit in UNITS if unit.casefold() == word.casefold()]
    unit = closest(word, near)
    if unit and f"{unit}s" in UNITS and len(unit) > 1 and digits != "1":
        unit += "s"
    return f"did you mean `{digits} {unit}`?" if unit else None
