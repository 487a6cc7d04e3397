"""`python -m emulator`: serve until SIGTERM; prints one line of JSON with its URL and process id."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence

import uvicorn

from emulator.api import Api
from emulator.options import parse
from emulator.push.delivery import Pusher
from emulator.server import make_app


class Server(uvicorn.Server):
    """A server that prints its address once it listens and its signal handlers are installed."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print the line that `process.running` waits for."""
        await super().startup(sockets)
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        print(json.dumps({"url": f"http://{host}:{port}", "pid": os.getpid()}), flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one emulator."""
    options = parse(arguments)
    api = Api(options)
    for target in options.push:
        Pusher(api, target).start()
    app = make_app(api)
    # uvicorn logs a deliberately cut connection as an error.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    # uvicorn shuts down and then raises the signal again for this handler.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    Server(config).run()


if __name__ == "__main__":
    main()
