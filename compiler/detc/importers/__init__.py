"""Other tools' files as specs."""
