"""Detectors that are ready to look at pictures: an artifacts folder in the device's arithmetic, or a trained
checkpoint.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy.typing as npt

from detrt.data.encode import Encoding
from detrt.data.sample import Image
from detrt.devices import backend
from detrt.errors import DetrtError
from detrt.heads import CLASSIFIERS
from detrt.heads.detections import Detections
from detrt.stream import Events, Stream

if TYPE_CHECKING:
    from torch import nn

    from detrt.lock import Lock, Model
    from detrt.train.finding import Trained

MANIFEST = "MANIFEST.json"
LOCK = "spec.lock.json"


_CHECKPOINTS = ("best.safetensors", "*/best.safetensors", "runs/*/*/best.safetensors")
"""Where checkpoints lie in the folder of a stage, of a run and of a build."""


class Predictor(Protocol):
    """Anything that finds objects in a BGR picture of any size, or with `whole` says what the whole of it is. One that sees
    pictures in time has `stream` too: see `detrt.stream`.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    whole: bool

    def detect(self, image: Image) -> Detections: ...


@dataclass(slots=True)
class ArtifactPredictor:
    """The files of a device, executed by its simulator."""

    name: str
    kind: str
    classes: tuple[str, ...]
    encoding: Encoding
    model: Any
    whole: bool = False
    raw: bool = False
    """Whether only the raw outputs of the net are known, `outputs`."""

    def outputs(self, image: Image) -> dict[str, npt.NDArray[Any]]:
        """The output tensors by name, as they lie in the device's memory."""
        found: dict[str, npt.NDArray[Any]] = self.model.outputs(self.encoding.ordered(image))
        return found

    def detect(self, image: Image) -> Detections:
        """Resize and colour order as on the host, the rest in whole numbers as on the device."""
        found: Detections = self.model.detect(self.encoding.ordered(image))
        return found.moved(self.encoding.unplaced(found.boxes, image.shape[1], image.shape[0]))

    @property
    def stream(self) -> Callable[[], Stream] | None:
        """Of a net in time."""
        begin = getattr(self.model, "stream", None)
        return None if begin is None else lambda: Placed(begin(), self.encoding)

    @property
    def warnings(self) -> list[str]:
        """What went beyond the device's numbers so far, a sentence a layer."""
        return list(getattr(self.model, "warnings", ()))


@dataclass(slots=True)
class TorchPredictor:
    """A trained network in torch; `network` gives the head's values from encoded inputs, `stage` is the id of the stage
    that trained it.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    encoding: Encoding
    head: Any
    network: Any
    device: str = "cpu"
    whole: bool = False
    stage: str = ""
    begin: Callable[[], Stream] | None = None
    """Of a net in time: new states, see `stream`."""

    @property
    def stream(self) -> Callable[[], Stream] | None:
        """Of a net in time."""
        begin = self.begin
        return None if begin is None else lambda: Placed(begin(), self.encoding)

    def detect(self, image: Image) -> Detections:
        import torch

        data = torch.from_numpy(self.encoding.bytes_of(image)[None]).to(self.device)
        with torch.no_grad():
            outputs = self.network.head_values(self.network.model(self.encoding.tensor(data)))
        found: Detections = (self.network.decode or self.head.decode)(outputs)[0]
        return found.moved(self.encoding.unplaced(found.boxes, image.shape[1], image.shape[0]))


@dataclass(slots=True)
class Placed:
    """A stream of the net's input, as one of pictures: boxes are shares of the frames that go in."""

    inner: Stream
    encoding: Encoding

    @property
    def neurons(self) -> Mapping[str, int]:
        return self.inner.neurons

    @property
    def late(self) -> Mapping[str, int]:
        return self.inner.late

    @property
    def latency(self) -> int:
        return self.inner.latency

    def step(self, frame: Image) -> tuple[Detections | None, Events]:
        """All frames are of one size."""
        found, events = self.inner.step(self.encoding.ordered(frame))
        if found is None:
            return None, events
        return found.moved(self.encoding.unplaced(found.boxes, frame.shape[1], frame.shape[0])), events


def open_predictor(path: Path, device: str = "cpu", on: str = "") -> Predictor:
    """From an artifacts folder, one of its `.onnx` files, or a `.safetensors` checkpoint inside a build folder. Raises
    DetrtError with what is missing or wrong.

    `on` names a machine that runs the C code of the artifacts, this computer or an emulated one, instead of the simulator.
    """
    if on and path.exists() and not path.is_dir():
        raise DetrtError("is no artifacts folder: there is no C code to run", path, "leave --on out, or export first")
    if path.is_dir():
        inside = next((found for form in _CHECKPOINTS for found in sorted(path.glob(form), reverse=True)), None)
        if inside is not None:
            raise DetrtError("is no artifacts folder", path, f"name one of its checkpoints, such as {inside}")
        return open_artifacts(path, on)
    if path.suffix == ".safetensors":
        return open_checkpoint(path, device)
    if path.suffix == ".onnx" and path.is_file():
        from detrt.onnx_model import open_onnx

        return open_onnx(path)
    if not path.exists():
        raise DetrtError("there is no such artifacts folder or checkpoint", path, "export first: detc export")
    raise DetrtError("neither an artifacts folder nor an .onnx file nor a .safetensors checkpoint", path)


