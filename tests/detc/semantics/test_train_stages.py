"""What a stage inherits, resolves to and refuses, and the order of all stages."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_texts import DATA, MODEL, codes, errors, program_of, trained, under

VENDOR = """
  stage float   { epochs = 600  schedule = step(every = 400 epochs, gamma = 0.1, warmup = 100 epochs) }
  stage weights { start = float.best    quantize weights = masks             lr = 1e-4  epochs = 800 }
  stage measure { start = weights.best  calibrate caps = percentile(99)      images = 500 }
  stage acts    { start = weights.best  quantize activations = measure.caps  lr = 1e-5  epochs = 800 }
  stage chip    { start = acts.best     quantize folded = u5                 lr = 1e-5  epochs = 500 }
"""


def test_defaults_are_the_vendors_recipe(tmp_path: Path) -> None:
    program = program_of(tmp_path, trained("stage float { epochs = 10 }"))
    options = program.stages[0].options
    assert options["optimizer"] == {
        "name": "sgd", "lr": 1e-3, "momentum": 0.9, "weight_decay": 3e-6, "l2": "loss", "betas": [0.9, 0.999],
        "nesterov": False, "decay": "all",
    }  # fmt: skip
    assert options["batch"] == 16
    assert {key: options["loss"][key] for key in ("loc", "contain", "not_contain", "noobj", "cls")} == {
        "loc": 5.0, "contain": 2.0, "not_contain": 1.0, "noobj": 0.005, "cls": 1.0,
    }  # fmt: skip
    assert (options["loss"]["norm_init"], options["loss"]["norm_momentum"]) == (100.0, 0.9)


def test_quantisation_is_carried_along_the_weights(tmp_path: Path) -> None:
    program = program_of(tmp_path, trained(VENDOR))
    assert not errors(program)
    assert {stage.name: stage.options["quantize"] for stage in program.stages} == {
        "float": {"weights": None, "activations": None, "folded": None, "int8": None, "events": None},
        "weights": {"weights": "masks", "activations": None, "folded": None, "int8": None, "events": None},
        "measure": {"weights": "masks", "activations": None, "folded": None, "int8": None, "events": None},
        "acts": {
            "weights": "masks",
            "activations": {"stage": "steps.measure"},
            "folded": None,
            "int8": None,
            "events": None,
        },
        "chip": {
            "weights": "masks",
            "activations": {"stage": "steps.measure"},
            "folded": "u5",
            "int8": None,
            "events": None,
        },
    }


def test_a_stage_inherits_from_its_block_and_from_nothing_else(tmp_path: Path) -> None:
    text = trained("""
  batch = 8  clip = 5
  optimizer = adamw(lr = 2e-3, weight_decay = 1e-4)
  loss noobj = 0.5
  stage one { epochs = 3  ema = 0.99  loss { cls = 3 } }
  stage two { start = one.best  epochs = 4  lr = 1e-4 }
""")
    one, two = program_of(tmp_path, text).stages
    assert (one.options["batch"], two.options["batch"]) == (8, 8)
    assert (one.options["ema"], two.options["ema"]) == (0.99, None)
    assert (one.options["loss"]["noobj"], two.options["loss"]["noobj"]) == (0.5, 0.5)
    assert (one.options["loss"]["cls"], two.options["loss"]["cls"]) == (3, 1.0)
    assert two.options["optimizer"] == one.options["optimizer"] | {"lr": 1e-4}
    origins = {setting.name: setting.origin for setting in one.settings}
    assert (origins["ema"], origins["batch"], origins["seed"]) == ("spec", "inherited", "default")


@pytest.mark.parametrize(
    ("block", "stage", "rate"),
    [
        ("lr = 1e-2", "", 1e-2),
        ("lr = 1e-2", "lr = 1e-3", 1e-3),
        ("lr = 1e-2", "optimizer = adam(lr = 5e-4)", 5e-4),
        ("optimizer = adam(lr = 5e-4)", "lr = 2e-4", 2e-4),
        ("lr = 1e-2", "optimizer = adam(lr = 5e-4)  lr = 1e-5", 1e-5),
    ],
)
def test_the_nearest_rate_wins(tmp_path: Path, block: str, stage: str, rate: float) -> None:
    program = program_of(tmp_path, trained(f"{block}\nstage one {{ epochs = 3  {stage} }}"))
    assert program.stages[0].options["optimizer"]["lr"] == rate


def test_stages_come_after_those_they_need(tmp_path: Path) -> None:
    program = program_of(tmp_path, trained("\n".join(reversed(VENDOR.strip().split("\n")))))
    order = [stage.name for stage in program.stages]
    assert sorted(order) == ["acts", "chip", "float", "measure", "weights"]
    assert (
        order.index("float")
        < order.index("weights")
        < order.index("measure")
        < order.index("acts")
        < order.index("chip")
    )


def test_stages_of_two_blocks_and_two_models_form_one_order(tmp_path: Path) -> None:
    text = f"""{DATA}
