"""Whether people can open a link: Airflow's own address is `localhost` until it is set."""

from __future__ import annotations

from urllib.parse import urlsplit

_LOOPBACK = ("localhost", "0.0.0.0", "::1")  # noqa: S104 - recognised, not bound


def airflow_url() -> str:
    """Where people open Airflow: `[api] base_url`, without a slash at its end."""
    from airflow.configuration import conf

    return str(conf.get("api", "base_url", fallback="")).rstrip("/")


def opens_elsewhere(address: str | None) -> bool:
    """Whether an address is of the web and not of this machine only."""
    parts = urlsplit(address or "")
    host = parts.hostname or ""
    return parts.scheme in ("http", "https") and bool(host) and host not in _LOOPBACK and not host.startswith("127.")
