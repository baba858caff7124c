"""The program, started as `penstock` or `python -m penstock`."""

from __future__ import annotations

from penstock.cli.loading import loading


def main() -> None:
    with loading():
        from penstock.cli.main import main as run  # noqa: PLC0415 - loading() must come first
    run()


if __name__ == "__main__":
    main()
