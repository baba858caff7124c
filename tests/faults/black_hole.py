"""A server that falls silent without closing connections."""

from __future__ import annotations

import contextlib
import socket
import threading


class BlackHole:
    """A proxy that from some moment on swallows everything: connections stay open and silent."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._swallowing = threading.Event()
        self.swallowed = threading.Event()
        self._word: bytes | None = None
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow(self, word: str | None = None) -> None:
        """Swallow everything from now on, or from the first message with this word on."""
        self._word = None if word is None else word.encode()
        if word is None:
            self._swallowing.set()

    def speak(self) -> None:
        self._word = None
        self._swallowing.clear()
        self.swallowed.clear()

    def close(self) -> None:
        self._listener.close()
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += [client, server]
            for source, other in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, other), daemon=True).start()

    def _pump(self, source: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError), source, other:
            while data := source.recv(65_536):
                if self._word is not None and self._word in data:
                    self._swallowing.set()
                if self._swallowing.is_set():
                    self.swallowed.set()
                else:
                    other.sendall(data)
            # The other thread still waits for its own socket.
            other.shutdown(socket.SHUT_RDWR)
