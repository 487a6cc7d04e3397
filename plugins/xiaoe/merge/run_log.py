"""`sync_runs`: what each sync cost in rows, API calls, retries and seconds. For the monitoring page; decides nothing.

A line is written in the merge's transaction: it exists if and only if the rows do. A run that was interrupted and
continued counts the calls of its last try. `wait_seconds` is the sum over parallel calls.
"""

from __future__ import annotations

from collections import Counter

from xiaoe.clock import utc_text
from xiaoe.mysql.session import Session
from xiaoe.storage.manifest import Manifest


def write_run(session: Session, manifest: Manifest, totals: Counter[str], *, merge_seconds: float) -> None:
    """Add a merged run to `sync_runs`; a manifest that is merged again adds nothing.

    Args:
        session: In the merge's transaction.
        manifest: Has what reading cost; one of an earlier release has no `started_at`.
        totals: Rows `staged`, `inserted`, `updated`, `unchanged`, `rejected`.
        merge_seconds: Duration of the merge until now.
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
            utc_text(manifest.started_at or manifest.observed_at),
            _stage_seconds(manifest),
            round(merge_seconds, 3),
            *(totals[name] for name in ("staged", "inserted", "updated", "unchanged", "rejected")),
            *(calls.get(name, 0) for name in ("calls", "retries", "tokens")),
            calls.get("waited_ms", 0) / 1000,
        ),
    )


def _stage_seconds(manifest: Manifest) -> float | None:
    if manifest.started_at is None or manifest.staged_at is None:
        return None
    return (manifest.staged_at - manifest.started_at).total_seconds()
