"""`detc import user_config.yaml`: every setting becomes a line of the spec, or is told with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from detc.cli import main
from detc.compilation import compile_spec
from detc.importers.st_yaml.datasets import data_block
from detc.importers.st_yaml.draft import Draft
from detc.importers.st_yaml.importing import import_configuration
from detc.importers.st_yaml.keys import KEYS
from detc.importers.st_yaml.models import MODELS
from detc.library import library_text

DOCS = Path(__file__).parents[3] / "docs" / "migration.md"

YOLOD = """\
operation_mode: training
general: {global_seed: 42, logger: 'tensorboard'}
model:
  model_type : st_yolod
  model_name: st_yolodv2milli_actrelu_pt
  pretrained: True
  pretrained_dataset: coco
  input_shape: [3, 320, 320]
  num_classes: 2
dataset:
  format : coco
  class_names: ["person", "bicycle"]
  multiscale_range: 5
  train_images_path : ./datasets/coco/train2017
  train_annotations_path: ./datasets/coco/annotations/instances_train2017.json
  val_images_path : ./datasets/coco/val2017
  val_annotations_path: ./datasets/coco/annotations/instances_val2017.json
  mosaic_prob: 0.5
  mixup_prob: 1.0
  hsv_prob: 1.0
  flip_prob: 0.5
  degrees: 10.0
  translate: 0.1
  mosaic_scale: (0.5, 1.5)
  enable_mixup: False
  shear: 2.0
training:
  batch_size: 64
  warmup_epochs: 1
  epochs: 300
  scheduler: "yoloxwarmcos"
  no_aug_epochs: 15
  ema: True
  eval_interval: 1
  save_history_ckpt: True
  optimzer: 3
  optimizer:
    SGD: {learning_rate: 0.01, momentum: 0.9, warmup_lr: 0.0, min_lr_ratio: 0.05, weight_decay: 5e-4}
preprocessing:
  rescaling: {scale: 1, offset: 0}
  color_mode: rgb
postprocessing: {confidence_thresh: 0.01, NMS_thresh: 0.65}
hydra: {run: {dir: "./x/${now:%Y}"}}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "user_config.yaml"
    path.write_text(YOLOD)
    return path


def test_the_spec_has_what_the_configuration_says(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(config), "-o", "mine.det"]) == 0
    shown = capsys.readouterr().out
    assert "training.optimzer" in shown and "did you mean `training.optimizer" in shown
    assert "on the command line: --track tensorboard" in shown
    done = compile_spec(Path("mine.det"))
    assert done.fits and done.graph is not None and done.program.params["classes"].value == 2
    assert done.graph.inputs[0].type.shape == (3, 320, 320)
    (stage,) = done.program.stages
    options = stage.options
    assert (options["batch"], options["epochs"], options["seed"]) == (64, 300, 42)
    assert options["optimizer"]["name"] == "sgd" and options["optimizer"]["weight_decay"] == 5e-4
    assert options["schedule"]["name"] == "yoloxwarmcos" and options["schedule"]["floor"] == 0.05
    assert [step["name"] for step in options["augment"]] == ["mosaic", "hsv", "flip", "affine"]
    data = done.program.data["pictures"].options
    assert data["root"] == "datasets/coco" and data["classes"] == ["person", "bicycle"]


def test_it_is_formatted_and_says_what_was_left_out(config: Path) -> None:
    assert main(["import", str(config)]) == 0
    spec = config.with_suffix(".det")
    assert main(["fmt", "--check", str(spec)]) == 0
    assert "#   hydra.run.dir: " in spec.read_text()
    assert main(["import", str(config)]) == 1  # it is there already


def leaves(value: object, path: str = "") -> list[str]:
    if not isinstance(value, dict):
        return [path]
    return [leaf for key, inner in value.items() for leaf in leaves(inner, f"{path}.{key}" if path else key)]


def test_every_setting_is_told_once(config: Path) -> None:
    imported, findings, _ = import_configuration(config, library_text)
    assert imported is not None and not findings
    assert [fate.setting.path for fate in imported.fates] == leaves(yaml.safe_load(YOLOD))


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_model_of_the_table_makes_a_spec_that_checks(name: str, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        f"model: {{model_name: {name}, num_classes: 3}}\ntraining: {{epochs: 2, optimizer: {{Adam: {{learning_rate: 1e-3}}}}}}\n"
    )
    assert main(["import", str(config)]) == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: &x [1]\nb: *x\n", "anchors or tags"),
        ("a: !!python/object:os.system [x]\n", "anchors or tags"),
        ("- 1\n", "key: value"),
        ("a: [1\n", "no YAML file"),
        ("", "key: value"),
        ("model: {model_name: yolo_v8n}\n", "no model `yolo_v8n`"),
        ("a: 1\n", "(none named)"),
        ("? [1, 2]\n: 3\n", "a key that is no word"),
        ("{a: " * 40 + "1" + "}" * 40, "deeper than"),
        ("[" * 50_000, "deeper than"),
        ("a: 1\n" * 101_000, "more than 5,000"),
    ],
)
def test_what_is_no_configuration_is_refused(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(text)
    assert main(["import", str(config)]) == 1
    assert says in capsys.readouterr().out
    assert not config.with_suffix(".det").exists()


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda s: st.lists(s, max_size=3),
        max_leaves=5,
    )
)
def test_no_value_of_any_key_makes_a_spec_that_does_not_parse(value: object) -> None:
    from detc.importers.st_yaml.draft import NotTaken
    from detc.importers.st_yaml.writing import write_spec

    draft = Draft(MODELS["st_yoloxn"])
    for handler in KEYS.values():
        try:
            handler(draft, value)
        except NotTaken:
            continue
    text = write_spec(
        draft,
        "model m extends detector { input x: u8[3, 32, 32] = camera(order = rgb)  output y = x |> conv(1) }\n",
        [],
    )
    from detc.diagnostics import Source, has_errors
    from detc.syntax.parser import parse

    assert not has_errors(parse(Source("x", text))[1]), text


def test_paths_of_voc_become_years_and_lists() -> None:
    draft = Draft(MODELS["ssdlite_mobilenetv2_pt"], format="voc")
    kit = "./datasets/VOCdevkit"
    for split, year, name in (("train", "VOC2012", "trainval"), ("val", "VOC2007", "test")):
        draft.splits[split] = {
            "images": f"{kit}/{year}/JPEGImages/",
            "annotations": f"{kit}/{year}/Annotations",
            "list": f"{kit}/{year}/ImageSets/Main/{name}.txt",
        }
    text = data_block(draft, "voc")
    assert 'root = path("datasets/VOCdevkit")' in text
    assert 'train = "VOC2012/trainval"' in text and 'val = "VOC2007/test"' in text


def test_the_migration_page_names_every_key() -> None:
    page = DOCS.read_text(encoding="utf-8")
    missing = [key for key in KEYS if f"`{key}`" not in page]
    assert not missing
