"""Where C code can run without a board: this computer, and the Cortex-M machines that QEMU emulates."""

from __future__ import annotations

from dataclasses import dataclass
from shutil import which

from detrt.errors import DetrtError

PACKAGES = "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm make"


@dataclass(frozen=True, slots=True)
class Machine:
    """`target` is the Makefile's word, `board` QEMU's machine ("" for this computer).

    `instructions_a_tick`: with `-icount shift=0` an instruction takes 1 ns, so a tick of SysTick is 1e9 / its clock of them.
    """

    name: str
    target: str
    board: str
    about: str
    instructions_a_tick: float = 0.0

    @property
    def tools(self) -> tuple[str, ...]:
        return ("make", "arm-none-eabi-gcc", "qemu-system-arm") if self.board else ("make", "cc")

    def check(self) -> None:
        """Raises DetrtError, naming what to install, unless the tools are there."""
        missing = [tool for tool in self.tools if which(tool) is None]
        if missing:
            remedy = PACKAGES if self.board else "apt-get install gcc make"
            raise DetrtError(f"no {' and no '.join(missing)} found on PATH", f"--on {self.name}", remedy)

    def command(self, program: str, counted: bool = False) -> list[str]:
        """What runs `program`; `counted`: with a clock that counts instructions."""
        if not self.board:
            return [f"./{program}"]
        return [
            "qemu-system-arm", "-M", self.board, "-nographic", "-monitor", "none", "-serial", "null",
            "-semihosting-config", "enable=on,target=native",
            *(("-icount", "shift=0") if counted else ()), "-kernel", program,
        ]  # fmt: skip


MACHINES = {
    machine.name: machine
    for machine in (
        Machine("host", "host", "", "this computer"),
        Machine("qemu-m4", "m4", "netduinoplus2", "Cortex-M4F (STM32F405RG, 128 KiB)", 1e9 / 168e6),
        Machine("qemu-m7", "m7", "mps2-an500", "Cortex-M7", 1e9 / 25e6),
        Machine("qemu-m55", "m55", "mps3-an547", "Cortex-M55 with MVE", 1e9 / 32e6),
    )
}
"""SysTick's clocks as QEMU 7.2 has them."""


def machine(name: str) -> Machine:
    """Raises DetrtError for a name that is none."""
    if name not in MACHINES:
        raise DetrtError(f"there is no machine `{name}`", "--on", f"known: {', '.join(MACHINES)}")
    return MACHINES[name]
