"""A shop's products and buyers, with texts that break careless loaders (docs/xiaoe-api.md section 9.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from emulator.seeded import draws_of, key_of

PHYSICAL = 21
SOLD = 240  # products that orders refer to
Choice = TypeVar("Choice")
# resource_type, prefix of its ids, weight; 999 is undocumented
_KINDS = (
    (1, "i", 6), (2, "a", 12), (3, "v", 14), (4, "l", 14), (5, "c", 6), (6, "p", 14), (8, "p", 4),
    (9, "at", 2), (20, "e", 2), (PHYSICAL, "s", 14), (23, "svip", 2), (25, "term", 5), (34, "ex", 1),
    (41, "cp", 1), (50, "course", 6), (68, "sv", 1), (21001, "cart", 2), (999, "new", 1),
)  # fmt: skip
_TICKETS = [(resource_type, prefix) for resource_type, prefix, weight in _KINDS for _ in range(weight)]
_TOPICS = (
    "亲子沟通",
    "英语启蒙",
    "瑜伽",
    "短视频运营",
    "财务报表",
    "书法",
    "心理咨询",
    "烘焙",
    "Python 入门",
    "国画",
    "育儿",
)
_FORMATS = (
    "入门课",
    "训练营",
    "21天打卡",
    "名师直播",
    "实战班",
    "年度会员",
    "公开课",
    "礼盒",
    "答疑课",
    "精讲",
)
_TAILS = (
    *[""] * 8, "（第2期）", "🔥限时", " \"双引号\" 与 '单引号'", "\t制表符", "\n第二行", "反斜杠\\", "\\N",
    " & <b>加粗</b>", "👨\u200d👩\u200d👧 全家版", "；--注释", "\r\n换行", ",逗号", " 尾部空格 ", "{{ ds }}",
    "=1+1", "100%", "𠮷野家", "NULL", "/斜杠/",
)  # fmt: skip
_PRICES = (0, 1, 10, 100, 990, 1990, 4900, 9900, 19900, 29910, 39905, 69900, 129900, 299900, 1280000)
_SURNAMES = "王李张刘陈杨黄赵周吴徐孙马朱胡欧"
_GIVEN = ("伟", "芳", "娜", "敏", "静", "小明", "梓涵", "😀", "O'Neil", "建国", "·买买提", "\\", '"引号"')
_STREETS = ("人民路", "中山大道", "学院路", "解放东路", "滨江路", "Main St.", "朝阳\t北路")
_DOORS = (
    "3栋2单元101室",
    "501",
    "B座\n前台代收",
    "门口有🐶，请电话",
    "丰巢\\柜",
    '"快递站"',
    "O'Neil 收",
    "\\N",
    "5#楼|左侧",
)


class Product(NamedTuple):
    """A product; `price` in fen."""

    resource_type: int
    resource_id: str
    title: str
    price: int
    goods_no: str


class Receiver(NamedTuple):
    """The receiver of a parcel."""

    name: str
    phone: str
    address: str


def _product(key: bytes, number: int) -> Product:
    draws = draws_of(key, number)
    resource_type, prefix = _pick(_TICKETS, draws[0])
    title = _pick(_TOPICS, draws[1]) + _pick(_FORMATS, draws[2]) + _pick(_TAILS, draws[3])
    goods_no = f"SPU{draws[4] % 1_000_000:06d}" if resource_type == PHYSICAL else ""
    resource_id = f"{prefix}_{draws[5]:08x}{number:04x}_{draws[6]:08x}"
    return Product(resource_type, resource_id, title, _pick(_PRICES, draws[7]), goods_no)


def _pick(choices: Sequence[Choice], bits: int) -> Choice:
    return choices[bits * len(choices) >> 32]


class Catalogue:
    """One shop's products and buyers."""

    def __init__(self, key: bytes) -> None:
        self._users_mark = key_of(key.hex(), "users").hex()[:4]
        self._products_key = key_of(key.hex(), "products")
        self._products = [_product(self._products_key, number) for number in range(SOLD)]

    def numbered(self, number: int) -> Product:
        """The product with this number; orders refer only to the first `SOLD`."""
        return self._products[number] if number < SOLD else _product(self._products_key, number)

    def product(self, bits: int) -> Product:
        """A product for an order; the first are much more frequent than the last."""
        return self._products[(bits * bits >> 32) * SOLD >> 32]

    def user(self, order_number: int, bits: int) -> int:
        """The number of an order's buyer; the number of buyers grows with the number of orders."""
        return (bits * bits >> 32) * (50 + order_number // 3) >> 32

    def user_id(self, user: int) -> str:
        """The user id of a buyer, constant across the buyer's orders."""
        scattered = user * 0x9E3779B97F4B & 0xFFFFFFFFFFFF  # odd factor: no two users meet
        return f"u_{scattered:012x}_{self._users_mark}{user % 9973:04d}"

    def receiver(self, user: int, bits: int) -> Receiver:
        """The receiver of a parcel; a buyer has one name and phone and several addresses."""
        name = _SURNAMES[user % len(_SURNAMES)] + _GIVEN[user % len(_GIVEN)]
        phone = f"1{30 + user % 60}{user * 7919 % 100_000_000:08d}"
        street = _STREETS[user % len(_STREETS)]
        return Receiver(name, phone, f"广东省深圳市南山区{street}{user % 400}号{_pick(_DOORS, bits)}")
