"""The body of an answer, with limits: `requests` itself has none for its size and its length in time."""

from __future__ import annotations

import time

import requests

_DRIP = 10
"""A whole body may take so many times the time-out of its connection."""
_PIECE = 1024 * 1024


def read_body(response: requests.Response, most: int, timeout: float) -> bytes:
    """The first `most` bytes of a body, unpacked: of a bomb no more than that.

    Args:
        response: Of a request with `stream=True`.
        most: Bytes after unpacking.
        timeout: Seconds that the connection waits for the next bytes.

    Raises:
        requests.ReadTimeout: The body comes in drops: each of them starts the connection's time-out over.
    """
    until = time.monotonic() + _DRIP * timeout
    parts, size = list[bytes](), 0
    while size < most and (part := response.raw.read1(min(most - size, _PIECE), decode_content=True)):
        parts.append(part)
        size += len(part)
        if time.monotonic() > until:
            raise requests.ReadTimeout
    return b"".join(parts)
