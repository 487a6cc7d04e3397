"""How much of a small server the demo's stack takes: memory at its peak and CPU on average, over some minutes.

python -m stack.small .env MINUTES

Every DAG with a schedule runs once at the beginning, so that the minutes hold a whole day's nightly work beside their
share of the regular runs. What stands for the world outside (emulator, Mailpit, filler) does not count. The engine is
asked on its socket, which costs less than `docker stats`.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servers.airflow import ROOT
from stack.smoke import Stack

OUTSIDE = {"emulator", "mailpit", "demo"}
EVERY = 5
"""Seconds between two looks at the memory."""
SOCKET = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
MEGABYTE = 1_048_576


@dataclass(frozen=True)
class Use:
    """What the containers of the stack hold and have spent.

    Args:
        memory: Service → bytes, without files that the kernel may drop from its cache.
        cpu: Service → seconds since its container began.
    """

    memory: dict[str, int]
    cpu: dict[str, float]


class _Engine(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)

    def stats(self, container: str) -> Any:
        """One container's counters at this moment."""
        self.request("GET", f"/containers/{container}/stats?stream=false&one-shot=true")
        return json.loads(self.getresponse().read())


def use(services: dict[str, str]) -> Use:
    """What these containers take now.

    Args:
        services: Container id → name of its service.
    """
    engine = _Engine("engine")
    memory, cpu = {}, {}
    for container, service in services.items():
        stats = engine.stats(container)
        held = stats["memory_stats"]
        detail = held["stats"]
        droppable = detail.get("total_inactive_file", detail.get("inactive_file", 0))  # cgroup 1, cgroup 2
        memory[service] = held["usage"] - droppable
        cpu[service] = stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
    engine.close()
    return Use(memory, cpu)


def running(stack: Stack) -> dict[str, str]:
    """Container id → service, of those that count."""
    compose = ["docker", "compose", "--env-file", str(stack.file), "--profile", "demo"]
    listed = subprocess.run([*compose, "ps", "--format", "json"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    found = [json.loads(line) for line in listed.stdout.splitlines()]
    return {one["ID"]: one["Service"] for one in found if one["Service"] not in OUTSIDE}


def run_everything(stack: Stack) -> int:
    """Trigger each DAG that has a schedule; return how many."""
    dags = [dag for dag in stack.api("GET", "dags?limit=100")["dags"] if dag["timetable_summary"]]
    for dag in dags:
        stack.api("POST", f"dags/{dag['dag_id']}/dagRuns", logical_date=None)
    return len(dags)


def main() -> int:
    """Watch the stack and print what it took; exit code 1 if a run failed or a container was killed."""
    file, minutes = Path(sys.argv[1]), float(sys.argv[2])
    stack = Stack(file)
    stack.make_people()
    stack.log_in("guanli")
    services = running(stack)
    print(f"{run_everything(stack)} DAGs triggered; watching {len(services)} containers for {minutes:.0f} minutes")
    first, began, peak = use(services), time.monotonic(), Use({}, {})
    last = first
    while time.monotonic() - began < minutes * 60:
        time.sleep(EVERY)
        last = use(services)
        if sum(last.memory.values()) > sum(peak.memory.values()):
            peak = last
    seconds = time.monotonic() - began
    spent = {name: last.cpu[name] - first.cpu[name] for name in last.cpu}
    for name in sorted(spent, key=lambda name: -spent[name]):
        print(_line(name, peak.memory[name], spent[name]))
    print(_line("all, peak", sum(peak.memory.values()), sum(spent.values())))
    share = sum(spent.values()) / seconds / (os.cpu_count() or 1)
    print(f"{share:.1%} of {os.cpu_count()} cores in {seconds:.0f} s")
    failed = stack.api("GET", "dags/~/dagRuns?state=failed&limit=100")["dag_runs"]
    for run in failed:
        print(f"failed: {run['dag_id']} {run['dag_run_id']}")
    killed = [name for container, name in services.items() if _was_killed(container)]
    for name in killed:
        print(f"killed for want of memory: {name}")
    return 1 if failed or killed else 0


def _line(name: str, memory: int, seconds: float) -> str:
    return f"{name:<14} {memory / MEGABYTE:6.0f} MB  {seconds:6.1f} s of CPU"


def _was_killed(container: str) -> bool:
    state = ["docker", "inspect", "--format", "{{.State.OOMKilled}} {{.RestartCount}}", container]
    return subprocess.run(state, capture_output=True, text=True, check=True).stdout.split() != ["false", "0"]  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
