"""Syncs, alerts and checks as the page shows them: names, states, advice. Pure.

Errors and findings are quoted as they are: they name fields, ids and commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from xiaoe.alerts import explain
from xiaoe.clock import in_words
from xiaoe.merge.freshness import is_late
from xiaoe.monitor.i18n import Texts
from xiaoe.monitor.records import FailedCheck, LatestShopCheck, OpenAlert, PageData, SyncStatus
from xiaoe.quality.catalogue import CHECKS, CRITICAL
from xiaoe.shop_check.report import remarks
from xiaoe.vocabulary import dag_name, task_name

_CHECKS = {one.name: one for one in CHECKS}
_COUNTS = re.compile(r"(?:\w+ \d+(?:, |$))+")
_BADGES = {"ok": "good", "late": "bad", "failed": "bad"}
_VERDICTS = {"fits": "good", "fits_with_remarks": "warn"}
_NOTHING = "无"
"""What the catalogue expects of a check that must find nothing."""


def health(sync: SyncStatus, now: datetime) -> str:
    """`failed`: the last run failed; `late`: the last success is too old (`xiaoe.merge.freshness`); else `ok`.

    Args:
        sync: Its state.
        now: Naive UTC.
    """
    if sync.status == "failed":
        return "failed"
    return "late" if is_late(sync.resource, sync.mode, sync.last_success_at, now) else "ok"


def syncs(data: PageData, texts: Texts, now: datetime) -> list[dict[str, Any]]:
    """The syncs by shop.

    Args:
        data: From the warehouse.
        texts: Texts of the page's language.
        now: The current time, Beijing.
    """
    return [
        {"shop_id": shop_id, "shop": data.shop_name(shop_id), "rows": [_sync(one, texts, now) for one in found]}
        for shop_id, found in groupby(data.syncs, key=lambda one: one.shop_id)
    ]


def _sync(sync: SyncStatus, texts: Texts, now: datetime) -> dict[str, Any]:
    state = health(sync, texts.now)
    lag = now.replace(tzinfo=None) - sync.watermark if sync.watermark and sync.mode != "whole" else None
    note, is_quoted = _note(sync, texts)
    return {
        "sync": sync,
        "resource": texts.resource(sync.resource),
        "mode": texts.mode(sync.mode),
        "health": state,
        "badge": _BADGES[state],
        "watermark": texts("whole_list") if sync.mode == "whole" else texts.minute(sync.watermark),
        "lag": in_words(lag, texts.language) if lag is not None else "–",
        "note": note,
        "is_quoted": is_quoted,
    }


def _note(sync: SyncStatus, texts: Texts) -> tuple[str, bool]:
    """What a run said, in the page's language where it said counts; and whether it is quoted as it is."""
    said = sync.message or ""
    if sync.status != "success" or not _COUNTS.fullmatch(said):
        return said, True
    counts = {name: int(number) for name, _, number in (part.partition(" ") for part in said.split(", "))}
    if sync.resource == "marts":
        return texts("recomputed", texts.number(sum(counts.values()))), False
    return texts.join(f"{texts.name('counts', name)} {texts.number(number)}" for name, number in counts.items()), False


def alert(one: OpenAlert, data: PageData, texts: Texts) -> dict[str, Any]:
    """An open alert: where it is, what it means and what to do."""
    shop = data.connection_names.get(one.conn_id)
    _, advice = explain.meaning_of(one.message)
    names = (
        dag_name(one.dag_id, texts.language),
        task_name(one.task_id, texts.language) if one.task_id else "",
        f"{shop}（{one.conn_id}）" if shop else one.conn_id,
    )
    return {
        "alert": one,
        "title": " · ".join(filter(None, names)),
        "what": explain.problem(one.message, texts.language) if advice else "",
        "advice": advice.fix.to(texts.language) if advice else "",
        "log": _on_this_host(one.log_url),
    }


def _on_this_host(address: str | None) -> str:
    """The path of a log in the Airflow that shows this page: the host of its address may open on no other machine."""
    parts = urlsplit(address or "")
    if parts.scheme not in ("http", "https") or not parts.path.startswith("/") or parts.path.startswith("//"):
        return ""
    return parts.path + (f"?{parts.query}" if parts.query else "")


def check(one: FailedCheck, texts: Texts) -> dict[str, Any]:
    """A check that fails: what is wrong, how much of it, what to do."""
    known = _CHECKS.get(one.check_name)
    return {
        "check": one,
        "title": known.title if known and texts.language == "zh" else one.check_name,
        "badge": "bad" if one.severity == CRITICAL else "warn",
        "found": _found(one, texts),
        "expected": "" if one.expected == _NOTHING else one.expected,
        "advice": known.advice if known else "",
    }


def _found(one: FailedCheck, texts: Texts) -> str:
    if one.measured is None:
        return ""
    return texts("found" if one.expected == _NOTHING else "measured", texts.number(one.measured))


def shop_check(one: LatestShopCheck, texts: Texts) -> dict[str, Any]:
    """The last check of a shop, with its remarks."""
    lines: Iterable[str] = remarks(one.findings, texts.language)
    return {"check": one, "badge": _VERDICTS.get(one.verdict, "bad"), "lines": lines}
