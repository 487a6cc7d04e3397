"""Keeps the secret out of the logs of third-party libraries."""

from __future__ import annotations

import logging
import re

_SECRET_IN_URL = re.compile(r"(secret_key=)[^&\s\"']+")


def keep_secrets_out_of_logs() -> None:
    """Filter urllib3's loggers, which at DEBUG write the URL of the token call; safe to call twice."""
    for name in ("urllib3.connectionpool", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_without_secret)


def _without_secret(record: logging.LogRecord) -> bool:
    """Let a record pass, without the secret."""
    text = record.getMessage()
    if "secret_key=" in text:
        record.msg, record.args = _SECRET_IN_URL.sub(r"\1***", text), None
    return True
