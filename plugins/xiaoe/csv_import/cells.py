"""Converters from a cell's text to a column's value; each ends in the reader used for the API.

Signs that a spreadsheet or a script put around a value are removed. Nothing is guessed: an ambiguous value raises
ValueError with the fix, in Chinese.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from xiaoe.csv_import.files import EXACT, NOT_COMPUTED
from xiaoe.exports.sheets import ERRORS, begins_like_a_formula
from xiaoe.rows import values

Read = Callable[[Any], Any]

NOTHING = ("", "--", "None", "NULL", "null", "nan", "NaN", "NaT", "<NA>")
"""Also what pandas writes for a value that is missing."""
UNUSABLE = {
    **dict.fromkeys(ERRORS, "表格软件算出的是错误值；请改正公式或填入原值"),
    NOT_COMPUTED: "公式还没有计算过；请用 Excel 或 WPS 打开并保存一次，或填入数值",
}
"""Texts that stand where a value should be → what to do."""
_QUOTED = re.compile(r'="(.*)"', re.DOTALL)
_SHORTENED = re.compile(r"\d(\.\d+)?[eE]\+?\d+")
_THOUSANDS = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?")
_WHOLE_FLOAT = re.compile(r"(0|[1-9]\d*)\.0", re.ASCII)
_DOUBLE = re.compile(r"-?(?=[\d.]{16,})\d+\.\d+", re.ASCII)
"""As many digits as only a double is written with: 99.30000000000001."""
_MOMENT = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]+(\d{1,2}):(\d\d)(?::(\d\d)(?:\.0+)?)?(?:\+08:?00)?)?",
    re.ASCII,
)


def bare(text: str) -> str | None:
    """A cell without the signs that keep it text in a spreadsheet (`="1"`, a tab, an apostrophe); None if empty."""
    if quoted := _QUOTED.fullmatch(text):
        text = quoted[1].replace('""', '"')
    elif text.startswith("\t") or (text.startswith("'") and begins_like_a_formula(text[1:])):
        text = text[1:]
    return None if text.strip() in NOTHING else text


def plain(text: str) -> str:
    """A normal form for comparing headings and words: half-width, lower case, no blanks."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).lower()


def identifier(value: Any) -> str | None:
    """An id; one that a spreadsheet turned into a number, and so shortened, is refused."""
    return values.identifier(number_text(value)) or None


def number_text(value: Any) -> str | None:
    """A text of digits, such as an id or a phone, that may have passed for a number: `1001.0` of pandas is 1001.

    Raises:
        ValueError: As a number it lost digits.
    """
    text = (value or "").strip()
    whole = _WHOLE_FLOAT.fullmatch(text)
    if _SHORTENED.fullmatch(text) or (whole and int(whole[1]) >= EXACT):
        raise ValueError("表格软件已把它截断为数字；请重新导出（该列设为文本），或删去这一列")
    return whole[1] if whole else text or None


def money(value: Any) -> str | None:
    """An amount in yuan; ¥, 元 and thousands separators are optional, and a double's last digits are rounded."""
    text = unicodedata.normalize("NFKC", value or "").strip().strip("¥元").strip()
    if _DOUBLE.fullmatch(text):
        return values.yuan(Decimal(text))
    return values.yuan(text.replace(",", "") if _THOUSANDS.fullmatch(text) else text)


def time(value: Any) -> str | None:
    """A Beijing time in the API's form or a spreadsheet's, which may lack seconds."""
    text = (value or "").strip()
    if moment := _MOMENT.fullmatch(text):
        year, month, day, hour, minute, second = moment.groups("")
        if not hour and not text.startswith(values.NULL_TIMES):
            raise ValueError("缺少时刻")
        text = f"{year}-{month:0>2}-{day:0>2} {hour:0>2}:{minute}:{second or '00'}"
    elif text not in values.EMPTY and not text.startswith(values.NULL_TIMES):
        raise ValueError("not YYYY-MM-DD HH:MM:SS")  # what a spreadsheet made of a time may mean two things
    return values.time(text)


def creation_time(value: Any) -> str:
    """A required time: without it, no window of the API would ever confirm the order."""
    found = time(value)
    if found is None:
        raise ValueError("不能为空")
    return found


def code(words: Mapping[str, int]) -> Read:
    """A reader of codes that also accepts the words for them.

    Args:
        words: Word in the form of `plain` → code.
    """

    def read(value: Any) -> int | None:
        known = words.get(plain(value or ""))
        return values.code(value) if known is None else known

    return read


def code_list(words: Mapping[str, int]) -> Read:
    """The function that reads several codes, or the words for them, with commas or 、 between them.

    Args:
        words: Word, as `plain` makes it → code.
    """
    read_one = code(words)

    def read(value: Any) -> str | None:
        text = (value or "").strip()
        if text in NOTHING:
            return None
        parts = [part.strip(" \"'") for part in re.split("[,，、;；]", text.removeprefix("[").removesuffix("]"))]
        return values.code_list([read_one(part) for part in parts if part])

    return read


FIXES: Mapping[Read, str] = {
    values.code: "应为代码（整数）",
    values.count: "应为整数",
    money: "应为金额（元），如 99.00",
    time: "应为北京时间，如 2025-01-31 08:30:00",
    creation_time: "应为北京时间，如 2025-01-31 08:30:00",
}


def with_fix(read: Read, fix: str) -> Read:
    """The same reader, whose errors name the expected form."""

    def fixed(value: Any) -> Any:
        try:
            return read(value)
        except ValueError as error:
            raise ValueError(f"{error}；{fix}") from None

    return fixed
