"""Weights outside of a run: read from the files of others, matched with a model, listed by part and written alone."""
