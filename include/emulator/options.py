"""All options of an emulator, as a dataclass and as command-line flags."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

TOKEN_MODES = ("at_once", "after_5_minutes", "same_while_30_minutes_left")
WIDE_WINDOWS = ("error", "cut", "served")
ORDER_ID_WINDOWS = ("applied", "ignored")
MESSAGE_KEYS = ("by_code", "msg", "message")
JITTERS = ("per_state", "per_call")
RESOURCES = (
    "orders", "refunds", "users", "products", "live_streams", "order_origins", "live_viewers", "learning_days",
    "learning_progress", "promoters", "promoter_customers", "order_promoters",
)  # fmt: skip
DELETED_PRODUCTS = ("listed", "dropped")
USER_FILTERS = ("applied", "ignored", "refused")


class Credentials(NamedTuple):
    """The credentials of one shop's client."""

    app_id: str
    client_id: str
    secret: str


class PushTarget(NamedTuple):
    """Where one shop pushes its messages, and the two secrets that it shares with the receiver."""

    app_id: str
    token: str
    aeskey: str
    url: str


DEMO_SHOP = Credentials("appDemo0001", "xopDemo0001", "demo-secret")


@dataclass(frozen=True)
class Options:
    """One emulator's settings; `parser` describes each."""

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 1
    shop: tuple[Credentials, ...] = (DEMO_SHOP,)
    push: tuple[PushTarget, ...] = ()
    start: str = "2025-01-01"
    now: str | None = None
    frozen: bool = False
    orders_per_day: float = 200.0
    orders: int | None = None
    even: bool = False
    bad_rows: float = 0.0
    users_share: float = 1.0
    user_filters: str = "applied"
    users_vanish_share: float = 0.0
    users_vanish_at: str | None = None
    deleted_products: str = "listed"
    jitter: str = "per_state"
    capped: tuple[str, ...] = ("users",)
    cap_rows: int = 10_000
    begin_inclusive: bool = True
    end_inclusive: bool = True
    wide_window: str = "error"
    order_id_window: str = "applied"
    token_life: int = 7200
    token_mode: str = "at_once"  # noqa: S105 - no password
    message_key: str = "by_code"
    ip_whitelist: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    limits: bool = True
    order_quota: int = 3000
    token_quota: int = 100
    burst: int = 600
    latency_ms: float = 0.0
    fault_rate: float = 0.0
    stall_seconds: float = 5.0

    def cap(self, resource: str) -> int | None:
        """The number of rows after which a list is cut off, None for a list without a cap."""
        return self.cap_rows if self.cap_rows and resource in self.capped else None


_REPEATED = {field.name for field in fields(Options) if isinstance(field.default, tuple)}


def _shop(text: str) -> Credentials:
    parts = text.split(":")
    if len(parts) != 3 or not all(parts):
        raise argparse.ArgumentTypeError("expected APP_ID:CLIENT_ID:SECRET")
    return Credentials(*parts)


def _push(text: str) -> PushTarget:
    parts = text.split(":", 3)
    if len(parts) != 4 or not all(parts):
        raise argparse.ArgumentTypeError("expected APP_ID:TOKEN:AESKEY:URL")
    return PushTarget(*parts)


