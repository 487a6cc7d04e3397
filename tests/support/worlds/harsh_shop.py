"""A second stand-in for the shop's API, which answers in the harshest forms that docs/xiaoe-api.md leaves possible.

It shares nothing with the emulator and nothing with the client, so what both of those got wrong shows here. Its truth
is plain Python values, by the columns of docs/database.md. Every answer varies in form (`harsh_forms`); one row in
twenty has one field that nobody can read; each list holds an element without a key, which its total does not count;
both ends of a window of orders and the last day of after-sales are excluded; live streams tell no total; a total is
text. Viewers, learning and promoters: `harsh_more`; order list 2.0: `harsh_origins`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zlib import crc32

from support.servers.wire import Seen, Wire, http, serving
from support.worlds import harsh_more, harsh_origins
from support.worlds.harsh_forms import dressed, odd, unix
from support.worlds.harsh_rows import EVERY, Body, Fact, Row, error, keyless, numbered, page

NOW = datetime(2026, 11, 20, 12)
BEGIN = datetime(2026, 9, 21)
ORDER_STATES = {1: "支付成功", 3: "已退款", 6: "超时未支付自动取消", 8: "退款中", 10: "退款成功", 11: "部分退款"}
SHIP_STATES = {0: "无需发货", 1: "未发货", 2: "已发货", 3: "已收货", 4: "部分发货"}
RESOURCE_TYPES = {1: "图文", 2: "音频", 3: "视频", 4: "直播", 5: "会员", 6: "专栏", 21: "实物商品", 25: "训练营"}
CLIENT_TYPES = {0: "小程序", 1: "公众号", 2: "QQ", 11: "PC", 12: "APP", 20: "抖音", 30: "管理台导入", 88: "抖音小程序"}
ORDER_TYPES = {2: "普通", 6: "拼团", 8: "优惠券", 22: "推广员", 26: "秒杀", 70: "管理台导入"}
ORDERED_BY = ((2,), (2, 8), (6,), (2, 22), (26, 8), (70,))
AFTER_SALES_STATES = {0: "无售后", 1: "处理中", 2: "已处理", 4: "已关闭"}
STATES = {1: "用户取消", 2: "商家受理中", 4: "商家拒绝退款", 13: "退款完成", 14: "退货退款完成", 19: "商家已收到货"}
SALE_STATUSES = {0: "下架", 1: "上架", 2: "待上架"}
ALIVE_TYPES = {10: "横屏", 11: "竖屏", 12: "语音", 13: "录播"}
ALIVE_STATES = {0: "未开始", 1: "直播中", 2: "已结束"}
TITLES = ("Python 入门", "七天写作营 😀", '"引号"\t与制表符', "换行\n课", "C:\\new\\table")


def orders() -> list[Row]:
    """620 orders of sixty days, ten a day."""
    step = (NOW - BEGIN) / 620
    return [_order(number, BEGIN + timedelta(seconds=int((step * number).total_seconds()))) for number in range(620)]


def _buyer(number: int) -> int:
    """Who made an order: the last twenty are the only ones of somebody who registered shortly before."""
    return 15 + number - 600 if number >= 600 else 120 + number % 120


def _price_of(product: int) -> Decimal:
    return Decimal(product * 999) / 100


def _order(number: int, created: datetime) -> Row:
    product, quantity = (number + 1) % 220, 1 + number % 3
    whole = _price_of(product) * quantity
    off = min(whole, Decimal(number % 7 * 15))
    price = whole - off
    state = (1, 6, 8, 1, 11, 1, 10, 11, 3, 1)[(number + number // EVERY) % 10]
    paid = None if state == 6 else created + timedelta(minutes=3)
    back = {10: price, 3: price, 11: (price / 4).quantize(Decimal("0.01"))}.get(state)
    refunded = None if back is None else created + timedelta(days=number % 9, hours=1)
    if refunded and refunded > NOW:
        state, back, refunded = 1, None, None
    return Row(number, created, (
        Fact("order_id", "order_id", "id", f"17{number:08d}" if number % 3 else f"o_{number:06d}"),
        Fact("user_id", "user_id", "id", user_id(_buyer(number))),
        Fact("resource_type", "resource_type", "code", list(RESOURCE_TYPES)[product % 8], RESOURCE_TYPES),
        Fact("resource_id", "resource_id", "id", product_id(product)),
        Fact("title", "title", "text", TITLES[product % 5]),
        Fact("count", "quantity", "count", quantity),
        Fact("price", "price", "yuan", price),
        Fact("coupon_id", "coupon_id", "id", f"9{number:06d}" if number % 4 == 0 else None),
        Fact("coupon_name", "coupon_name", "text", "满减券" if number % 4 == 0 else None),
        Fact("coupon_price", "coupon_price", "fen", Decimal("12.00") if number % 4 == 0 else None),
        Fact("discount_price", "discount_price", "fen", off),
        Fact("refund_money", "refund_money", "fen", back),
        Fact("order_state", "order_state", "code", state, ORDER_STATES),
        Fact("ship_state", "ship_state", "code", number % 5, SHIP_STATES),
        Fact("pay_way", "pay_way", "code", number % 4),
        Fact("client_type", "client_type", "code", list(CLIENT_TYPES)[number % 8], CLIENT_TYPES),
        Fact("order_type", "order_type", "codes", ORDERED_BY[number % 6], ORDER_TYPES),
        Fact("collection_way", "collection_way", "code", number % 3),
        Fact("after_sales_state", "after_sales_state", "code", (0, 1, 2, 4)[number % 4], AFTER_SALES_STATES),
        Fact("team_buy_state", "team_buy_state", "code", number % 2),
        Fact("sales_state", "sales_state", "code", (-1, 1, 2)[number % 3]),
        Fact("out_order_id", "out_order_id", "id", f"4200{number:010d}"),
        Fact("transaction_id", "transaction_id", "id", f"88{number:012d}"),
        Fact("goods_no", "goods_no", "digits", f"{1000 + number}"),
        Fact("system_info", "system_info", "text", "iPhone 17; iOS 27"),
        Fact("receiver_name", "receiver_name", "text", "王小明" if number % 8 == 6 else None),
        Fact("receiver_phone", "receiver_phone", "digits", f"1380000{number:04d}" if number % 8 == 6 else None),
        Fact("receiver_detail", "receiver_detail", "text", "人民路 1 号\n2 楼" if number % 8 == 6 else None),
        Fact("created_time", "created_time", "time", created),
        Fact("pay_time", "pay_time", "time", paid),
        Fact("refund_time", "refund_time", "time", refunded),
        Fact("settle_time", "settle_time", "time", created + timedelta(days=1) if number % 6 == 0 else None),
    ))  # fmt: skip


def after_sales(sold: Sequence[Row]) -> list[Row]:
    """380 after-sales, latest change first, each of another order."""
    rows = [_after_sale(number, sold[number * 7 % len(sold)]) for number in range(380)]
    return sorted(rows, key=lambda row: row.time, reverse=True)


def _after_sale(number: int, order: Row) -> Row:
    state = list(STATES)[number % 6]
    made = min(order.time + timedelta(hours=1), NOW - timedelta(minutes=1))
    changed = min(made + timedelta(hours=number % 60), NOW - timedelta(minutes=1))
    paid = next(fact.value for fact in order.facts if fact.field == "price")
    return Row(number, changed, (
        Fact("aftersale_id", "aftersale_id", "id", f"66{number:07d}" if number % 2 else f"as_{number:05d}"),
        Fact("order_id", "order_id", "id", order.key),
        Fact("state", "state", "code", state, STATES),
        Fact("state_reason", "state_reason", "text", None if number % 3 else "协商一致"),
        Fact("sale_type", "sale_type", "code", None if number % 5 == 0 else 1 + number % 2),
        Fact("sale_type_name", "sale_type_name", "text", "仅退款"),
        Fact("apply_refund_money", "apply_refund_money", "fen", paid),
        Fact("refund_money", "refund_money", "fen", paid if state in (13, 14) else None),
        Fact("actual_fee", "actual_fee", "fen", paid),
        Fact("original_price", "original_price", "fen", Decimal("1999.00")),
        Fact("reason", "reason", "text", "不想要了"),
        Fact("remark", "remark", "text", None if number % 4 else "加急"),
        Fact("nick_name", "nickname", "text", f"用户{number}"),
        Fact("goods_name", "goods_name", "text", TITLES[number % 5]),
        Fact("goods_list", "goods_count", "entries", 1 + number % 3),
        Fact("sku_id", "sku_id", "id", f"70{number:05d}" if number % 3 else None),
        Fact("created_at", "created_at", "time", made),
        Fact("updated_at", "updated_at", "time", changed),
        Fact("invalid_time", "invalid_time", "time", made + timedelta(days=30)),
        Fact("state_invalid_time", "state_invalid_time", "time", None if number % 2 else made + timedelta(days=400)),
    ))  # fmt: skip


def user_id(number: int) -> str:
    """The id of a user: digits alone for some."""
    return f"5550{number:05d}" if number % 4 == 0 else f"u_{number:05d}"


def users(sold: Sequence[Row]) -> list[Row]:
    """240 users, newest first; what they paid is in yuan."""
    paid: Counter[str] = Counter()
    for order in sold:
        row = {fact.column: fact.value for fact in order.facts}
        if row["pay_time"]:
            paid[row["user_id"]] += row["price"]
    return [
        _user(number, NOW - timedelta(hours=5 * number + 1), Decimal(paid[user_id(number)])) for number in range(240)
    ]


def _user(number: int, registered: datetime, paid: Decimal) -> Row:
    visited = None if number % 4 == 1 else registered + timedelta(minutes=9)
    return Row(number, registered, (
        Fact("user_id", "user_id", "id", user_id(number)),
        Fact("user_nickname", "nickname", "text", f"昵称🐼{number}"),
        Fact("bind_phone", "phone", "digits", f"1390000{number:04d}"),
        Fact("collect_phone", "collect_phone", "digits", None if number % 3 else f"1370000{number:04d}"),
        Fact("avatar", "avatar", "text", "https://example.com/a.png"),
        Fact("from", "source", "text", ("微信", "抖音", "")[number % 3]),
        Fact("pay_sum", "pay_sum", "amount", paid),
        Fact("punch_count", "punch_count", "count", (number % 30) * 700),
        Fact("wx_union_id", "wx_union_id", "text", f"on_{number}"),
        Fact("wx_open_id", "wx_open_id", "text", f"op_{number}"),
        Fact("wx_app_open_id", "wx_app_open_id", "text", None),
        Fact("user_created_at", "registered_at", "time", registered),
        Fact("latest_visited_at", "last_visited_at", "time", visited),
    ))  # fmt: skip


def product_id(number: int) -> str:
    """The id of a product: digits alone for some."""
    return f"9000{number:05d}" if number % 3 == 0 else f"v_{number:05d}"


def products() -> list[Row]:
    """220 products in no order."""
    return [_product(number * 9 % 220) for number in range(220)]


def _product(number: int) -> Row:
    created = BEGIN - timedelta(days=number)
    return Row(number, created, (
        Fact("resource_id", "resource_id", "id", product_id(number)),
        Fact("spu_id", "spu_id", "id", f"80{number:06d}"),
        Fact("spu_type", "spu_type", "text", ("VCP", "CMN")[number % 2]),
        Fact("resource_type", "resource_type", "code", list(RESOURCE_TYPES)[number % 8], RESOURCE_TYPES),
        Fact("goods_name", "name", "text", f"{TITLES[number % 5]} {number}"),
        Fact("price_low", "price_low", "fen", _price_of(number)),
        Fact("price_high", "price_high", "fen", Decimal(number * 1999) / 100),
        Fact("price_line", "price_line", "fen", None if number % 3 else Decimal("2999.00")),
        Fact("sale_status", "sale_status", "code", number % 3, SALE_STATUSES),
        Fact("is_deleted", "is_deleted", "flag", int(number % 11 == 0)),
        Fact("created_at", "created_at", "time", created),
        Fact("updated_at", "updated_at", "time", None if number % 4 == 0 else created + timedelta(days=1)),
    ))  # fmt: skip


def live_streams() -> list[Row]:
    """200 live streams."""
    return [_live_stream(number) for number in range(200)]


def _live_stream(number: int) -> Row:
    start = BEGIN + timedelta(hours=12 * number)
    stopped = start + timedelta(hours=1) if start < NOW - timedelta(days=1) else None
    return Row(number, start, (
        Fact("id", "live_id", "id", f"77{number:06d}" if number % 2 else f"l_{number:06d}"),
        Fact("title", "title", "text", TITLES[number % 5]),
        Fact("alive_type", "alive_type", "code", 10 + number % 4, ALIVE_TYPES),
        Fact("alive_state", "alive_state", "code", 0 if start > NOW else 2, ALIVE_STATES),
        Fact("alive_start_at", "start_at", "time", start),
        Fact("alive_stop_at", "stop_at", "time", start + timedelta(hours=2)),
        Fact("alive_manual_stop_at", "manual_stop_at", "time", stopped),
        Fact("view_count", "view_count", "count", number * 1300),
        Fact("reward_sum", "reward_sum", "yuan", Decimal(number * 1025) / 100),
        Fact("purchase_count", "purchase_count", "count", number * 17),
        Fact("recycle_bin_state", "recycle_bin_state", "flag", number % 2),
    ))  # fmt: skip


@dataclass
class HarshShop:
    """The shop. Change `lists` to change what there is.

    Args:
        mood: Another number, another form of every value.
        broken: (list, field of the API) that nobody can read in any row.
        gone: (list, field of the API) that no row has.
        largest_page: Rows that a page of products holds at most.
        refuses_larger: Whether asking for more of them is an error; else as many come.
        refused: Parents whose lists answer with an error.
        asked: Path → calls so far.
        of_parent: (list, parent) → calls so far.
    """

    mood: int = 0
    broken: set[tuple[str, str]] = field(default_factory=set)
    gone: set[tuple[str, str]] = field(default_factory=set)
    lists: dict[str, list[Row]] = field(default_factory=dict)
    largest_page: int = 100
    refuses_larger: bool = False
    refused: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    of_parent: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        sold = orders()
        self.lists = {
            "orders": sold, "refunds": after_sales(sold), "users": users(sold), "products": products(),
            "live_streams": live_streams(),
        }  # fmt: skip
        self.lists |= harsh_more.lists(self.lists, NOW) | {"order_origins": harsh_origins.origins(sold, NOW)}

    def problems(self) -> set[tuple[str, str, str]]:
        """(list, key, field) of every field that cannot be read, as things stand."""
        odd_ones = {(name, row.key, one) for name, rows in self.lists.items() for row in rows for one in row.unread}
        return odd_ones | {(name, row.key, one) for name, one in self.broken for row in self.lists[name]}

    def stored(self, name: str) -> dict[str, dict[str, Any]]:
        """Key → the row as the warehouse has to hold it."""
        columns = {fact.field: fact.column for fact in self.lists[name][0].facts} if self.lists[name] else {}
        unread = [columns[one] for of, one in self.broken if of == name]
        return {row.key: row.stored(*unread) for row in self.lists[name]}

    # --- on the wire -----------------------------------------------------------------------------------

    def sent(self, name: str, row: Row, **more: Any) -> dict[str, Any]:
        """A row as the API sends it, with fields that nobody knows."""
        found: dict[str, Any] = {}
        for fact in row.facts:
            choice = crc32(f"{row.number} {fact.field} {self.mood}".encode())
            is_odd = fact is row.odd or (name, fact.field) in self.broken
            if (name, fact.field) in self.gone:
                continue
            if is_odd:
                found[fact.field] = odd(fact.kind, row.number)
            elif fact.kind == "lines":
                found[fact.field] = harsh_origins.written_lines(fact.value, row.number, self.mood)
            else:
                found[fact.field] = dressed(fact.kind, fact.value, fact.words, choice)
        return {"_v": 3, "ext": {"a": [row.number]}, **found, **more}

    def _list_orders(self, body: Body) -> dict[str, Any]:
        """Oldest first; neither `begin_time` nor `end_time` itself is in the window."""
        end = body.get("end_time", unix(NOW))
        begin = body.get("begin_time", end - 86_400)
        if end - begin > 7 * 86_400 + 1:
            return error(1002, "time range is too long")
        known = [(row, self.sent("orders", row)) for row in self.lists["orders"]]
        known += [(row, keyless("order_id", self.sent("orders", row))) for row in self.lists["orders"][100:400:200]]
        known.sort(key=lambda pair: pair[0].time)
        inside = [pair for pair in known if begin < unix(pair[0].time) < end]
        for name in ("order_id", "user_id"):
            if name in body:
                inside = [(row, one) for row, one in inside if str(one.get(name)) == str(body[name])]
        return numbered([one for _, one in inside], "order_id", body, "page_index", 200, "total")

    def _list_refunds(self, body: Body) -> dict[str, Any]:
        """Latest change first; the last day of the range is not in it."""
        first, _, last = body["created_at"].partition("||")
        inside = [row for row in self.lists["refunds"] if first <= f"{row.time:%Y-%m-%d}" < last]
        found = [self.sent("refunds", row) for row in inside]
        found += [keyless("aftersale_id", self.sent("refunds", row)) for row in inside if row.number == 40]
        return numbered(found, "aftersale_id", body, "page_index", 100, "row_count")

    def _list_users(self, body: Body) -> dict[str, Any]:
        """By cursor, newest first; the element without a key stands last on the first page and has no cursor."""
        first, last = body.get("user_created_start", ""), body.get("user_created_end", "9999")
        inside = [row for row in self.lists["users"] if first <= f"{row.time:%Y-%m-%d}" <= last]
        found = [
            self.sent("users", row, es_skip={"id": row.key, "user_created_at": unix(row.time) * 1000}) for row in inside
        ]
        total = len(found)
        if total > 50:
            found.insert(49, {"user_nickname": "filler"})
        if "latest_visited_at" not in body.get("need_column", ()):
            for one in found:
                one.pop("latest_visited_at", None)
        size = min(int(body.get("page_size", 10)), 50)
        names = [one.get("es_skip", {}).get("id") for one in found]
        begin = names.index(body["es_skip"]["id"]) + 1 if "es_skip" in body else 0
        return page(found[begin : begin + size], total, "total")

    def _list_products(self, body: Body) -> dict[str, Any]:
        found = [self.sent("products", row) for row in self.lists["products"]]
        found[90:90] = [{"goods_name": "filler"}] if found else []
        if self.refuses_larger and int(body.get("page_size", 10)) > self.largest_page:
            return error(1002, "page_size is too large")
        return numbered(found, "resource_id", body, "page", self.largest_page, "total")

    def _list_live_streams(self, body: Body) -> dict[str, Any]:
        """Tells no total."""
        found = [self.sent("live_streams", row) for row in self.lists["live_streams"]]
        found += [{"id": " ", "title": "filler"}] if found else []
        return numbered(found, "id", body, "page", 100, None)

    def answer(self, path: str, body: Body) -> dict[str, Any]:
        """The answer to a call."""
        self.asked[path] += 1
        serve: dict[str, Callable[[Body], dict[str, Any]]] = {
            "/xe.order.list.get/1.0.1": self._list_orders,
            "/xe.ecommerce.after_sale.list/1.0.0": self._list_refunds,
            "/xe.user.batch.get/2.0.0": self._list_users,
            "/xe.goods.list.get/4.0.0": self._list_products,
            "/xe.alive.list.get/1.0.0": self._list_live_streams,
        }
        if path.startswith("/token"):
            return {"code": 0, "message": "ok", "data": {"access_token": "xe_harsh", "expires_in": "7200"}}
        if path in harsh_more.SERVED:
            return harsh_more.SERVED[path](self, body)
        if path == "/xe.ecommerce.order.list/1.0.0":
            return harsh_origins.list_origins(self, body)
        if path not in serve:
            return error(2052, "no such interface")
        return serve[path](body)

    def __call__(self, seen: Seen) -> bytes:
        """The answer's bytes, for `support.servers.wire`."""
        content = self.answer(seen.path, json.loads(seen.body or b"{}"))
        return http(
            "200 OK",
            json.dumps(content, ensure_ascii=False).encode(errors="surrogateescape"),
            "Content-Type: application/json",
        )


@contextmanager
def open_shop(shop: HarshShop) -> Iterator[Wire]:
    """Serve a shop for the length of a `with` block."""
    with serving() as wire:
        wire.answer = shop
        yield wire
