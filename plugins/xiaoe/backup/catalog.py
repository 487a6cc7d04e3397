"""The table `backups`: a list of the store's content, for people and for the monitoring page.

The store decides which backups exist; the table is filled in from its manifests.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from xiaoe.backup.store import BackupManifest, BackupStore
from xiaoe.clock import beijing_text, utc_text
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.session import Session

_MESSAGE_LENGTH = 2000
JOURNAL_WITHIN = timedelta(minutes=10)
"""`make journal` notes every few seconds that it ships."""


def begin(session: Session, url: str, started_at: datetime, *, encrypted: bool) -> None:
    """Record that a backup starts."""
    session.execute(
        "INSERT INTO backups (url, started_at, encrypted, status) VALUES (%s, %s, %s, 'running')",
        (url, utc_text(started_at), encrypted),
    )
    session.commit()


def fail(session: Session, url: str, message: str) -> None:
    """Record that a backup failed."""
    session.execute(
        "UPDATE backups SET status = 'failed', message = %s WHERE url = %s", (message[:_MESSAGE_LENGTH], url)
    )
    session.commit()


def finish(session: Session, url: str, manifest: BackupManifest) -> None:
    """Record a complete backup, also one missing from the table since a restore."""
    session.execute(
        "INSERT INTO backups (url, started_at, finished_at, bytes, sha256, encrypted, table_count, row_count, status)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'success')"
        " ON DUPLICATE KEY UPDATE finished_at = VALUES(finished_at), bytes = VALUES(bytes), sha256 = VALUES(sha256),"
        " table_count = VALUES(table_count), row_count = VALUES(row_count), status = 'success', message = NULL",
        (
            url,
            utc_text(manifest.made_at),
            utc_text(datetime.fromisoformat(manifest.finished_at)),
            manifest.bytes,
            manifest.sha256,
            manifest.recipient is not None,
            len(manifest.tables),
            manifest.rows,
        ),
    )
    session.commit()


def adopt(session: Session, store: BackupStore) -> None:
    """Add the store's backups to the table; mark runs that were killed as failed."""
    known = {url for (url,) in session.query("SELECT url FROM backups WHERE status = 'success'")}
    for path, manifest in store.backups():
        if str(path) not in known:
            finish(session, str(path), manifest)
    session.execute(
        "UPDATE backups SET status = 'failed', message = 'the task was killed'"
        " WHERE status = 'running' AND started_at < UTC_TIMESTAMP(3) - INTERVAL 1 DAY"
    )
    session.commit()


def drilled(session: Session, url: str, status: str, message: str, at: datetime) -> None:
    """Record the outcome of a drill: `success`, `failed`, `impossible` or `error`."""
    session.execute(
        "UPDATE backups SET drilled_at = %s, drill_status = %s, drill_message = %s WHERE url = %s",
        (utc_text(at), status, message[:_MESSAGE_LENGTH], url),
    )
    session.commit()


def removed(session: Session, url: str, at: datetime) -> None:
    """Record that a backup was removed."""
    session.execute("UPDATE backups SET removed_at = %s WHERE url = %s", (utc_text(at), url))
    session.commit()


def bad_ones(session: Session) -> set[str]:
    """URLs of backups that a drill could not restore."""
    return {url for (url,) in session.query("SELECT url FROM backups WHERE drill_status = 'failed'")}


def check_journal(session: Session, now: datetime) -> None:
    """Fail if the journal was kept once and nothing has been shipped for `JOURNAL_WITHIN`.

    Raises:
        XiaoeConfigError: Changes since then are lost if the database is.
    """
    rows = session.query("SELECT shipped_at FROM journal_status")
    if rows and now - (shipped_at := rows[0][0].replace(tzinfo=timezone.utc)) > JOURNAL_WITHIN:
        raise XiaoeConfigError(
            f"the journal of changes was last shipped at {beijing_text(shipped_at)} (Beijing): start `make journal` and"
            " read its log, or empty the table journal_status if it is no longer wanted (docs/backup.md)"
        )


def last_drill(session: Session) -> datetime | None:
    """When a drill last succeeded, UTC; None: never."""
    [(last,)] = session.query("SELECT MAX(drilled_at) FROM backups WHERE drill_status = 'success'")
    found: Any = last
    return found.replace(tzinfo=timezone.utc) if found else None
