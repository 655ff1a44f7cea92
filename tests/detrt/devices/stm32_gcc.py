"""The C code of a head's post-processing, compiled for this machine and run on int8 outputs."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files as resources
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from stm32_heads import Case

from detrt.devices.stm32.arithmetic import Int8
from detrt.devices.stm32.postprocess import Found, outputs_of
from detrt.devices.stm32.postprocess_c import files

FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-ffp-contract=off")
DRIVER = """
#include <stdio.h>
#include "postprocess.h"
static const size_t bytes[] = {SIZES};
static int8_t numbers[TOTAL];
int main(void)
{
    while (fread(numbers, 1, TOTAL, stdin) == TOTAL) {
        const int8_t *outputs[POSTPROCESS_OUTPUTS], *next = numbers;
        for (int i = 0; i < POSTPROCESS_OUTPUTS; next += bytes[i++]) outputs[i] = next;
        const detc_detection *found;
        const uint32_t count = postprocess(outputs, &found);
        fwrite(&count, sizeof count, 1, stdout);
        fwrite(found, sizeof *found, count, stdout);
    }
    return 0;
}
"""


@lru_cache(maxsize=4)
def _shared(folder: Path, flags: tuple[str, ...]) -> tuple[str, ...]:
    """The code that all heads share as object files below `folder`, compiled once."""
    source = Path(str(resources("detrt.devices.stm32"))) / "c" / "postprocess"
    folder = Path(mkdtemp(dir=folder))
    subprocess.run(["gcc", *FLAGS, *flags, "-c", *map(str, sorted(source.glob("*.c")))], check=True, cwd=folder)
    return tuple(map(str, sorted(folder.glob("*.o"))))


class Compiled:
    """The post-processing of a case in a new folder of `base`, with further `flags` of gcc."""

    def __init__(self, case: Case, base: Path, *flags: str) -> None:
        shared = _shared(base, flags)
        folder = Path(mkdtemp(dir=base))
        self._names = outputs_of(case.program, case.head)
        for name, text in files(case.program, case.head).items():
            (folder / name).write_text(text)
        (folder / "driver.c").write_text(DRIVER)
        sizes = [case.program.tensors[name].bytes for name in self._names]
        self._program = folder / "driver"
        sources = [str(folder / "postprocess.c"), str(folder / "driver.c")]
        defines = [f"-DSIZES={','.join(map(str, sizes))}", f"-DTOTAL={sum(sizes)}"]
        subprocess.run(["gcc", *FLAGS, *flags, *defines, *sources, *shared, "-o", str(self._program)], check=True)

    def run(self, pictures: Sequence[dict[str, Int8]]) -> list[Found]:
        """What it finds in the tensors of each picture."""
        data = b"".join(np.ascontiguousarray(tensors[name]).tobytes() for tensors in pictures for name in self._names)
        done = subprocess.run([str(self._program)], input=data, capture_output=True, check=True)
        assert not done.stderr
        words = np.frombuffer(done.stdout, np.int32)
        found = []
        while len(words):
            rows = words[1 : 1 + 6 * words[0]].reshape(-1, 6).astype(np.int64)
            found.append(Found(rows[:, :4], rows[:, 4], rows[:, 5]))
            words = words[1 + 6 * words[0] :]
        return found
