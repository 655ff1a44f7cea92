"""The command line. Only this file exits, and only here is an unforeseen mistake of detc itself caught."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from typing import NoReturn

from detc.commands.outcome import FAULT, INTERRUPTED, MISTAKE, OK

COMMANDS: dict[str, str] = {
    "check": "judge a spec: does it hold together, does it fit the target",
    "report": "the whole report of a spec as text, JSON or one HTML page",
    "show": "the resolved spec: every value and where it comes from",
    "plan": "what a build would write or change",
    "build": "write the training project; with --train, --evaluate .. do it all",
    "train": "build, then train through all stages",
    "sweep": "train a grid of variants and compare them",
    "export": "write the files that go to the device",
    "run": "detect on pictures, with artifacts or a checkpoint",
    "eval": "mAP of artifacts or a checkpoint",
    "runs": "the runs of a build, and where they differ",
    "benchmark": "time of one picture on this machine",
    "weights": "the weights in a file by part; write a backbone alone",
    "env": "make the environment that a target's own tools want",
    "doctor": "sanity checks before training",
    "data": "check, count, convert, part and preview data sets",
    "explain": "the manual page of a finding's code",
    "targets": "the hardware that detc knows, or the facts of one target",
    "matrix": "many specs on many targets: what fits, RAM or cores, flash, time",
    "library": "the specs that come with detc: cost, head, targets they fit",
    "import": "another tool's configuration or network as a spec",
    "fmt": "format specs",
    "prune": "a narrower net: its spec, and its weights cut down to it",
    "new": "a new spec from one of the library",
}
"""Command name -> what `detc --help` says of it. Each is a file of `detc.commands`, imported only when it is called."""


class _UsageError(Exception):
    """What argparse would print and exit with."""

    def __init__(self, usage: str, message: str) -> None:
        super().__init__(message)
        self.usage = usage


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _UsageError(self.format_usage(), message)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. 0: no error, 1: at least one error, 2: detc itself failed, 130: interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed by whoever called us (`>&-`)
            setattr(sys, stream, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (kept until the end)
    try:
        return _dispatch(arguments)
    except _UsageError as error:
        print(f"{error.usage}error: {error}", file=sys.stderr)
        return MISTAKE
    except SystemExit as stop:  # argparse after --help and --version
        return stop.code if isinstance(stop.code, int) else OK
    except KeyboardInterrupt:
        print("\ninterrupted: what was written before is whole", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has gone (`detc show | head`). Python must not complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"error: {place}{error.strerror or error}", file=sys.stderr)
        return MISTAKE
    except Exception as error:
        if _verbose(arguments):
            import traceback

            traceback.print_exc()
        print(f"detc itself failed: {type(error).__name__}: {str(error)[:300]}", file=sys.stderr)
        print(
            "This is a mistake in detc, not in your spec. Please report it with the spec and the command;",
            file=sys.stderr,
        )
        print("`-v` shows where it happened.", file=sys.stderr)
        return FAULT


def run() -> NoReturn:
    """The console script."""
    sys.exit(main())


def _verbose(arguments: list[str]) -> bool:
    return "-v" in arguments or "--verbose" in arguments


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return OK if arguments else MISTAKE
    name, rest = arguments[0], arguments[1:]
    if name in ("--version", "-V"):
        from detc import __version__

        print(f"detc {__version__}")
        return OK
    if name not in COMMANDS:
        from detc.diagnostics.did_you_mean import closest

        near = closest(name, list(COMMANDS))
        print(f"error: there is no command `{name}`", file=sys.stderr)
        print(f"help: did you mean `detc {near}`?" if near else "help: `detc --help` lists all", file=sys.stderr)
        return MISTAKE
    command = import_module(f"detc.commands.{name}{'_' if iskeyword(name) else ''}")
    parser = _Parser(
        prog=f"detc {name}",
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        conflict_handler="resolve",  # a command may say more of -v
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="where detc itself failed")
    command.add_arguments(parser)
    args, unknown = parser.parse_known_args(rest)
    if getattr(command, "PASSES_ON", False):
        args.rest = unknown
    elif unknown:
        parser = getattr(args, "parser", parser)  # that of an action, such as `detc data check`
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{_meant(unknown, parser)}")
    result: int = command.run(args)
    sys.stdout.flush()
    return result


def _meant(unknown: list[str], parser: argparse.ArgumentParser) -> str:
    """A second line with the options that were meant, where some are near."""
    from detc.diagnostics.did_you_mean import closest

    options = [word for word in parser.format_usage().replace("[", " ").replace("]", " ").split() if word[:2] == "--"]
    near = [closest(word.partition("=")[0], options) for word in unknown if word.startswith("--")]
    named = ", ".join(f"`{word}`" for word in near if word)
    return f"\nhelp: did you mean {named}?" if named else ""


def _help() -> str:
    lines = [
        "detc: from a .det spec to a trained detector in the files of a small chip",
        "",
        "usage: detc COMMAND ..",
        "",
    ]
    lines += [f"  {name:<11}{text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [*lines, "", "`detc COMMAND --help` says more. Exit: 0 no error, 1 an error, 2 detc itself failed."]
    )


if __name__ == "__main__":
    run()
