"""Every key of a zoo configuration: what it becomes in a spec, or why it has no place in one.

Keys as in STMicroelectronics/stm32ai-modelzoo@645aae15 (config_file_examples, config_file_examples_pt) and
stm32ai-modelzoo-services@46924c0a (src/utils/parse_config.py). A handler puts the value into the draft and says how it was
written; it raises NotTaken with the reason where it has no place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detc.importers.st_yaml import models
from detc.importers.st_yaml.augmentation import AUGMENTATION
from detc.importers.st_yaml.draft import Draft, NotTaken, epochs, number, switch, text, texts, whole

Handler = Callable[[Draft, Any], str]

# ---- small handlers -------------------------------------------------------------------------------------------------


def leave(reason: str) -> Handler:
    """For a key that has no place in a spec."""

    def handler(draft: Draft, value: Any) -> str:
        raise NotTaken(reason)

    return handler


def unless_empty(handler: Handler) -> Handler:
    """An empty value means the zoo's default, and so ours."""

    def wrapped(draft: Draft, value: Any) -> str:
        if value is None or value == "":
            raise NotTaken("it is empty")
        return handler(draft, value)

    return wrapped


def stage(key: str, convert: Callable[[Any], str]) -> Handler:
    def handler(draft: Draft, value: Any) -> str:
        draft.stage[key] = convert(value)
        return f"{key} = {draft.stage[key]}"

    return unless_empty(handler)


def optimizer(key: str, convert: Callable[[Any], str]) -> Handler:
    def handler(draft: Draft, value: Any) -> str:
        draft.optimizer_args[key] = convert(value)
        return f"optimizer = ..({key} = {draft.optimizer_args[key]})"

    return unless_empty(handler)


def schedule(key: str, convert: Callable[[Any], str]) -> Handler:
    def handler(draft: Draft, value: Any) -> str:
        draft.schedule_args[key] = convert(value)
        return f"schedule = ..({key} = {draft.schedule_args[key]})"

    return unless_empty(handler)


def head(key: str, convert: Callable[[Any], str]) -> Handler:
    def handler(draft: Draft, value: Any) -> str:
        draft.head[key] = convert(value)
        return f"head .. {{ {key} = {draft.head[key]} }}"

    return unless_empty(handler)


def data(key: str, convert: Callable[[Any], str]) -> Handler:
    def handler(draft: Draft, value: Any) -> str:
        draft.data[key] = convert(value)
        return f"data .. ({key} = {draft.data[key]})"

    return unless_empty(handler)


def split(name: str, part: str) -> Handler:
    def handler(draft: Draft, value: Any) -> str:
        if not str(value).strip():
            raise NotTaken("it is empty")
        draft.splits.setdefault(name, {})[part] = str(value).strip()
        return f"data .. ({name} = ..)"

    return unless_empty(handler)


def share(value: Any) -> str:
    return number(value, 0, 1)


def positive(value: Any) -> str:
    return number(value, 0)


# ---- keys that need a thought ---------------------------------------------------------------------------------------


def _sides(value: Any) -> str:
    if not isinstance(value, list) or len(value) != 3:
        raise NotTaken(f"expected three sides, found {value!r}")
    return "[" + ", ".join(whole(side, 1, 4096) for side in value) + "]"


def _input_shape(draft: Draft, value: Any) -> str:
    sides = value if isinstance(value, list) else []
    channels_first = len(sides) == 3 and sides[0] in (1, 3, 4)
    size = sides[1:] if channels_first else sides[:2]
    if len(sides) != 3 or size[0] != size[1]:
        raise NotTaken(f"the library's nets take square pictures, found {value!r}")
    draft.params["image"] = whole(size[0], 16, 4096)
    return f"param image = {draft.params['image']}"


def _classes(draft: Draft, value: Any) -> str:
    draft.params["classes"] = whole(value, 1, 10_000)
    return f"param classes = {value}"


def _class_names(draft: Draft, value: Any) -> str:
    draft.data["classes"] = texts(value)
    draft.params["classes"] = str(len(value))
    return f"data .. (classes = [..]), param classes = {len(value)}"


