"""A mapping that is wrong for everybody: one problem in too many rows of a run (docs/decisions/0027).

One odd row is the shop's affair and is noted. The same field unreadable in many rows, or a field that every row had and
now none has, means that the interface sends another form than the mapping knows: then no figure may pass for complete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from xiaoe import settings
from xiaoe.merge.changes import Chunk
from xiaoe.rows.problems import Problem
from xiaoe.storage.manifest import Manifest


class Tally:
    """Counts the problems of one run; holds no value of a row, only shapes."""

    def __init__(self) -> None:
        self._refused = 0
        self._fields: Counter[str] = Counter()
        self._examples: dict[str, Problem] = {}

    def add(self, chunk: Chunk) -> None:
        """Count a chunk in."""
        self._refused += sum(row.key is None for row in chunk.rejected)
        for one in chunk.problems:
            self._fields[one.problem.field] += 1
            self._examples.setdefault(one.problem.field, one.problem)

    def complaint(self, manifest: Manifest, rows: int, gone: Sequence[str]) -> str | None:
        """What is wrong for too many of the run's rows, in English and Chinese; None if nothing is.

        Args:
            manifest: The run.
            rows: Rows that came in all.
            gone: Fields that always came and that no row has that `api_fields` looked at.
        """
        if rows < settings.unreadable_min_rows():
            return None
        most, lost = settings.max_unreadable_percent(), settings.max_refused_percent()
        fields = sorted(field for field, count in self._fields.items() if count * 100 > most * rows)
        refused = self._refused > 1 and self._refused * 100 > lost * rows  # one row is the shop's affair
        if not fields and not refused and not gone:
            return None
        said = [self._of_field(field, rows) for field in fields]
        said += [
            f"field {field} came with every row so far and now with none 字段 {field} 过去每行都有，现在一行也没有"
            for field in gone
        ]
        if refused:
            said.append(
                f"{self._refused} of {rows} rows have no key (more than {lost}%)"
                f" {self._refused}/{rows} 行没有主键（超过 {lost}%）"
            )
        return (
            f"{manifest.resource} {manifest.mode}: {'; '.join(said)}. Rows that have a key were written, unreadable"
            " fields empty or as they were; the window does not count as read, the watermark stays, and no row is"
            " marked absent. See tables field_problems and rejected_rows: adapt the mapping in plugins/xiaoe/resources,"
            " then clear this task."
            " 有主键的行已写入，无法解析的字段为空或保留旧值；该窗口不算已读，水位线不动，不标记缺失。"
            "明细见 field_problems 与 rejected_rows；修正 plugins/xiaoe/resources 的字段映射后清除本任务重跑"
        )

    def _of_field(self, field: str, rows: int) -> str:
        example, count = self._examples[field], self._fields[field]
        return (
            f"field {field} cannot be read in {count} of {rows} rows, e.g. {example.shape} ({example.reason})"
            f" 字段 {field} 在 {count}/{rows} 行无法解析，形如 {example.shape}"
        )
