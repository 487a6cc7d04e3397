"""The warehouse itself is down: then what people were told stands in an Airflow Variable.

Written before people are told, and read again: of two tasks that fail at the same moment one tells.
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
from xiaoe.alerts import messages
from xiaoe.alerts.events import Event
from xiaoe.notify import Message

log = logging.getLogger(__name__)

VARIABLE = "xiaoe_warehouse_outage"


def is_noted() -> bool:
    """Whether there is or was an outage whose end people have not been told."""
    return bool(_read())


def is_open() -> bool:
    """Whether people were told that the warehouse is not reached."""
    return bool(_read().get("is_told"))


def begin(event: Event, reason: str, say: Callable[[Message], bool]) -> None:
    """Tell people that the warehouse is not reached, unless they were told.

    Args:
        event: What was to be noted in the warehouse.
        reason: Why it could not.
        say: Tells people, and returns whether that worked.
    """
    log.error("the alert could not be noted in the warehouse: %s", reason)
    known = _read()
    if known.get("is_told"):
        log.info("people were told at %s that the warehouse is not reached", known.get("since"))
        return
    mine = {"since": known.get("since", clock.now().isoformat()), "is_told": False, "by": uuid.uuid4().hex}
    _write(mine)
    if _read().get("by") != mine["by"]:
        log.info("another task tells people that the warehouse is not reached")
    elif say(messages.warehouse_gone(event, reason, datetime.fromisoformat(mine["since"]))):
        _write({**mine, "is_told": True})


def end(say: Callable[[Message], bool]) -> None:
    """The warehouse is reached: tell people, if it was not before. One task at a time."""
    known = _read()
    if not known:
        return
    told = say(messages.warehouse_back(datetime.fromisoformat(known["since"]), clock.now()))
    if told or not known["is_told"]:
        _write({})


def _read() -> dict[str, Any]:
    """Empty where there is no outage, or where Airflow cannot be asked."""
    try:
        found = json.loads(Variable.get(VARIABLE, default="{}"))
    except (AirflowException, ValueError) as error:
        log.warning("Airflow Variable %s could not be read: %s", VARIABLE, error)
        return {}
    return found if isinstance(found, dict) else {}


def _write(known: dict[str, Any]) -> None:
    try:
        Variable.set(VARIABLE, json.dumps(known), description="What people were told of a warehouse that is down")
    except AirflowException as error:
        log.warning("Airflow Variable %s could not be written: %s", VARIABLE, error)