def _model_name(draft: Draft, value: Any) -> str:
    found = models.scales(str(value))
    if found is not None:
        draft.params["depth"], draft.params["width"] = (number(scale) for scale in found)
    apart = f"; {draft.known.apart}" if draft.known.apart else ""
    return f"the library spec {draft.known.spec}{apart}"


def _width(draft: Draft, value: Any) -> str:
    draft.params["width"] = number(value, 0.01, 10)
    return f"param width = {draft.params['width']}"


def _depth(draft: Draft, value: Any) -> str:
    draft.params["depth"] = number(value, 0.01, 10)
    return f"param depth = {draft.params['depth']}"


def _pretrained(draft: Draft, value: Any) -> str:
    if not switch(value):
        return "as it is: nothing is pretrained unless a spec says so"
    raise NotTaken('detc ships no weights; give a file you have: `pretrained = path("weights.pt")` in the stage')


def _format(draft: Draft, value: Any) -> str:
    known = {"coco": "coco", "voc": "voc", "pascal_voc": "voc", "darknet_yolo": "yolo", "yolo_darknet": "yolo"}
    known |= {"darknet": "yolo", "yolo": "yolo", "tfs": "yolo"}
    word = known.get(str(value).lower())
    if word is None:
        raise NotTaken(f"detc reads no `{value}`; it reads voc, coco, yolo and bdd100k")
    draft.format = word
    note = " (the Darknet text files that .tfs files are made from)" if value == "tfs" else ""
    return f"data .. = data.{word}(..){note}"


def _dataset_name(draft: Draft, value: Any) -> str:
    if draft.format:
        raise NotTaken("a name for logs; the format counts")
    return _format(draft, value)


def _use(draft: Draft, name: str) -> None:
    """The optimiser as the zoo's trainers make it: decay inside the step; YOLOD looks ahead and decays weights only."""
    draft.optimizer = name
    if name == "sgd":
        draft.optimizer_args.setdefault("l2", "optimizer")
        if draft.known.reads == "raw":
            draft.optimizer_args |= {"nesterov": "true", "decay": "weights"}


def _optimizer_name(name: str) -> Handler:
    def handler(draft: Draft, value: Any) -> str:
        _use(draft, name)
        return f"optimizer = {name}()"

    return handler


def _learning_rate(name: str) -> Handler:
    def handler(draft: Draft, value: Any) -> str:
        _use(draft, name)
        draft.optimizer_args["lr"] = positive(value)
        return f"optimizer = {name}(lr = {draft.optimizer_args['lr']})"

    return handler


def _scheduler(draft: Draft, value: Any) -> str:
    known = {"cosine": "cosine", "yoloxwarmcos": "yoloxwarmcos", "multi-step": "multistep", "multistep": "multistep"}
    word = known.get(str(value).lower())
    if word is None:
        raise NotTaken(
            f"there is no schedule `{value}`; there are constant, step, multistep, cosine, yoloxwarmcos and lava"
        )
    draft.schedule = word
    return f"schedule = {word}(..)"


def _milestones(draft: Draft, value: Any) -> str:
    steps = (
        value if isinstance(value, list) else [int(part) for part in str(value).split(",") if part.strip().isdigit()]
    )
    draft.schedule_args["at"] = "[" + ", ".join(epochs(step, 1) for step in steps) + "]"
    return f"schedule = multistep(at = {draft.schedule_args['at']})"


def _ema(draft: Draft, value: Any) -> str:
    if not switch(value):
        return "as it is: no average of weights unless a spec says so"
    draft.stage["ema"] = "0.9998"
    return "ema = 0.9998, the trainer's decay"


def _fp16(draft: Draft, value: Any) -> str:
    if not switch(value):
        return "as it is: float32 unless a spec says so"
    draft.stage["amp"] = "fp16"
    return "amp = fp16"


def _history(draft: Draft, value: Any) -> str:
    draft.stage["save_history"] = "true" if switch(value) else "false"
    return f"save_history = {draft.stage['save_history']}"


def _deterministic(draft: Draft, value: Any) -> str:
    draft.stage["deterministic"] = "true" if switch(value) else "false"
    return f"deterministic = {draft.stage['deterministic']}"


def _early_stop(draft: Draft, value: Any) -> str:
    draft.stage["early_stop"] = epochs(value, 1)
    return f"early_stop = {draft.stage['early_stop']}"


