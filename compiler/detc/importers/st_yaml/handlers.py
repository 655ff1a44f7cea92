"""What is done with the value of a key: each handler puts it into the draft and says how it was written, or raises NotTaken
with the reason why it has no place in a spec.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detc.importers.st_yaml import models
from detc.importers.st_yaml.draft import Draft, NotTaken, epochs, number, switch, texts, whole

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
    return _entry(key, convert, lambda draft: draft.stage, "{}")


def optimizer(key: str, convert: Callable[[Any], str]) -> Handler:
    return _entry(key, convert, lambda draft: draft.optimizer_args, "optimizer = ..({})")


def schedule(key: str, convert: Callable[[Any], str]) -> Handler:
    return _entry(key, convert, lambda draft: draft.schedule_args, "schedule = ..({})")


def head(key: str, convert: Callable[[Any], str]) -> Handler:
    return _entry(key, convert, lambda draft: draft.head, "head .. {{ {} }}")


def data(key: str, convert: Callable[[Any], str]) -> Handler:
    return _entry(key, convert, lambda draft: draft.data, "data .. ({})")


def _entry(key: str, convert: Callable[[Any], str], section: Callable[[Draft], dict[str, str]], shown: str) -> Handler:
    """Puts `key = value` into a section of the draft; `shown` says where that is."""

    def handler(draft: Draft, value: Any) -> str:
        entry = section(draft)[key] = convert(value)
        return shown.format(f"{key} = {entry}")

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


def sides(value: Any) -> str:
    if not isinstance(value, list) or len(value) != 3:
        raise NotTaken(f"expected three sides, found {value!r}")
    return "[" + ", ".join(whole(side, 1, 4096) for side in value) + "]"


def input_shape(draft: Draft, value: Any) -> str:
    sides = value if isinstance(value, list) else []
    channels_first = len(sides) == 3 and sides[0] in (1, 3, 4)
    size = sides[1:] if channels_first else sides[:2]
    if len(sides) != 3 or size[0] != size[1]:
        raise NotTaken(f"the library's nets take square pictures, found {value!r}")
    draft.params["image"] = whole(size[0], 16, 4096)
    return f"param image = {draft.params['image']}"


def take_classes(draft: Draft, value: Any) -> str:
    draft.params["classes"] = whole(value, 1, 10_000)
    return f"param classes = {value}"


def class_names(draft: Draft, value: Any) -> str:
    draft.data["classes"] = texts(value)
    draft.params["classes"] = str(len(value))
    return f"data .. (classes = [..]), param classes = {len(value)}"


def model_name(draft: Draft, value: Any) -> str:
    found = models.scales(str(value))
    if found is not None:
        draft.params["depth"], draft.params["width"] = (number(scale) for scale in found)
    apart = f"; {draft.known.apart}" if draft.known.apart else ""
    return f"the library spec {draft.known.spec}{apart}"


def width(draft: Draft, value: Any) -> str:
    draft.params["width"] = number(value, 0.01, 10)
    return f"param width = {draft.params['width']}"


def depth(draft: Draft, value: Any) -> str:
    draft.params["depth"] = number(value, 0.01, 10)
    return f"param depth = {draft.params['depth']}"


def pretrained(draft: Draft, value: Any) -> str:
    if not switch(value):
        return "as it is: nothing is pretrained unless a spec says so"
    raise NotTaken('detc ships no weights; give a file you have: `pretrained = path("weights.pt")` in the stage')


def take_format(draft: Draft, value: Any) -> str:
    known = {"coco": "coco", "voc": "voc", "pascal_voc": "voc", "darknet_yolo": "yolo", "yolo_darknet": "yolo"}
    known |= {"darknet": "yolo", "yolo": "yolo", "tfs": "yolo"}
    word = known.get(str(value).lower())
    if word is None:
        raise NotTaken(f"detc reads no `{value}`; it reads voc, coco, yolo and bdd100k")
    draft.format = word
    note = " (the Darknet text files that .tfs files are made from)" if value == "tfs" else ""
    return f"data .. = data.{word}(..){note}"


def dataset_name(draft: Draft, value: Any) -> str:
    if draft.format:
        raise NotTaken("a name for logs; the format counts")
    return take_format(draft, value)


def use(draft: Draft, name: str) -> None:
    """The optimiser as the zoo's trainers make it: decay inside the step; YOLOD looks ahead and decays weights only."""
    draft.optimizer = name
    if name == "sgd":
        draft.optimizer_args.setdefault("l2", "optimizer")
        if draft.known.reads == "raw":
            draft.optimizer_args |= {"nesterov": "true", "decay": "weights"}


def optimizer_name(name: str) -> Handler:
    def handler(draft: Draft, value: Any) -> str:
        use(draft, name)
        return f"optimizer = {name}()"

    return handler


def learning_rate(name: str) -> Handler:
    def handler(draft: Draft, value: Any) -> str:
        use(draft, name)
        draft.optimizer_args["lr"] = positive(value)
        return f"optimizer = {name}(lr = {draft.optimizer_args['lr']})"

    return handler


