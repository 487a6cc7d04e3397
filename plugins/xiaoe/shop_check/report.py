"""The report of a check: lines for the screen, JSON and Markdown for the maintainers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from xiaoe import __version__
from xiaoe.shop_check.findings import FieldReport, Finding, Level, ShopCheck
from xiaoe.texts import texts_beside

FORMAT = 1
"""Of the JSON file; raised when a reader of it would have to know."""
MARKS = {Level.OK: "✓", Level.UNKNOWN: "?", Level.REMARK: "!", Level.BAD: "✗"}


def all_texts() -> dict[str, dict[Any, dict[str, str]]]:
    """`texts.yaml`: group → key → language → text."""
    return texts_beside(__file__)


def say(group: str, key: Any, language: str, **facts: Any) -> str:
    """A text with its places filled."""
    return all_texts()[group][key][language].format(**facts)


def sentence(finding: Finding, language: str) -> str:
    """A finding in words; what is kept back from files shows as `…`."""
    shown = {name: _shown(fact) for name, fact in finding.facts.items()}
    advice = all_texts()["advice"]
    code = finding.facts.get("code")
    shown["advice"] = advice[code if code in advice else "other"][language]
    text = say("findings", finding.key, language, **{"message": "…", "ip": "…", **shown})
    if finding.resource is None:
        return text
    return f"{say('lists', finding.resource, language)}{'：' if language == 'zh' else ': '}{text}"


def _shown(fact: Any) -> str:
    if isinstance(fact, list):
        return ", ".join(map(str, fact)) or "–"
    return "–" if fact is None else str(fact)


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """The whole shop first, then list by list; within these as `texts.yaml` has them."""
    place = {key: number for number, key in enumerate(all_texts()["findings"])}
    lists = {name: number for number, name in enumerate(all_texts()["lists"])}
    return sorted(findings, key=lambda one: (lists.get(one.resource or "", -1), place[one.key]))


def lines(check: ShopCheck, language: str) -> Iterator[str]:
    """What the screen shows."""
    yield say("report", "title", language, conn_id=check.conn_id)
    for finding in in_order(check.findings):
        yield f"  {MARKS[finding.level]} {sentence(finding, language)}"
    yield say("report", "cost", language, calls=check.calls, seconds=check.seconds)
    yield say("verdict", check.verdict.value, language)
    if check.wrong_tables:
        yield say("report", "tables", language, tables=", ".join(check.wrong_tables))


def remarks(findings: str, language: str) -> list[str]:
    """Sentences of the findings that bear on the verdict.

    Args:
        findings: JSON as `shop_checks.findings` holds it; what this version has no text for is left out.
        language: `zh` or `en`.
    """
    try:
        known = [one for one in msgspec.json.decode(findings) if one["key"] in all_texts()["findings"]]
        told = [Finding.from_plain(one) for one in known]
        return [
            f"{MARKS[one.level]} {sentence(one, language)}" for one in told if one.level in (Level.REMARK, Level.BAD)
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def plain(check: ShopCheck) -> dict[str, Any]:
    """As the JSON file has it: no value of a row, no id of the shop, no address, no quoted message."""
    return {
        "format": FORMAT,
        "version": __version__,
        "checked_at": f"{check.checked_at:%Y-%m-%dT%H:%M:%SZ}",
        "verdict": check.verdict.value,
        "wrong_tables": check.wrong_tables,
        "calls": check.calls,
        "seconds": check.seconds,
        "findings": [one.plain() for one in in_order(check.findings)],
        "fields": {name: [asdict(one) for one in fields] for name, fields in check.fields.items()},
    }


def as_json(check: ShopCheck) -> bytes:
    """The JSON file."""
    return msgspec.json.format(msgspec.json.encode(plain(check)), indent=1) + b"\n"


def as_markdown(check: ShopCheck, language: str) -> str:
    """The Markdown file: the same as the JSON, to be read."""
    told = [Finding.from_plain(one.plain()) for one in in_order(check.findings)]
    parts = [
        f"# {say('report', 'title', language, conn_id='')}".rstrip(" ·"),
        f"{check.checked_at:%Y-%m-%d %H:%M:%S} UTC · xiaoe-airflow {__version__}",
        f"**{say('verdict', check.verdict.value, language)}**",
        "\n".join(f"- {MARKS[one.level]} {sentence(one, language)}" for one in told),
        say("report", "cost", language, calls=check.calls, seconds=check.seconds),
    ]
    for name, fields in check.fields.items():
        if fields:
            parts.append(f"## {say('report', 'fields', language)}: {say('lists', name, language)}")
            parts.append("\n".join(_table(fields, language)))
    return "\n\n".join(parts) + "\n"


def _table(fields: Sequence[FieldReport], language: str) -> Iterator[str]:
    yield say("report", "field_head", language)
    yield "|---" * 7 + "|"
    for one in fields:
        forms = "; ".join(f"{form} ({count})" for form, count in one.forms.items())
        cells = (one.field, one.kind or "–", one.rows, one.missing, one.empty, one.refused, forms)
        yield "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
