"""Another tool's network on the command line: imported, judged as it is, refused where a spec is needed, trained and exported."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from detc.cli import main
from foreign_nets import lite_net, onnx_file


@pytest.fixture
def lite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net.tflite").write_bytes(lite_net())
    return Path("net.tflite")


def test_import_writes_a_spec_and_its_weights(lite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "net.tflite", "-o", "mine.det"]) == 0
    said = capsys.readouterr().out
    assert "7 layers, 177 parameters" in said and "ranges of" in said and "wrote mine.det and mine.safetensors" in said
    text = Path("mine.det").read_text()
    assert "model mine extends detector" in text and "= frame |> conv(4, s = 2, pad = same_upper) |> relu6" in text
    content = Path("mine.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert header["stem.conv1.weight"]["shape"] == [4, 3, 3, 3]
    assert json.loads(header["__metadata__"]["ranges"])["stem.conv1"] == pytest.approx([0, 6])
    assert main(["fmt", "--check", "mine.det"]) == 0
    assert main(["import", "net.tflite", "-o", "mine.det"]) == 1  # it is there
    assert main(["import", "net.tflite", "-o", "mine.det", "--force"]) == 0


def test_a_file_is_judged_as_it_is(lite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("check", "report", "show", "plan"):
        assert main([command, "net.tflite", "--target", "stm32h747i_disco"]) == 0, capsys.readouterr().out
    capsys.readouterr()
    assert main(["check", "net.tflite", "--target", "stm32h747i_disco", "--format", "json"]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    assert (metrics["params"], metrics["weights_flash"]) == (177, 164 + 13 * 4)
    assert main(["check", "net.tflite", "--target", "gti5801"]) == 1
    assert "Traceback" not in capsys.readouterr().out


def test_findings_show_operators_of_the_file(lite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(lite), "--target", "gti5801"]) == 1
    told = capsys.readouterr().out
    assert f"--> {lite}, operator 2\n 2 | CONV_2D net/stem_relu/Relu6;net/stem/Conv2D\n   | ^^^^^^^ 2x2 stride" in told
    assert main(["check", str(lite), "--target", "gti5801", "--format", "json"]) == 1
    found = [entry for entry in json.loads(capsys.readouterr().out)["findings"] if entry["code"] == "GTI102"]
    assert [(entry["span"]["file"], entry["span"]["line"]) for entry in found] == [(str(lite), 2)]


def test_what_needs_a_spec_says_so(lite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("build", "train"):
        assert main([command, "net.tflite"]) == 1
        found = capsys.readouterr()
        assert "detc import net.tflite -o net.det" in found.out + found.err


def test_damaged_files_are_mistakes_and_no_tracebacks(lite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lite.write_bytes(lite_net()[:300])
    Path("odd.onnx").write_bytes(b"\xff" * 64)
    for name in ("net.tflite", "odd.onnx"):
        for command in (["check", name], ["import", name, "-o", "x.det"]):
            assert main(command) == 1
            found = capsys.readouterr()
            assert "IMP201" in found.out and "Traceback" not in found.out + found.err
    assert not Path("x.det").exists() and not Path("x.safetensors").exists()
    assert main(["import", "none.onnx"]) == 1 and main(["import", "net.bin"]) == 1


def yolox(path: Path) -> Path:
    """A YOLOX tail on a small trunk: pictures of 64x64, three classes."""
    lines, source = ["t = Conv <strides=[2, 2], pads=[1, 1, 1, 1]> (x, w0)", "m = Relu(t)"], "m"
    for n, stride in enumerate((4, 2, 2)):
        lines += [f"d{n} = MaxPool <kernel_shape=[{stride}, {stride}], strides=[{stride}, {stride}]> ({source})"]
        lines += [f"f{n} = Conv(d{n}, w1)", f"a{n} = Relu(f{n})"]
        source = f"a{n}"
        lines += [f"{part}{n} = Conv(a{n}, w{part})" for part in ("box", "obj", "cls")]
        lines += [f"so{n} = Sigmoid(obj{n})", f"sc{n} = Sigmoid(cls{n})"]
        lines += [f"o{n} = Concat <axis=1> (box{n}, so{n}, sc{n})", f"r{n} = Reshape(o{n}, rows)"]
    lines += ["all = Concat <axis=2> (r0, r1, r2)", "y = Transpose <perm=[0, 2, 1]> (all)"]
    import numpy as np

    return onnx_file(
        path, "\n".join(lines), (1, 3, 64, 64), rows=np.array([1, 8, -1]), w0=(8, 3, 3, 3), w1=(8, 8, 1, 1),
        wbox=(4, 8, 1, 1), wobj=(1, 8, 1, 1), wcls=(3, 8, 1, 1),
    )  # fmt: skip


@pytest.mark.long
def test_an_imported_net_is_trained_quantised_and_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From an ONNX file to C: its weights begin the training, whose last stage is int8."""
    for package in ("torch", "cv2", "onnx"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    yolox(Path("net.onnx"))
    assert main(["import", "net.onnx", "-o", "mine.det"]) == 0
    text = Path("mine.det").read_text()
    drawn = "data.synthetic(train = 16 images, val = 8 images, test = 4 images, size = [64, 64])"
    text = re.sub(r"data\.coco\(.*\)", drawn, text)
    text = re.sub(r"epochs( *)= 50", r"epochs\1= 1", text)
    Path("mine.det").write_text(text)
    target = ["--target", "stm32h747i_disco"]
    assert main(["train", "mine.det", *target, "--workers", "0", "-q"]) == 0
    build = Path("build/mine-stm32h747i_disco")
    stages = json.loads((build / "runs/1/result.json").read_text())["stages"]
    (begun,) = [stage["transfer"] for stage in stages if stage["name"] == "float"]
    assert set(begun["taken"]) == {f"{layer}.weight" for layer in ("t.conv1", "f0.conv1", "box0", "obj0", "cls0")}
    assert begun["left"] == {} and begun["unused"] == []
    assert main(["export", "mine.det", *target]) == 0
    assert (build / "artifacts/MANIFEST.json").is_file() and (build / "artifacts/program.npz").is_file()


def test_weights_that_are_no_numbers_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    weights = np.zeros((4, 3, 3, 3), np.float32)
    weights[1, 2, 0, 0] = np.nan
    onnx_file(Path("nan.onnx"), "y = Conv (x, w)", w=weights)
    for command in (["check", "nan.onnx"], ["import", "nan.onnx", "-o", "x.det"]):
        assert main(command) == 1
        said = " ".join(capsys.readouterr().out.split())
        assert "IMP201" in said and "`y_out.weight` hold numbers that are none" in said


def test_a_slope_for_all_channels_is_taken_and_one_for_each_is_told_with_all_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    one = "a = Conv (x, w)\ny = PRelu (a, s)"
    onnx_file(Path("one.onnx"), one, w=(4, 3, 3, 3), s=np.full((4, 1, 1), 0.25, np.float32))
    assert main(["import", "one.onnx", "-o", "one.det"]) == 0
    assert "leaky(0.25)" in Path("one.det").read_text()
    body = "a = Conv (x, w)\nb = PRelu (a, s)\nc = Erf (b)\ny = ConvTranspose (c, v)"
    slopes = np.arange(4, dtype=np.float32).reshape(4, 1, 1)
    onnx_file(Path("more.onnx"), body, w=(4, 3, 3, 3), v=(4, 2, 2, 2), s=slopes)
    capsys.readouterr()
    assert main(["check", "more.onnx"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert all(word in said for word in ("PRelu at `b` has a slope a channel", "Erf at `c`", "ConvTranspose at `y`"))
