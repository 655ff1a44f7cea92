"""Findings as JSON, GitHub commands and SARIF."""

from __future__ import annotations

import json

import pytest

from detc.diagnostics import Finding, Related, Rule, Span
from detc.diagnostics.render_github import render as github
from detc.diagnostics.render_json import finding_json
from detc.diagnostics.render_sarif import render as sarif

PLACE = Span("specs/my spec, v1:2.det", 20, 31, 20, 38)
FINDING = Finding(
    "GTI101",
    "error",
    "100% wrong:\nreally",
    PLACE,
    "here",
    (Related(Span("t.det", 18, 14, 18, 24), "the limit"),),
    "use 3x3",
    "5x5",
    "3x3",
)
PLACELESS = Finding("DAT101", "note", "nothing")
TALL = Finding("SHP101", "warning", "tall", Span("a.det", 1, 5, 3, 2))

POSITIVE = {"type": "integer", "minimum": 1}
REGION = {
    "type": "object",
    "required": ["startLine"],
    "properties": dict.fromkeys(("startLine", "startColumn", "endLine", "endColumn"), POSITIVE),
    "additionalProperties": False,
}
LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "properties": {
        "id": {"type": "integer", "minimum": -1},
        "message": {"type": "object", "required": ["text"]},
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "properties": {"uri": {"type": "string", "format": "uri-reference"}},
                },
                "region": REGION,
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {
                                    "rules": {"type": "array", "uniqueItems": True, "items": {"required": ["id"]}}
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": -1},
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": {"type": "object", "required": ["text"]},
                                "locations": {"type": "array", "items": LOCATION},
                                "relatedLocations": {"type": "array", "uniqueItems": True, "items": LOCATION},
                            },
                        },
                    },
                },
            },
        },
    },
}
"""The parts of the SARIF 2.1.0 schema that a log of ours can touch."""


def test_json_has_the_documented_keys() -> None:
    assert finding_json(FINDING) == {
        "code": "GTI101",
        "level": "error",
        "message": "100% wrong:\nreally",
        "span": {"file": PLACE.file, "line": 20, "column": 31, "end_line": 20, "end_column": 38},
        "label": "here",
        "related": [
            {
                "span": {"file": "t.det", "line": 18, "column": 14, "end_line": 18, "end_column": 24},
                "label": "the limit",
            }
        ],
        "help": "use 3x3",
        "actual": "5x5",
        "allowed": "3x3",
    }
    assert finding_json(PLACELESS)["span"] is None
    json.dumps(finding_json(FINDING))


def test_github_commands_escape_what_ends_them() -> None:
    first, second, third = github([FINDING, PLACELESS, TALL]).splitlines()
    assert first == (
        "::error file=specs/my spec%2C v1%3A2.det,line=20,endLine=20,title=GTI101,col=31,endColumn=38"
        "::100%25 wrong:%0Areally%0At.det:18:14: the limit%0Ahelp: use 3x3"
    )
    assert second == "::notice title=DAT101::nothing"
    assert third == "::warning file=a.det,line=1,endLine=3,title=SHP101::tall"


def test_sarif_keeps_to_its_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    rule = Rule("GTI101", "error", "a kernel\n\nWhy it is so.", "use 3x3")
    log = json.loads(sarif([FINDING, PLACELESS, TALL, FINDING], {"GTI101": rule}, "0.1.0"))
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [result["ruleId"] for result in run["results"]] == ["GTI101", "DAT101", "SHP101", "GTI101"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    assert rules[0]["fullDescription"]["text"] == "Why it is so."
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "specs/my%20spec%2C%20v1%3A2.det"
    assert place["region"] == {"startLine": 20, "startColumn": 31, "endLine": 20, "endColumn": 38}
    assert run["results"][1]["locations"] == []


def test_no_findings() -> None:
    assert github([]) == ""
    assert json.loads(sarif([]))["runs"][0]["results"] == []
