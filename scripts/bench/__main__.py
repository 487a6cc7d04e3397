"""`make bench`: first load and rescan of the same pages by this project and its peers, round by round."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench import ours, results
from bench.peers import DLT, PEERS, Run, Staged
from bench.place import LATER, ROOT, Place, in_child, note

JSON = ROOT / ".local" / "bench.json"


def main() -> int:
    """Measure, print a table and, as the last line, the ratios as key=value."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--size", type=int, default=100_000, help="orders, spread over 14 days")
    parser.add_argument("--rounds", type=int, default=5, help="of the fast peers; slow ones get fewer")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"some of {', '.join(PEERS)}")
    parser.add_argument("--json", type=Path, default=JSON, help="where the figures go")
    parser.add_argument("--chart", type=Path, help="where the chart goes, an SVG; by default beside the figures")
    parser.add_argument("--database", default="xiaoe_bench", help="databases that are made and dropped begin with it")
    arguments = parser.parse_args()
    names = arguments.peers.split(",")
    if not DLT.exists() and any(name.startswith("dlt") for name in names):
        parser.error("dlt is not installed: run scripts/bench/install, or leave it out of --peers")
    with tempfile.TemporaryDirectory(prefix="xiaoe-bench-") as home:
        place = Place(Path(home), arguments.database)
        try:
            found = measure(place, arguments.size, arguments.rounds, names)
        finally:
            place.drop()
    results.write(found, arguments.json, arguments.chart or arguments.json.with_suffix(".svg"))
    print(results.table(found))
    print(results.last_line(found))
    return 0


def measure(place: Place, size: int, rounds: int, names: list[str]) -> dict[str, object]:
    """Stage once, then run the peers in turn."""
    staged = stage(place, size)
    runs: dict[str, list[Run]] = {name: [] for name in names}
    hashing = []
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:  # each peer is first in turn
            work, most, times = PEERS[name]
            if number < (times or rounds):
                runs[name].append(work(place, staged, min(most or size, size)))
                note(f"round {number + 1}: {name}: first load {runs[name][-1].first.seconds:.1f} s")
        hashing.append(in_child(ours.hash_only, staged.again))
    return results.summary(runs, staged, hashing)


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
