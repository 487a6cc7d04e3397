"""`make bench-rest`: fetching against latency and limits, pushes, a small run, parsing the DAGs, an idle scheduler."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench import ours, push
from bench.place import END, ROOT, Place, in_child, note
from servers.airflow import Standalone

JSON = ROOT / ".local" / "bench-rest.json"
API_LIMIT = 300
"""Calls per second of the order list: 3,000 in ten seconds."""
LATENCIES = {0: 8, 50: 8, 200: 16}
"""Milliseconds → calls at the same time."""
CALLS = {0: 6000, 50: 6000, 200: 3000}
PER_PAGE = 5
SMALL = 200


def main() -> int:
    """Measure each and print it."""
    parser = argparse.ArgumentParser(prog="bench.rest", description=__doc__)
    parser.add_argument("--idle-minutes", type=float, default=10, help="how long the idle scheduler is watched; 0: not")
    parser.add_argument("--calls", type=int, help="per latency; by default as many as take half a minute")
    parser.add_argument("--messages", type=int, default=20_000, help="pushed messages")
    parser.add_argument("--json", type=Path, default=JSON)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xiaoe-bench-") as home:
        place = Place(Path(home))
        try:
            found = {
                "fetching": [fetching(place, latency, arguments.calls or CALLS[latency]) for latency in LATENCIES],
                "push": push.pushes(place, arguments.messages),
                "incremental": incremental(place),
                "parsing": parsing(),
            }
            if arguments.idle_minutes:
                found["idle"] = idle(place, arguments.idle_minutes)
        finally:
            place.drop()
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(json.dumps(found, indent=1))
    return 0


def fetching(place: Place, latency: int, calls: int) -> dict[str, Any]:
    """Calls per second with limits on, and how often the API refused one."""
    concurrency = LATENCIES[latency]
    place.migrated("ours")
    with place.emulator(calls * PER_PAGE, latency_ms=latency) as emulator:
        place.use(emulator, calls_per_second=API_LIMIT, concurrency=concurrency, page_size=PER_PAGE)
        cost = in_child(ours.stage, f"latency-{latency}")
        stats: Any = emulator.stats()
    made = sum(stats["calls"].values())
    bound = min(API_LIMIT, concurrency * 1000 / latency) if latency else API_LIMIT
    found = {
        "latency_ms": latency,
        "concurrency": concurrency,
        "calls": made,
        "calls_per_s": made / cost.seconds,
        "bound_per_s": bound,
        "share_of_bound": made / cost.seconds / bound,
        "refused": stats["answers"].get("2053", 0),
    }
    note(json.dumps(found))
    return found


def incremental(place: Place) -> dict[str, Any]:
    """200 orders of the last hours: our two operators, and the same through one run of the DAG."""
    place.migrated("ours")
    per_day = SMALL * 5  # the three hours before noon hold some 200
    with place.emulator(per_day * 14, no_limits=True):
        begin = END - timedelta(hours=3)
        staged = in_child(ours.stage, "small", begin, END)
        merged = in_child(ours.merge, staged.result)
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        command = [sys.executable, "-m", "xiaoe.cli", "sync", "--type", "incremental"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        seconds = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {
        "orders": merged.result["staged"],
        "stage_seconds": staged.seconds,
        "merge_seconds": merged.seconds,
        "our_cpu_seconds": staged.cpu + merged.cpu,
        "dag_run_seconds": seconds,
        "dag_run_cpu_seconds": after.ru_utime + after.ru_stime - spent.ru_utime - spent.ru_stime,
    }
    note(json.dumps(found))
    return found


def parsing() -> dict[str, Any]:
    """Seconds to import Airflow, and to parse all DAG files after that."""
    code = (
        "import json, time; a = time.perf_counter(); from airflow.sdk import DAG; import airflow.models.dag;"
        " from airflow.dag_processing.dagbag import DagBag; b = time.perf_counter();"
        f" bag = DagBag({str(ROOT / 'dags')!r}); c = time.perf_counter();"
        " print(json.dumps({'airflow_seconds': b - a, 'dag_files_seconds': c - b, 'dags': len(bag.dags),"
        " 'errors': len(bag.import_errors)}))"
    )
    runs = [subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True) for _ in "123"]  # noqa: S603
    found: dict[str, Any] = min(
        (json.loads(run.stdout.splitlines()[-1]) for run in runs), key=lambda one: one["dag_files_seconds"]
    )
    note(json.dumps(found))
    return found


def idle(place: Place, minutes: float) -> dict[str, Any]:
    """CPU of an idle Airflow with all DAGs paused."""
    airflow = Standalone(place.home / "standalone")
    airflow.start({})
    try:
        airflow.wait_healthy()
        time.sleep(60)  # until the files are parsed for the first time
        assert airflow.process is not None  # noqa: S101 - started above
        before = group_cpu(airflow.process.pid)
        time.sleep(minutes * 60)
        after = group_cpu(airflow.process.pid)
    finally:
        airflow.stop()
    found = {name: (after.get(name, 0.0) - cpu) * 60 / minutes for name, cpu in before.items()}
    note(json.dumps(found))
    return {"cpu_seconds_per_hour": found, "minutes": minutes}


def group_cpu(leader: int) -> dict[str, float]:
    """CPU seconds by component, of all processes in a process group and their ended children."""
    ticks, found = os.sysconf("SC_CLK_TCK"), dict[str, float]()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").split()
        except (OSError, IndexError):
            continue
        if int(fields[2]) == leader:
            words = [word.decode(errors="replace") for word in command]
            part = next((word for word in words if word in PARTS), "other")
            found[part] = found.get(part, 0.0) + sum(map(int, fields[11:15])) / ticks
    return found


PARTS = ("scheduler", "dag-processor", "triggerer", "api_server")


if __name__ == "__main__":
    sys.exit(main())
