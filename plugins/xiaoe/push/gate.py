"""Whether a request is a message of a shop of ours, and which: pure decisions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum

from xiaoe.push.cipher import CipherError, decrypt, is_signed
from xiaoe.push.messages import PushMessage, read_message
from xiaoe.push.request import PushRequest, unix_seconds
from xiaoe.push.shops import PushShop

_ECHO = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


class PushRefusal(Enum):
    """Why a request is not taken: the word in `push_days.last_refusal`, the HTTP status, what an operator does."""

    UNKNOWN_SHOP = (
        "unknown_shop", 403,
        "地址里的店铺没有配置推送：核对小鹅通后台填写的推送地址与连接的 app_id"
        " · the address names a shop without push_token: compare it with app_id of the connections",
    )  # fmt: skip
    NO_PUSH = (
        "no_push", 400,
        "请求里缺少 encrypt、signature、timestamp 或 nonce，不是小鹅通的推送"
        " · the request is no push: encrypt, signature, timestamp or nonce is missing",
    )  # fmt: skip
    TOO_LONG = (
        "too_long", 413,
        "请求过长，不是小鹅通的推送 · the request is too long for a push",
    )  # fmt: skip
    BAD_SIGNATURE = (
        "bad_signature", 403,
        "签名不符：若小鹅通的推送一条也收不到，核对连接的 push_token；否则是有人伪造"
        " · wrong signature: if no push gets through, correct push_token of the connection; else somebody forges them",
    )  # fmt: skip
    TOO_OLD = (
        "too_old", 403,
        "时间戳早于 XIAOE_PUSH_MAX_AGE_HOURS，按重放拒收"
        " · the timestamp is older than XIAOE_PUSH_MAX_AGE_HOURS: refused as a replay",
    )  # fmt: skip
    FROM_THE_FUTURE = (
        "from_the_future", 403,
        "时间戳在未来：核对本机时钟（NTP） · the timestamp lies ahead: set this machine's clock (NTP)",
    )  # fmt: skip
    WRONG_KEY = (
        "wrong_key", 500,
        "签名正确但解不开：核对连接的 push_secret（EncodingAESKey）；小鹅通会重新推送"
        " · signed but not decrypted: correct push_secret (EncodingAESKey) of the connection; it is sent again",
    )  # fmt: skip
    WRONG_SHOP = (
        "wrong_shop", 403,
        "消息属于另一家店铺：核对小鹅通后台填写的推送地址"
        " · the message names another shop than its address: correct the address in the shop's console",
    )  # fmt: skip

    def __init__(self, word: str, status: int, advice: str) -> None:
        self.word = word
        self.status = status
        self.advice = advice


class RefusedError(Exception):
    """A request that is not taken.

    Args:
        reason: Why.
        app_id: The shop that it was for, where one of ours is known.
    """

    def __init__(self, reason: PushRefusal, app_id: str | None = None) -> None:
        super().__init__(reason.word)
        self.reason = reason
        self.app_id = app_id


@dataclass(frozen=True)
class Accepted:
    """A message of a shop of ours.

    Args:
        app_id: The shop.
        sent_at: The timestamp of this delivery, UTC.
        message: What it says.
    """

    app_id: str
    sent_at: datetime
    message: PushMessage


@dataclass(frozen=True)
class Gate:
    """Lets messages of our shops through.

    A delivery of the same message again is let through: the shop repeats what was not answered, over a day and with
    whatever timestamp (not documented), so only the store can tell that it was there before. What is older than any
    repetition is refused.

    Args:
        shops: By `app_id`.
        max_age: How old a timestamp may be.
        max_skew: How far it may lie ahead of our clock.
    """

    shops: Mapping[str, PushShop]
    max_age: timedelta
    max_skew: timedelta

    def open(self, app_id: str | None, request: PushRequest, now: datetime) -> Accepted:
        """Check and read a push.

        Args:
            app_id: The shop in the request's path; None: any of ours, since the documentation shows no such path.
            request: The four values.
            now: The present moment, with an offset.

        Raises:
            RefusedError: It is not taken.
        """
        signed = (request.timestamp, request.nonce, request.encrypt)
        shop = self._signer(app_id, request.signature, signed)
        sent_at = self._timely(request.timestamp, now, shop.app_id)
        try:
            message = read_message(decrypt(shop.key, request.encrypt))
        except CipherError:
            raise RefusedError(PushRefusal.WRONG_KEY, shop.app_id) from None
        owner = self._owner(app_id, shop, message)
        return Accepted(owner, sent_at, message)

    def prove(self, app_id: str | None, fields: Mapping[str, str], now: datetime) -> str:
        """What the console wants to hear when it checks the address, which WeChat's scheme does by `echostr`.

        Not documented here. Both of WeChat's forms are answered: `echostr` as it is where token, timestamp and nonce
        are signed, decrypted where it is signed with them. Only letters and digits are: else whoever came by a message
        could have it decrypted.

        Args:
            app_id: The shop in the request's path.
            fields: Of the query string, names in lower case.
            now: The present moment, with an offset.

        Raises:
            RefusedError: It is no such check.
        """
        echo = fields.get("echostr", "").replace(" ", "+")
        given = fields.get("msg_signature") or fields.get("signature", "")
        signed = (fields.get("timestamp", ""), fields.get("nonce", ""))
        try:
            shop, answer = self._signer(app_id, given, signed), echo
        except RefusedError:
            shop = self._signer(app_id, given, (*signed, echo))
            try:
                answer = decrypt(shop.key, echo).decode("ascii", "replace")
            except CipherError:
                raise RefusedError(PushRefusal.WRONG_KEY, shop.app_id) from None
        self._timely(signed[0], now, shop.app_id)
        if not _ECHO.fullmatch(answer):
            raise RefusedError(PushRefusal.NO_PUSH, shop.app_id)
        return answer

    def _signer(self, app_id: str | None, signature: str, signed: tuple[str, ...]) -> PushShop:
        """The shop whose token signed these parts.

        Raises:
            RefusedError: None did, or the path's shop is none of ours.
        """
        if app_id is not None and app_id not in self.shops:
            raise RefusedError(PushRefusal.UNKNOWN_SHOP)
        asked = [self.shops[app_id]] if app_id is not None else list(self.shops.values())
        for shop in asked:
            if is_signed(signature, (shop.token, *signed)):
                return shop
        raise RefusedError(PushRefusal.BAD_SIGNATURE, app_id)

    def _timely(self, timestamp: str, now: datetime, app_id: str) -> datetime:
        if (seconds := unix_seconds(timestamp)) is None:
            raise RefusedError(PushRefusal.NO_PUSH, app_id)
        sent_at = datetime.fromtimestamp(seconds, timezone.utc)
        if sent_at < now - self.max_age:
            raise RefusedError(PushRefusal.TOO_OLD, app_id)
        if sent_at > now + self.max_skew:
            raise RefusedError(PushRefusal.FROM_THE_FUTURE, app_id)
        return sent_at

    def _owner(self, app_id: str | None, signer: PushShop, message: PushMessage) -> str:
        """The shop that a message is of: the one it names, if that one has the secrets that signed it.

        One address and one pair of secrets may serve several shops of an account (not documented); a path settles it.
        """
        named = self.shops.get(message.app_id) if message.app_id else signer
        if named is None or (named.token, named.key) != (signer.token, signer.key):
            raise RefusedError(PushRefusal.WRONG_SHOP, signer.app_id)
        if app_id is not None and named.app_id != app_id:
            raise RefusedError(PushRefusal.WRONG_SHOP, app_id)
        return named.app_id
