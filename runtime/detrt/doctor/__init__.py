"""Sanity checks before training: what the net will see, what it is asked for, and whether it can learn at all.

`examine(admit(build_folder), report_folder)` is the whole of `detc doctor`.
"""

from detrt.doctor.admission import admit
from detrt.doctor.examine import examine
from detrt.doctor.patient import Patient
from detrt.doctor.report import Check, Report

__all__ = ["Check", "Patient", "Report", "admit", "examine"]
