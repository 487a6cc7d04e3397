"""Where checks are kept: files for the maintainers, and a row of `shop_checks` where the warehouse is migrated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from airflow.sdk import ObjectStoragePath
from airflow.sdk.exceptions import AirflowNotFoundException
from MySQLdb import Error

from xiaoe import settings
from xiaoe.clock import utc_text
from xiaoe.exceptions import XiaoeError
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.shop_check import cassette, report
from xiaoe.shop_check.calls import Reply
from xiaoe.shop_check.findings import ShopCheck
from xiaoe.storage.files import write_whole


def keep_files(check: ShopCheck, language: str) -> list[str]:
    """Write the JSON and the Markdown file into `XIAOE_EXPORT_DIR` and return where they are."""
    return [
        _write(check, "json", report.as_json(check)),
        _write(check, "md", report.as_markdown(check, language).encode()),
    ]


def keep_cassette(check: ShopCheck, replies: Sequence[Reply]) -> str:
    """Write the answers, without personal values, beside the files and return where they are."""
    about = f"recorded by make check-shop, {check.checked_at:%Y-%m-%d}"
    return _write(check, "cassette.jsonl", cassette.to_bytes(cassette.record(replies, about)))


def _write(check: ShopCheck, ending: str, content: bytes) -> str:
    name = f"shop-check-{check.conn_id}-{check.checked_at:%Y%m%dT%H%M%S}.{ending}"
    target: Any = ObjectStoragePath(settings.export_dir()) / name
    write_whole(target, content)
    return str(target)


def keep_row(check: ShopCheck) -> bool:
    """Add the check to `shop_checks`; False where the warehouse is not migrated or out of reach."""
    findings = msgspec.json.encode([one.plain() for one in report.in_order(check.findings)]).decode()
    try:
        with Warehouse().session() as session:
            session.execute(
                "INSERT INTO shop_checks (shop_id, conn_id, checked_at, verdict, wrong_tables, api_calls, seconds,"
                " findings) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    check.shop_id,
                    check.conn_id,
                    utc_text(check.checked_at),
                    check.verdict.value,
                    ", ".join(check.wrong_tables),
                    check.calls,
                    check.seconds,
                    findings,
                ),
            )
            session.commit()
    except (XiaoeError, Error, AirflowNotFoundException):
        return False
    return True
