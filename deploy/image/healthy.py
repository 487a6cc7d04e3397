"""Health of one part of Airflow, for its container's health check: exit code 0 or 1, and why.

    healthy.py http://localhost:8974/health                                 an answer will do
    healthy.py http://api-server:8080/api/v2/monitor/health triggerer       status of one component

Asking over HTTP costs nothing; `airflow jobs check` costs seconds of a core, each time.
"""

from __future__ import annotations

import json
import sys
from urllib.request import urlopen


def status(body: bytes, part: str) -> str:
    """A component's status according to Airflow: `healthy` or another word.

    Args:
        body: JSON: component → status and last heartbeat; null if the component does not run.
        part: Name of the component.
    """
    return str((json.loads(body).get(part) or {}).get("status"))


def main() -> int:
    """Return an exit code."""
    url, part = sys.argv[1], (sys.argv[2:] or [""])[0]
    try:
        with urlopen(url, timeout=20) as answer:  # noqa: S310 - ours
            result = status(answer.read(), part) if part else "healthy"
    except (OSError, ValueError) as error:
        result = str(error)
    print(f"{url} {part}: {result}")
    return 0 if result == "healthy" else 1


if __name__ == "__main__":
    sys.exit(main())
