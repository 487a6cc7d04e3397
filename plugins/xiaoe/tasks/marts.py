"""The task of the marts DAG."""

from __future__ import annotations

from datetime import timedelta

from xiaoe import settings
from xiaoe.marts.operators import XiaoeMartsOperator
from xiaoe.tasks.assets import ASSETS, MARTS
from xiaoe.tasks.defaults import named, switch

_READ = ("orders", "refunds", "users", "benefits", "live_streams", "live_viewers", "learning_progress")
"""Assets that a refresh reads."""

REBUILD_PARAM = {
    "rebuild": switch(
        "全部重算 rebuild",
        "不只算有变化的日期，全部重算。 Recompute everything, not only what changed.",
    ),
}


def refresh_marts(*, timeout: timedelta) -> None:
    """Refresh the marts, for each shop; one shop's failure does not stop the others."""
    XiaoeMartsOperator.partial(
        **named("refresh"),
        doc_md="MySQL → MySQL. Safe to clear at any time: it is idempotent.",
        inlets=[ASSETS[name] for name in _READ],
        outlets=list(MARTS.values()),
        execution_timeout=timeout,
    ).expand(xiaoe_conn_id=settings.conn_ids())
