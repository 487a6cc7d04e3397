"""`sync_status`: per sync the watermark, the last success, and the last run's message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from airflow.sdk.exceptions import AirflowException
from MySQLdb import Error

from xiaoe.clock import BEIJING, beijing_text
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.storage.manifest import Manifest

_MESSAGE_LENGTH = 2000


def read_watermark(session: Session, shop_id: str, resource: str, mode: str) -> datetime | None:
    """The end of what has been merged; None before the first run."""
    rows = session.query(
        "SELECT watermark FROM sync_status WHERE shop_id = %s AND resource = %s AND mode = %s",
        (shop_id, resource, mode),
    )
    return rows[0][0].replace(tzinfo=BEIJING) if rows and rows[0][0] else None


def write_success(session: Session, manifest: Manifest, message: str, *also: str) -> None:
    """Record a successful sync and move the watermark forward, if the run moves it; never back.

    Args:
        session: In the merge's transaction.
        manifest: Of the run.
        message: What came of it.
        also: Other modes that are done with it.
    """
    watermark = manifest.window.end if manifest.moves_watermark else None
    text = f"{manifest.note}; {message}" if manifest.note else message
    for mode in (manifest.mode, *also):
        write_done(session, manifest.shop_id, manifest.resource, mode, text, watermark=watermark)


def write_done(
    session: Session, shop_id: str, resource: str, mode: str, message: str, *, watermark: datetime | None = None
) -> None:
    """Record a successful run, and the new watermark if there is one; it never moves back."""
    text = message[:_MESSAGE_LENGTH]
    moment = beijing_text(watermark) if watermark else None
    session.execute(
        "INSERT INTO sync_status"
        " (shop_id, resource, mode, watermark, last_success_at, last_attempt_at, status, message)"
        " VALUES (%s, %s, %s, %s, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3), 'success', %s)"
        " ON DUPLICATE KEY UPDATE"
        " watermark = GREATEST(COALESCE(watermark, %s), COALESCE(%s, watermark)),"
        " last_success_at = UTC_TIMESTAMP(3), last_attempt_at = UTC_TIMESTAMP(3), status = 'success', message = %s",
        (shop_id, resource, mode, moment, text, moment, moment, text),
    )


def write_failure(session: Session, shop_id: str, resource: str, mode: str, message: str) -> None:
    """Record a failed run and its message; the watermark stays."""
    text = message[:_MESSAGE_LENGTH]
    session.execute(
        "INSERT INTO sync_status (shop_id, resource, mode, last_attempt_at, status, message)"
        " VALUES (%s, %s, %s, UTC_TIMESTAMP(3), 'failed', %s)"
        " ON DUPLICATE KEY UPDATE last_attempt_at = UTC_TIMESTAMP(3), status = 'failed', message = %s",
        (shop_id, resource, mode, text, text),
    )


@contextmanager
def failure_noted(warehouse: Warehouse, shop_id: str, resource: str, mode: str) -> Iterator[None]:
    """Write a failure to sync_status, where dashboards show it, and raise it again."""
    try:
        yield
    except Exception as error:
        try:
            with warehouse.session() as session:
                write_failure(session, shop_id, resource, mode, str(error))
                session.commit()
        except (Error, AirflowException):
            pass  # the warehouse cannot be reached: the task's own failure reports it
        raise
