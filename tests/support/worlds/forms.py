"""One table per kind of value: forms that it may be sent in, and what is stored of each (docs/xiaoe-api.md section 9).

`REFUSED` stands for a value that is not stored: the column is NULL, or keeps what it held, and the field is a problem.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from xiaoe.resources import order_origins
from xiaoe.rows import values

Read = Callable[[Any], Any]
REFUSED = object()
MOMENT = datetime(2026, 5, 1, 12, 30, 59)
_MINUTE = MOMENT.replace(second=0)
_NEXT_CENTURY = datetime(2099, 12, 31, 23, 59, 59)
TEXTS = (
    "😀👨‍👩‍👧", "it's \"so\"", "a\tb\r\nc\n", "C:\\new\\table", "\\N", "NULL", "nul\0l", "%s {} `;--",
    "'); DROP TABLE orders; -- ", "{{ 7*7 }}{% raw %}", "../../etc/passwd", "=cmd|' /C calc'!A0", "  ", "", "中文",
)  # fmt: skip
NEVER: tuple[Any, ...] = (
    None, "", " ", "-", "--", " -- ", "null", "NULL", "None", "nil", "NaN", "NaT", "N/A", "无", False,
    "0000-00-00 00:00:00", "0000-00-00", "0000-00-00T00:00:00Z", "-0001-11-30 00:00:00", "0000/00/00", "0", 0, 0.0,
    "1970-01-01 00:00:00", "1970-01-01 08:00:00", "1970-01-01 08:00:01", "1970-01-01T00:00:00Z", "1970-01-01",
    "1970-01-01T00:00:01+00:00", "1969-12-31 16:00:00", 1, 1000, "1", -28800, 28800, -28800000, 28800000, -1,
    "0001-01-01 00:00:00", "0001-01-01T00:00:00Z", "1-01-01 00:00:00", -62135596800, "-62135596800", -62135596800000,
    -62135625600, -62167219200, "1899-12-30 00:00:00", "1899-12-31", "1900-01-01 00:00:00", -2209161600,
    "1601-01-01 00:00:00", -11644473600, "1753-01-01 00:00:00", "1904-01-01 00:00:00", "9999-12-31 23:59:59",
    "9999-12-31", "9999-01-01 00:00:00", 253402300799, 253402271999, 253402300799000, "253402300799",
    2147483647, "2147483647", -2147483648, "2038-01-19 11:14:07", "2038-01-19T03:14:07Z", 9223372036854775807,
)  # fmt: skip
"""What programs write for "never": section 9.1, and the first and last moments of other languages and databases."""
_READ_AS_MOMENT: tuple[Any, ...] = (
    "2026-05-01 12:30:59", " 2026-05-01 12:30:59 ", "2026-05-01T12:30:59", "2026/05/01 12:30:59", "2026/5/1 12:30:59",
    "2026-05-01 12:30:59.123", "2026-05-01 12:30:59.999999", "2026-05-01T12:30:59+08:00", "2026-05-01T12:30:59+0800",
    "2026-05-01 12:30:59 +08:00", "2026-05-01T04:30:59Z", "2026-05-01T04:30:59.5Z", "2026-05-01T04:30:59+00:00",
    "2026-04-30T23:30:59-05:00", "2026.05.01 12:30:59", "2026年5月1日 12:30:59", "2026年05月01日 12时30分59秒",
    "20260501123059", 20260501123059, "20260501T123059", "20260501T043059Z", "2026-05-01 12:30:59\n",
    1777609859, "1777609859", 1777609859.0, "1777609859.75", 1777609859123, "1777609859123", " 1777609859123 ",
    1777609859123456, "1777609859123456", 1777609859123456789,
)  # fmt: skip
_READ_AS_MINUTE: tuple[Any, ...] = ("2026-05-01 12:30", "2026-05-01T12:30", "2026/5/1 12:30", "2026-05-01T04:30Z",
                                    "202605011230")  # fmt: skip
_NO_TIME: tuple[Any, ...] = (
    "2026-02-30 00:00:00", "2026-05-01 25:00:00", "2026-05-01 12:60:00", "2026-13-01 00:00:00", "yesterday", "9 PM",
    "2026-05-01 下午3:30", "05/01/2026 12:30:59", "26-05-01 12:30:59", "2026-05-01 12:30:59 CST", "2026-05-01",
    "20260501", 20260501, "45658.35", 45658, True, [1], {"a": 1}, "o_000000000000", "2009-12-31 23:59:59", 1230739200,
    "1985-06-01 00:00:00", "2026-05-01T12:30:59+99:00", 10**25, -1777609859, 1777609.859,
)  # fmt: skip
_BOTH_TIMES = [
    *((form, MOMENT) for form in _READ_AS_MOMENT),
    *((form, _MINUTE) for form in _READ_AS_MINUTE),
    *((form, None) for form in NEVER),
    *((form, REFUSED) for form in _NO_TIME),
]
_IN_TWO_DAYS = f"{datetime.now() + timedelta(days=2):%Y-%m-%d} 23:59:59"
_NOTHING = [(None, None), ("", None), ("--", None), ("-", None), (" ", None), ("null", None)]


def _refused(*forms: Any) -> list[tuple[Any, Any]]:
    return [(form, REFUSED) for form in forms]


_NO_NUMBER = _refused("many", "1_0", "1,5", "1.234,50", "NaN", "Infinity", "0x10", "1 0", [1], {})
_LINE = (
    '[{{"sku_id":{},"spu_id":null,"goods_name":null,"buy_num":null,"unit_price":null,"total_price":null,'
    '"actual_fee":null,"refund_state":null,"expire_start":null,"expire_end":null}}]'
)
FORMS: dict[Read, list[tuple[Any, Any]]] = {
    values.identifier: [
        (17, "17"), ("0017", "0017"), ("a'\\\"b", "a'\\\"b"), ("", ""), ("x" * 128, "x" * 128), (None, None),
        *_refused({"a": 1}, [1], True, 1.5, "x" * 129),
    ],
    values.text: [
        *((text, text) for text in TEXTS), (None, None), (5, "5"), (1.5, "1.5"), (True, "true"),
        (["甲", {"b": 1}], '["甲",{"b":1}]'),
        *_refused("x" * 65_536, "字" * 21_846),
    ],
    values.code: [
        ("7", 7), (7, 7), (-1, -1), (7.0, 7), ("7.0", 7), (" 7 ", 7), ("07", 7), ("７", 7), (True, 1), (False, 0),
        ("true", 1), ("False", 0), *_NOTHING, *_NO_NUMBER,
        *_refused(1.5, "1.5", 2**31, "paid", "7元", "1.2万"),
    ],
    values.count: [
        ("7", 7), (7, 7), (7.0, 7), ("7.0", 7), ("1,234", 1234), ("1,234,567", 1234567), ("1.2万", 12000),
        ("1.2 万", 12000), ("3亿", 300_000_000), ("１２", 12), (2**31 - 1, 2**31 - 1), *_NOTHING, *_NO_NUMBER,
        *_refused(True, "30亿", 2**31, "100+", "1.5", "1.23456万", "7元"),
    ],
    values.yuan: [
        *((form, Decimal("12.30")) for form in ("12.30", "12.3", 12.3, "¥12.30", "￥12.3", "12.30元", "¥ 12.30")),
        *((form, Decimal("12.30")) for form in ("１２．３０", " 12.30 ", "+12.30", "12.300")),
        *((form, Decimal("1234.50")) for form in ("1,234.50", "¥1,234.5", "1,234.50 元", "1234.5", "１，２３４．５")),
        (0, Decimal(0)), ("-0", Decimal(0)), ("9999999999.99", Decimal("9999999999.99")), ("-5", Decimal(-5)),
        ("-¥5", Decimal(-5)), ("¥-5.00", Decimal(-5)), *_NOTHING, *_NO_NUMBER,
        *_refused(True, "12.345", "10000000000", "free", "1230分", "1.2万", "$12.30", "12,34.50"),
    ],
    values.fen: [
        *((form, Decimal("12.30")) for form in (1230, "1230", 1230.0, "1230.0", "1,230", "１２３０", "1230分")),
        (0, Decimal(0)), (-500, Decimal(-5)), *_NOTHING, *_NO_NUMBER,
        *_refused(True, "12x", 12.5, "9.90", "9.00", 9.9, "¥1230", "12.30元", 10**12),
    ],
    values.number: [
        ("12.5", Decimal("12.5")), (7, Decimal(7)), ("1,000", Decimal(1000)), ("¥1,000.5", Decimal("1000.5")),
        (12.25, Decimal("12.25")), *_NOTHING, *_NO_NUMBER,
        *_refused(True, "0.00001", "1e16"),
    ],
    values.time: [*_BOTH_TIMES, (_IN_TWO_DAYS, REFUSED), ("2099-12-31 23:59:59", REFUSED), (4102415999, REFUSED)],
    values.planned: [
        *_BOTH_TIMES, ("2099-12-31 23:59:59", _NEXT_CENTURY), (4102415999, _NEXT_CENTURY),
        *_refused("2101-01-01 00:00:00"),
    ],
    values.code_list: [
        ([2, 30], "2,30"), (["30", 2], "30,2"), ([2, 2], "2,2"), ("2,30", "2,30"), ("[2, 30]", "2,30"), (7, "7"),
        ('["2", 30]', "2,30"), ([], ""), ("[]", ""), *_NOTHING,
        *_refused(["x"], {}, [[2]], [2, None], "2,,30", [10**8] * 20),
    ],
    order_origins.order_lines: [
        (
            [{"sku_id": 7, "goods_name": "课 \"1\"", "buy_num": "2", "actual_fee": "990", "refund_state": "3"}],
            '[{"sku_id":"7","spu_id":null,"goods_name":"课 \\"1\\"","buy_num":2,"unit_price":null,"total_price":null,'
            '"actual_fee":"9.90","refund_state":3,"expire_start":null,"expire_end":null}]',
        ),
        *((form, _LINE.format('"7"')) for form in (
            [{"sku_id": "7"}], {"sku_id": "7"}, '[{"sku_id": 7}]', {"4": {"sku_id": 7}},
        )),
        ({"10": {"sku_id": "b"}, "9": {"sku_id": "a"}}, _LINE.format('"a"')[:-1] + "," + _LINE.format('"b"')[1:]),
        ([], "[]"), ("[]", "[]"), ({}, "[]"), *_NOTHING,
        *_refused(3, [7], "课", "{", {"a": 1}, [None], '"7"'),
    ],
    values.length: [([], 0), ([{"a": 1}, None], 2), *_NOTHING, *_refused(3, "3", {"a": 1})],
}  # fmt: skip
"""How a value is read → pairs of what is sent and what is stored; JSON numbers with a point are exact decimals."""
BAD = {read: next(sent for sent, kept in forms if kept is REFUSED) for read, forms in FORMS.items()}
"""How a value is read → one that cannot be."""
