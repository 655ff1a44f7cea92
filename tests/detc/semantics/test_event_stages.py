"""Stages that run in time: what they resolve to, how long their clips are, and what contradicts itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detc.compilation import compile_spec
from detc.semantics.elaborate import elaborate
from detc.semantics.lock import lock_of
from detc.semantics.program import Program

NET = """
use std.sdnn as sdnn
data shapes = data.synthetic(train = 8 images, val = 4 images, classes = [disc, square])
data road = data.bdd100k_track(root = path("bdd"), classes = ["a", "b"], steps = 12)
model net extends detector {
  input clip: u8[3, 32, 32] = frames(steps = 6, order = rgb)
  output p = clip |> neuron.encode |> sdnn.sd(4, s = 2) |> sdnn.sd(4, s = 2) |> conv(3 * 7, k = 1x1, bias = false) |> neuron.sigma
  head yolo_sdnn on p { anchors = [(0.28, 0.22), (0.38, 0.48), (0.90, 0.78)]  classes = 2 }
}
"""


def spec(stages: str, net: str = NET, block: str = "") -> str:
    return f"{net}\ntrain steps on net {{\n  data = shapes\n  batch = 4\n  {block}\n{stages}\n}}\n"


def read(tmp_path: Path, text: str, target: str | None = None) -> Program:
    (tmp_path / "net.det").write_text(text)
    return elaborate(tmp_path / "net.det", target=target)


def said(program: Program) -> list[str]:
    return [f"{f.level} {f.code}: {f.message}" for f in program.findings if f.code not in ("TRN182", "GAT102")]


TWO = """
  stage rest { epochs = 2 }
  stage tune {
    start = rest.best  epochs = 2  quantize events = sigma_delta  regularize events = sparsity(rate = 2 %)
    require event_rate <= 12 % else "too chatty"
  }
  stage long { start = tune.best  data = road  epochs = 1 }
  stage short { start = tune.best  steps = 3 steps  epochs = 1  regularize events = sparsity(weight = 0.5) }
