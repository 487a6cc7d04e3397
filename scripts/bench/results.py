"""The results as a table, as JSON, as a chart, and as a line for scripts."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pygal

from bench.peers import REFERENCES, Run, Staged
from bench.place import Cost

NAMES = {
    "ours": "this project",
    "limit": "LOAD DATA of ready-made files",
    "dlt-arrow": "dlt, Arrow tables",
    "dlt": "dlt, rows, best settings found",
    "dlt-defaults": "dlt, defaults",
    "script-rows": "script, row by row",
    "script-batches": "script, batches of 1,000",
    "sling": "sling, CSV files",
}


def summary(
    rounds: dict[str, list[Run]], staged: Staged, hashing: list[Cost], server: dict[str, str]
) -> dict[str, Any]:
    """Medians per peer, ratios per round and their medians; seconds, orders per second, megabytes."""
    peers = {
        name: {
            "orders": runs[0].orders,
            "rounds": len(runs),
            "first_load_seconds": median(run.first.seconds for run in runs),
            "first_load_orders_per_s": median(run.orders / run.first.seconds for run in runs),
            "first_load_cpu_us_per_order": median(run.first.cpu * 1e6 / run.orders for run in runs),
            "rescan_seconds": median(run.rescan.seconds for run in runs if run.rescan),
            "rescan_orders_per_s": median(run.orders / run.rescan.seconds for run in runs if run.rescan),
            "nothing_changed_seconds": median(run.nothing.seconds for run in runs if run.nothing),
            "peak_mb": max(cost.peak_mb for run in runs for cost in (run.first, run.rescan, run.nothing) if cost),
        }
        for name, runs in rounds.items()
        if runs
    }
    fetch = [cost.seconds for cost in staged.fetched]
    hashed = median(cost.seconds for cost in hashing)
    mine = peers.get("ours", {})
    nothing = mine.get("nothing_changed_seconds")
    best_load, best_rescan = (best(peers, f"{work}_orders_per_s") for work in ("first_load", "rescan"))
    return {
        "server": server,
        "orders": staged.orders,
        "cpus": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "peers": peers,
        "fetch_seconds": {"first_load": fetch[0], "rescan": fetch[1], "nothing_changed": fetch[2]},
        "fetch_peak_mb": max(cost.peak_mb for cost in staged.fetched),
        "fetch_and_merge_orders_per_s": mine and staged.orders / (fetch[0] + mine["first_load_seconds"]),
        "hash_alone_seconds": hashed,
        "nothing_changed_vs_fetch_and_hash": nothing and (fetch[2] + nothing) / (fetch[2] + hashed),
        "best_first_load": best_load,
        "best_rescan": best_rescan,
        "first_load_vs_best": ratio(rounds, best_load, lambda run: rate(run, run.first)),
        "first_load_vs_limit": ratio(rounds, "limit", lambda run: rate(run, run.first)),
        "rescan_vs_best": ratio(rounds, best_rescan, lambda run: rate(run, run.rescan)),
        "first_load_vs_dlt": ratio(rounds, "dlt", lambda run: rate(run, run.first)),
        "rescan_vs_dlt": ratio(rounds, "dlt", lambda run: rate(run, run.rescan)),
    }


def best(peers: dict[str, dict[str, Any]], figure: str) -> str | None:
    """The peer that does most orders per second; None without peers."""
    rates = {name: peer[figure] for name, peer in peers.items() if name not in REFERENCES and peer[figure]}
    return max(rates, key=rates.__getitem__, default=None)


def binlog_share(found: dict[str, dict[str, Any]]) -> str:
    """The part of a first load's time that the binary log takes, if both servers were measured."""
    if not {"durable", "no-binlog"} <= found.keys():
        return "the binary log's share: run with --settings durable,no-binlog"
    shares = []
    for name in REFERENCES:
        seconds = [found[of]["peers"].get(name, {}).get("first_load_seconds") for of in ("durable", "no-binlog")]
        if all(seconds):
            shares.append(f"{NAMES[name]} {1 - seconds[1] / seconds[0]:.0%}")
    return f"the binary log's share of a first load: {', '.join(shares)}"