def open_artifacts(folder: Path, on: str = "") -> ArtifactPredictor:
    """An exported detector, `on` a machine if it names one; checks every file of it. Raises DetrtError."""
    manifest = _json(folder / MANIFEST, "export first: detc export")
    target, lineage = (manifest.get(k) if isinstance(manifest, dict) else None for k in ("target", "lineage"))
    try:
        package = backend(str(target), [str(name) for name in lineage] if isinstance(lineage, list) else ())
    except DetrtError as error:
        raise DetrtError(f"the artifacts are for target {target!r}", folder / MANIFEST, error.remedy) from error
    model = package.load_artifacts(folder)
    if on and not hasattr(model, "on"):
        raise DetrtError(f"artifacts for {target} hold no C code", folder, "leave --on out: the simulator runs them")
    return ArtifactPredictor(
        model.name,
        f"{target} artifacts, C on {on}" if on else f"{target} artifacts",
        tuple(model.classes),
        model.encoding,
        model.on(on) if on else model,
        model.head["kind"] in CLASSIFIERS,
        not model.head["kind"],
    )


def open_checkpoint(path: Path, device: str = "cpu") -> TorchPredictor:
    """A checkpoint of a run, with the lock and the model.py of the build folder it lies in. Raises DetrtError."""
    from detrt.heads import build_head
    from detrt.lock import read_lock
    from detrt.train.finding import load_trained
    from detrt.train.precision import exact_float32

    folder = build_folder(path)
    lock = read_lock(folder / LOCK)
    trained = load_trained(model_classes(folder, lock), lock, path)
    described = lock.model_named(trained.stage.model)
    if not described.heads:
        raise DetrtError(f"the model `{described.name}` has no head: nothing to detect with", folder / LOCK)
    exact_float32(trained.stage.left().quantize.any())
    head = build_head(described.heads[0].model_dump(mode="json"))
    names = (
        described.classes()
        or trained.state.get("identity", {}).get("classes")
        or _data_classes(lock, described, trained.stage.data)
    )
    trained.network.model.to(device)
    encoding = Encoding.of(described.input.model_dump(mode="json"))
    kind = f"checkpoint of stage {trained.stage.name}"
    whole = described.heads[0].kind in CLASSIFIERS
    return TorchPredictor(
        described.name, kind, head.class_names(names), encoding, head, trained.network, device, whole, trained.stage.id,
        _streaming(lock, trained, encoding, head),
    )  # fmt: skip


def _streaming(lock: Lock, trained: Trained, encoding: Encoding, head: Any) -> Callable[[], Stream] | None:
    """What begins a video where the stage runs in time; else None."""
    if trained.stage.time_steps is None or lock.target is None:
        return None
    package, model = backend(lock.target.name, lock.target.lineage), trained.network.model
    return lambda: cast(Stream, package.stream(model, encoding, head))


def build_folder(path: Path) -> Path:
    """The folder above `path` that holds a lock and its model.py. Raises DetrtError if there is none."""
    for folder in path.resolve().parents:
        if (folder / LOCK).is_file() and (folder / "model.py").is_file():
            return folder
    raise DetrtError(
        f"no {LOCK} with a model.py above this checkpoint", path, "leave the checkpoint in its build folder"
    )


def model_classes(folder: Path, lock: Lock) -> dict[str, type[nn.Module]]:
    """The generated classes of a build folder by model name; runs its model.py, and model_NAME.py of the other models
    that stages train, as train.py does. Raises DetrtError.
    """
    names = {lock.model.name: ("model.py", lock.model.class_name)}
    for name, model in lock.models.items():
        own = f"model_{name}.py"
        names[name] = (own if name.isidentifier() and (folder / own).is_file() else "model.py", model.class_name)
    modules = {file: _module(folder / file) for file in {file for file, _ in names.values()}}
    return {name: getattr(modules[file], kind) for name, (file, kind) in names.items() if hasattr(modules[file], kind)}


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"detrt_build_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise DetrtError("cannot be loaded", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (SyntaxError, ImportError, NameError, AttributeError) as error:
        raise DetrtError(f"cannot be loaded: {error}", path, f"build again, or undo the edit of {path.name}") from error
    return module


def _data_classes(lock: Lock, model: Model, name: str) -> Sequence[str]:
    """Names from the data block; numbers where only the data's files know them."""
    data = lock.data.get(name)
    if data is not None and data.classes:
        return data.classes
    count = int(model.heads[0].options.get("classes", 0))
    return [f"class {number}" for number in range(count)]


def _json(path: Path, remedy: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DetrtError("is not there", path, remedy) from error
    except (OSError, ValueError) as error:
        raise DetrtError(f"cannot be read: {error}", path, remedy) from error
