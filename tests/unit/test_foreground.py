"""`make sync`: what a person at a terminal reads of a run."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from xiaoe import clock
from xiaoe.cli import foreground
from xiaoe.cli.foreground import Watch
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeConfigError, XiaoeIncompleteError, XiaoeRetriableError
from xiaoe.tasks.defaults import RETRY_POLICY

NOW = datetime(2026, 11, 20, 12, tzinfo=BEIJING)


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr(foreground, "end_at_once_on_signals", lambda home: None)


def context(result: Any = None, exception: BaseException | None = None, *, try_number: int = 1) -> dict[str, Any]:
    instance = SimpleNamespace(
        task_id="shop.merge",
        map_index=0,
        try_number=try_number,
        max_tries=3,
        start_date=NOW - timedelta(seconds=2.5),
        xcom_pull=lambda task_ids, map_indexes: result,
    )
    task = SimpleNamespace(
        task_id="shop.merge",
        xiaoe_conn_id="xiaoe_default",
        retry_policy=RETRY_POLICY,
        retry_delay=timedelta(minutes=1),
    )
    return {"ti": instance, "task": task, "exception": exception}


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line there is, its columns a blank apart."""
    [line] = capsys.readouterr().out.splitlines()
    return " ".join(line.split())


def test_a_step_that_ends_well_is_a_line_with_its_counts(capsys: pytest.CaptureFixture[str]) -> None:
    Watch("", retries=True).succeeded(context({"staged": 3, "inserted": 1}))
    assert printed(capsys) == "12:00:00 shop.merge xiaoe_default 2.5 s, staged 3, inserted 1"


def test_a_step_that_returns_a_folder_is_a_line_without_it(capsys: pytest.CaptureFixture[str]) -> None:
    Watch("", retries=True).succeeded(context("file:///pages"))
    assert printed(capsys) == "12:00:00 shop.merge xiaoe_default 2.5 s"


@pytest.mark.parametrize(
    ("error", "next_at"),
    [
        (XiaoeRetriableError("[not markup]"), "12:01:00"),
        (XiaoeIncompleteError("[not markup]"), "12:05:00"),
        (ValueError("[not markup]"), "12:01:00"),
    ],
)
def test_a_failed_try_says_when_the_next_one_comes(
    capsys: pytest.CaptureFixture[str], error: Exception, next_at: str
) -> None:
    Watch("", retries=True).will_be_retried(context(exception=error, try_number=2))
    assert printed(capsys) == (f"12:00:00 shop.merge xiaoe_default try 2 of 4 failed, next at {next_at}: [not markup]")


def test_the_last_failure_is_a_line_with_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    Watch("", retries=True).failed(context(exception=XiaoeConfigError("correct the secret")))
    assert printed(capsys) == "12:00:00 shop.merge xiaoe_default failed: correct the secret"


def test_without_retries_the_first_failure_is_the_last() -> None:
    assert Watch("", retries=False).task_defaults()["retries"] == 0
    assert Watch("", retries=False).task_defaults()["retry_policy"] is None
    assert "retries" not in Watch("", retries=True).task_defaults()


def test_warnings_are_lines_and_slices_are_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("xiaoe")
    for name in ("handlers", "propagate", "level"):
        monkeypatch.setattr(logger, name, getattr(logger, name))

    def work() -> int:
        logging.getLogger("xiaoe.stage").warning("asked %s times", 2)
        logging.getLogger("xiaoe.stage").info("slice", extra={"progress": ("apptest", 1, 9)})
        logging.getLogger("xiaoe.stage").info("not shown")
        return 7

    assert Watch("", retries=True).run(work) == 7
    assert printed(capsys) == "12:00:00 asked 2 times"
