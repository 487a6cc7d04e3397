"""Forms that a real interface may send a value in, one list per kind; written from docs/xiaoe-api.md and nothing else.

`FORMS` holds those that mean one thing only, `NOTHING` the ways to write "none", `ODD` what nobody can read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

Form = Callable[[Any], Any]
BEIJING = timedelta(hours=8)
EPOCH = datetime(1970, 1, 1)


def unix(moment: datetime) -> int:
    """Unix seconds of a Beijing wall-clock time."""
    return int((moment - BEIJING - EPOCH).total_seconds())


def _written(pattern: str, ahead: timedelta = timedelta()) -> Form:
    return lambda moment: f"{moment - ahead:{pattern}}"


def _noise(amount: Decimal) -> float:
    """The next double: what arithmetic leaves of 199.99."""
    return math.nextafter(float(amount), math.inf)


def _in_ten_thousands(count: int) -> Any:
    return f"{Decimal(count) / 10_000}万" if count >= 10_000 and count % 100 == 0 else f"{count:,}"


_TIMES: Sequence[Form] = (
    _written("%Y-%m-%d %H:%M:%S"), unix, _written("%Y-%m-%dT%H:%M:%SZ", BEIJING), lambda moment: str(unix(moment)),
    _written("%Y/%m/%d %H:%M:%S"), lambda moment: unix(moment) * 1000, _written("%Y-%m-%dT%H:%M:%S+08:00"),
    lambda moment: f"{unix(moment)}000", _written("%Y-%m-%d %H:%M:%S.000000"), _written("%Y年%m月%d日 %H:%M:%S"),
    _written("%Y%m%d%H%M%S"),
)  # fmt: skip
FORMS: Mapping[str, Sequence[Form]] = {
    "id": (str, lambda name: int(name) if name.isdigit() else name),
    "text": (str,),
    "bytes": (lambda text: text.replace("\ufffd", "\udcff"),),
    "percent": (int, str, float, lambda share: f"{share}.00"),
    "digits": (str, int),
    "code": (int, str, float, lambda code: f" {code} "),
    "flag": (int, str, bool, lambda flag: "true" if flag else "False"),
    "codes": (list, lambda codes: [str(code) for code in codes], lambda codes: str(list(codes)),
              lambda codes: ",".join(map(str, codes))),
    "entries": (lambda count: [{"goods_name": "课", "buy_num": "1", "goods_price": 100}] * count,),
    "count": (int, str, lambda count: f"{count:,}", _in_ten_thousands),
    "yuan": (
        str, float, lambda amount: f"¥{amount:,}", lambda amount: f"{amount:,}元", lambda amount: f" ￥{amount} ",
        _noise,
    ),
    "fen": (
        lambda amount: int(amount * 100), lambda amount: str(int(amount * 100)),
        lambda amount: f"{int(amount * 100):,}", lambda amount: f"{int(amount * 100)}分",
        lambda amount: float(amount * 100),
    ),
    "amount": (str, float, lambda amount: f"{amount:,}", lambda amount: f"¥{amount:,}"),
    "time": _TIMES,
}  # fmt: skip
"""Kind → forms of a value that is there; of `bytes`, one that is no UTF-8 stands for U+FFFD."""
NOTHING: Mapping[str, Sequence[Any]] = {
    "time": (
        None, "", "0000-00-00 00:00:00", 0, "-0001-11-30 00:00:00", "1970-01-01 08:00:00", "--", "0",
        "1970-01-01T00:00:00Z", "0001-01-01 00:00:00", False,
    ),
    "id": (None,), "text": (None,), "bytes": (None,), "digits": (None,), "entries": (None,),
}  # fmt: skip
"""Kind → forms of "none"; of a kind that is not here: null, an empty text, dashes."""
_NONE = (None, "", "--", " ")
ODD: Mapping[str, Sequence[Any]] = {
    "id": ({"id": 7}, [1]),
    "text": ("长" * 22_000,),
    "bytes": ("长" * 22_000,),
    "percent": ("一半", "8,5", [50]),
    "digits": ("长" * 22_000,),
    "code": ("待确认", 1.5, "7元"),
    "flag": ("也许", 0.5),
    "codes": (["其他未知"], {"a": 1}),
    "entries": ("3", 3),
    "lines": ("3", 3, ["课"], {"a": 1}),
    "count": ("100+", "若干"),
    "yuan": ("面议", "12,34.50", "1230分"),
    "fen": ("9.90", 9.9, "¥1230"),
    "amount": ("很多", "1,5"),
    "time": ("昨天 15:30", "2026-02-30 00:00:00", "05/01/2026 12:30:59", {"date": "2026-11-01"}),
}
"""Kind → forms that nobody can read without guessing."""


def dressed(kind: str, value: Any, words: Mapping[int, str], choice: int) -> Any:
    """A value in one of the forms of its kind; a code with a published word also as that word.

    Args:
        kind: Of `FORMS`.
        value: Plain; None for "none".
        words: Code → published word.
        choice: Any number: picks the form.
    """
    if value is None:
        forms = NOTHING.get(kind, _NONE)
        return forms[choice % len(forms)]
    spoken: list[Form] = []
    if kind == "codes" and all(code in words for code in value):
        spoken = [lambda codes: [words[code] for code in codes]]
    elif kind == "code" and value in words:
        spoken = [lambda code: words[code], lambda code: words[code]]
    ways = [*FORMS[kind], *spoken]
    return ways[choice % len(ways)](value)


def odd(kind: str, choice: int) -> Any:
    """Something that nobody can read as a value of this kind."""
    return ODD[kind][choice % len(ODD[kind])]
