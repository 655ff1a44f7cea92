"""Grids of runs: the points, how they are run, and the table of what came out."""