def _addresses(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("expected a share between 0 and 1")
    return value


def _add_shop_flags(flags: argparse._ArgumentGroup) -> None:
    flags.add_argument("--seed", type=int, help="seed of all random values")
    flags.add_argument("--shop", type=_shop, action="append", metavar="APP_ID:CLIENT_ID:SECRET", help="repeatable")
    flags.add_argument(
        "--push", type=_push, action="append", metavar="APP_ID:TOKEN:AESKEY:URL", help="repeatable; tell changes there"
    )
    flags.add_argument("--start", help="day of the first orders, YYYY-MM-DD, Beijing")
    flags.add_argument("--now", help="shop time at the start, ISO, Beijing (default: the real time)")
    flags.add_argument("--frozen", action="store_true", help="shop time does not advance by itself")
    flags.add_argument("--orders-per-day", type=float, help="mean per shop")
    flags.add_argument("--orders", type=int, help="exact number per shop from --start to --now")
    flags.add_argument("--even", action="store_true", help="the same rate at all hours, and no sales")
    flags.add_argument("--bad-rows", type=_share, help="share of orders whose rows cannot be typed")
    flags.add_argument("--users-share", type=_share, help="share of users that are listed")
    flags.add_argument(
        "--user-filters", choices=USER_FILTERS, help="what the filters of users by days do; nobody has documented them"
    )
    flags.add_argument("--users-vanish-share", type=_share, help="share of users deleted")
    flags.add_argument("--users-vanish-at", metavar="NOW", help="when they are deleted, ISO, Beijing (default: always)")
    flags.add_argument(
        "--deleted-products", choices=DELETED_PRODUCTS, help="whether deleted products stay listed or most leave later"
    )
    flags.add_argument("--jitter", choices=JITTERS, help="whether types vary per order state or per call")


def _add_api_flags(flags: argparse._ArgumentGroup) -> None:
    flags.add_argument(
        "--begin-exclusive", action="store_false", dest="begin_inclusive", help="the window is open at begin_time"
    )
    flags.add_argument("--end-inclusive", action="store_true", dest="end_inclusive", help="end_time is in the window")
    flags.add_argument(
        "--end-exclusive", action="store_false", dest="end_inclusive", help="the window is open at end_time"
    )
    flags.add_argument("--wide-window", choices=WIDE_WINDOWS, help="answer to a window over 7 days")
    flags.add_argument("--order-id-window", choices=ORDER_ID_WINDOWS, help="whether order_id is bound to the window")
    flags.add_argument("--capped", choices=RESOURCES, action="append", help="repeatable; a list with --cap-rows")
    flags.add_argument("--cap-rows", type=int, help="largest total and last row of capped lists; 0: no cap")
    flags.add_argument("--token-life", type=int, help="seconds")
    flags.add_argument("--token-mode", choices=TOKEN_MODES, help="when a new token ends the old one")
    flags.add_argument("--message-key", choices=MESSAGE_KEYS, help="how the envelope spells its text")
    flags.add_argument("--ip-whitelist", type=_addresses, help="comma-separated; others get 2051 for a token")
    flags.add_argument("--deny", action="append", metavar="INTERFACE", help="repeatable; it answers 2017")


def _add_trouble_flags(flags: argparse._ArgumentGroup) -> None:
    flags.add_argument("--no-limits", action="store_false", dest="limits", help="no 2053 and no 2054")
    flags.add_argument("--order-quota", type=int, help="order list calls in 10 s per shop")
    flags.add_argument("--token-quota", type=int, help="token calls in 10 minutes per shop")
    flags.add_argument("--burst", type=int, help="calls per second that count as a burst; 0: never")
    flags.add_argument("--latency-ms", type=float, help="of every API answer, from the call's arrival")
    flags.add_argument("--fault-rate", type=_share, help="share of business calls that get a retriable fault")
    flags.add_argument("--stall-seconds", type=float, help="delay of a stalled answer")


def parser() -> argparse.ArgumentParser:
    """The argument parser; omitted flags keep the dataclass's default."""
    flags = argparse.ArgumentParser(
        prog="emulator",
        description="A stand-in for the Xiaoe open API.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    flags.add_argument("--host")
    flags.add_argument("--port", type=int, help="0: a free one")
    _add_shop_flags(flags.add_argument_group("the shop"))
    _add_api_flags(flags.add_argument_group("the API, where it is undocumented or configurable"))
    _add_trouble_flags(flags.add_argument_group("limits and faults"))
    return flags


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Parse the command line."""
    chosen = vars(parser().parse_args(arguments))
    for name in _REPEATED & chosen.keys():
        chosen[name] = tuple(chosen[name])
    return Options(**chosen)
