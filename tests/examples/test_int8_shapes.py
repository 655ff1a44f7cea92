"""What int8 costs on drawn shapes: the recorded figures keep their promise, and the README shows them."""

import importlib.util
import json
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "int8-shapes"
RECORDED = sorted((EXAMPLE / "recorded").glob("*.json"))


def test_int8_loses_at_most_a_point_of_a_net_that_has_learned() -> None:
    assert RECORDED
    for path in RECORDED:
        found = json.loads(path.read_text(encoding="utf-8"))
        assert found["spec"] == path.stem and found["split"] == "test"
        assert found["float"]["map50"] > 0.6, path.stem
        assert found["float"]["map50"] - found["int8"]["map50"] <= 0.01, path.stem
        for key in ("map50", "map"):
            assert found["artifact"][key] == found["int8"][key], "whole numbers all the way: no tolerance"


def test_the_readme_shows_what_is_recorded() -> None:
    spec = importlib.util.spec_from_file_location("int8_shapes_run", EXAMPLE / "run.py")
    assert spec is not None and spec.loader is not None
    run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run)
    assert f"<!-- recorded -->\n{run.table()}\n<!-- end -->" in (EXAMPLE / "README.md").read_text(encoding="utf-8")
