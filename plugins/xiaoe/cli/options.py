"""The commands and their options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from xiaoe.cli import commands


def parser() -> argparse.ArgumentParser:
    """All commands, with their options and functions."""
    all_commands = argparse.ArgumentParser(prog="xiaoe.cli", description="Commands of the Makefile.")
    added_to = all_commands.add_subparsers(dest="command", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = added_to.add_parser(name, help=text)
        added.set_defaults(run=run)
        return added

    command("migrate", commands.migrate, "bring the warehouse's schema up to date")
    command("health", commands.health, "list stale syncs; the exit code is 1 if there are any")
    sync = command("sync", commands.sync, "run a sync DAG once, without a scheduler")
    sync.add_argument("--type", required=True, choices=commands.SYNC_DAGS)
    sync.add_argument("--from", dest="begin", help="Beijing time, e.g. 2025-01-01 or '2025-01-01 08:30:00'")
    sync.add_argument("--no-retry", dest="retry", action="store_false", help="the first failure ends it")
    sync.add_argument("--to", dest="end", help="Beijing time, exclusive; default now")
    shop = command("check-shop", commands.check_shop, "what a shop's API grants and does, whether its rows fit")
    shop.add_argument("--lang", choices=("zh", "en"), default="zh", help="of the report; default zh")
    shop.add_argument("--record", action="store_true", help="keep the answers, personal values replaced")
    replay = command("replay", commands.replay, "serve recorded answers as a shop on this machine")
    replay.add_argument("--cassette", required=True, help="a file that check-shop --record wrote")
    replay.add_argument("--port", type=int, default=0, help="default: a free one")
    policy = command("benefit-policy", commands.benefit_policy, "what a changed include/benefit_policy.yaml does")
    policy.add_argument("--apply", action="store_true", help="put it in force")
    reviews = command("import-reviews", commands.import_reviews, "take back the answers on a daily report's xlsx")
    reviews.add_argument("--file", required=True, help="path of the report, with the column 答复 filled in")
    reviews.add_argument("--by", help="who answers; default: the user of this machine")
    reviews.add_argument("--apply", action="store_true", help="store them")
    reviews.set_defaults(lang="zh")
    command("backup", commands.backup, "dump the warehouse into XIAOE_BACKUP_STORE")
    journal = command("journal", commands.journal, "ship every change to the backup store until it is stopped")
    journal.add_argument("--alive", type=Path, help="a file to touch after each shipment, for a health check")
    restore = command("restore", commands.restore, "restore a backup into a database")
    what = restore.add_mutually_exclusive_group(required=True)
    what.add_argument("--file", help="path or URL of the dump; its .json lies beside it")
    what.add_argument("--to", help="a moment (Beijing), or latest: the backup before it, and the journal up to it")
    restore.add_argument("--into", help="another database on the same server; default: the connection's")
    restore.add_argument("--force", action="store_true", help="drop what the database holds")
    rebuild = command("rebuild", commands.rebuild, "merge all pages that the store still has")
    rebuild.add_argument("--resource", action="append", default=[], help="only this resource; may be repeated")
    rebuild.add_argument(
        "--accept-missing", action="store_true", help="mark rows absent that later windows do not list"
    )
    grants = command("grants", commands.grants, "the SQL that creates the database users, one per purpose")
    grants.add_argument("--apply", action="store_true", help="run it over the connection xiaoe_mysql_admin")
    grants.add_argument("--host", default="%", help="host the users connect from, e.g. 10.0.0.%%")
    grants.add_argument("--tls", action="store_true", help="require TLS")
    grants.add_argument("--show", action="store_true", help="generate missing passwords and show them")
    grants.add_argument("--fresh", action="store_true", help="revoke all other rights first")
    grants.add_argument("--journal", action="store_true", help="xiaoe_backup may read the binary log: make journal")
    grants.add_argument("--only", help="only this user, e.g. bi_reader after a migration")
    export = command("export", commands.export, "export a table as CSV or xlsx, with Chinese headings")
    export.add_argument("--table", required=True, help="orders, order_items, refunds, users, daily_sales, …")
    export.add_argument("--from", dest="begin", help="Beijing time, e.g. 2026-11-01")
    export.add_argument("--to", dest="end", help="Beijing time, exclusive")
    export.add_argument("--format", choices=("csv", "xlsx"), default="xlsx")
    export.add_argument("--no-personal", action="store_true", help="without names, phones, addresses")
    export.add_argument("--codes", action="store_true", help="with the codes of the API beside their texts")
    export.add_argument("--lang", choices=("zh", "en"), default="zh", help="of messages; default zh")
    command("today-link", commands.today_link, "a link that opens the page 今日经营 without a log-in, for some days")
    command("push", commands.push, "take the shops' message push until it is stopped")
    person = command("person", commands.person, "create somebody's account in Airflow, or renew role and password")
    person.add_argument("--name", required=True, help="what the person logs in with")
    person.add_argument("--role", required=True, help="运营, 分析师 or Admin")
    person.add_argument("--ask", action="store_true", help="ask for the password; else one is made and shown once")
    old = command("import-csv", commands.import_csv, "import orders from a CSV file of an older script")
    old.add_argument("--file", required=True, help="path of a .csv or .xlsx with Chinese headings")
    old.add_argument("--shop", help="app_id of the shop; required if there are several")
    old.add_argument("--apply", action="store_true", help="write them")
    targets = command("import-targets", commands.import_targets, "import monthly targets; without a file: the template")
    targets.add_argument("--file", help="path of a filled-in .xlsx")
    targets.add_argument("--template", help="where the template goes; default: XIAOE_EXPORT_DIR")
    targets.add_argument("--apply", action="store_true", help="write them")
    return all_commands
