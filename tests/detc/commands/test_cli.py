"""The command line as its users meet it: exit codes, remedies for slips, and never a traceback."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import detc
import detrt
from detc.cli import COMMANDS, main

PATHS = os.pathsep.join(str(Path(package.__file__ or "").parent.parent) for package in (detc, detrt))
ENVIRONMENT = {**os.environ, "PYTHONPATH": PATHS}

TINY = """
model tiny extends detector {
  input frame: u8[3, 14, 14] = camera(order = bgr)
  output grid = frame |> conv(16, weights = masked(8 bits)) |> relu(cap = 31)
}
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.det"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


def test_every_command_helps(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        assert main([name, "--help"]) == 0
        assert f"usage: detc {name}" in capsys.readouterr().out


def test_help_lists_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in COMMANDS)
    assert main([]) == 1


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"detc {detc.__version__}\n"


def test_a_slip_in_the_command_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chekc", "x"]) == 1
    assert "did you mean `detc check`?" in capsys.readouterr().err


def test_a_wrong_option_is_a_users_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "gnetdet448", "--tarket", "x"]) == 1
    err = capsys.readouterr().err
    assert "--tarket" in err and "did you mean `--target`?" in err


def test_a_slip_in_a_library_spec_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "gnetdet44"]) == 1
    out = capsys.readouterr().out
    assert "CMD101" in out and "did you mean `gnetdet448`?" in out


def test_a_set_without_a_value_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "gnetdet448", "--set", "classes"]) == 1
    assert "CMD102" in capsys.readouterr().out


def test_a_slip_in_the_target_is_understood(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "tiny.det", "--target", "gti5810"]) == 1
    assert "did you mean `gti5801`?" in capsys.readouterr().out


