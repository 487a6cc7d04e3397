"""The table `report_sends`: which report went over which channel, and whether it had its figures then."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from xiaoe.clock import utc_text
from xiaoe.mysql.session import Session


def was_sent(session: Session, report: Mapping[str, Any], channel: str) -> bool:
    """Whether a channel has a report already; one without figures does not count where they are complete now."""
    rows = session.query(
        "SELECT is_complete FROM report_sends WHERE period = %s AND first_day = %s AND channel = %s",
        (report["period"], report["first_day"], channel),
    )
    return bool(rows) and (bool(rows[0][0]) or not report["is_complete"])


def write(session: Session, report: Mapping[str, Any], channel: str, now: datetime) -> None:
    """Record that a report was sent."""
    session.execute(
        "REPLACE INTO report_sends (period, first_day, channel, is_complete, sent_at) VALUES (%s, %s, %s, %s, %s)",
        (report["period"], report["first_day"], channel, report["is_complete"], utc_text(now)),
    )
