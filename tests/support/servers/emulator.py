"""An emulator in a thread of the test process: no process has to start, but it shares the GIL with what is tested."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn

from emulator.api import Api
from emulator.options import parse
from emulator.process import Emulator, flags
from emulator.server import make_app


@contextmanager
def serving(**options: object) -> Iterator[Emulator]:
    """An emulator with these options; it takes those of `emulator.process.running`."""
    app = make_app(Api(parse([*flags(options)])))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, log_level="critical", lifespan="off"))
    listener = socket.create_server(("127.0.0.1", 0))
    Thread(target=server.run, args=([listener],), daemon=True).start()
    try:
        yield Emulator(f"http://127.0.0.1:{listener.getsockname()[1]}")
    finally:
        server.should_exit = True  # it looks ten times a second; nobody waits for it
