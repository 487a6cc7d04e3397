"""`python -m xiaoe.cli`: schema, a sync in the foreground, backups, exports and other commands of the Makefile.

Airflow reads its settings on import, so it is imported only after they are set.
"""

from __future__ import annotations

import argparse
import atexit
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SYNC_DAGS = {
    "incremental": "xiaoe_orders_incremental",
    "history": "xiaoe_orders_history",
    "rescan": "xiaoe_orders_rescan",
    "deep_rescan": "xiaoe_orders_deep_rescan",
    "changed": "xiaoe_orders_changed",
    "hints": "xiaoe_orders_hinted",
    "refunds": "xiaoe_refunds",
    "dimensions": "xiaoe_dimensions_daily",
    "benefits": "xiaoe_benefits",
    "quality": "xiaoe_quality",
    "marts": "xiaoe_marts",
}


_ERROR = {"zh": "错误：", "en": "error: "}


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of other packages: the reader can do nothing about them
    prepare_airflow(quiet=options.command in ("sync", "export", "import-reviews"))
    from xiaoe.exceptions import XiaoeError

    try:
        return int(options.run(options))
    except XiaoeError as error:
        print(f"{_ERROR[getattr(options, 'lang', 'en')]}{error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    """All commands, with their options and functions."""
    parser = argparse.ArgumentParser(prog="xiaoe.cli", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text)
        added.set_defaults(run=run)
        return added

    command("migrate", _migrate, "bring the warehouse's schema up to date")
    command("health", _health, "list stale syncs; the exit code is 1 if there are any")
    sync = command("sync", _sync, "run a sync DAG once, without a scheduler")
    sync.add_argument("--type", required=True, choices=SYNC_DAGS)
    sync.add_argument("--from", dest="begin", help="Beijing time, e.g. 2025-01-01 or '2025-01-01 08:30:00'")
    sync.add_argument("--no-retry", dest="retry", action="store_false", help="the first failure ends it")
    sync.add_argument("--to", dest="end", help="Beijing time, exclusive; default now")
    shop = command("check-shop", _check_shop, "what the shop's API grants, how it behaves, whether its rows fit")
    shop.add_argument("--lang", choices=("zh", "en"), default="zh", help="of the report; default zh")
    shop.add_argument("--record", action="store_true", help="keep the answers, personal values replaced")
    replay = command("replay", _replay, "serve recorded answers as a shop on this machine")
    replay.add_argument("--cassette", required=True, help="a file that check-shop --record wrote")
    replay.add_argument("--port", type=int, default=0, help="default: a free one")
    policy = command("benefit-policy", _benefit_policy, "show the effect of a changed include/benefit_policy.yaml")
    policy.add_argument("--apply", action="store_true", help="put it in force")
    reviews = command("import-reviews", _import_reviews, "take back the answers filled in on a daily report's xlsx")
    reviews.add_argument("--file", required=True, help="path of the report, with the column 答复 filled in")
    reviews.add_argument("--by", help="who answers; default: the user of this machine")
    reviews.add_argument("--apply", action="store_true", help="store them")
    reviews.set_defaults(lang="zh")
    command("backup", _backup, "dump the warehouse into XIAOE_BACKUP_STORE")
    command("journal", _journal, "ship every change of the warehouse to the backup store until it is stopped")
    restore = command("restore", _restore, "restore a backup into a database")
    what = restore.add_mutually_exclusive_group(required=True)
    what.add_argument("--file", help="path or URL of the dump; its .json lies beside it")
    what.add_argument("--to", help="a moment (Beijing), or latest: the backup before it, and the journal up to it")
    restore.add_argument("--into", help="another database on the same server; default: the connection's")
    restore.add_argument("--force", action="store_true", help="drop what the database holds")
    rebuild = command("rebuild", _rebuild, "merge all pages that the store still has")
    rebuild.add_argument("--resource", action="append", default=[], help="only this resource; may be repeated")
    rebuild.add_argument(
        "--accept-missing", action="store_true", help="mark rows absent that later windows do not list"
    )
    grants = command("grants", _grants, "the SQL that creates the database users, one per purpose")
    grants.add_argument("--apply", action="store_true", help="run it over the connection xiaoe_mysql_admin")
    grants.add_argument("--host", default="%", help="host the users connect from, e.g. 10.0.0.%%")
    grants.add_argument("--tls", action="store_true", help="require TLS")
    grants.add_argument("--show", action="store_true", help="generate missing passwords and show them")
    grants.add_argument("--fresh", action="store_true", help="revoke all other rights first")
    grants.add_argument("--only", help="only this user, e.g. bi_reader after a migration")
    export = command("export", _export, "export a table as CSV or xlsx, with Chinese headings")
    export.add_argument("--table", required=True, help="orders, order_items, refunds, users, daily_sales, …")
    export.add_argument("--from", dest="begin", help="Beijing time, e.g. 2026-11-01")
    export.add_argument("--to", dest="end", help="Beijing time, exclusive")
    export.add_argument("--format", choices=("csv", "xlsx"), default="xlsx")
    export.add_argument("--no-personal", action="store_true", help="without names, phones, addresses")
    export.add_argument("--codes", action="store_true", help="with the codes of the API beside their texts")
    export.add_argument("--lang", choices=("zh", "en"), default="zh", help="of messages; default zh")
    command("today-link", _today_link, "a link that opens the page 今日经营 without a log-in, for some days")
    command("push", _push, "take the shops' message push until it is stopped")
    old = command("import-csv", _import_csv, "import orders from a CSV file of an older script")
    old.add_argument("--file", required=True, help="path of a .csv or .xlsx with Chinese headings")
    old.add_argument("--shop", help="app_id of the shop; required if there are several")
    old.add_argument("--apply", action="store_true", help="write them")
    targets = command("import-targets", _import_targets, "import monthly targets; without a file, write the template")
    targets.add_argument("--file", help="path of a filled-in .xlsx")
    targets.add_argument("--template", help="where the template goes; default: XIAOE_EXPORT_DIR")
    targets.add_argument("--apply", action="store_true", help="write them")
    return parser


def prepare_airflow(*, quiet: bool = False) -> None:
    """Set up an Airflow home that lives as long as this command.

    A run in the foreground must not use the database of a live scheduler, or of another such run.

    Args:
        quiet: Of Airflow's own log print nothing, of this package's operators only warnings.
    """
    home = tempfile.mkdtemp(prefix="xiaoe-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ |= {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL" if quiet else "WARNING",
        "XIAOE_ALERTS": "off",  # whoever runs the command sees its outcome
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": (
            "xiaoe=INFO airflow.task.operators.xiaoe=WARNING"
            if quiet
            else "xiaoe=INFO airflow.task.operators.xiaoe=INFO yoyo=WARNING"
        ),
    }
    os.environ.setdefault("XIAOE_PAGE_STORE", f"file://{ROOT / '.local' / 'pages'}")
    os.environ.setdefault("XIAOE_BACKUP_STORE", f"file://{ROOT / '.local' / 'backups'}")
    os.environ.setdefault("XIAOE_EXPORT_DIR", f"file://{ROOT / '.local' / 'exports'}")


def _migrate(_: argparse.Namespace) -> int:
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


def _health(_: argparse.Namespace) -> int:
    from xiaoe.alerts.health import check_freshness

    fresh, lines = check_freshness()
    print("\n".join(lines))
    return 0 if fresh else 1


def _check_shop(options: argparse.Namespace) -> int:
    from xiaoe.shop_check.command import check_shops

    return 0 if check_shops(options.lang, record=options.record) else 1


def _replay(options: argparse.Namespace) -> int:
    from xiaoe.shop_check.command import serve

    serve(options.cassette, options.port)
    return 0


def _benefit_policy(options: argparse.Namespace) -> int:
    from xiaoe.benefits.policy_change import change_policy

    print(change_policy(apply=options.apply))
    return 0


def _import_reviews(options: argparse.Namespace) -> int:
    """Import answers; the exit code is 1 if the file is refused."""
    from xiaoe.benefits.answer_sheet import import_reviews

    accepted, text = import_reviews(options.file, apply=options.apply, by=options.by)
    print(text)
    return 0 if accepted else 1


def _backup(_: argparse.Namespace) -> int:
    from xiaoe.backup.service import back_up_now

    url, manifest = back_up_now()
    print(f"{url}: {manifest.rows} rows of {len(manifest.tables)} tables in {manifest.bytes} bytes")
    return 0


def _restore(options: argparse.Namespace) -> int:
    from xiaoe.backup.service import restore_file, restore_to

    if options.to:
        print(restore_to(options.to, into=options.into, force=options.force))
    else:
        print(restore_file(options.file, into=options.into, force=options.force))
    return 0


def _journal(_: argparse.Namespace) -> int:
    """Ship the journal until SIGTERM or Ctrl-C."""
    from xiaoe.backup.shipping import serve

    serve()
    return 0


def _rebuild(options: argparse.Namespace) -> int:
    """Merge the stored pages; the exit code is 1 if some could not be merged."""
    from xiaoe.sync.rebuild import rebuild_from_pages

    counts, refused = rebuild_from_pages(options.resource, accept_missing=options.accept_missing)
    print(f"merged {counts['windows']} windows: {counts['inserted']} rows new, {counts['updated']} changed")
    for text in refused:
        print(f"not merged: {text}", file=sys.stderr)
    return 1 if refused else 0


def _grants(options: argparse.Namespace) -> int:
    from xiaoe.mysql import grants

    users = grants.chosen(options.only)
    if options.apply:
        lines = grants.apply(
            options.host, require_tls=options.tls, may_show=options.show, fresh=options.fresh, users=users
        )
        print("\n".join(lines))
    else:
        print(grants.printed(options.host, require_tls=options.tls, users=users), end="")
    return 0


def _export(options: argparse.Namespace) -> int:
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


def _today_link(_: argparse.Namespace) -> int:
    from xiaoe import clock, settings
    from xiaoe.reports import links

    print(links.address(clock.now()))
    print(f"opens for {settings.today_link_days().days} days, for whoever has it", file=sys.stderr)
    return 0


def _push(_: argparse.Namespace) -> int:
    """Serve until SIGTERM."""
    from xiaoe.push.service import serve

    serve()
    return 0


def _import_csv(options: argparse.Namespace) -> int:
    from xiaoe.csv_import.command import import_csv

    print(import_csv(options.file, options.shop, apply=options.apply))
    return 0


def _import_targets(options: argparse.Namespace) -> int:
    from xiaoe.targets.command import import_targets, make_template

    if options.file:
        print(import_targets(options.file, apply=options.apply))
    else:
        print(f"模板已写入 {make_template(options.template)}：填好目标值后 make import-targets FILE=…")
    return 0


def _sync(options: argparse.Namespace) -> int:
    """Run the DAG once in this process; the exit code is 0 if it succeeded."""
    from xiaoe import foreground

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


if __name__ == "__main__":
    sys.exit(main())
