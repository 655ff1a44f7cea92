"""The keys of a zoo configuration that change pictures while training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detc.importers.st_yaml.draft import Draft, NotTaken, number, span, switch, whole

Handler = Callable[[Draft, Any], str]


def _step(name: str, key: str, convert: Callable[[Any], str]) -> Handler:
    def handler(draft: Draft, value: Any) -> str:
        if value is None:
            raise NotTaken("it is empty")
        shown = convert(value)
        draft.step(name, **{key: shown})
        return f"augment .. {name}({key} = {shown})"

    return handler


def _probability(value: Any) -> str:
    return number(value, 0, 1)


def _photometric(key: str, convert: Callable[[float], str]) -> Handler:
    """One of the colour changes, with the others at rest."""

    def handler(draft: Draft, value: Any) -> str:
        if value is None:
            raise NotTaken("it is empty")
        shown = convert(float(number(value, 0, 0.95)))
        rest = {"brightness": "0", "contrast": "0", "saturation": "0", "hue": "0", "swap": "false", "p": "1"}
        draft.step("photometric", **(rest | draft.augment.get("photometric", {}) | {key: shown}))
        return f"augment .. photometric({key} = {shown})"

    return handler


def _affine(key: str, high: float) -> Handler:
    def handler(draft: Draft, value: Any) -> str:
        if value is None:
            raise NotTaken("it is empty")
        shown = number(value, 0, high)
        draft.step("affine", **(_still(draft) | {key: shown}))
        return f"augment .. affine({key} = {shown})"

    return handler


def _still(draft: Draft) -> dict[str, str]:
    """An affine step that moves nothing, done to every picture, where there is none yet."""
    return {} if "affine" in draft.augment else {"p": "1", "degrees": "0", "translate": "0", "shear": "0"}


def _flip(draft: Draft, value: Any) -> str:
    if value == "horizontal":
        draft.step("flip", p="0.5")
        return "augment .. flip(p = 0.5)"
    raise NotTaken(f"pictures are flipped left to right only, not `{value}`")


def _mixup(draft: Draft, value: Any) -> str:
    if switch(value):
        draft.step("mixup")
        return "augment .. mixup(..)"
    draft.augment.pop("mixup", None)
    draft.augment["no mixup"] = {}
    return "no mixup(..) in `augment`"


def _rotation(draft: Draft, value: Any) -> str:
    degrees = 360 * float(number(value, 0, 0.5))
    draft.step("affine", **(_still(draft) | {"degrees": f"{degrees:g}"}))
    return f"augment .. affine(degrees = {degrees:g}): the zoo counts full turns"


def _translation(draft: Draft, value: Any) -> str:
    shown = number(value, 0, 1)
    before = draft.augment.get("affine", {}).get("translate", "0")
    draft.step("affine", **(_still(draft) | {"translate": max(shown, before, key=float)}))
    return f"augment .. affine(translate = {shown}), the same in both directions"


def _multiscale(draft: Draft, value: Any) -> str:
    steps = int(whole(value, 0, 100))
    if not steps:
        return "as it is: one size unless a spec says so"
    image = int(draft.params.get("image", "640"))
    low, high = max(32, image - 32 * steps), image + 32 * steps
    draft.stage["multiscale"] = f"sizes({low} .. {high})"
    return f"multiscale = sizes({low} .. {high})"


def _random_size(draft: Draft, value: Any) -> str:
    if not isinstance(value, list) or len(value) != 2:
        raise NotTaken(f"expected two numbers of 32 pixels, found {value!r}")
    low, high = (32 * int(whole(side, 1, 200)) for side in value)
    draft.stage["multiscale"] = f"sizes({low} .. {high})"
    return f"multiscale = sizes({low} .. {high})"


def _no(reason: str) -> Handler:
    def handler(draft: Draft, value: Any) -> str:
        raise NotTaken(reason)

    return handler


_FILL = "what lies outside a picture is grey here"

AUGMENTATION: dict[str, Handler] = {
    "dataset.mosaic_prob": _step("mosaic", "p", _probability),
    "dataset.mosaic_scale": _step("mosaic", "scale", span),
    "dataset.mixup_prob": _step("mixup", "p", _probability),
    "dataset.mixup_scale": _step("mixup", "scale", span),
    "dataset.enable_mixup": _mixup,
    "dataset.hsv_prob": _step("hsv", "p", _probability),
    "dataset.flip_prob": _step("flip", "p", _probability),
    "dataset.degrees": _affine("degrees", 180),
    "dataset.translate": _affine("translate", 1),
    "dataset.shear": _affine("shear", 60),
    "dataset.multiscale_range": _multiscale,
    "dataset.random_size": _random_size,
    "data_augmentation.random_flip.mode": _flip,
    "data_augmentation.random_contrast.factor": _photometric("contrast", "{:g}".format),
    "data_augmentation.random_brightness.factor": _photometric("brightness", lambda share: f"{255 * share:g}"),
    "data_augmentation.random_rotation.factor": _rotation,
    "data_augmentation.random_translation.width_factor": _translation,
    "data_augmentation.random_translation.height_factor": _translation,
    "data_augmentation.random_crop.crop_width": _step("crop", "range", span),
    "data_augmentation.random_crop.change_rate": _step("crop", "p", _probability),
    "data_augmentation.random_crop.crop_height": _no("the range of crop_width holds for both sides"),
    "data_augmentation.random_crop.crop_center_x": _no("a crop lies anywhere in the picture"),
    "data_augmentation.random_crop.crop_center_y": _no("a crop lies anywhere in the picture"),
    "data_augmentation.random_periodic_resizing.period": _no("with `multiscale` every batch draws its size"),
    "data_augmentation.random_periodic_resizing.image_sizes": _no(
        "`multiscale = sizes(192 .. 608)` draws any multiple of 32"
    ),
    "data_augmentation.random_rotation.fill_mode": _no(_FILL),
    "data_augmentation.random_rotation.interpolation": _no("resampling is bilinear"),
    "data_augmentation.random_translation.fill_mode": _no(_FILL),
    "data_augmentation.random_translation.interpolation": _no("resampling is bilinear"),
    "data_augmentation.custom_data_augmentation": _no("a spec names no Python; `augment` has the steps there are"),
}
"""By dotted path; see `keys.KEYS`."""
