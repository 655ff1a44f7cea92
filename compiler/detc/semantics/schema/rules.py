"""The rules that every section shares: unknown, missing, doubled and ill-valued keys. One text, a code for each area."""

from __future__ import annotations

from dataclasses import dataclass

from detc.diagnostics import Rule


@dataclass(eq=False, repr=False)
class SectionRules:
    """The family of one area: codes PREFIX101 to PREFIX107."""

    unknown_key: Rule
    wrong_value: Rule
    missing_unit: Rule
    wrong_unit: Rule
    missing_key: Rule
    doubled_key: Rule
    unknown_word: Rule

    def all(self) -> tuple[Rule, ...]:
        return (
            self.unknown_key,
            self.wrong_value,
            self.missing_unit,
            self.wrong_unit,
            self.missing_key,
            self.doubled_key,
            self.unknown_word,
        )


def section_rules(prefix: str, area: str) -> SectionRules:
    """The rules of `area` ("a train block"), numbered from PREFIX101."""
    return SectionRules(
        unknown_key=Rule(
            f"{prefix}101",
            "error",
            f"""{{what}} has no key `{{key}}`

            Every key of {area} is known beforehand, so that a misspelt one cannot pass for a default.
            `detc show` lists the keys with their values.""",
            help="{remedy}",
        ),
        wrong_value=Rule(
            f"{prefix}102",
            "error",
            f"""`{{key}}` takes {{allowed}}, not {{actual}}

            The value of a key of {area} has the wrong kind or lies outside its range.""",
        ),
        missing_unit=Rule(
            f"{prefix}103",
            "error",
            f"""`{{key}}` needs a unit: {{allowed}}

            A bare number would leave open what it counts, so keys of {area} that measure
            something take a number with its unit.""",
            help="write `{fix}`",
        ),
        wrong_unit=Rule(
            f"{prefix}104",
            "error",
            f"""`{{key}}` is given in {{actual}}; it takes {{allowed}}

            The unit measures another thing than the key of {area} means.""",
        ),
        missing_key=Rule(
            f"{prefix}105",
            "error",
            f"""{{what}} lacks `{{key}}`

            This key of {area} has no default.""",
            help="add `{fix}`",
        ),
        doubled_key=Rule(
            f"{prefix}106",
            "error",
            f"""`{{key}}` is given twice in {{what}}

            Of two values of one key of {area} one would silently win.""",
        ),
        unknown_word=Rule(
            f"{prefix}107",
            "error",
            f"""`{{actual}}` is no value of `{{key}}`

            This key of {area} takes one of a few words.""",
            help="{remedy}",
        ),
    )


TRAIN = section_rules("TRN", "a train block or stage")
DATA = section_rules("DAT", "a data block")
HEAD = section_rules("HED", "a head")
DEPLOY = section_rules("DEP", "a deploy block")
TARGET = section_rules("TGT", "a target")
PARAM = section_rules("PAR", "a parameter")

RULES: tuple[Rule, ...] = (
    *TRAIN.all(), *DATA.all(), *HEAD.all(), *DEPLOY.all(), *TARGET.all(), *PARAM.all(),
)  # fmt: skip
