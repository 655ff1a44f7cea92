"""`use`: libraries and files beside the spec; nothing outside of its folder, no circles, no mistake told twice."""

from __future__ import annotations

from pathlib import Path

from elaborating import graph, lines, model, run

BLOCKS = "let width = 4\nblock cbr(x, c) = x |> conv(c) |> bn |> relu\ndefault relu { cap = 6 }\n"


def test_a_file_gives_its_blocks_and_values(tmp_path: Path) -> None:
    (tmp_path / "mine.det").write_text(BLOCKS)
    text = graph(run(tmp_path, model("output y = frame |> mine.cbr(mine.width)", 'use "mine.det"')))
    assert 'y.conv1 = conv(frame) {"channels": 4}' in text


def test_an_alias_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "my-blocks.det").write_text(BLOCKS)
    assert "y.bn1" in graph(run(tmp_path, model("output y = frame |> b.cbr(2)", 'use "my-blocks.det" as b')))
    assert lines(run(tmp_path, model("output y = frame", 'use "my-blocks.det"')))[0].startswith("SEM157")


def test_defaults_of_a_spec_reach_a_library_unless_it_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "mine.det").write_text(BLOCKS)
    head = 'use "mine.det"\ndefault bn { eps = 1e-3 }\ndefault relu { cap = 31 }'
    text = graph(run(tmp_path, model("output y = frame |> mine.cbr(2) |> relu", head)))
    assert '{"eps": 0.001}' in text
    assert text.count('{"cap": 6}') == 1 and text.count('{"cap": 31}') == 1


def test_files_use_files_relative_to_themselves(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a.det").write_text('use "b.det"\nblock f(x) = x |> b.g\n')
    (tmp_path / "lib" / "b.det").write_text("block g(x) = x |> conv(7)\n")
    assert '{"channels": 7}' in graph(run(tmp_path, model("output y = frame |> a.f", 'use "lib/a.det"')))


def test_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.det").write_text('use "b.det"\n')
    (tmp_path / "b.det").write_text('use "a.det"\n')
    found = lines(run(tmp_path, model("output y = frame", 'use "a.det"')))
    assert found == [
        "SEM143 1:1 files use each other in a circle: a.det -> b.det -> a.det | move what they share into a file of its own"
    ]
    (tmp_path / "c.det").write_text('use "spec.det"\n')
    assert "spec.det -> c.det -> spec.det" in lines(run(tmp_path, model("output y = frame", 'use "c.det"')))[0]


def test_nothing_outside_of_the_folder_is_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside.det"
    outside.write_text(BLOCKS)
    folder = tmp_path / "spec"
    folder.mkdir()
    (folder / "link.det").symlink_to(outside)
    (folder / "away").symlink_to(tmp_path)
    for name in ("../outside.det", str(outside), "link.det", "away/outside.det", "/etc/passwd"):
        found = run(folder, model("output y = frame", f'use "{name}" as other')).findings
        assert [finding.code for finding in found] == ["SEM142"], name


def test_a_file_that_is_not_there_and_one_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "blocks.det").write_text(BLOCKS)
    found = lines(run(tmp_path, model("output y = frame |> o.cbr(3)", 'use "block.det" as o')))
    assert len(found) == 1 and found[0].startswith("SYN101") and "did you mean `blocks.det`?" in found[0]


def test_unknown_libraries_and_members(tmp_path: Path) -> None:
    found = lines(run(tmp_path, model("output y = frame |> blocks.residul(3)", "use std.block\nuse std.blocks")))
    assert found[0].startswith("SEM141 1:1 there is no `std.block` to use | did you mean `std.blocks`?")
    assert found[1].startswith("SEM105") and "did you mean `residual`?" in found[1]
    assert len(found) == 2


def test_mistakes_in_a_used_file_are_told_there_and_only_once(tmp_path: Path) -> None:
    (tmp_path / "mine.det").write_text("let width = widht\nblock f(x) = x |> conv(\n")
    program = run(tmp_path, model("output y = frame |> mine.f |> conv(mine.width)", 'use "mine.det"'))
    files = {Path(finding.span.file).name for finding in program.findings if finding.span}
    assert files == {"mine.det"}
    assert set(program.sources) >= {finding.span.file for finding in program.findings if finding.span}


def test_the_standard_blocks_work(tmp_path: Path) -> None:
    body = """
    let a = frame |> blocks.conv_bn(4) |> blocks.separable(8) |> blocks.residual(8) |> blocks.residual(16, s = 2)
    let b = a |> blocks.inverted(16) |> blocks.inverted(8, s = 2) |> blocks.squeeze
    output y = b |> blocks.spp(8, act = silu)
    """
    program = run(tmp_path, model(body, "use std.blocks\ndefault bn { eps = 1e-3 }"))
    text = graph(program)
    assert '"eps": 0.001' in text and "f32[8, 2, 2]" in text


def test_libraries_of_facts(tmp_path: Path) -> None:
    text = model("output y = frame |> conv(3)").replace(
        "u8[3, 8, 8]", "u8[3, 8, 8] = camera(order = rgb, mean = imagenet.mean, std = imagenet.std)"
    )
    assert '"mean": [123.675, 116.28, 103.53]' in graph(run(tmp_path, text))
    found = lines(run(tmp_path, model("output y = frame |> conv(imagenet.men)")))
    assert found == ["SEM105 4:37 `imagenet` has no `men` | did you mean `mean`?"]
