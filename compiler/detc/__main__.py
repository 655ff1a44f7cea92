"""`python -m detc` is the command `detc`."""

from detc.cli import run

if __name__ == "__main__":
    run()
