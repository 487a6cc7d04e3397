"""What stands between a client and a MySQL server and is not to be trusted: a server that lies, a way that is tapped.

Both speak just enough of the protocol (version 10 greeting, one packet per message) for `mysqlclient`.
"""

from __future__ import annotations

import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

CLIENT_SSL = 0x0800
_OK = b"\x00\x00\x00\x02\x00\x00\x00"
_CAPABILITIES = 0x000FA685  # 4.1 protocol, LOCAL files, transactions, plug-in authentication; no TLS


def error(code: int, text: str, state: str = "HY000") -> bytes:
    """An ERR packet's payload."""
    return b"\xff" + struct.pack("<H", code) + b"#" + state.encode() + text.encode()


def file_request(path: str) -> bytes:
    """What a server answers that wants a file of the client's machine."""
    return b"\xfb" + path.encode()


class LyingServer:
    """Lets everybody in and answers as told.

    Args:
        answer: A statement → payload of the answer; None is OK without rows.
        greeting: Sent instead of the greeting, e.g. an error.
    """

    def __init__(self, answer: Callable[[bytes], bytes | None], greeting: bytes | None = None) -> None:
        self.answer = answer
        self.greeting = greeting
        self.statements: list[bytes] = []
        self.files: list[bytes] = []
        """What clients sent of their files, in whole."""
        self.port = 0

    def url(self, password: str = "secret-of-the-warehouse") -> str:
        """An Airflow connection to it, as a URI."""
        return f"mysql://someone:{password}@127.0.0.1:{self.port}/xiaoe"

    def serve(self, stream: socket.socket) -> None:
        """Talk to one client."""
        if self.greeting is not None:
            _send(stream, 0, self.greeting)
            return
        plugin = b"mysql_native_password"
        _send(
            stream,
            0,
            b"\x0a8.4.0-false\x00" + struct.pack("<I", 1) + b"12345678\x00" + struct.pack("<H", _CAPABILITIES & 0xFFFF)
            + b"\xff" + struct.pack("<H", 2) + struct.pack("<H", _CAPABILITIES >> 16) + b"\x15" + bytes(10)
            + b"123456789012\x00" + plugin + b"\x00",
        )  # fmt: skip
        sequence, _ = _receive(stream)
        _send(stream, sequence + 1, _OK)
        while True:
            sequence, command = _receive(stream)
            if command[:1] == b"\x01":  # COM_QUIT
                return
            self.statements.append(command[1:])
            answer = self.answer(command[1:]) if command[:1] == b"\x03" else None
            _send(stream, sequence + 1, answer or _OK)
            if answer and answer[:1] == b"\xfb":
                self._take_file(stream)

    def _take_file(self, stream: socket.socket) -> None:
        content = b""
        sequence, part = _receive(stream)
        while part:
            content += part
            sequence, part = _receive(stream)
        self.files.append(content)
        _send(stream, sequence + 1, _OK)


@contextmanager
def lying_server(
    answer: Callable[[bytes], bytes | None] = lambda statement: None, greeting: bytes | None = None
) -> Iterator[LyingServer]:
    """Run a server that answers as told."""
    server = LyingServer(answer, greeting)
    with _listening(server.serve) as port:
        server.port = port
        yield server


@contextmanager
def tapped_way(host: str, port: int, certificate: ssl.SSLContext | None = None) -> Iterator[int]:
    """A port that leads to a real server. Without a certificate, it tells clients that the server knows no TLS;
    with one, it is the end of their TLS, and goes on in the clear.
    """

    def pass_on(client: socket.socket) -> None:
        with socket.create_connection((host, port)) as server:
            _, greeting = _receive(server)
            _send(client, 0, _with_tls(greeting, offered=certificate is not None))
            shift, sequence = 0, 1
            while True:  # until the log-in is over
                sequence, said = _receive(client)
                if certificate is not None and shift == 0 and struct.unpack("<I", said[:4])[0] & CLIENT_SSL:
                    client, shift = certificate.wrap_socket(client, server_side=True), 1
                    continue
                if sequence == shift + 1:
                    (flags,) = struct.unpack("<I", said[:4])
                    said = struct.pack("<I", flags & ~CLIENT_SSL) + said[4:]
                _send(server, sequence - shift, said)
                sequence, said = _receive(server)
                _send(client, sequence + shift, said)
                while said[:2] == b"\x01\x03":  # caching_sha2_password: fast path taken, OK follows by itself
                    sequence, said = _receive(server)
                    _send(client, sequence + shift, said)
                if said[:1] in (b"\x00", b"\xff"):
                    break
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)
            back.join()

    with _listening(pass_on) as way:
        yield way


@contextmanager
def tls_in_front(port: int, certificate: ssl.SSLContext) -> Iterator[int]:
    """A port that is the end of TLS for a plain one of this machine, e.g. of an HTTP server."""

    def pass_on(client: socket.socket) -> None:
        with (
            certificate.wrap_socket(client, server_side=True) as inside,
            socket.create_connection(("127.0.0.1", port)) as server,
        ):
            back = threading.Thread(target=_pump, args=(server, inside), daemon=True)
            back.start()
            _pump(inside, server)
            back.join()

    with _listening(pass_on) as way:
        yield way


def _with_tls(greeting: bytes, *, offered: bool) -> bytes:
    """The greeting with the TLS bit set or taken out."""
    place = greeting.index(b"\x00", 1) + 1 + 4 + 8 + 1
    (flags,) = struct.unpack_from("<H", greeting, place)
    flags = flags | CLIENT_SSL if offered else flags & ~CLIENT_SSL
    return greeting[:place] + struct.pack("<H", flags) + greeting[place + 2 :]


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def _listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError, EOFError):  # the client went away, or does not like what it was shown
                serve(self.request)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def _send(stream: socket.socket, sequence: int, payload: bytes) -> None:
    stream.sendall(len(payload).to_bytes(3, "little") + bytes([sequence & 0xFF]) + payload)


def _receive(stream: socket.socket) -> tuple[int, bytes]:
    head = _exactly(stream, 4)
    return head[3], _exactly(stream, int.from_bytes(head[:3], "little"))


def _exactly(stream: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = stream.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data
