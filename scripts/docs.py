"""`make docs`: regenerates the parts of docs/ about the schema, the DAGs and the settings.

A generated part stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`. The table dictionary comes
from information_schema and reads the same on MySQL and MariaDB; the list of DAGs comes from the DagBag, the settings
from `xiaoe.settings`.
Airflow reads its settings on import, so that it is imported only after `main` has made them.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xiaoe.mysql.session import Session
    from xiaoe.mysql.warehouse import Warehouse
    from xiaoe.settings.kinds import Setting

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = re.compile(r"_?yoyo_|bi_|mart_(cohorts|products)")
"""Tables of the migration tool, those that docs/bi.md lists, and those behind a view that it lists."""
SHARED_BY = 3
"""A column that is the same in this many tables is described once, at the top."""

OPERATIONS = {"operations.md": "en", "operations.zh-CN.md": "zh"}
"""Pages beside the dictionary that hold the list of DAGs, and their language."""
CONFIGURATION = "configuration.md"
"""The page beside the dictionary that holds the settings."""

_HEADINGS = {
    "en": ("DAG", "What it does", "Schedule", "Late after"),
    "zh": ("DAG", "作用", "计划", "超时"),
}
_EVERY = {"en": "every {} days", "zh": "每 {} 天"}
_BY_HAND = {"en": "by hand", "zh": "手动"}
_OR_CHANGED = {"en": "`{}`, and after changes of {}", "zh": "`{}`，以及 {} 有变化后"}
_TIMES = {"en": ("{} min", "{} h"), "zh": ("{} 分钟", "{} 小时")}


@dataclass(frozen=True)
class Column:
    """One column, in a form common to all servers."""

    name: str
    type: str
    null: bool
    default: str | None
    automatic: bool
    comment: str


@dataclass(frozen=True)
class Key:
    """A primary, unique, plain or foreign key; `target` is where a foreign key points."""

    kind: str
    columns: tuple[str, ...]
    target: str = ""


def main() -> int:
    """Write every generated part; return the exit code."""
    from xiaoe import cli

    cli.prepare_airflow()
    os.environ["XIAOE_ALERTS"] = "on"  # the list of DAGs has their deadlines
    from xiaoe.exceptions import XiaoeError

    try:
        print(f"wrote {write(ROOT / 'docs' / 'database.md')}")
    except XiaoeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def write(path: Path) -> Path:
    """Regenerate the table dictionary in `path`, and in the pages beside it the list of DAGs and the settings.

    Args:
        path: docs/database.md, or a copy of it.

    Raises:
        XiaoeConfigError: The database of `xiaoe_mysql` holds no tables.
        ValueError: The markers are missing, or a DAG cannot be imported.
    """
    _fill(path, "tables", tables())
    for name, language in OPERATIONS.items():
        if (page := path.with_name(name)).exists():
            _fill(page, "dags", dags(language))
    if (page := path.with_name(CONFIGURATION)).exists():
        _fill(page, "settings", settings())
    return path


def tables(warehouse: Warehouse | None = None) -> str:
    """The dictionary of all tables, as Markdown."""
    from xiaoe.exceptions import XiaoeConfigError
    from xiaoe.mysql.warehouse import Warehouse

    with (warehouse or Warehouse()).session() as session:
        comments = _comments(session)
        columns, keys = _columns(session), _keys(session)
    if not comments:
        raise XiaoeConfigError("the database of connection xiaoe_mysql holds no tables: run `make migrate`")
    said = {one.name: one.comment for name, of_table in columns.items() if comments.get(name) for one in of_table}
    listed = {
        name: columns[name] if comments[name] else [_explained(one, said) for one in columns[name]]
        for name in sorted(comments)
    }
    shared = _shared(listed.values())
    parts = [_table(name, comments[name], listed[name], keys.get(name, []), shared) for name in listed]
    return "\n\n".join(["### Columns of many tables", _columns_table(shared), *parts])


def dags(language: str) -> str:
    """The list of DAGs, as Markdown.

    Args:
        language: `en` or `zh`: which half of the first line of a DAG's `doc_md` to show.
    """
    from airflow.dag_processing.dagbag import DagBag  # slow, and Airflow imports every file of the plugins folder

    os.environ["XIAOE_HINTS"] = "list,push"  # two DAGs have no schedule without
    bag = DagBag(str(ROOT / "dags"))
    if bag.import_errors:
        raise ValueError(f"DAGs that cannot be imported: {bag.import_errors}")
    rows = [
        (f"`{dag_id}`", _title(dag, language), _schedule(dag, language), _late_after(dag, language))
        for dag_id, dag in sorted(bag.dags.items())
    ]
    return _markdown(_HEADINGS[language], rows)


def settings() -> str:
    """The settings of the DAGs, as Markdown."""
    from xiaoe.settings import TABLE

    rows = [
        (f"`{one.name}`", _usual(one), "" if one.kind.least is None else str(one.kind.least), one.meaning)
        for one in TABLE
    ]
    return _markdown(("variable", "default", "least", "meaning"), rows)


def _usual(setting: Setting[Any]) -> str:
    """The default, as code; nothing where it is empty."""
    if setting.shown is not None:
        return setting.shown
    return f"`{setting.default}`" if setting.default else ""


def _fill(path: Path, name: str, content: str) -> None:
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, found, rest = path.read_text("utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{path}: {begin} or {end} is missing")
    path.write_text(f"{before}{begin}\n\n{content}\n\n{end}{after}", "utf-8")


def _comments(session: Session) -> dict[str, str]:
    rows = session.query(
        "SELECT table_name, table_type, table_comment FROM information_schema.tables WHERE table_schema = DATABASE()"
    )
    return {name: "" if kind == "VIEW" else comment for name, kind, comment in rows if not LEFT_OUT.match(name)}


def _columns(session: Session) -> dict[str, list[Column]]:
    found: dict[str, list[Column]] = {}
    for table, name, column_type, null, default, extra, comment in session.query(
        "SELECT table_name, column_name, column_type, is_nullable, column_default, extra, column_comment"
        " FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY ordinal_position"
    ):
        found.setdefault(table, []).append(
            Column(name, _type(column_type), null == "YES", _default(default), "auto_increment" in extra, comment)
        )
    return found


def _explained(column: Column, said: dict[str, str]) -> Column:
    """The column of a view: where the server keeps no comment, as for a union, that of a table's column of its name."""
    return column if column.comment else replace(column, comment=said.get(column.name, ""))


