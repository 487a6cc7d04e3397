"""Stands between a client and a server, so that a test can take the server away and bring it back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from servers.airflow import free_port


class Relay:
    """Passes bytes on, from its own port on loopback to another, while it is up.

    Args:
        target: Port of the server on loopback.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self._listener: socket.socket | None = None
        self._open: list[socket.socket] = []
        self._withheld: bytes | None = None

    def start(self) -> None:
        """Let clients through."""
        self._listener = socket.create_server(("127.0.0.1", self.port), reuse_port=True)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        """Refuse new connections and cut those that are there."""
        for one in (self._listener, *self._open):
            if one is not None:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
        self._listener, self._open = None, []

    def withhold(self, words: bytes) -> None:
        """From now on swallow what clients send if these words are in it: they wait for an answer that never comes."""
        self._withheld = words

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                self._open += [client, server]
                for source, sink, wanted in ((client, server, self._is_wanted), (server, client, lambda _: True)):
                    threading.Thread(target=_pass_on, args=(source, sink, wanted), daemon=True).start()

    def _is_wanted(self, data: bytes) -> bool:
        return self._withheld is None or self._withheld not in data


def _pass_on(source: socket.socket, sink: socket.socket, wanted: Callable[[bytes], bool]) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            if wanted(data):
                sink.sendall(data)
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
