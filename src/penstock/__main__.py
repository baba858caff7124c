"""The program, as `penstock` and as `python -m penstock`."""

from __future__ import annotations

from penstock.cli.loading import loading


def main() -> None:
    """Load the command line and run what it says."""
    with loading():
        from penstock.cli.main import main as run  # noqa: PLC0415 - Ctrl-C and the garbage collector have to be set for it
    run()


if __name__ == "__main__":
    main()
