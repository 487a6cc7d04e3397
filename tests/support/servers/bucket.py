"""A store that speaks enough S3 for the tests, in memory, on loopback; it wants the right access key id."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from xml.sax.saxutils import escape

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

KEY_ID, SECRET = "test-key-id", "test-secret-key"


class Bucket:
    """All objects by their keys, bucket included."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.url = ""

    async def answer(self, request: Request) -> Response:
        """Any request; the path is the bucket and the key."""
        if f"Credential={KEY_ID}/" not in request.headers.get("authorization", ""):
            return _error(403, "InvalidAccessKeyId")
        key, query = request.path_params["key"], request.query_params
        body = await request.body()
        if request.method == "PUT":
            self.objects[key] = body
            return Response(headers={"ETag": _tag(body)})
        if request.method == "POST" and "delete" in query:
            gone = re.findall(r"<Key>(.*?)</Key>", body.decode())
            for name in gone:
                self.objects.pop(f"{key.rstrip('/')}/{name}", None)
            lines = "".join(f"<Deleted><Key>{escape(name)}</Key></Deleted>" for name in gone)
            return _xml(f"<DeleteResult>{lines}</DeleteResult>")
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return Response(status_code=204)
        if "list-type" in query:
            return self._listing(key.rstrip("/"), query.get("prefix", ""), query.get("delimiter", ""))
        if key not in self.objects:
            return _error(404, "NoSuchKey")
        held = self.objects[key]
        headers = {"ETag": _tag(held), "Last-Modified": "Sun, 22 Nov 2026 00:00:00 GMT"}
        if found := re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", "")):
            begin, end = int(found[1]), min(int(found[2] or len(held)) + 1, len(held))
            headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(held)}"
            return Response(held[begin:end], 206, headers)
        return Response(held, headers=headers)

    def _listing(self, bucket: str, prefix: str, delimiter: str) -> Response:
        names = sorted(key[len(bucket) + 1 :] for key in self.objects if key.startswith(f"{bucket}/"))
        names = [name for name in names if name.startswith(prefix)]
        deeper = {
            prefix + name[len(prefix) :].partition(delimiter)[0] + delimiter
            for name in names
            if delimiter and delimiter in name[len(prefix) :]
        }
        here = [name for name in names if not any(name.startswith(folder) for folder in deeper)]
        lines = "".join(
            f"<Contents><Key>{escape(name)}</Key><LastModified>2026-11-22T00:00:00.000Z</LastModified>"
            f"<ETag>{_tag(self.objects[f'{bucket}/{name}'])}</ETag><Size>{len(self.objects[f'{bucket}/{name}'])}</Size></Contents>"
            for name in here
        )
        lines += "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in sorted(deeper))
        return _xml(
            f"<ListBucketResult><Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(here)}</KeyCount>"
            f"<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{lines}</ListBucketResult>"
        )


def _tag(body: bytes) -> str:
    return f'"{md5(body, usedforsecurity=False).hexdigest()}"'


def _xml(text: str, status: int = 200) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>{text}', status, media_type="application/xml")


def _error(status: int, code: str) -> Response:
    return _xml(f"<Error><Code>{code}</Code><Message>{code}</Message></Error>", status)


@contextmanager
def bucket() -> Iterator[Bucket]:
    """Serve one while the block runs."""
    store = Bucket()
    app = Starlette(routes=[Route("/{key:path}", store.answer, methods=["GET", "PUT", "POST", "DELETE", "HEAD"])])
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False, lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    store.url = "http://{}:{}".format(*server.servers[0].sockets[0].getsockname()[:2])
    try:
        yield store
    finally:
        server.should_exit = True
        thread.join()