def _keys(session: Session) -> dict[str, list[Key]]:
    """Keys by table: the primary key first, then indexes and foreign keys by name."""
    named: dict[tuple[str, int, str], tuple[str, list[str], str]] = {}
    for table, name, not_unique, column in session.query(
        "SELECT table_name, index_name, non_unique, column_name FROM information_schema.statistics"
        " WHERE table_schema = DATABASE() ORDER BY seq_in_index"
    ):
        rank, kind = (0, "primary key") if name == "PRIMARY" else (1, "index" if int(not_unique) else "unique index")
        named.setdefault((table, rank, name), (kind, [], ""))[1].append(column)
    for table, name, column, target in session.query(
        "SELECT table_name, constraint_name, column_name, referenced_table_name"
        " FROM information_schema.key_column_usage"
        " WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL ORDER BY ordinal_position"
    ):
        named.setdefault((table, 2, name), ("foreign key", [], target))[1].append(column)
    found: dict[str, list[Key]] = {}
    for (table, _, _), (kind, columns, target) in sorted(named.items()):
        found.setdefault(table, []).append(Key(kind, tuple(columns), target))
    return found


def _type(column_type: str) -> str:
    """MariaDB still shows a display width, which MySQL has dropped: `int(11)` and `int` are the same."""
    return re.sub(r"\b((?:tiny|small|medium|big)?int)\(\d+\)", r"\1", column_type.lower())


def _default(default: str | None) -> str | None:
    """MariaDB writes `NULL` and quotes text; MySQL does neither."""
    return None if default is None or default.upper() == "NULL" else default.strip("'")


def _shared(tables: Iterable[list[Column]]) -> list[Column]:
    """Columns that are the same in `SHARED_BY` tables or more, in order of first appearance."""
    counts = Counter(column for columns in tables for column in columns)
    return [column for column, count in counts.items() if count >= SHARED_BY]


def _table(name: str, comment: str, columns: list[Column], keys: list[Key], shared: list[Column]) -> str:
    parts = [f"### `{name}` {comment}".rstrip()]
    if own := [column for column in columns if column not in shared]:
        parts.append(_columns_table(own))
    if common := [f"`{column.name}`" for column in columns if column in shared]:
        parts.append(f"{'Also' if own else 'Columns:'} {', '.join(common)}.")
    if keys:
        parts.append("Keys: " + "; ".join(map(_key, keys)) + ".")
    return "\n\n".join(parts)


def _columns_table(columns: list[Column]) -> str:
    return _markdown(
        ("Column", "Type", "中文说明"), [(f"`{column.name}`", _full_type(column), column.comment) for column in columns]
    )


def _full_type(column: Column) -> str:
    """The type with nullability and default: `varchar(64) NULL`, `int default 0`."""
    default = None if column.default is None else f"default {column.default or repr('')}"
    words = (column.type, "automatic" if column.automatic else None, "NULL" if column.null else None, default)
    return " ".join(word for word in words if word)


def _key(key: Key) -> str:
    listed = f"{key.kind} ({', '.join(key.columns)})"
    return f"{listed} → `{key.target}`" if key.target else listed


def _title(dag: Any, language: str) -> str:
    """`### 中文 · English` is the first line of every DAG's page."""
    first_line = (dag.doc_md or dag.description or "").strip().partition("\n")[0]
    chinese, _, english = first_line.lstrip("# ").partition(" · ")
    return chinese if language == "zh" else english or chinese


def _schedule(dag: Any, language: str) -> str:
    from airflow.sdk import AssetOrTimeSchedule, CronDataIntervalTimetable, DeltaDataIntervalTimetable

    timetable = dag.timetable
    if dag.schedule is None:
        return _BY_HAND[language]
    if isinstance(timetable, CronDataIntervalTimetable):
        return f"`{timetable.expression}`"
    if isinstance(timetable, DeltaDataIntervalTimetable) and timetable.delta.seconds == 0:
        return _EVERY[language].format(timetable.delta.days)
    if isinstance(timetable, AssetOrTimeSchedule):
        condition = timetable.asset_condition
        names = ", ".join(f"`{asset.name}`" for asset in getattr(condition, "objects", [condition]))
        return _OR_CHANGED[language].format(dag.timetable.timetable.expression, names)
    raise ValueError(f"DAG {dag.dag_id}: no text for a schedule of type {type(timetable).__name__}")


def _late_after(dag: Any, language: str) -> str:
    [deadline] = dag.deadline
    minutes, hours = _TIMES[language]
    length = int(deadline.interval.total_seconds()) // 60
    return minutes.format(length) if length < 60 else hours.format(length // 60)


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ("---",) * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