def test_check_says_that_it_fits(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "tiny.det", "--target", "gti5801"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("tiny fits gti5801")
    assert "1 of 7" in lines[2]


def test_strict_makes_warnings_errors(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.write_text(TINY.replace("  output", "  let unused = frame |> conv(4)\n  output"))
    assert main(["check", "tiny.det", "--target", "gti5801"]) == 0
    assert "1 warning" in capsys.readouterr().out.splitlines()[0]
    assert main(["check", "tiny.det", "--target", "gti5801", "--strict"]) == 1


def test_quiet_keeps_the_verdict_and_the_errors(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "tiny.det", "--target", "gti5801", "-q"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_every_format_of_check(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.write_text(TINY.replace("conv(16,", "conv(16, k = 5x5,"))
    for form in ("text", "json", "github", "sarif"):
        assert main(["check", "tiny.det", "--target", "gti5801", "--format", form]) == 1
        out = capsys.readouterr().out
        assert "GTI101" in out
        if form in ("json", "sarif"):
            json.loads(out)


def test_output_into_a_file_is_whole_or_not_there(tiny: Path, tmp_path: Path) -> None:
    assert main(["report", "tiny.det", "--format", "json", "-o", "deep/report.json"]) == 0
    assert json.loads((tmp_path / "deep/report.json").read_text())["fits"] is True
    assert not list((tmp_path / "deep").glob(".*"))
    (tmp_path / "file").write_text("")
    assert main(["report", "tiny.det", "-o", "file/report.txt"]) == 1


def test_an_unforeseen_mistake_is_exit_2_without_a_traceback(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import detc.commands.loading as loading

    def burst(*args: object, **named: object) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(loading, "compile_spec", burst)
    assert main(["check", "tiny.det"]) == 2
    err = capsys.readouterr().err
    assert "ZeroDivisionError" in err and "report it" in err and "Traceback" not in err
    assert main(["check", "tiny.det", "-v"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_is_130(tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import detc.commands.loading as loading

    def interrupt(*args: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loading, "compile_spec", interrupt)
    assert main(["check", "tiny.det"]) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.alone
def test_ctrl_c_in_a_real_process(tmp_path: Path) -> None:
    (tmp_path / "slow.det").write_text("let a = [x for x in [0]]\n" * 20000)
    script = "import sys; from detc.cli import main; print('ready', flush=True); sys.exit(main(['check', 'slow.det']))"
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    assert process.returncode in (0, 1, 130)


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{shlex.quote(sys.executable)} -m detc.cli show gnetdet448 --layers | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], env=ENVIRONMENT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_ascii_terminals_get_ascii(tiny: Path) -> None:
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "detc.cli", "check", str(tiny), "--target", "gti5801"]
    done = subprocess.run(command, env=environment, capture_output=True)
    assert done.returncode == 0 and done.stdout.decode("ascii").startswith("OK tiny fits gti5801")


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "../..", "/", ""])
def test_strange_spec_names_are_findings(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", name]) == 1
    assert "CMD101" in capsys.readouterr().out


def test_explain_is_made_of_the_rules_own_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "gti101"]) == 0
    out = capsys.readouterr().out
    assert "error[GTI101]" in out and "multiplies only" in out and "3x3 windows" in out
    assert main(["explain", "GTI10"]) == 1
    assert "did you mean GTI10" in capsys.readouterr().err


def test_every_rule_has_a_page_and_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) > 100
    from detc.manual import rules

    for code, rule in rules().items():
        assert code == rule.code and rule.message, code
        if rule.level == "error" and code.startswith("GTI"):
            assert rule.help, code


def test_targets_lists_and_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets"]) == 0
    assert "gti5801" in capsys.readouterr().out
    assert main(["targets", "gti5801"]) == 0
    out = capsys.readouterr().out
    assert "limit . majors" in out and "without a source yet" in out
    assert main(["targets", "gti580"]) == 1
    assert "did you mean `gti5801`?" in capsys.readouterr().err


def test_new_starts_from_a_library_spec(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "--like", "gnetdet224", "mine.det"]) == 0
    assert main(["check", "mine.det", "--target", "gti5801"]) == 0
    capsys.readouterr()
    assert main(["new", "--like", "gnetdet224", "mine.det"]) == 1
    assert "is there already" in capsys.readouterr().err
    assert main(["new", "--like", "gnetdet2224", "x.det"]) == 1
    assert "did you mean `gnetdet224`?" in capsys.readouterr().err
    assert main(["new"]) == 1
    assert "gnetdet448" in capsys.readouterr().err


def test_fmt_checks_and_formats(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.write_text("param   a:int=1 # why\n")
    assert main(["fmt", "--check", "tiny.det"]) == 1
    assert main(["fmt", "--diff", "tiny.det"]) == 0
    assert "# why" in capsys.readouterr().out
    assert main(["fmt", "tiny.det"]) == 0
    assert main(["fmt", "--check", "tiny.det"]) == 0
    tiny.write_bytes(b"\xff")
    assert main(["fmt", "tiny.det"]) == 1
    assert "UTF-8" in capsys.readouterr().err
    tiny.write_text("param (\n")
    assert main(["fmt", "tiny.det"]) == 1
    assert tiny.read_text() == "param (\n"


def test_show_tells_where_values_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "gnetdet448", "--set", "classes=3", "--layers"]) == 0
    out = capsys.readouterr().out
    assert "classes = 3" in out and "--set" in out and "inherited" in out and "default" in out
    assert "p4.convs1.layer1.conv1" in out
    assert main(["show", "gnetdet448", "--graph"]) == 0
    assert capsys.readouterr().out.startswith("graph gnetdet\n")


def test_plan_writes_nothing_and_build_writes_what_it_said(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "tiny.det", "--target", "gti5801"]) == 0
    assert "+ model.py" in capsys.readouterr().out
    assert not (tmp_path / "build").exists()
    assert main(["build", "tiny.det", "--target", "gti5801"]) == 0
    folder = tmp_path / "build" / "tiny-gti5801"
    names = {path.name for path in folder.iterdir()}
    assert {"model.py", "spec.lock.json", "MANIFEST.json", "report.txt", "report.json", "report.html"} <= names
    capsys.readouterr()
    assert main(["plan", "tiny.det", "--target", "gti5801"]) == 0
    assert "unchanged" in capsys.readouterr().out


