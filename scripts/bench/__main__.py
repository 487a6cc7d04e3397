"""`make bench`: first load and rescan of the same pages by this project and its peers, round by round."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import ours, results, servers
from bench.peers import PEERS, PYTHON, Run, Staged
from bench.place import LATER, ROOT, Place, in_child, note

JSON = ROOT / ".local" / "bench.json"


def main() -> int:
    """Measure, print a table and, as the last line, the ratios as key=value."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--size", type=int, default=100_000, help="orders, spread over 14 days")
    parser.add_argument("--rounds", type=int, default=5, help="of the fast peers; slow ones get fewer")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"some of {', '.join(PEERS)}")
    parser.add_argument(
        "--settings",
        default="durable",
        help=f"of the server, side by side: some of {', '.join(servers.SETTINGS)}; the last line is of the first",
    )
    parser.add_argument("--json", type=Path, default=JSON, help="where the figures go")
    parser.add_argument("--chart", type=Path, help="where the chart goes, an SVG; by default beside the figures")
    parser.add_argument("--database", default="xiaoe_bench", help="databases that are made and dropped begin with it")
    arguments = parser.parse_args()
    names, settings = arguments.peers.split(","), arguments.settings.split(",")
    if not PYTHON.exists() and any(name.startswith(("dlt", "sling")) for name in names):
        parser.error("dlt and sling are not installed: run scripts/bench/install, or leave them out of --peers")
    if unknown := set(settings) - set(servers.SETTINGS):
        parser.error(f"--settings {', '.join(sorted(unknown))}: there are {', '.join(servers.SETTINGS)}")
    with tempfile.TemporaryDirectory(prefix="xiaoe-bench-") as home, servers.started(settings) as dsns:
        # Differently named databases: the page store remembers the server of each.
        places = {
            name: Place(Path(home), f"{arguments.database}_{name.replace('-', '_')}", dsn) for name, dsn in dsns.items()
        }
        try:
            found = measure(places, arguments.size, arguments.rounds, names)
        finally:
            for place in places.values():
                place.drop()
    results.write(found, arguments.json, arguments.chart or arguments.json.with_suffix(".svg"))
    for one in found.values():
        print(results.table(one))
    print(results.binlog_share(found))
    print(results.last_line(next(iter(found.values()))))
    return 0


def measure(places: dict[str, Place], size: int, rounds: int, names: list[str]) -> dict[str, dict[str, Any]]:
    """Stage once, then run the peers in turn, each on every server; settings of the server → figures."""
    staged = stage(next(iter(places.values())), size)
    runs: dict[str, dict[str, list[Run]]] = {of: {name: [] for name in names} for of in places}
    hashing = []
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:  # each peer is first in turn
            work, most, times = PEERS[name]
            if number >= (times or rounds):
                continue
            for of, place in places.items():
                run = work(place, staged, min(most or size, size))
                runs[of][name].append(run)
                note(f"round {number + 1}: {name}, {of} server: first load {run.first.seconds:.1f} s")
        hashing.append(in_child(ours.hash_only, staged.again))
    return {of: results.summary(runs[of], staged, hashing, place.settings()) for of, place in places.items()}


def stage(place: Place, size: int) -> Staged:
    """Fetch the window, again after 1% of its rows changed, and again with no change."""
    place.migrated("ours")
    with place.emulator(size, no_limits=True) as emulator:
        first = in_child(ours.stage, "first")
        emulator.advance(int(LATER.total_seconds()))
        rescan, again = (in_child(ours.stage, name) for name in ("rescan", "again"))
    note(f"fetched {size} orders in {first.seconds:.1f} s")
    return Staged(first.result, rescan.result, again.result, size, (first, rescan, again))


if __name__ == "__main__":
    sys.exit(main())