def scheduler(draft: Draft, value: Any) -> str:
    known = {"cosine": "cosine", "yoloxwarmcos": "yoloxwarmcos", "multi-step": "multistep", "multistep": "multistep"}
    word = known.get(str(value).lower())
    if word is None:
        raise NotTaken(
            f"there is no schedule `{value}`; there are constant, step, multistep, cosine, yoloxwarmcos and lava"
        )
    draft.schedule = word
    return f"schedule = {word}(..)"


def milestones(draft: Draft, value: Any) -> str:
    steps = (
        value if isinstance(value, list) else [int(part) for part in str(value).split(",") if part.strip().isdigit()]
    )
    draft.schedule_args["at"] = "[" + ", ".join(epochs(step, 1) for step in steps) + "]"
    return f"schedule = multistep(at = {draft.schedule_args['at']})"


def ema(draft: Draft, value: Any) -> str:
    if not switch(value):
        return "as it is: no average of weights unless a spec says so"
    draft.stage["ema"] = "0.9998"
    return "ema = 0.9998, the trainer's decay"


def fp16(draft: Draft, value: Any) -> str:
    if not switch(value):
        return "as it is: float32 unless a spec says so"
    draft.stage["amp"] = "fp16"
    return "amp = fp16"


def history(draft: Draft, value: Any) -> str:
    draft.stage["save_history"] = "true" if switch(value) else "false"
    return f"save_history = {draft.stage['save_history']}"


def deterministic(draft: Draft, value: Any) -> str:
    draft.stage["deterministic"] = "true" if switch(value) else "false"
    return f"deterministic = {draft.stage['deterministic']}"


def early_stop(draft: Draft, value: Any) -> str:
    draft.stage["early_stop"] = epochs(value, 1)
    return f"early_stop = {draft.stage['early_stop']}"


def resume(draft: Draft, value: Any) -> str:
    draft.command.append("--resume")
    return "`detc train --resume` goes on where the last run stopped"


def logger(draft: Draft, value: Any) -> str:
    words = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow"}
    if str(value) not in words:
        raise NotTaken(f"there is no tracker `{value}`")
    draft.command.append(f"--track {value}")
    return f"`detc train --track {value}`"


def part_rate(which: int) -> Handler:
    def handler(draft: Draft, value: Any) -> str:
        names = draft.known.parts[which]
        if not names:
            raise NotTaken("this family has no such part: write `lr PART = ..` in the stage")
        for name in names:
            draft.stage[f"lr {name}"] = positive(value)
        return ", ".join(f"lr {name} = {positive(value)}" for name in names)

    return unless_empty(handler)


def scale(draft: Draft, value: Any) -> str:
    if draft.known.reads != "rescaled" and value in (1, 1.0):
        return "as it is: 1 changes nothing"
    if draft.known.reads == "raw":
        raise NotTaken("this family's trainer reads 0 .. 255 and ignores it")
    factor = float(number(value, 1e-6, 1e6))
    draft.camera["scale"] = number(round(1 / factor, 6))
    return f"camera(scale = {draft.camera['scale']}): detc divides where the zoo multiplies"


def offset(draft: Draft, value: Any) -> str:
    if value in (0, 0.0):
        return "as it is: 0 changes nothing"
    if draft.known.reads == "raw":
        raise NotTaken("this family's trainer reads 0 .. 255 and ignores it")
    draft.camera["offset"] = number(value)
    return f"camera(offset = {draft.camera['offset']})"


def mean_std(key: str) -> Handler:
    def handler(draft: Draft, value: Any) -> str:
        if draft.known.reads == "raw":
            raise NotTaken("this family's trainer reads 0 .. 255 and ignores it")
        values = value if isinstance(value, list) else [value]
        same = len(set(map(str, values))) == 1
        draft.camera[key] = number(values[0]) if same else "[" + ", ".join(number(v) for v in values) + "]"
        return f"camera({key} = {draft.camera[key]})"

    return unless_empty(handler)


def aspect_ratio(draft: Draft, value: Any) -> str:
    words = {"fit": "stretch", "padding": "letterbox", "crop": "crop", "full_screen": "stretch"}
    if str(value) not in words:
        raise NotTaken(f"there is no way to resize called `{value}`")
    if draft.known.reads == "raw":
        raise NotTaken("this family's trainer letterboxes every picture and ignores it")
    draft.camera["resize"] = words[str(value)]
    return f"camera(resize = {draft.camera['resize']})"


def interpolation(draft: Draft, value: Any) -> str:
    if str(value) not in ("nearest", "bilinear", "bicubic", "area"):
        raise NotTaken(f"detc has nearest, bilinear, bicubic and area, no `{value}`")
    if draft.known.reads == "raw":
        raise NotTaken("this family's trainer ignores it")
    draft.camera["interpolation"] = str(value)
    return f"camera(interpolation = {value})"


def colour(draft: Draft, value: Any) -> str:
    if str(value) not in ("rgb", "bgr", "grayscale", "rgba"):
        raise NotTaken(f"there is no order of colours called `{value}`")
    draft.camera["order"] = str(value)
    return f"camera(order = {value})"


def eval_iou(draft: Draft, value: Any) -> str:
    if value == 0.5:
        return "as it is: mAP is taken at IoU 0.5"
    draft.command.append(f"--iou {number(value, 0.01, 0.99)} (of `detc eval`)")
    return f"`detc eval --iou {value}`"