def last_line(found: dict[str, Any]) -> str:
    """The line for scripts; `nan` if the peer was skipped."""
    mine = found["peers"].get("ours", {})
    values = {
        "first_load_vs_best": shown(found["first_load_vs_best"], 2),
        "first_load_vs_limit": shown(found["first_load_vs_limit"], 2),
        "rescan_vs_best": shown(found["rescan_vs_best"], 1),
        "rescan_orders_per_s": shown(mine.get("rescan_orders_per_s"), 0),
        "peak_mb": shown(mine.get("peak_mb"), 0),
        "best_first_load": found["best_first_load"] or "none",
        "best_rescan": found["best_rescan"] or "none",
        "first_load_vs_dlt": shown(found["first_load_vs_dlt"], 2),
        "rescan_vs_dlt": shown(found["rescan_vs_dlt"], 1),
    }
    return " ".join(f"{key}={value}" for key, value in values.items())


def table(found: dict[str, Any]) -> str:
    """The table for people."""
    lines = [
        "server: " + " ".join(f"{name}={value}" for name, value in found["server"].items()),
        f"{'':<32}{'orders':>9}{'rounds':>7}{'first load':>12}{'rescan':>10}{'nothing':>9}{'peak MB':>9}",
    ]
    for name, peer in found["peers"].items():
        nothing = peer["nothing_changed_seconds"]
        lines.append(
            f"{NAMES[name]:<32}{peer['orders']:>9}{peer['rounds']:>7}{shown(peer['first_load_orders_per_s'], 0):>10}/s"
            f"{shown(peer['rescan_orders_per_s'], 0):>8}/s{shown(nothing and peer['orders'] / nothing, 0):>7}/s"
            f"{peer['peak_mb']:>9.0f}"
        )
    fetch = found["fetch_seconds"]
    lines.append(
        f"fetching {found['orders']} orders took {fetch['first_load']:.1f} s; nothing changed: fetch + merge is"
        f" {shown(found['nothing_changed_vs_fetch_and_hash'], 2)} of fetch + hash"
    )
    return "\n".join(lines)


def write(found: dict[str, dict[str, Any]], figures: Path, chart: Path) -> None:
    """The first server's figures as JSON, those of others below "others", and a chart of the first."""
    first, *others = found
    for path in (figures, chart):
        path.parent.mkdir(parents=True, exist_ok=True)
    written = found[first] | {"others": {name: found[name] for name in others}}
    figures.write_text(json.dumps(written, indent=1) + "\n", "utf-8")
    draw(found[first], chart)


def draw(found: dict[str, Any], path: Path) -> None:
    """Orders per second of each peer; the scale is logarithmic."""
    chart = pygal.HorizontalBar(
        title=f"Orders per second, {found['orders']:,} orders (logarithmic)",
        width=760,
        height=360,
        logarithmic=True,
        legend_at_bottom=True,
        print_values=True,
        js=[],
        value_formatter=lambda value: f"{value:,.0f}" if value else "",
    )
    peers = found["peers"]
    chart.x_labels = [NAMES[name] for name in peers]
    chart.add("first load", [peer["first_load_orders_per_s"] for peer in peers.values()])
    chart.add("rescan, 1% changed", [peer["rescan_orders_per_s"] for peer in peers.values()])
    path.write_bytes(chart.render())


def ratio(rounds: dict[str, list[Run]], peer: str | None, of: Callable[[Run], float]) -> float | None:
    """The median over the rounds of ours to the peer's in the same round."""
    pairs = zip(rounds.get("ours", []), rounds.get(peer or "", []), strict=False)
    return median(of(mine) / of(other) for mine, other in pairs)


def rate(run: Run, cost: Cost | None) -> float:
    """Orders per second."""
    return run.orders / cost.seconds if cost else float("nan")


def median(values: Iterable[float]) -> float | None:
    """None of nothing."""
    found = list(values)
    return statistics.median(found) if found else None


def shown(value: float | None, places: int) -> str:
    """A figure, or `nan`."""
    return "nan" if value is None else f"{value:.{places}f}"
