"""One run of a DAG in this process, as a person at a terminal watches it: one line for each step, in Beijing time.

`dag.test()` runs the tasks one after another and waits for retries by itself. It takes an interrupt for a failure of
the task, so signals end the process here: whatever was not committed is rolled back by the server, pages that are
whole are used by the next run, and the watermark moves only with a merge.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from xiaoe import clock
from xiaoe.alerts.events import task_and_shop

if TYPE_CHECKING:
    from airflow.sdk import DAG

_FAILED = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Watch:
    """Prints how the steps of a run end; its methods are callbacks of the tasks.

    Args:
        home: Temporary folder of this command, removed when a signal ends it.
        retries: Whether a failed try is repeated as the DAG says; if not, the first failure ends the run.
    """

    def __init__(self, home: str, *, retries: bool) -> None:
        self._home = home
        self._console = Console(highlight=False, soft_wrap=True)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=self._console, transient=True, disable=not self._console.is_terminal,
        )  # fmt: skip
        self._bars: dict[str, Any] = {}
        self._retries = retries

    def task_defaults(self) -> dict[str, Any]:
        """What the tasks of the DAG need on top of `tasks.defaults.DEFAULT_ARGS`."""
        defaults: dict[str, Any] = {
            "on_execute_callback": self.starts,
            "on_success_callback": self.succeeded,
            "on_retry_callback": self.will_be_retried,
            "on_failure_callback": self.failed,
            "on_skipped_callback": self.skipped,
        }
        return defaults if self._retries else defaults | {"retries": 0, "retry_policy": None}

    def run(self, work: Callable[[], Any]) -> Any:
        """Do the work; warnings of this package become lines, slices a progress bar if this is a terminal."""
        logger = logging.getLogger("xiaoe")
        logger.handlers, logger.propagate = [_Records(self)], False
        logger.setLevel(logging.INFO)
        end_at_once_on_signals(self._home)
        with self._progress:
            return work()

    def starts(self, context: Any) -> None:
        """A step begins; Airflow has just taken SIGTERM for itself."""
        end_at_once_on_signals(self._home)

    def succeeded(self, context: Any) -> None:
        """A step ended well."""
        self._end(context, f"{_seconds(context)}{_result(context)}")

    def skipped(self, context: Any) -> None:
        """A step had nothing to do."""
        self._end(context, "skipped")

    def will_be_retried(self, context: Any) -> None:
        """A try failed, and another follows."""
        instance, task = context["ti"], context["task"]
        delay = _retry_delay(task, context)
        at = clock.now() + delay
        self._end(
            context,
            f"try {instance.try_number} of {instance.max_tries + 1} failed, next at {at:%H:%M:%S}:"
            f" {context.get('exception')}",
            style="yellow",
        )

    def failed(self, context: Any) -> None:
        """The last try failed."""
        self._end(context, f"failed: {context.get('exception')}", style="red")

    def line(self, text: str, *, style: str | None = None) -> None:
        """Print a line with the time."""
        self._console.print(f"{clock.now():%H:%M:%S}  {text}", style=style, markup=False)

    def advance(self, name: str, done: int, total: int) -> None:
        """Move the bar of that name."""
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._bars[name], completed=done)

    def _end(self, context: Any, text: str, *, style: str | None = None) -> None:
        """The line of a step that ended."""
        for bar in self._bars.values():
            self._progress.remove_task(bar)
        self._bars.clear()
        self.line(f"{' '.join(filter(None, task_and_shop(context))):<32}  {text}", style=style)


class _Records(logging.Handler):
    """Log records as lines, those with `progress=(name, done, total)` as a bar."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def emit(self, record: logging.LogRecord) -> None:
        if progress := getattr(record, "progress", None):
            self._watch.advance(*progress)
        elif record.levelno >= logging.WARNING:
            self._watch.line(f"{'':<32}  {record.getMessage()}", style="yellow")


def run_dag(dag: DAG, watch: Watch, conf: dict[str, Any]) -> bool:
    """Run a DAG whose tasks have `watch`'s callbacks; whether it succeeded."""
    run = watch.run(lambda: dag.test(run_conf=conf))
    print(f"{dag.dag_id}: {run.state.value}")
    return bool(run.state.value == "success")


def end_at_once_on_signals(home: str) -> None:
    """Ctrl-C and SIGTERM end the process, with exit code 130 or 143.

    Args:
        home: Temporary folder of this command, to be removed.
    """

    def end(number: int, frame: FrameType | None) -> None:
        print(
            f"\n{clock.now():%H:%M:%S}  interrupted: what was merged stays, nothing is half written;"
            " the next run continues. 已中断，已合并的数据保留，下次运行会接着做",
            file=sys.stderr,
            flush=True,
        )
        shutil.rmtree(home, ignore_errors=True)
        os._exit(_FAILED[signal.Signals(number)])  # threads that wait for the network hold nobody up

    for number in _FAILED:
        signal.signal(number, end)


def _seconds(context: Any) -> str:
    start, end = context["ti"].start_date, clock.now()
    return f"{(end - start).total_seconds():.1f} s"


def _result(context: Any) -> str:
    """The counts that a merge returns."""
    result = context.get("ti").xcom_pull(task_ids=context["task"].task_id, map_indexes=context["ti"].map_index)
    if not isinstance(result, dict):
        return ""
    return ", " + ", ".join(f"{name} {count}" for name, count in result.items() if isinstance(count, int))


def _retry_delay(task: Any, context: Any) -> timedelta:
    instance, error = context["ti"], context.get("exception")
    decision = task.retry_policy and task.retry_policy.evaluate(error, instance.try_number, instance.max_tries, context)
    delay: timedelta = (decision and decision.retry_delay) or task.retry_delay
    return delay