model big extends detector {{
  input frame: u8[3, 28, 28] = camera(order = bgr)
  let trunk = frame |> conv(8) |> relu
  output grid = trunk |> conv(12)
  head gnetdet on grid {{ classes = 2 }}
}}
model small extends detector {{
  input frame: u8[3, 28, 28] = camera(order = bgr)
  let trunk = frame |> conv(8) |> relu
  output grid = trunk |> maxpool(2x2) |> conv(12)
  head gnetdet on grid {{ classes = 2 }}
}}
train second on small {{
  stage tune {{ start = first.learn.best  load = trunk  freeze = trunk for_epochs = 5  run = 9 epochs }}
}}
train first on big {{ stage learn {{ run = 42 epochs }} }}
"""
    program = program_of(tmp_path, text)
    assert not errors(program)
    learn, tune = (stage.options for stage in program.stages)
    assert (learn["id"], learn["epochs"], learn["model"]) == ("first.learn", 42, "big")
    assert tune["start"] == {"stage": "first.learn", "which": "best"}
    assert (tune["load"], tune["freeze"]) == (["trunk"], {"prefixes": ["trunk"], "epochs": 5})


@pytest.mark.parametrize(
    ("stages", "code", "place", "fix"),
    [
        ("stage a { epoch = 3 }", "TRN101", "epoch", "did you mean `epochs`?"),
        ("stage a { epochs = 3  schedule = step(every = 400) }", "TRN103", "400", "write `400 epochs`"),
        ("stage a { epochs = 3  early_stop = 20 images }", "TRN104", "20 images", ""),
        ("stage a { epochs = 3  optimizer = sdg() }", "TRN107", "sdg", "did you mean `sgd`?"),
        ("stage a { epochs = 3  augment = [flip(2)] }", "TRN102", "2", ""),
        ("stage a { epochs = 3  augment = [hvs()] }", "TRN107", "hvs", "did you mean `hsv`?"),
        ("stage a { epochs = 3  augment = [mosaic(scale = 2 .. 30)] }", "TRN102", "2 .. 30", ""),
        ("stage a { epochs = 3  augment = [zoom_out(0.5 .. 2)] }", "TRN102", "0.5 .. 2", ""),
        ("stage a { epochs = 3  augment = [ssd_crop(ious = [])] }", "TRN102", "[]", ""),
        ("stage a { epochs = 3  augment = [flip, mosaic] }", "TRN150", "[flip, mosaic]", "write it first: `augment = [mosaic(), ..]`"),  # noqa: E501
        ("stage a { epochs = 3  no_aug_epochs = 4 }", "TRN152", "4", "write fewer, or `no_aug_epochs = 0` in this stage"),
        ("stage a { epochs = 3  multiscale = sizes(330 .. 640) }", "TRN153", "sizes(330 .. 640)", "write `sizes(320 .. 640, step = 32)`"),  # noqa: E501
        ("stage a { epochs = 3  multiscale = sizes(1 .. 640, step = 1) }", "TRN153", "sizes(1 .. 640, step = 1)", ""),
        ("stage a { epochs = 3  multiscale = 320 .. 640 }", "TRN102", "320 .. 640", ""),
        ("stage a { epochs = 3  multiscale = sizes(320 .. 640) }", "TRN154", "sizes(320 .. 640)", "leave `multiscale` out, or train another head at several sizes"),  # noqa: E501
        ("stage a { epochs = 3  amp = bf61 }", "TRN107", "bf61", "did you mean `bf16`?"),
        ("stage a { epochs = 3  epochs = 4 }", "TRN106", "epochs", ""),
        ("stage a { epochs = 3  loss.noobjj = 4 }", "TRN101", "loss.noobjj", "did you mean `loss.noobj`?"),
        ("stage a { epochs = 3  quantise weights = masks }", "TRN101", "quantise weights", "did you mean `quantize.weights`?"),
        ("stage a { }", "TRN118", "stage a", "add `epochs = 100`"),
        ("stage a { epochs = 3  images = 3 }", "TRN118", "3", ""),
        ("stage a { epochs = 3 start = a.best }", "TRN114", "a.best", ""),
        ("stage a { epochs = 3 } stage b { epochs = 3 start = aa.best }", "TRN112", "aa.best", "did you mean `a.best`?"),
        ("stage a { epochs = 3 } stage b { epochs = 3 start = a }", "TRN113", "a", "write `a.best` or `a.last`"),
        ("stage a { epochs = 3  quantize folded = u5 }", "TRN120", "u5", ""),
        ("stage a { epochs = 3  quantize weights = masks  amp = bf16 }", "TRN121", "bf16", ""),
        ("stage a { epochs = 3 } stage a { epochs = 4 }", "TRN115", "stage a", "rename one of the two"),
        ("stage a { epochs = 3  freeze = p5 }", "TRN117", "p5", "did you mean `p4`?"),
        ("stage a { epochs = 3  loss.class_weights = [1, 2, 3] }", "TRN124", "[1, 2, 3]", ""),
        ("stage a { epochs = 3  data = cels }", "TRN111", "cels", "did you mean `cells`?"),
        ("stage a { epochs = 3 } stage b { calibrate caps = percentile(99)  images = 5 }", "TRN118", "percentile(99)", ""),
        ("stage a { epochs = 3  accumulate = 3 }", "TRN127", "3", "make `batch` a multiple of 3"),
        ("stage a { epochs = 3  optimizer = sgd(nesterov = true, momentum = 0) }", "TRN128", "sgd", "`momentum = 0.9`"),
        ("stage a { epochs = 3  start_epoch = 3 }", "TRN128", "3", "below 3"),
        ("stage a { epochs = 3  lr trun = 1e-4 }", "TRN117", "1e-4", ""),
        ("stage a { epochs = 3 } stage b { epochs = 2  quantize activations = a.caps }", "TRN119", "a.caps", ""),
    ],
)  # fmt: skip
def test_each_mistake_is_one_finding_at_its_place(tmp_path: Path, stages: str, code: str, place: str, fix: str) -> None:
    program = program_of(tmp_path, trained(stages))
    assert codes(program) == [code]
    finding = errors(program)[0]
    assert under(program, finding).startswith(place)
    assert fix in finding.help


def test_all_mistakes_show_at_once(tmp_path: Path) -> None:
    text = f"{MODEL}{DATA}train one on tny {{ stage a {{ epochs = 3 }} }}\n" + (
        "train two on tiny { data = cels  batch = 0  stage a { epochs = 3 lr = none  early_stop = 3 } }\n"
    )
    assert sorted(codes(program_of(tmp_path, text))) == ["TRN102", "TRN102", "TRN103", "TRN110", "TRN111"]


def test_a_circle_is_one_finding(tmp_path: Path) -> None:
    text = trained("""
  stage a { start = c.best  epochs = 1 }
  stage b { start = a.best  epochs = 1 }
  stage c { start = b.best  epochs = 1 }
  stage d { epochs = 1 }
