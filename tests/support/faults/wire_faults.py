"""A relay that spoils what goes through it: at the n-th piece of a conversation, in either direction."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress

from support.servers.relay import Relay

_NO_LINGER = struct.pack("ii", 1, 0)
KINDS = ("reset", "half", "cut", "slow", "flap")
"""What a client notices by itself; `stall` it notices by a time-out only."""


class Trouble(Relay):
    """Passes bytes on until it is told otherwise.

    Faults: `reset` ends a connection with RST; `cut` ends it in good order, before the piece; `half` passes half of
    the piece and ends it; `slow` passes everything on in crumbs; `flap` resets every connection at its n-th
    piece, again and again; `stall` passes nothing on any more, and nobody hears that the other is gone.

    Args:
        target: Port of the server on loopback.
    """

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self.kind = ""
        self.pieces = 0
        self._left = 0
        self._lock = threading.Lock()

    def set(self, kind: str = "", at: int = 0) -> None:
        """From here on: a fault at the piece `at`, from 0 on; without arguments none."""
        with self._lock:
            self.kind, self._left, self.pieces = kind, at, 0

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                self._open += [client, server]
                seen = [0]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(source, sink, seen), daemon=True).start()

    def _strikes(self, seen: list[int]) -> str:
        """Count a piece; the fault that it meets."""
        with self._lock:
            self.pieces += 1
            seen[0] += 1
            if self.kind == "flap":
                return "reset" if seen[0] > self._left else ""
            self._left -= 1
            if self.kind in ("slow", "stall"):
                return self.kind if self._left < 0 else ""
            return self.kind if self._left == -1 else ""

    def _pass_on(self, source: socket.socket, sink: socket.socket, seen: list[int]) -> None:  # type: ignore[override]
        with suppress(OSError):
            while data := source.recv(65536):
                fault = self._strikes(seen)
                if fault == "stall":
                    return  # both stay open
                if fault == "slow":
                    for start in range(0, len(data), 512):
                        sink.sendall(data[start : start + 512])
                        time.sleep(0.0005)
                    continue
                if fault == "half":
                    sink.sendall(data[: max(1, len(data) // 2)])
                if fault == "reset":
                    for one in (source, sink):
                        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                        with suppress(OSError):
                            one.shutdown(socket.SHUT_RD)  # the other thread lets go; nothing is sent
                        one.close()
                if fault:
                    break
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
