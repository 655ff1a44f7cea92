"""Does the compiler scale? Specs of up to 5,000 layers, written out and expanded from a block: time a layer must not grow."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from detc.compilation import compile_spec

SIZES = (625, 1250, 2500, 5000)
HEAD = "model deep extends detector {\n  input frame: u8[3, 56, 56] = camera(order = bgr)\n"
TAIL = "  output grid = x{last} |> conv(30) |> relu\n  head gnetdet on grid {{ boxes = 2  classes = 20 }}\n}}\n"


def written(layers: int) -> str:
    """Every layer on a line of its own."""
    lines = ["  let x0 = frame |> conv(16) |> relu"]
    lines += [f"  let x{i} = x{i - 1} |> conv(16, k = 3x3) |> relu" for i in range(1, layers // 2)]
    return HEAD + "\n".join(lines) + "\n" + TAIL.format(last=layers // 2 - 1)


def expanded(layers: int) -> str:
    """One line that a repetition expands."""
    block = "block layer(x) = x |> conv(16, k = 3x3) |> relu\n"
    return block + HEAD + f"  let x0 = frame |> layer * {layers // 2}\n" + TAIL.format(last=0)


def seconds(text: str, target: str | None) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "deep.det"
        path.write_text(text)
        start = time.process_time()
        done = compile_spec(path, target)
        assert done.graph is not None and len(done.graph) > 600, [f.message for f in done.findings][:3]
        return time.process_time() - start


if __name__ == "__main__":
    seconds(written(SIZES[0]), "gti5801")  # imports are not what is measured here
    figures = {}
    for name, text in (("written", written), ("expanded", expanded)):
        times = {size: seconds(text(size), "gti5801") for size in SIZES}
        per_layer = {size: value / size for size, value in times.items()}
        figures[name] = {
            "layers": {size: round(value, 3) for size, value in times.items()},
            "growth_a_layer": round(per_layer[SIZES[-1]] / per_layer[SIZES[0]], 2),
        }
    print(json.dumps(figures))
