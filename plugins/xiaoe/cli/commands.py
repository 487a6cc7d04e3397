"""What each command does: parsed options → exit code.

Airflow reads its settings on import, so that a command imports it, and what uses it, only when it runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SYNC_DAGS = {
    "incremental": "xiaoe_orders_incremental",
    "history": "xiaoe_orders_history",
    "rescan": "xiaoe_orders_rescan",
    "deep_rescan": "xiaoe_orders_deep_rescan",
    "changed": "xiaoe_orders_changed",
    "hints": "xiaoe_orders_hinted",
    "refunds": "xiaoe_refunds",
    "dimensions": "xiaoe_dimensions_daily",
    "live": "xiaoe_live",
    "learning": "xiaoe_learning",
    "promoters": "xiaoe_promoters",
    "benefits": "xiaoe_benefits",
    "quality": "xiaoe_quality",
    "marts": "xiaoe_marts",
}


def migrate(_: argparse.Namespace) -> int:
    """Bring the schema up to date."""
    from airflow.sdk import ObjectStoragePath

    from xiaoe import settings
    from xiaoe.mysql import schema
    from xiaoe.mysql.migrate import migrate
    from xiaoe.mysql.warehouse import Warehouse
    from xiaoe.sync import same_server

    applied = migrate()
    if schema.FIRST_MIGRATION in applied:
        same_server.forget(Warehouse(), ObjectStoragePath(settings.page_store()))
    print(f"applied: {', '.join(applied)}" if applied else "the schema is up to date")
    return 0


def health(_: argparse.Namespace) -> int:
    """Print stale syncs; the exit code is 1 if there are any."""
    from xiaoe.alerts.health import check_freshness

    fresh, lines = check_freshness()
    print("\n".join(lines))
    return 0 if fresh else 1


def check_shop(options: argparse.Namespace) -> int:
    """Check each shop; the exit code is 1 if one does not fit."""
    from xiaoe.shop_check.command import check_shops

    return 0 if check_shops(options.lang, record=options.record) else 1


def replay(options: argparse.Namespace) -> int:
    """Serve recorded answers until it is stopped."""
    from xiaoe.shop_check.command import serve

    serve(options.cassette, options.port)
    return 0


def benefit_policy(options: argparse.Namespace) -> int:
    """Show what a changed policy does, or put it in force."""
    from xiaoe.benefits.policy_change import change_policy

    print(change_policy(apply=options.apply))
    return 0


def import_reviews(options: argparse.Namespace) -> int:
    """Import answers; the exit code is 1 if the file is refused."""
    from xiaoe.benefits.answer_sheet import import_reviews

    accepted, text = import_reviews(options.file, apply=options.apply, by=options.by)
    print(text)
    return 0 if accepted else 1


def backup(_: argparse.Namespace) -> int:
    """Dump the warehouse."""
    from xiaoe.backup.service import back_up_now

    url, manifest = back_up_now()
    print(f"{url}: {manifest.rows} rows of {len(manifest.tables)} tables in {manifest.bytes} bytes")
    return 0


def restore(options: argparse.Namespace) -> int:
    """Restore a dump."""
    from xiaoe.backup.service import restore_file, restore_to

    if options.to:
        print(restore_to(options.to, into=options.into, force=options.force))
    else:
        print(restore_file(options.file, into=options.into, force=options.force))
    return 0


def journal(options: argparse.Namespace) -> int:
    """Ship the journal until SIGTERM or Ctrl-C."""
    from xiaoe.backup.shipping import serve

    serve(options.alive)
    return 0


def rebuild(options: argparse.Namespace) -> int:
    """Merge the stored pages; the exit code is 1 if some could not be merged."""
    from xiaoe.sync.rebuild import rebuild_from_pages

    counts, refused = rebuild_from_pages(options.resource, accept_missing=options.accept_missing)
    print(f"merged {counts['windows']} windows: {counts['inserted']} rows new, {counts['updated']} changed")
    for text in refused:
        print(f"not merged: {text}", file=sys.stderr)
    return 1 if refused else 0


def grants(options: argparse.Namespace) -> int:
    """Print the users' SQL, or run it."""
    from xiaoe.mysql import grants

    users = grants.chosen(options.only)
    if options.apply:
        lines = grants.apply(
            options.host, require_tls=options.tls, may_show=options.show, fresh=options.fresh,
            journal=options.journal, users=users,
        )  # fmt: skip
        print("\n".join(lines))
    else:
        print(grants.printed(options.host, require_tls=options.tls, journal=options.journal, users=users), end="")
    return 0


def export(options: argparse.Namespace) -> int:
    """Write a table to a file."""
    from xiaoe.exports.files import export_of, export_table

    export = export_of(
        options.table,
        options.begin,
        options.end,
        with_personal=not options.no_personal,
        with_codes=options.codes,
        language=options.lang,
    )
    print(export_table(export, options.format).told(options.lang))
    return 0


def today_link(_: argparse.Namespace) -> int:
    """Print a link that opens 今日经营 without a log-in."""
    from xiaoe import clock, settings
    from xiaoe.reports import links

    print(links.address(clock.now()))
    print(f"opens for {settings.today_link_days().days} days, for whoever has it", file=sys.stderr)
    return 0


def push(_: argparse.Namespace) -> int:
    """Serve until SIGTERM."""
    from xiaoe.push.service import serve

    serve()
    return 0


def person(options: argparse.Namespace) -> int:
    """Make or renew an account of Airflow."""
    from xiaoe.login.people import password_for, set_person

    password = password_for(options.name, ask=options.ask)
    set_person(options.name, options.role, password)
    shown = "" if options.ask else f", password {password} - shown once, kept as a hash only"
    print(f"{options.name}: {options.role}{shown}")
    return 0


def import_csv(options: argparse.Namespace) -> int:
    """Import orders of an older script."""
    from xiaoe.csv_import.command import import_csv

    print(import_csv(options.file, options.shop, apply=options.apply))
    return 0


def import_targets(options: argparse.Namespace) -> int:
    """Import targets, or write the template."""
    from xiaoe.targets.command import import_targets, make_template

    if options.file:
        print(import_targets(options.file, apply=options.apply))
    else:
        print(f"模板已写入 {make_template(options.template)}：填好目标值后 make import-targets FILE=…")
    return 0


def sync(options: argparse.Namespace) -> int:
    """Run the DAG once in this process; the exit code is 0 if it succeeded."""
    from xiaoe.cli import foreground

    home = os.environ["AIRFLOW_HOME"]
    foreground.end_at_once_on_signals(home)
    watch = foreground.Watch(home, retries=options.retry)
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    from xiaoe.tasks import defaults

    initdb()
    defaults.DEFAULT_ARGS |= watch.task_defaults()
    bag = DagBag(str(ROOT / "dags"))
    if bag.import_errors:
        print(f"error: {bag.import_errors}", file=sys.stderr)
        return 1
    dag, begin, end = bag.dags[SYNC_DAGS[options.type]], options.begin, options.end
    window = {"from": begin, "to": end}
    if "from" not in dag.params:
        if begin or end:
            print(
                f"error: TYPE={options.type} has no window: leave out FROM={begin or ''} and TO={end or ''}",
                file=sys.stderr,
            )
            return 1
        window = {}
    return 0 if foreground.run_dag(dag, watch, window) else 1