def test_two_builds_are_byte_identical(tiny: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert main(["build", "tiny.det", "--target", "gti5801", "-o", name, "-q"]) == 0
    first, second = (
        {p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("one", "two")
    )  # fmt: skip
    assert first == second


def test_a_spec_with_an_error_is_not_built(tiny: Path, tmp_path: Path) -> None:
    tiny.write_text(TINY.replace("14, 14", "15, 15"))
    assert main(["build", "tiny.det", "--target", "gti5801"]) == 1
    assert not (tmp_path / "build").exists()


def test_an_edited_file_is_kept(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "tiny.det", "--target", "gti5801"]) == 0
    model = tmp_path / "build" / "tiny-gti5801" / "model.py"
    model.write_text(model.read_text() + "# mine\n")
    tiny.write_text(TINY.replace("conv(16", "conv(24"))
    capsys.readouterr()
    assert main(["build", "tiny.det", "--target", "gti5801"]) == 0
    assert "BLD101" in capsys.readouterr().out
    assert model.read_text().endswith("# mine\n") and model.with_name("model.py.new").is_file()


def test_what_needs_a_build_says_so(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "tiny.det", "--target", "gti5801"]) == 1
    assert "build and train first" in capsys.readouterr().err
    assert main(["train", "tiny.det", "--target", "gti5801"]) == 1
    assert "no train block" in capsys.readouterr().err


def test_strict_says_why_it_fails(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.write_text(TINY.replace("  output", "  let unused = frame |> conv(4)\n  output"))
    assert main(["check", "tiny.det", "--strict", "-q"]) == 1
    out = capsys.readouterr().out
    assert "--strict lets no warning pass" in out.splitlines()[0] and "warning[PAS101]" in out


def test_a_file_name_cannot_steer_the_terminal(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "\x1b[31mred\n.det"
    tiny.rename(name)
    for command in ("check", "show", "plan"):
        main([command, name])
        out = capsys.readouterr().out
        assert "\x1b" not in out and "red\n." not in out, command


def test_a_folder_is_no_spec(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder.det").mkdir()
    assert main(["check", "folder.det"]) == 1
    assert "`folder.det` is a folder" in capsys.readouterr().out
    Path("gnetdet224").mkdir()
    assert main(["check", "gnetdet224"]) == 0


def test_an_unwritable_output_is_named_as_it_was_asked_for(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").mkdir()
    assert main(["check", "tiny.det", "-o", "taken"]) == 1
    assert capsys.readouterr().err.startswith("error: taken: ")
    assert sorted(path.name for path in Path().iterdir()) == ["taken", "tiny.det"]


def test_closed_output_is_no_fault(tiny: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m detc.cli check tiny.det >&- 2>&-"
    assert subprocess.run(["bash", "-c", command], env=ENVIRONMENT).returncode == 0


def test_fmt_keeps_links_and_permissions_and_passes_folders_by(tiny: Path) -> None:
    tiny.write_text("param   a:int=1\n")
    tiny.chmod(0o600)
    Path("link.det").symlink_to(tiny)
    Path("folder.det").mkdir()
    assert main(["fmt", "link.det"]) == 0
    assert Path("link.det").is_symlink() and tiny.read_text() == "param a: int = 1\n"
    assert tiny.stat().st_mode & 0o777 == 0o600
    assert main(["fmt", "--check", "."]) == 0


@pytest.mark.parametrize("value", ["bn=yes", "classes=-1", "classes=abc", "image=448 epochs"])
def test_one_wrong_parameter_is_one_error(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "gnetdet448", "--target", "gti5801", "-q", "--set", value]) == 1
    assert capsys.readouterr().out.count("error[") == 1


def test_export_of_a_checkpoint_names_the_build_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("b/runs/1/float").mkdir(parents=True)
    Path("b/spec.lock.json").write_text("{}", encoding="utf-8")
    assert main(["export", "b/runs/1/float/best.safetensors"]) == 1
    error = capsys.readouterr().err
    assert "lies in the build b\n" in error and "--name RUN and --stage NAME: detc export b" in error
