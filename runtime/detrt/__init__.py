"""detrt: what generated projects and devices need at run time. It never imports detc."""

__version__ = "0.1.0"