"""


def test_events_go_on_in_the_stages_behind_and_clips_have_a_length(tmp_path: Path) -> None:
    program = read(tmp_path, spec(TWO))
    assert not said(program), said(program)
    stages = {stage.name: stage.options for stage in program.stages}
    assert [stages[n]["quantize"]["events"] for n in ("rest", "tune", "long", "short")] == [None, *["sigma_delta"] * 3]
    assert [stages[n]["steps"] for n in ("rest", "tune", "long", "short")] == [None, 6, 12, 3]
    assert stages["tune"]["regularize"] == {"events": {"weight": 0.01, "rate": 0.02}}
    assert stages["long"]["regularize"] is None
    assert stages["short"]["regularize"] == {"events": {"weight": 0.5, "rate": 0.01}}
    gate = stages["tune"]["gates"][0]
    assert gate["verdict"] == "unjudged"
    assert gate["condition"] == {
        "op": "<=",
        "left": {"name": "event_rate"},
        "right": {"value": 0.12, "unit": "relative"},
    }


def test_a_stage_may_train_as_the_chip_runs(tmp_path: Path) -> None:
    stages = "  stage tune { epochs = 2  quantize events = chip }\n  stage more { start = tune.best  epochs = 1 }"
    program = read(tmp_path, spec(stages))
    assert not said(program), said(program)
    assert [stage.options["quantize"]["events"] for stage in program.stages] == ["chip", "chip"]


def test_a_block_may_say_for_all_its_stages_what_only_some_are_about(tmp_path: Path) -> None:
    block = "steps = 5  regularize events = sparsity  multiscale = sizes(32 .. 64, step = 32)  amp = bf16"
    stages = (
        "  stage rest { epochs = 2 }\n  stage tune { start = rest.best  epochs = 2  quantize events = sigma_delta }"
    )
    program = read(tmp_path, spec(stages, block=block))
    rest, tune = (stage.options for stage in program.stages)
    assert (rest["steps"], rest["regularize"], rest["amp"]) == (None, None, "bf16") and rest["multiscale"]
    assert (tune["steps"], tune["amp"], tune["multiscale"]) == (5, None, None) and tune["regularize"]


def test_the_lock_reads_back(tmp_path: Path) -> None:
    from jsonschema import Draft202012Validator

    from detrt.lock import read_lock

    program = read(tmp_path, spec(TWO))
    model = program.models["net"]
    lock = lock_of(program, model, model.graph, None, None)
    schema = json.loads(Path("compiler/detc/ir/lock.schema.json").read_text())
    assert not list(Draft202012Validator(schema).iter_errors(lock))
    path = tmp_path / "spec.lock.json"
    path.write_text(json.dumps(lock))
    found = read_lock(path)
    assert [stage.steps for stage in found.stages] == [None, 6, 12, 3]
    assert found.stages[1].quantize.events == "sigma_delta" and found.stages[1].quantize.any()
    assert found.stages[1].regularize is not None and found.stages[1].regularize.events.rate == 0.02
    own = {key: value for key, value in lock["stages"][1].items() if key != "span"}
    assert {k: v for k, v in found.stages[1].plain().items() if k in own and k != "gates"} == {
        k: v for k, v in own.items() if k != "gates"
    }


PLAIN = """
data shapes = data.synthetic(train = 8 images, val = 4 images, classes = [disc, square])
model net extends detector {
  input picture: u8[3, 32, 32] = camera(order = rgb)
  output p = picture |> conv(8, s = 2) |> relu |> conv(21, k = 1x1)
  head yolo_sdnn on p { anchors = [(0.28, 0.22), (0.38, 0.48), (0.90, 0.78)]  classes = 2 }
}
"""
STILL = NET.replace("frames(steps = 6, order = rgb)", "camera(order = rgb)")
TIMED = "quantize events = sigma_delta"


@pytest.mark.parametrize(
    ("stages", "net", "code", "words"),
    [
        (f"stage tune {{ epochs = 1  {TIMED} }}", PLAIN, "TRN190", "model `net` has no neurons"),
        (f"stage tune {{ epochs = 1  {TIMED} }}", STILL, "TRN191", "nothing says over how many steps"),
        ("stage rest { epochs = 1  regularize events = sparsity }", NET, "TRN192", "`regularize events` of stage `rest`"),
        ("stage rest { epochs = 1  require event_rate <= 0.1 }", NET, "TRN192", "stage `rest` sends none"),
        (
            f"stage rest {{ epochs = 1 }}\n stage tune {{ epochs = 1  {TIMED}  require rest.events <= 10 }}",
            NET, "TRN192", "stage `rest` sends none",
        ),
        ("stage rest { epochs = 1  steps = 3 }", NET, "TRN129", "`steps` of stage `rest` changes nothing"),
        (f"stage tune {{ epochs = 1  {TIMED}  amp = bf16 }}", NET, "TRN121", "bf16 autocast"),
        (
            f"stage tune {{ epochs = 1  {TIMED}  multiscale = sizes(32 .. 64, step = 32) }}",
            NET, "TRN128", "run in time, planned for one size",
        ),
        (f"stage tune {{ epochs = 1  {TIMED}  quantize weights = masks }}", NET, "TRN120", "has quantised weights"),
        (
            f"stage rest {{ epochs = 1 }}\n stage ptq {{ start = rest.best  {TIMED}  calibrate ranges = minmax  images = 4 }}",
            NET, "TRN120", "sends events and calibrates",
        ),
        ("stage tune { epochs = 1  quantize events = spikes }", NET, "TRN107", "spikes"),
        (f"stage tune {{ epochs = 1  {TIMED}  regularize events = sparsity(rate = -1) }}", NET, "TRN", "-1"),
        (f"stage tune {{ epochs = 1  {TIMED}  steps = 5000 }}", NET, "TRN", "1 .. 4096"),
        ("stage rest { epochs = 1  heads = [1] }", NET, "TRN193", "asks for map 1, and the head has 1 map"),
        ("stage rest { epochs = 1  heads = [0, 0] }", NET, "TRN193", "names a map twice"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_told(stages: str, net: str, code: str, words: str, tmp_path: Path) -> None:
    program = read(tmp_path, spec(stages, net))
    assert any(f.code.startswith(code) and words in f.message for f in program.findings), said(program)


def test_without_a_target_it_is_said_that_a_stage_in_time_cannot_train(tmp_path: Path) -> None:
    program = read(tmp_path, spec(TWO))
    note = next(f for f in program.findings if f.code == "TRN182")
    assert note.level == "note" and "kapoho_point" in (note.help or "")
    assert "stages `tune`, `long`, `short`" in note.message
    for_chip = read(tmp_path, spec(TWO), "gti5801")
    assert [stage.name for stage in for_chip.stages] == ["rest"]
    assert any(f.code == "TRN180" and "`tune`, `long`, `short`" in f.message for f in for_chip.findings)


THREE = """
data shapes = data.synthetic(train = 8 images, val = 4 images, classes = [disc, square])
use std.sdnn as sdnn
model net extends detector {
  input clip: u8[3, 32, 32] = frames(steps = 6, order = rgb)
  let seen = clip |> sdnn.sd(4, s = 2)
  output p = [seen |> sdnn.sd(4, s = 2) |> sdnn.predict(2) for k in 1 .. 3]
  head yolo_sdnn on p { anchors = [(0.28, 0.22), (0.38, 0.48), (0.90, 0.78)]  classes = 2 }
}
"""


def test_maps_are_chosen_and_what_serves_none_of_them_stands_still(tmp_path: Path) -> None:
    program = read(tmp_path, spec("  stage all { epochs = 1 }\n  stage some { epochs = 1  heads = [0, 2] }", THREE))
    every, some = (stage.options for stage in program.stages)
    assert every["heads"] is None
    middle = ["p.1.sd1.conv1", "p.1.sd1.sigma_delta1", "p.1.predict1.conv1"]
    assert some["heads"] == {"maps": [0, 2], "idle": middle}


def test_a_pruned_net_may_have_sent_events_before(tmp_path: Path) -> None:
    text = (
        spec(f"  stage tune {{ epochs = 1  {TIMED} }}")
        + """
