"""One check of one shop."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

from airflow.sdk.exceptions import AirflowNotFoundException

from xiaoe import clock, settings
from xiaoe.api.hook import XiaoeHook
from xiaoe.clock import utc_now
from xiaoe.exceptions import XiaoeConfigError, XiaoeError
from xiaoe.resources.registry import RESOURCES
from xiaoe.shop_check import probes, reading
from xiaoe.shop_check.calls import Asker, Reply
from xiaoe.shop_check.findings import FieldReport, Finding, Level, ShopCheck
from xiaoe.shop_check.forms import field_reports
from xiaoe.shop_check.plan import Notes, ask_everything

LONGEST_WAIT = 3.0
ATTEMPTS = 3


def check_shop(
    conn_id: str, *, hook: XiaoeHook | None = None, timer: Callable[[], float] = time.perf_counter
) -> tuple[ShopCheck, list[Reply]]:
    """Check the shop of one connection; every error of the API becomes a finding.

    Args:
        conn_id: Its Airflow connection.
        hook: For tests.
        timer: Seconds of a steady clock.

    Returns:
        What was found, and every reply, for a cassette.

    Raises:
        XiaoeConfigError: There is no such connection, or it lacks a field.
    """
    begun = timer()
    hook = hook or XiaoeHook(
        conn_id,
        attempts=ATTEMPTS,
        max_skew=timedelta.max,
        sleep=lambda seconds: time.sleep(min(seconds, LONGEST_WAIT)),
    )
    with closing(hook):
        shop_id = _shop_id(hook, conn_id)
        notes = Notes(Asker(hook, timer), clock.now())
        if _connect(notes, timer):
            notes.now += hook.skew or timedelta()
            ask_everything(notes)
            notes.note(probes.clock(hook.skew, settings.max_clock_skew()))
        fields = _judge_rows(notes)
        check = ShopCheck(
            conn_id=conn_id,
            shop_id=shop_id,
            checked_at=utc_now(),
            calls=hook.counts["calls"],
            seconds=round(timer() - begun, 1),
            findings=notes.findings,
            fields=fields,
        )
    return check, notes.asker.replies


def _shop_id(hook: XiaoeHook, conn_id: str) -> str:
    try:
        return hook.shop.app_id
    except AirflowNotFoundException:
        raise XiaoeConfigError(
            f"XIAOE_CONN_IDS names {conn_id}, and Airflow has no such connection: add it (Admin → Connections), or set"
            f" AIRFLOW_CONN_{conn_id.upper()} · 未找到连接 {conn_id}"
        ) from None


def _connect(notes: Notes, timer: Callable[[], float]) -> bool:
    """The token, our address, the clock; whether there is a token."""
    hook, begun = notes.asker.hook, timer()
    try:
        hook.share_token_if_possible()
        hook.authorize()
    except XiaoeError as error:
        notes.note(Finding("token_refused", Level.BAD, facts={"code": error.code, "message": str(error)}))
        if error.code == probes.NOT_LISTED:
            ip = probes.address(str(error))
            notes.note(Finding("ip_told" if ip else "ip_not_told", Level.BAD, facts={"ip": ip}))
        if hook.skew is not None:
            notes.note(probes.clock(hook.skew, settings.max_clock_skew()))
        return False
    notes.note(Finding("token_given", facts={"seconds": round(timer() - begun, 3)}))
    return True


def _judge_rows(notes: Notes) -> dict[str, list[FieldReport]]:
    """Every row through its resource's reader; adds the findings and returns the fields of every list."""
    fields = {}
    for name, resource in RESOURCES.items():
        raws = notes.asker.raws(resource)
        if not notes.asker.of(resource) or not any(reply.error is None for reply in notes.asker.of(resource)):
            continue
        read = reading.read(resource, raws)
        kinds = reading.kinds_of(resource)
        reports = field_reports(read.rows, kinds, Counter(read.blamed) + Counter(read.fields))
        missing = [one.field for one in reports if one.kind and one.missing == one.rows]
        known = kinds.keys() | {resource.paging.key}
        unknown = [one.field for one in reports if one.field not in known]
        notes.note(*probes.readable(resource, read, missing, unknown))
        fields[name] = reports
    return fields
