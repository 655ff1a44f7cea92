"""The checks one after the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from detrt.doctor.learning import loss_step, overfit, rate_curve
from detrt.doctor.looking import first_batch, matches
from detrt.doctor.patient import Patient
from detrt.doctor.report import Check, Report

CHECKS: tuple[Callable[[Patient, Path], Check], ...] = (first_batch, matches, loss_step, overfit, rate_curve)


def examine(patient: Patient, folder: Path, say: Callable[[str], None] = lambda line: None) -> Report:
    """Does every check, writes pictures and report into `folder`; `say` is told what comes next. Raises DetrtError."""
    checks = []
    for check in CHECKS:
        say(check.__name__.replace("_", " "))
        checks.append(check(patient, folder))
        if checks[-1].name == "one loss step" and checks[-1].verdict == "bad":
            break  # nothing can be learned after a loss that is not a number
    report = Report(patient.name, tuple(checks))
    report.write(folder)
    return report