model small = prune(net, channels = 1 / 2)
train cutting on small { data = shapes  stage cut { start = steps.tune.best  prune channels = l2 } }
"""
    )
    program = read(tmp_path, text)
    cut = program.stages[-1].options
    assert cut["kind"] == "prune" and cut["quantize"]["events"] == "sigma_delta" and cut["steps"] == 6


def test_each_deploy_block_is_judged_by_its_own_model(tmp_path: Path) -> None:
    text = (
        NET
        + """
model small = prune(net, channels = 1 / 2)
deploy one on gti5801 { model = net    require params <= 250 }
deploy two on gti5801 { model = small  require params <= 250 }
"""
    )
    (tmp_path / "net.det").write_text(text)
    done = compile_spec(tmp_path / "net.det", None)
    verdicts = [deploy.gates[0].verdict for deploy in done.program.deploys]
    assert verdicts == ["failed", "passed"], [f.message for f in done.findings if f.code == "GAT101"]


BOTH = (
    NET
    + """
model small = prune(net, channels = 1 / 2)
train big on net {
  data = shapes
  stage rest { epochs = 1 }
  stage look { start = rest.best  epochs = 1  quantize events = sigma_delta }
}
train cutting on small { data = shapes  stage cut { start = big.look.best  prune channels = l2 } }
deploy one on loihi2.kapoho_point { model = small  require cores <= 100 }
"""
)


def test_every_model_that_is_deployed_has_a_plan_and_may_run_in_time(tmp_path: Path) -> None:
    (tmp_path / "net.det").write_text(BOTH)
    alone = compile_spec(tmp_path / "net.det")
    (wrong,) = [f for f in alone.findings if f.code == "TRN183"]
    assert "`look` runs model `net` in time, and deployed on `kapoho_point` is `small`" in wrong.message
    (tmp_path / "net.det").write_text(BOTH + "deploy two on loihi2.kapoho_point { model = net }\n")
    done = compile_spec(tmp_path / "net.det")
    assert done.fits, done.findings
    assert done.model is not None and done.model.name == "small" and list(done.plans) == ["net"]
    assert done.plan is not None and done.graph is not None
    lock = lock_of(done.program, done.model, done.graph, done.program.target, done.plan, plans=done.plans)
    path = tmp_path / "spec.lock.json"
    path.write_text(json.dumps(lock))

    from detrt.lock import read_lock

    found = read_lock(path)
    assert found.raw_of("small") is found.raw
    other = found.raw_of("net")
    assert other["model"]["name"] == "net" and other["plan"] == done.plans["net"] != found.raw["plan"]


def test_clips_do_without_what_mixes_videos(tmp_path: Path) -> None:
    stages = """
  stage rest { epochs = 1 }
  stage still { start = rest.best  epochs = 1  quantize events = sigma_delta }
  stage long { start = still.best  data = road  epochs = 1 }
"""
    program = read(tmp_path, spec(stages, block="augment = [mosaic(), flip(), mixup()]"))
    (note,) = said(program)
    assert note == "note TRN194: stage `long` sees clips of videos and does without `mosaic`, `mixup`"
    names = {stage.name: [step["name"] for step in stage.options["augment"]] for stage in program.stages}
    assert names == {"rest": ["mosaic", "flip", "mixup"], "still": ["mosaic", "flip", "mixup"], "long": ["flip"]}