def _resume(draft: Draft, value: Any) -> str:
    draft.command.append("--resume")
    return "`detc train --resume` goes on where the last run stopped"


def _logger(draft: Draft, value: Any) -> str:
    words = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow"}
    if str(value) not in words:
        raise NotTaken(f"there is no tracker `{value}`")
    draft.command.append(f"--track {value}")
    return f"`detc train --track {value}`"


def _part_rate(which: int) -> Handler:
    def handler(draft: Draft, value: Any) -> str:
        names = draft.known.parts[which]
        if not names:
            raise NotTaken("this family has no such part: write `lr PART = ..` in the stage")
        for name in names:
            draft.stage[f"lr {name}"] = positive(value)
        return ", ".join(f"lr {name} = {positive(value)}" for name in names)

    return unless_empty(handler)


def _scale(draft: Draft, value: Any) -> str:
    if draft.known.reads != "rescaled" and value in (1, 1.0):
        return "as it is: 1 changes nothing"
    if draft.known.reads == "raw":
        raise NotTaken("this family's trainer reads 0 .. 255 and ignores it")
    factor = float(number(value, 1e-6, 1e6))
    draft.camera["scale"] = number(round(1 / factor, 6))
    return f"camera(scale = {draft.camera['scale']}): detc divides where the zoo multiplies"


def _offset(draft: Draft, value: Any) -> str:
    if value in (0, 0.0):
        return "as it is: 0 changes nothing"
    if draft.known.reads == "raw":
        raise NotTaken("this family's trainer reads 0 .. 255 and ignores it")
    draft.camera["offset"] = number(value)
    return f"camera(offset = {draft.camera['offset']})"


def _mean_std(key: str) -> Handler:
    def handler(draft: Draft, value: Any) -> str:
        if draft.known.reads == "raw":
            raise NotTaken("this family's trainer reads 0 .. 255 and ignores it")
        values = value if isinstance(value, list) else [value]
        same = len(set(map(str, values))) == 1
        draft.camera[key] = number(values[0]) if same else "[" + ", ".join(number(v) for v in values) + "]"
        return f"camera({key} = {draft.camera[key]})"

    return unless_empty(handler)


def _aspect_ratio(draft: Draft, value: Any) -> str:
    words = {"fit": "stretch", "padding": "letterbox", "crop": "crop", "full_screen": "stretch"}
    if str(value) not in words:
        raise NotTaken(f"there is no way to resize called `{value}`")
    if draft.known.reads == "raw":
        raise NotTaken("this family's trainer letterboxes every picture and ignores it")
    draft.camera["resize"] = words[str(value)]
    return f"camera(resize = {draft.camera['resize']})"


def _interpolation(draft: Draft, value: Any) -> str:
    if str(value) not in ("nearest", "bilinear", "bicubic", "area"):
        raise NotTaken(f"detc has nearest, bilinear, bicubic and area, no `{value}`")
    if draft.known.reads == "raw":
        raise NotTaken("this family's trainer ignores it")
    draft.camera["interpolation"] = str(value)
    return f"camera(interpolation = {value})"


def _colour(draft: Draft, value: Any) -> str:
    if str(value) not in ("rgb", "bgr", "grayscale", "rgba"):
        raise NotTaken(f"there is no order of colours called `{value}`")
    draft.camera["order"] = str(value)
    return f"camera(order = {value})"


def _eval_iou(draft: Draft, value: Any) -> str:
    if value == 0.5:
        return "as it is: mAP is taken at IoU 0.5"
    draft.command.append(f"--iou {number(value, 0.01, 0.99)} (of `detc eval`)")
    return f"`detc eval --iou {value}`"


# ---- the table ------------------------------------------------------------------------------------------------------

_BOARD = "hardware is a target: `detc check SPEC --target ..`, or a `deploy` block"
_STM32 = "int8 files for STM32 come from a deploy block on an STM32 target"
_COMMAND = "belongs to the command line or the machine, not to the spec"
_OPTIMIZER = {
    f"training.optimizer.{theirs}{key}": handler
    for theirs, ours in (("SGD", "sgd"), ("Adam", "adam"), ("AdamW", "adamw"))
    for key, handler in {
        "": _optimizer_name(ours),
        ".learning_rate": _learning_rate(ours),
        ".weight_decay": optimizer("weight_decay", positive),
        ".warmup_lr": schedule("warmup_from", positive),
        ".min_lr_ratio": schedule("floor", share),
    }.items()
}
_SGD = {
    "training.optimizer.SGD.momentum": optimizer("momentum", share),
    "training.optimizer.SGD.nesterov": optimizer("nesterov", lambda value: "true" if switch(value) else "false"),
}

