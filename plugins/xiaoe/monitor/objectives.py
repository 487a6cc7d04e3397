"""The objectives as the page shows them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from xiaoe.monitor.i18n import Texts
from xiaoe.monitor.records import ObjectiveStatus, PageData
from xiaoe.objectives.budget import Events, budget_left

MEASURED_WITHIN = timedelta(hours=1)
"""It is measured every ten minutes; one that was not for longer says nothing of the present."""
_BADGES = {"kept": "good", "burning": "bad", "spent": "warn", "stopped": "bad"}


def rows(data: PageData, texts: Texts, conn_ids: Sequence[str]) -> list[dict[str, Any]]:
    """A row per shop and objective.

    Args:
        data: From the warehouse.
        texts: Texts of the page's language.
        conn_ids: Connections of the shops that are switched on.
    """
    return [_row(one, data, texts, conn_ids) for one in data.objectives]


def state_of(one: ObjectiveStatus, texts: Texts, conn_ids: Sequence[str]) -> str:
    """The stored state, else `switched_off` or `stopped`: nobody measures it any more."""
    if one.conn_id and one.conn_id not in conn_ids:
        return "switched_off"
    return "stopped" if texts.now - one.evaluated_at > MEASURED_WITHIN else one.state


def _row(one: ObjectiveStatus, data: PageData, texts: Texts, conn_ids: Sequence[str]) -> dict[str, Any]:
    state = state_of(one, texts, conn_ids)
    events = Events(one.in_time, float(one.late))
    percent = f"{one.target_percent.normalize():f}"
    counts = texts("objective_counts", texts.number(round(events.number)), texts.number(round(events.late)))
    if expected := round(one.expected_late):
        counts += texts("objective_expected", texts.number(expected))
    is_known = state not in ("switched_off", "few")
    burns = " · ".join(f"{burn:.1f}" for burn in (one.burn_hour, one.burn_6_hours, one.burn_3_days))
    return {
        "shop": data.shop_name(one.shop_id),
        "name": texts.name("objective_names", one.objective).format(percent, one.within_seconds // 60),
        "state": state,
        "badge": _BADGES.get(state, ""),
        "counts": counts if state != "switched_off" else "–",
        "left": f"{budget_left(events, float(one.target_percent) / 100):.0%}" if is_known else "–",
        "burns": burns if is_known else "–",
    }
