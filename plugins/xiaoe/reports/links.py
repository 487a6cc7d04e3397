"""Links that open the page 今日经营 without a log-in, for `XIAOE_TODAY_LINK_DAYS`.

A link carries a sealed note of when it was made, and opens nothing but that page. Its key is derived from Airflow's
`[api] secret_key`, so a new secret key ends every link.
"""

from __future__ import annotations

import base64
import logging
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xiaoe import settings
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.notify.addresses import airflow_url, opens_elsewhere
from xiaoe.reports.text import CHINESE, Wording

log = logging.getLogger(__name__)

PATH = "/xiaoe-monitor/link/{}/today"
_CONTENT = b"today"


def address(now: datetime) -> str:
    """A new link.

    Raises:
        XiaoeConfigError: Airflow has no secret key that all its parts share.
    """
    token = Fernet(_key()).encrypt_at_time(_CONTENT, int(now.timestamp())).decode()
    return airflow_url() + PATH.format(token)


def lines(now: datetime, words: Wording = CHINESE) -> list[str]:
    """The line of a chat message that has a new link; none where nobody could open it."""
    if not opens_elsewhere(airflow_url()):
        return []
    try:
        return [words.line("link", settings.today_link_days().days, address(now))]
    except XiaoeConfigError as error:
        log.warning("the report has no link to the page: %s", error)
        return []


def state(token: str, now: datetime) -> str:
    """What a link is worth: `valid`, `expired`, or `forged`, also of another key or for another page.

    Raises:
        XiaoeConfigError: As in `address`.
    """
    seal = Fernet(_key())
    try:
        made = seal.extract_timestamp(token)
        if seal.decrypt(token) != _CONTENT:
            return "forged"
    except InvalidToken:
        return "forged"
    age = now - datetime.fromtimestamp(made, now.tzinfo)
    return "valid" if timedelta(0) <= age <= settings.today_link_days() else "expired"


def _key() -> bytes:
    from airflow import configuration

    secret = configuration.conf.get("api", "secret_key", fallback="")
    if secret in ("", "{SECRET_KEY}", configuration.SECRET_KEY):  # not set: each process then makes up another one
        raise XiaoeConfigError(
            "AIRFLOW__API__SECRET_KEY ([api] secret_key) is not set: give all parts of Airflow, and this command, the"
            " same one; links to the page 今日经营 are sealed with it"
        )
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"xiaoe: links to the page today").derive(
        secret.encode()
    )
    return base64.urlsafe_b64encode(derived)
