"""`make audit` against a vulnerability service of the test: its exit code decides in CI."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

REPO = Path(__file__).parents[2]


@contextmanager
def service(answer: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Iterator[str]:
    """A service that speaks OSV's `POST /v1/query`; None is a 500."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if said is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(said or {}).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        server.server_close()


def audit(url: str) -> subprocess.CompletedProcess[str]:
    command = [str(REPO / "scripts" / "audit"), "-s", "osv", "--osv-url", url]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_each_package_of_both_images_is_asked_about() -> None:
    asked: list[tuple[str, str]] = []

    def answer(query: dict[str, Any]) -> dict[str, Any]:
        asked.append((query["package"]["name"], query["version"]))
        return {}

    with service(answer) as url:
        done = audit(url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(set(asked))} packages looked at, 0 known holes" in done.stdout
    assert {"apache-airflow", "psycopg2-binary", "apache-superset"} <= {name for name, _ in asked}


def test_a_known_hole_is_named_with_its_fix_and_fails() -> None:
    hole = {
        "id": "PYSEC-2026-1",
        "summary": "invented",
        "affected": [
            {
                "package": {"name": "requests", "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
            }
        ],
    }
    with service(lambda query: {"vulns": [hole]} if query["package"]["name"] == "requests" else {}) as url:
        done = audit(url)
    assert done.returncode == 1
    assert "PYSEC-2026-1, fixed in 99.0" in done.stdout


def test_without_an_answer_nothing_is_proved() -> None:
    with service(lambda _: None) as url:
        refused = audit(url)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, but nobody listens
        silent = audit(f"http://127.0.0.1:{nobody.getsockname()[1]}/v1/query")
    for done in (refused, silent):
        assert done.returncode == 3
        assert "NOT AUDITED" in done.stderr
        assert "known holes" not in done.stdout
