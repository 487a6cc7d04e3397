"""What each sync cost: rows, API calls, retries, seconds. Read by the monitoring page, and by nothing that decides."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from xiaoe.clock import utc_text
from xiaoe.mysql.session import Session
from xiaoe.storage.pages import Manifest


def write_run(session: Session, manifest: Manifest, totals: Counter[str], *, merge_seconds: float) -> None:
    """Add a merged run to `sync_runs`; a manifest that is merged again adds nothing.

    Args:
        session: In the merge's transaction.
        manifest: Tells what reading cost. One of an earlier release does not know when it began.
        totals: Rows `staged`, `inserted`, `updated`, `unchanged`, `rejected`.
        merge_seconds: What the merge took up to now.
    """
    calls = manifest.calls
    session.execute(
        "INSERT INTO sync_runs (shop_id, resource, mode, run_id, batch_id, started_at, finished_at, stage_seconds,"
        " merge_seconds, staged, inserted, updated, unchanged, rejected, api_calls, api_retries, token_calls,"
        " wait_seconds) VALUES (%s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(3), %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON DUPLICATE KEY UPDATE finished_at = finished_at",
        (
            manifest.shop_id,
            manifest.resource,
            manifest.mode,
            manifest.run_id,
            manifest.batch_id,
            utc_text(_started(manifest)),
            _stage_seconds(manifest),
            round(merge_seconds, 3),
            *(totals[name] for name in ("staged", "inserted", "updated", "unchanged", "rejected")),
            *(calls.get(name, 0) for name in ("calls", "retries", "tokens")),
            calls.get("waited_ms", 0) / 1000,
        ),
    )


def _started(manifest: Manifest) -> datetime:
    return datetime.fromisoformat(manifest.started_at or min(part.observed_at for part in manifest.slices))


def _stage_seconds(manifest: Manifest) -> float | None:
    if manifest.started_at is None or manifest.staged_at is None:
        return None
    begin, end = datetime.fromisoformat(manifest.started_at), datetime.fromisoformat(manifest.staged_at)
    return (end - begin).total_seconds()
