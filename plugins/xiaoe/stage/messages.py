"""What the log and a failed task say of a list that does not add up: the numbers, and what to do."""

from __future__ import annotations

from xiaoe.resources.base import DAY, Resource
from xiaoe.stage.judging import shows_cap, union
from xiaoe.stage.reading import Part, StoredPass


def incomplete(resource: Resource, part: Part, readings: list[StoredPass], cap: int) -> str:
    """Why what was read is not complete.

    Args:
        resource: What was read.
        part: Of which window, or of whose list.
        readings: All passes.
        cap: `settings.list_cap`.
    """
    last, what = readings[-1].outcome, f"{resource.name} {part.parent_id or part.window}"
    if last.repeats is not None:
        return (
            f"{what}: page {last.repeats} is the same as one before it:"
            f" does {resource.endpoint} still page by {resource.paging.key!r}?"
        )
    if last.last_total is None:
        return f"{what}: the API sent no {resource.total_key}, so nothing proves the list complete"
    rows = (
        f"the last pass has {len(last.keys)} distinct rows,"
        f" all {len(readings)} passes have {len(union([reading.outcome for reading in readings]))}."
    )
    if shows_cap(last, cap):
        return (
            f"{what}: {cap_shown(readings[-1])}, {rows} {_why_not_halved(resource)}. Look in the"
            f" shop's console how many there are: if {last.last_total} is right, set XIAOE_LIST_CAP (now {cap}) well"
            " above it; if there are more, ask 小鹅通 how to list them. The watermark has not moved"
        )
    return (
        f"{what}: the API says {last.last_total} rows (totals seen: {sorted(set(last.totals))}),"
        f" {rows} If this persists, report it to 小鹅通 with these numbers; the watermark has not moved"
    )


def cap_shown(reading: StoredPass) -> str:
    """What of a reading shows a cap."""
    told = f"the API says {reading.outcome.last_total} rows, perhaps as far as it counts"
    if reading.refusal is None:
        return told
    return f"{told}, and refuses the page behind {len(reading.outcome.keys)} ({reading.refusal})"


def _why_not_halved(resource: Resource) -> str:
    if resource.parts is None:
        return "It cannot be read in parts: no filter by time is known for this interface"
    step = "a day" if resource.parts.step == DAY else "a second"
    return f"The window cannot be halved: its filter tells nothing finer apart than {step}"
