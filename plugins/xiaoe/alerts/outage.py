"""The warehouse itself is down: an Airflow Variable then records what was reported.

The Variable is written before the message is sent, and read again: of two tasks that fail at the same moment, one
sends. Airflow has no lock for Variables, so two messages are possible within milliseconds.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from airflow.sdk import Variable
from airflow.sdk.exceptions import AirflowException

from xiaoe import clock
from xiaoe.alerts import messages, wording
from xiaoe.alerts.events import Event
from xiaoe.notify.channels import Message

log = logging.getLogger(__name__)

VARIABLE = "xiaoe_warehouse_outage"


def is_recorded() -> bool:
    """Whether there is, or was, an outage whose end has not been reported."""
    return bool(_read())


def is_open() -> bool:
    """Whether it was reported that the warehouse is not reached."""
    return bool(_read().get("is_told"))


def begin(event: Event, reason: str, deliver: Callable[[Message], bool]) -> None:
    """Report that the warehouse is not reached, unless that was done.

    Args:
        event: What was to be recorded in the warehouse.
        reason: Why that failed.
        deliver: Sends a message and returns whether that worked.
    """
    log.error("the alert could not be recorded in the warehouse: %s", reason)
    known = _read()
    if known.get("is_told"):
        log.info("the outage of the warehouse since %s was already reported", known.get("since"))
        return
    mine = {"since": known.get("since", clock.now().isoformat()), "is_told": False, "by": uuid.uuid4().hex}
    _write(mine)
    if _read().get("by") != mine["by"]:
        log.info("another task reports that the warehouse is not reached")
    elif deliver(messages.warehouse_gone(event, reason, datetime.fromisoformat(mine["since"]), wording.configured())):
        _write({**mine, "is_told": True})


def end(deliver: Callable[[Message], bool]) -> None:
    """The warehouse is reached: report the end of an outage, if there was one. One task at a time."""
    known = _read()
    if not known:
        return
    since = datetime.fromisoformat(known["since"])
    delivered = deliver(messages.warehouse_back(since, clock.now(), wording.configured()))
    if delivered or not known["is_told"]:
        _write({})


def _read() -> dict[str, Any]:
    """Empty if there is no outage, or if Airflow cannot be asked."""
    try:
        found = json.loads(Variable.get(VARIABLE, default="{}"))
    except (AirflowException, ValueError) as error:
        log.warning("Airflow Variable %s could not be read: %s", VARIABLE, error)
        return {}
    return found if isinstance(found, dict) else {}


def _write(known: dict[str, Any]) -> None:
    try:
        Variable.set(VARIABLE, json.dumps(known), description="What was reported of an outage of the warehouse")
    except AirflowException as error:
        log.warning("Airflow Variable %s could not be written: %s", VARIABLE, error)
