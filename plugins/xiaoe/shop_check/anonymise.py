"""Replaces every value that may say who somebody is, so that answers can be given away.

What may stay is listed, everything else is replaced: numbers, codes, money and times of fields that are read as such,
and words that are published. A text keeps its length, its signs and the class of each character; the same text becomes
the same replacement everywhere, so that an order still names its user.
"""

from __future__ import annotations

import hmac
import re
import secrets
import unicodedata
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any

from xiaoe.shop_check.forms import is_empty, name_of, published_words

WORDS = frozenset({"from", "spu_type", "state_str", "sale_type_name"})
"""Fields that hold one of a few words of the API, none longer than `LONGEST_WORD`."""
ASKED = frozenset({"order_by", "date_type", "need_column"})
"""Fields of a request that are ours."""
TIMES = frozenset({"time", "milliseconds", "planned"})
NUMBERS = TIMES | {"code", "code_list", "count", "length", "yuan", "fen", "number"}
"""How fields are read whose numbers stay."""
PAGING = frozenset({"total", "row_count", "current_page", "page", "page_index", "page_size"})
FILTERS = frozenset({"begin_time", "end_time", "sales_state"})
INSIDE = frozenset({"user_created_at", "discount_type", "discount_price", "buy_num", "goods_price", "goods_num"})
PLAIN_FIELDS = PAGING | FILTERS | INSIDE | {"order_type"}
"""Fields that are not stored, inside of others, or of a request, whose numbers stay."""
LONGEST_WORD = 8
LONGEST_CODE = 6
"""Digits: a longer number of a field that nobody knows may be a phone's."""
_IDEOGRAPHS = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥"
_DIGITS = "0123456789"
_LOWER = "abcdefghijklmnopqrstuvwxyz"
_KEPT_START = re.compile(r"https?://|[a-z]{1,3}_")
_PLAIN_TEXT = re.compile(r"[-+¥]?[\d., \[\]\"]+[元分万亿]?")
_TIME_TEXT = re.compile(r"[\d:/T.+|Z -]+")
_UNIX_TIME = re.compile(r"1[2-9]\d{8}(?:\d{3})?")
_MOBILE = re.compile(r"1\d{10}")
_TRIES = 100


class Anonymiser:
    """One recording's replacements.

    Args:
        kinds: Field → how it is read, of all lists.
        key: Of the replacements; by default one that nobody keeps.
    """

    def __init__(self, kinds: Mapping[str, set[str]], key: bytes | None = None) -> None:
        self._kinds = kinds
        self._key = key or secrets.token_bytes(32)
        self._made: dict[str, str] = {}
        self._used: set[str] = set()

    def value(self, value: Any, field: str = "") -> Any:
        """A value without what may say who somebody is; objects and lists are gone through.

        Args:
            value: From JSON, numbers with a point as Decimal.
            field: Its name; a list passes its own on.
        """
        if isinstance(value, dict):
            return {self._name(name): self.value(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner, field) for inner in value]
        if isinstance(value, str):
            return value if self._may_stay(value, field) else self.text(value)
        if isinstance(value, bool) or value is None or self._is_number(field):
            return value
        return self._number(value, may_be_code=field not in self._kinds)

    def text(self, text: str) -> str:
        """The replacement of a text, the same each time; never the text itself."""
        if text not in self._made:
            made = text
            for number in range(_TRIES):
                made = self._replaced(text, number)
                if made != text and made not in self._used:
                    break
            self._used.add(made)
            self._made[text] = made
        return self._made[text]

    def _name(self, name: str) -> str:
        return name if name_of(name) == name else self.text(name)

    def _is_number(self, field: str) -> bool:
        kinds = self._kinds.get(field)
        return field in PLAIN_FIELDS or bool(kinds and kinds <= NUMBERS)

    def _may_stay(self, text: str, field: str) -> bool:
        if not text.strip() or (is_empty(text) and _TIME_TEXT.fullmatch(text)) or text in published_words():
            return True
        if field in ASKED:
            return True
        if field in WORDS:
            return len(text) <= LONGEST_WORD
        if not self._is_number(field):
            return False
        kinds = self._kinds.get(field, set())
        if kinds & TIMES or field in PLAIN_FIELDS:
            return bool(_TIME_TEXT.fullmatch(text)) and not _MOBILE.fullmatch(text)
        return bool(_PLAIN_TEXT.fullmatch(text)) and not _MOBILE.fullmatch(text)

    def _number(self, number: int | Decimal, *, may_be_code: bool) -> int | Decimal:
        """The replacement of a number; a short one, or a time, of a field that nobody knows stays."""
        if isinstance(number, Decimal):
            return Decimal(self.text(str(number)))
        digits = str(abs(number))
        if may_be_code and (len(digits) <= LONGEST_CODE or _UNIX_TIME.fullmatch(digits)):
            return number
        made = int(self.text(digits))
        return made if len(str(made)) == len(digits) else made + 10 ** (len(digits) - 1)

    def _replaced(self, text: str, number: int) -> str:
        if _MOBILE.fullmatch(text):  # no phone's number begins like this
            return "100" + "".join(_pick(draw, _DIGITS) for draw in islice(self._draws(text, number), 8))
        start = found.group() if (found := _KEPT_START.match(text)) else ""
        rest = text[len(start) :]
        return start + "".join(map(_alike, rest, self._draws(text, number)))

    def _draws(self, text: str, number: int) -> Iterator[int]:
        """As many bytes as are asked for, by the text and the key."""
        block = 0
        while True:
            yield from hmac.digest(self._key, f"{number}.{block}.{text}".encode("utf-8", "surrogatepass"), "sha256")
            block += 1


def _alike(character: str, draw: int) -> str:
    """Another character of the same class; signs and blanks stay."""
    if character.isdecimal():
        return _pick(draw, _DIGITS)
    if character.isascii():
        if not character.isalpha():
            return character
        return _pick(draw, _LOWER) if character.islower() else _pick(draw, _LOWER).upper()
    category = unicodedata.category(character)
    if category.startswith("L"):
        return _pick(draw, _IDEOGRAPHS)
    return "☺" if category.startswith("S") else character


def _pick(draw: int, alphabet: str) -> str:
    return alphabet[draw % len(alphabet)]