""")
    program = program_of(tmp_path, text)
    assert codes(program) == ["TRN114"]
    assert "`a` -> `c` -> `b` -> `a`" in errors(program)[0].message
    assert [stage.name for stage in program.stages] == ["d"]


def test_autocast_of_a_block_reaches_its_float_stages_only(tmp_path: Path) -> None:
    program = program_of(tmp_path, trained("amp = bf16\n" + VENDOR))
    assert not errors(program)
    assert [stage.options["amp"] for stage in program.stages] == ["bf16", None, None, None, None]


@pytest.mark.parametrize(("names", "code"), [('["a"]', "TRN123"), ('["a", "b", "c"]', "TRN122"), ('["a", "b"]', None)])
def test_classes_of_data_and_head_are_compared(tmp_path: Path, names: str, code: str | None) -> None:
    text = trained("stage a { epochs = 3 }").replace('["red", "white"]', names)
    assert codes(program_of(tmp_path, text)) == ([code] if code else [])


def test_values_of_keys_may_be_computed(tmp_path: Path) -> None:
    text = "param rounds: int = 4\n" + trained(
        "batch = 2 * rounds\nstage a { epochs = rounds * 10  if rounds > 3 { ema = 0.9 } }"
    )
    options = program_of(tmp_path, text).stages[0].options
    assert (options["batch"], options["epochs"], options["ema"]) == (8, 40, 0.9)


PRUNED = "model small = prune(tiny, channels = 1 / 2)\n"


@pytest.mark.parametrize(
    ("block", "stage", "place", "remedy"),
    [
        ("small", "stage cut { start = steps.dense.best  prune channels = l2 }", "", ""),
        ("tiny", "stage cut { start = steps.dense.best  prune channels = l2 }", "l2", "prune(tiny, channels = 1 / 2)"),
        ("small", "stage cut { prune channels = l2 }", "l2", "start = STAGE.best"),
        ("small", "stage cut { start = steps.dense.best  prune channels = l2  epochs = 3 }", "3", "leave it out"),
        (
            "small",
            "stage cut { start = more.best  prune channels = l1 } stage more { epochs = 1 }",
            "more.best",
            "`tiny`",
        ),
    ],
)
def test_a_stage_that_prunes_cuts_down_the_model_of_its_start(
    tmp_path: Path, block: str, stage: str, place: str, remedy: str
) -> None:
    text = f"{MODEL}{DATA}{PRUNED}train steps on tiny {{ stage dense {{ epochs = 1 }} }}\n"
    text += f"train cutting on {block} {{ {stage} }}\n"
    program = program_of(tmp_path, text)
    if not place:
        assert not codes(program)
        options = program.stages[-1].options
        assert options["kind"] == "prune" and options["prune"] == {"channels": "l2"} and options["epochs"] == 1
        return
    assert codes(program) == ["TRN140"]
    finding = errors(program)[0]
    assert under(program, finding) == place and remedy in finding.help


@pytest.mark.parametrize(
    ("stage", "code", "says"),
    [
        ("ema_warmup = 2000 steps", "TRN129", "averages no weights"),
        ("freeze = p4  lr p4 = 1e-4", "TRN129", "holds it still"),
        ("schedule = cosine(warmup = 9 epochs)", "TRN130", "warms up for 9 epochs"),
        ("schedule = multistep(at = [2 epochs, 12 epochs])", "TRN130", "drops in epoch 12"),
        ("schedule = cosine(t_max = 5 epochs)", "TRN130", "rises again after 5 epochs"),
    ],
)
def test_what_surprises_is_a_warning(tmp_path: Path, stage: str, code: str, says: str) -> None:
    program = program_of(tmp_path, trained(f"stage a {{ epochs = 9  {stage} }}"))
    assert [finding.code for finding in program.findings if finding.level == "warning"] == [code]
    assert says in next(finding.message for finding in program.findings if finding.code == code)
    assert len(program.stages) == 1


def test_rates_of_parts_and_the_names_of_other_tools(tmp_path: Path) -> None:
    program = program_of(
        tmp_path,
        trained("""
  global_seed = 7  lr = 1e-2  lr p4 = 1e-3
  stage a { epochs = 9  eval_interval = 3 epochs  save_history = true
            schedule = yoloxwarmcos(warmup_epochs = 1 epochs, min_lr_ratio = 0.1)  no_aug_epochs = 2 epochs }
  stage b { epochs = 9  optimizer = adam() }
"""),
        {"train.steps.a.lr.p4": "1e-5"},
    )
    assert not errors(program)
    a, b = (stage.options for stage in program.stages)
    assert (a["rates"], b["rates"]) == ({"p4": 1e-5}, {})
    assert (a["seed"], a["validate_every"], a["save_every"], a["no_aug_epochs"]) == (7, 3, 1, 2)
    assert a["schedule"] == {
        "name": "yoloxwarmcos", "by": "step", "warmup": 1, "warmup_from": 0.0, "floor": 0.1, "no_aug": None,
        "every": None, "milestones": [], "gamma": 0.1, "t_max": None,
    }  # fmt: skip
