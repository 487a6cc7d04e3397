"""`make check-shop` and `make replay`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from xiaoe import settings
from xiaoe.shop_check import cassette, replay, report, store
from xiaoe.shop_check.findings import ShopVerdict
from xiaoe.shop_check.runner import check_shop


def check_shops(language: str, *, record: bool = False, say: Callable[[str], None] = print) -> bool:
    """Check every shop that `XIAOE_CONN_IDS` names.

    Args:
        language: `zh` or `en`.
        record: Keep the answers as a cassette, without personal values.
        say: Takes each line.

    Returns:
        Whether all fit, if with remarks.

    Raises:
        XiaoeConfigError: A connection lacks a field, or the files cannot be written.
    """
    fits = True
    for conn_id in settings.conn_ids():
        check, replies = check_shop(conn_id)
        for line in report.lines(check, language):
            say(line)
        for path in store.keep_files(check, language):
            say(report.say("report", "files", language, path=path))
        if record:
            say(report.say("report", "cassette", language, path=store.keep_cassette(check, replies)))
        if not store.keep_row(check):
            say(report.say("report", "not_kept", language))
        fits = fits and check.verdict is not ShopVerdict.UNFIT
    return fits


def serve(path: str, port: int, *, say: Callable[[str], None] = print) -> None:
    """Serve a cassette as a shop until Ctrl-C.

    Raises:
        XiaoeConfigError: The file is no cassette.
    """
    held = cassette.from_bytes(Path(path).read_bytes(), path)
    with replay.serving(held, port) as url:
        say(f"{held.about}: a shop at {url}; Ctrl-C ends it. For the other commands:")
        say(f"export AIRFLOW_CONN_XIAOE_DEFAULT='{replay.connection(url)}'")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return
