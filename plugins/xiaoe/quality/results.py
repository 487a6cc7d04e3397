"""Results of checks: stored in `quality_results`, logged, and raised if critical."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from MySQLdb import Error

from xiaoe.exceptions import XiaoeConfigError, XiaoeQualityError
from xiaoe.mysql.session import TRY_AGAIN, Session
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.quality.catalogue import CRITICAL, Check

log = logging.getLogger(__name__)

C = TypeVar("C", bound=Check)

MAX_NAMED = 10
"""Rows that a result names; further ones are only counted."""
_CLIENT_ERRORS = 2000
"""Error numbers from here on are the client library's: the server cannot be reached."""


@dataclass(frozen=True)
class Result:
    """The result of one check.

    Args:
        check: The check.
        passed: Whether it holds.
        measured: How much is wrong; None if the check itself broke.
        expected: The expectation as text.
        detail: What is wrong, in Chinese; may be empty.
        severity: Severity of a failure; by default the check's.
    """

    check: Check
    passed: bool
    measured: float | None
    expected: str
    detail: str = ""
    severity: str = ""

    @property
    def weight(self) -> str:
        """Severity of this result."""
        return self.severity or self.check.severity


def found_nothing(check: Check, expected: str, findings: Sequence[str], measured: int) -> Result:
    """A result that passes if there are no findings.

    Args:
        check: The check.
        expected: The expectation as text.
        findings: The first findings, at most `MAX_NAMED`.
        measured: Number of all findings.
    """
    more = " …" if measured > len(findings) else ""
    detail = f"{check.title}：{measured} 项：{'、'.join(findings)}{more}" if measured else ""
    return Result(check, measured == 0, measured, expected, detail)


def find(session: Session, query: str) -> tuple[list[str], int]:
    """Run a query with one column `finding`; return the first findings and the number of all."""
    rows = session.query(f"SELECT w.finding, COUNT(*) OVER () FROM ({query}) AS w LIMIT {MAX_NAMED}")
    return [str(finding) for finding, _ in rows], int(rows[0][1]) if rows else 0


def run_checks(shop_id: str, run_id: str, checks: Iterable[C], judge: Callable[[Session, C], Result]) -> dict[str, int]:
    """Run checks one after the other, store their results, then fail if one is critical.

    Args:
        shop_id: The shop.
        run_id: Airflow's run id.
        checks: The checks.
        judge: Runs one check; each one gets a new snapshot.

    Returns:
        The numbers of passed checks and of warnings.

    Raises:
        XiaoeQualityError: A critical check failed; names each with its findings and advice.
        OperationalError: The warehouse cannot be reached.
    """
    with Warehouse().session() as session:
        results = []
        for check in checks:
            results.append(_judged(session, check, judge))
            session.rollback()
        _write(session, shop_id, run_id, results)
        session.commit()
    return _conclude(shop_id, results)


def _judged(session: Session, check: C, judge: Callable[[Session, C], Result]) -> Result:
    """A check that breaks is a critical result itself: it may not have checked anything for long."""
    try:
        return judge(session, check)
    except (Error, XiaoeConfigError) as error:
        code = error.args[0] if error.args else 0
        if isinstance(code, int) and (code >= _CLIENT_ERRORS or code in TRY_AGAIN):
            raise
        log.exception("check %s broke", check.name)
        return Result(check, False, None, "检查能够运行", f"检查本身出错：{error}", CRITICAL)


def _write(session: Session, shop_id: str, run_id: str, results: Iterable[Result]) -> None:
    session.insert_many(
        "INSERT INTO quality_results"
        " (shop_id, check_name, severity, passed, measured, expected, detail, run_id, checked_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(3))",
        [
            (
                shop_id,
                one.check.name,
                one.weight,
                one.passed,
                one.measured,
                one.expected[:255],
                one.detail[:4000] or None,
                run_id,
            )
            for one in results
        ],
    )


def _conclude(shop_id: str, results: Sequence[Result]) -> dict[str, int]:
    failed = [one for one in results if not one.passed]
    critical = [one for one in failed if one.weight == CRITICAL]
    for one in failed:
        level = logging.ERROR if one in critical else logging.WARNING
        log.log(level, "shop %s: %s: %s。处理：%s", shop_id, one.check.name, one.detail, one.check.advice)
    if critical:
        reasons = "; ".join(f"{one.check.name}: {one.detail}。处理：{one.check.advice}" for one in critical)
        raise XiaoeQualityError(
            f"shop {shop_id}: {len(critical)} of {len(results)} checks failed (docs/quality.md): {reasons}"
        )
    log.info("shop %s: %s checks passed, %s warn", shop_id, len(results) - len(failed), len(failed))
    return {"passed": len(results) - len(failed), "warnings": len(failed)}
