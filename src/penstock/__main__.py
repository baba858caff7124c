"""The program, as `penstock` and as `python -m penstock`."""

from __future__ import annotations

import gc
import signal


def main() -> None:
    """Load the commands and run what the command line says. Until they are loaded there is nothing that Ctrl-C would have to bring to an end."""
    interrupt = signal.getsignal(signal.SIGINT)
    if interrupt is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # What is loaded stays: to look for garbage in it took a fifth of the time.
    gc.disable()
    from penstock.cli.main import main as run  # noqa: PLC0415 - see above

    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGINT, interrupt)
    run()


if __name__ == "__main__":
    main()
