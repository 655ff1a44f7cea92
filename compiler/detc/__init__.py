"""detc: from a .det spec to a trained detector in the files of a small chip."""

__version__ = "0.1.0"
