"""The peers: each loads the first pages into an empty database, then the rescan's pages over them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import limit, ours, script
from bench.place import ROOT, Cost, Place, in_bare_child, in_child

PYTHON = ROOT / ".venv-bench" / "bin" / "python"


@dataclass(frozen=True)
class Run:
    """The costs of one round of one peer.

    Args:
        orders: Number of orders.
        first: First load, into an empty database.
        rescan: The same window hours later; None if not applicable.
        nothing: Once more, without changes.
    """

    orders: int
    first: Cost
    rescan: Cost | None = None
    nothing: Cost | None = None


@dataclass(frozen=True)
class Staged:
    """The staged runs that all peers load, and how long fetching them took."""

    first: str
    rescan: str
    again: str
    orders: int
    fetched: tuple[Cost, Cost, Cost]


def run_ours(place: Place, staged: Staged, _: int) -> Run:
    """The merge, from the page store."""
    place.migrated("ours")
    first, rescan, nothing = (in_child(ours.merge, folder) for folder in (staged.first, staged.rescan, staged.again))
    return Run(staged.orders, first, rescan, nothing)


def run_limit(place: Place, staged: Staged, _: int) -> Run:
    """LOAD DATA of ready-made files; they are made once, from the result of our first load."""
    files = place.home / "limit"
    if not files.exists():
        database = place.migrated("limit")
        in_child(ours.merge, staged.first)
        limit.write_files(place, database, files)
    database = place.migrated("limit")
    return Run(staged.orders, in_bare_child(limit.load, place, database, files))


def run_rows(place: Place, staged: Staged, most: int) -> Run:
    """A plain script, row by row."""
    return _run_script(place, staged, most, script.row_by_row)


def run_batches(place: Place, staged: Staged, most: int) -> Run:
    """A plain script, a thousand rows per statement."""
    return _run_script(place, staged, most, script.batched)


def run_dlt_arrow(place: Place, staged: Staged, most: int) -> Run:
    """The library dlt, given Arrow tables."""
    return _run_dlt(place, staged, most, "arrow")


def run_dlt(place: Place, staged: Staged, most: int) -> Run:
    """The library dlt, given rows, with its best settings found."""
    return _run_dlt(place, staged, most, "best")


def run_dlt_defaults(place: Place, staged: Staged, most: int) -> Run:
    """The library dlt as its documentation begins."""
    return _run_dlt(place, staged, most, "defaults")


def run_sling(place: Place, staged: Staged, most: int) -> Run:
    """The program sling, given CSV files."""
    return _run_program(place, staged, most, place.dsn(place.empty("sling")), "sling_peer.py", place.home / "sling")


def _run_script(place: Place, staged: Staged, most: int, work: Callable[..., Cost]) -> Run:
    database = place.migrated("script")
    script.prepare(place, database)
    first, rescan = (_some_pages(staged, folder, most) for folder in (staged.first, staged.rescan))
    costs = [in_bare_child(work, place, database, pages) for pages in (first, rescan)]
    return Run(costs[0].result, *costs)


def _run_dlt(place: Place, staged: Staged, most: int, settings: str) -> Run:
    state = place.home / "dlt"
    shutil.rmtree(state, ignore_errors=True)
    dsn = place.dsn(place.empty("dlt")).replace("mysql://", "mysql+mysqldb://", 1)
    return _run_program(place, staged, most, dsn, "dlt_peer.py", settings, state)


def _run_program(place: Place, staged: Staged, most: int, dsn: str, program: str, *arguments: str | Path) -> Run:
    """A peer that runs in its own environment."""
    names, costs = place.home / "pages.txt", []
    for folder in (staged.first, staged.rescan):
        names.write_text("\n".join(_some_pages(staged, folder, most)))
        command = [PYTHON, ROOT / "scripts" / "bench" / program, names, dsn, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr[-2000:]}")
        costs.append(Cost(**json.loads(done.stdout.splitlines()[-1])))
    return Run(min(most, staged.orders), *costs)


def _some_pages(staged: Staged, folder: str, most: int) -> Sequence[str]:
    """The pages of the first so many orders."""
    pages = ours.pages_of(folder)
    return pages[: -(-most * len(pages) // staged.orders)]


Peer = Callable[[Place, Staged, int], Run]
SLOW = 5_000
"""Orders for slow peers: their orders per second hardly depend on the number."""
REFERENCES = ("ours", "limit")
"""What is no peer: it is not a way to load the pages that somebody could choose instead of ours."""
PEERS: dict[str, tuple[Peer, int | None, int | None]] = {
    "ours": (run_ours, None, None),
    "limit": (run_limit, None, None),
    "dlt-arrow": (run_dlt_arrow, None, None),
    "dlt": (run_dlt, None, 2),
    "dlt-defaults": (run_dlt_defaults, 2_000, 1),
    "script-rows": (run_rows, SLOW, 1),
    "script-batches": (run_batches, None, None),
    "sling": (run_sling, 4 * SLOW, 1),
}
"""Name → function, maximum number of orders, maximum number of rounds."""