KEYS: dict[str, Handler] = {
    "operation_mode": leave(
        "services are options of the command: `detc build --train --quantize --evaluate --benchmark`"
    ),
    "general.project_name": leave("runs are named with `detc train --name`"),
    "general.model_type": leave("read as model.model_type"),
    "general.model_path": leave(
        "weights are named in a stage, `pretrained = path(..)`; other models by `detc import FILE`"
    ),
    "general.saved_models_dir": leave("a build has its own folders; `--build DIR` moves it"),
    "general.logs_dir": leave("a build has its own folders; `--build DIR` moves it"),
    "general.display_figures": leave("figures are files: the run's page and `detc eval --report DIR`"),
    "general.gpu_memory_limit": leave(_COMMAND),
    "general.num_threads_tflite": leave(_COMMAND),
    "general.logger": unless_empty(_logger),
    "general.global_seed": stage("seed", whole),
    "general.deterministic_ops": unless_empty(_deterministic),
    "model.framework": leave("every spec trains in torch"),
    "model.model_type": leave("chose the library spec, together with model_name"),
    "model.model_name": _model_name,
    "model.model_path": leave(
        "weights are named in a stage, `pretrained = path(..)`; other models by `detc import FILE`"
    ),
    "model.pretrained": unless_empty(_pretrained),
    "model.pretrained_dataset": stage("pretrained_dataset", text),
    "model.pretrained_input_shape": stage("pretrained_input_shape", _sides),
    "model.input_shape": unless_empty(_input_shape),
    "model.num_classes": unless_empty(_classes),
    "model.width_mult": unless_empty(_width),
    "model.alpha": unless_empty(_width),
    "model.width_mul": unless_empty(_width),
    "model.depth_mul": unless_empty(_depth),
    "dataset.format": unless_empty(_format),
    "dataset.dataset_name": unless_empty(_dataset_name),
    "dataset.name": unless_empty(_dataset_name),
    "dataset.class_names": unless_empty(_class_names),
    "dataset.classes_file_path": data("classes_file", text),
    "dataset.training_path": split("train", "path"),
    "dataset.validation_path": split("val", "path"),
    "dataset.test_path": split("test", "path"),
    "dataset.train_images_path": split("train", "images"),
    "dataset.train_annotations_path": split("train", "annotations"),
    "dataset.train_split": split("train", "list"),
    "dataset.val_images_path": split("val", "images"),
    "dataset.val_annotations_path": split("val", "annotations"),
    "dataset.val_split": split("val", "list"),
    "dataset.test_images_path": split("test", "images"),
    "dataset.test_annotations_path": split("test", "annotations"),
    "dataset.test_split": split("test", "list"),
    "dataset.validation_split": data("validation_split", share),
    "dataset.seed": data("seed", whole),
    "dataset.num_workers": leave("`detc train --workers N`"),
    "dataset.quantization_path": leave(_STM32),
    "dataset.quantization_split": leave(_STM32),
    "dataset.data_dir": leave("where .tfs files would be written; detc reads the labels themselves"),
    "dataset.data_download": leave("`detc data help coco` says where to get a set"),
    "dataset.download_data": leave("`detc data help coco` says where to get a set"),
    "dataset.exclude_unlabeled": leave("pictures without objects stay: they teach what is background"),
    "dataset.max_detections": leave("labels are not limited"),
    "training.model": leave("read as model"),
    "training.trainer_name": leave("the trainer follows from the head"),
    "training.batch_size": stage("batch", lambda value: whole(value, 1)),
    "training.epochs": stage("epochs", lambda value: whole(value, 1)),
    "training.validation_epochs": stage("validate_every", lambda value: epochs(value, 1)),
    "training.eval_interval": stage("validate_every", lambda value: epochs(value, 1)),
    "training.print_interval": leave("`detc train --print-every N`"),
    "training.warmup_epochs": schedule("warmup", epochs),
    "training.scheduler": unless_empty(_scheduler),
    "training.t_max": schedule("t_max", lambda value: epochs(value, 1)),
    "training.gamma": leave("the factor of step schedules; taken with them only"),
    "training.milestones": unless_empty(_milestones),
    "training.no_aug_epochs": stage("no_aug_epochs", epochs),
    "training.start_epoch": stage("start_epoch", whole),
    "training.ema": unless_empty(_ema),
    "training.fp16": unless_empty(_fp16),
    "training.save_history_ckpt": unless_empty(_history),
    "training.base_net_lr": _part_rate(0),
    "training.extra_layers_lr": _part_rate(1),
    "training.dropout": leave("dropout is a layer of the net: put `|> dropout(0.2)` into the spec"),
    "training.frozen_layers": leave("layers have other names here: `freeze = PART` in the stage"),
    "training.trained_model_path": leave("the best and last checkpoints lie in runs/"),
    "training.resume_training_from": unless_empty(_resume),
    "training.callbacks.EarlyStopping.patience": unless_empty(_early_stop),
    "training.callbacks.EarlyStopping.monitor": leave(
        "`choose` says what makes a checkpoint the best; map50 unless given"
    ),
    "training.callbacks.EarlyStopping.restore_best_weights": leave("the best checkpoint is always kept"),
    "training.callbacks.EarlyStopping.verbose": leave("progress is always shown"),
    "training.callbacks.EarlyStopping.mode": leave("follows from `choose`"),
    "training.callbacks.ModelCheckpoint.monitor": leave("the best checkpoint is always kept"),
    "training.callbacks.ReduceLROnPlateau.monitor": leave(
        "no schedule here depends on a figure: use cosine or multistep"
    ),
    "training.callbacks.ReduceLROnPlateau.patience": leave(
        "no schedule here depends on a figure: use cosine or multistep"
    ),
    "training.callbacks.ReduceLROnPlateau.factor": leave(
        "no schedule here depends on a figure: use cosine or multistep"
    ),
    "training.callbacks.LRWarmupCosineDecay.warmup_steps": schedule("warmup", epochs),
    "training.callbacks.LRWarmupCosineDecay.initial_lr": schedule("warmup_from", positive),
    "preprocessing.rescaling.scale": unless_empty(_scale),
    "preprocessing.rescaling.offset": unless_empty(_offset),
    "preprocessing.mean": _mean_std("mean"),
    "preprocessing.std": _mean_std("std"),
    "preprocessing.resizing.aspect_ratio": unless_empty(_aspect_ratio),
    "preprocessing.resizing.interpolation": unless_empty(_interpolation),
    "preprocessing.color_mode": unless_empty(_colour),
    "postprocessing.confidence_thresh": head("score", share),
    "postprocessing.NMS_thresh": head("nms", share),
    "postprocessing.IoU_eval_thresh": unless_empty(_eval_iou),
    "postprocessing.max_detection_boxes": head("max_detections", lambda value: whole(value, 1)),
    "postprocessing.yolo_anchors": leave("change `anchors` in the head, or let `detc data anchors` find them"),
    "postprocessing.plot_metrics": leave("`detc eval --report DIR` draws the curves"),
    "postprocessing.crop_stretch_percents": leave("belongs to the camera application"),
    "benchmarking.board": leave(_BOARD),
    "deployment.hardware_setup.board": leave(_BOARD),
    "mlflow.uri": leave("`detc train --track mlflow`, and MLFLOW_TRACKING_URI"),
    "hydra.run.dir": leave("runs lie in runs/ of the build"),
    **_OPTIMIZER,
    **_SGD,
    **AUGMENTATION,
}
"""By dotted path."""

SECTIONS: dict[str, str] = {
    "quantization": _STM32,
    "benchmarking": _STM32,
    "tools": _STM32,
    "deployment": _STM32,
    "evaluation": "what `detc eval` is told on its command line",
    "prediction": "what `detc run` is told on its command line",
    "training.callbacks": "there is no such callback; `schedule`, `early_stop` and `save_every` do their work",
    "hydra": "runs lie in runs/ of the build",
    "mlflow": "`detc train --track mlflow`",
}
"""Reasons that hold for everything below a path."""
