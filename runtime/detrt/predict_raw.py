"""The outputs of a net without a head, as they are: one .npz a picture, and a JSON of what they are called."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from detrt.data.folders import picture_files
from detrt.data.picture import read_picture
from detrt.errors import DetrtError
from detrt.files import write_bytes, write_json
from detrt.prediction import Tick
from detrt.predictor import ArtifactPredictor

RESULTS = "outputs.json"


def predict_raw(predictor: ArtifactPredictor, source: Path, out: Path, tick: Tick | None = None) -> list[Path]:
    """Writes the output tensors of each picture of `source`, a picture or a folder of them, to `out`: the files, the JSON last.

    Raises DetrtError for a picture that cannot be read.
    """
    if not source.exists():
        raise DetrtError("there is no such picture or folder", source)
    files = sorted(picture_files(source)) if source.is_dir() else [source]
    if not files:
        raise DetrtError("there is no picture in the folder", source)
    rows, written = [], []
    for number, path in enumerate(files, 1):
        tensors = predictor.outputs(read_picture(path))
        relative = path.relative_to(source) if source.is_dir() else Path(path.name)
        place = out / relative.with_name(f"{relative.name}.npz")
        stream = io.BytesIO()
        np.savez(stream, **tensors)  # type: ignore[arg-type]
        place.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(place, stream.getvalue())
        written.append(place)
        shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
        rows.append({"file": str(path), "outputs": str(place.relative_to(out)), "shapes": shapes})
        if tick is not None:
            tick(number, len(files))
    write_json(out / RESULTS, {"schema": 1, "name": predictor.name, "kind": predictor.kind, "pictures": rows})
    return [*written, out / RESULTS]
