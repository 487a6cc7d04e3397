"""Which shops push, and with which secrets: fields `push_token` and `push_secret` of the shops' connections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from xiaoe.api.shop import Shop
from xiaoe.connections import get_connection
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.push.cipher import key_of

_WHERE = (
    "the shop's console shows both at 消息推送"
    " · 两项都在小鹅通后台“消息推送”页，填进该连接的扩展字段 push_token、push_secret"
)


@dataclass(frozen=True)
class PushShop:
    """A shop whose messages are taken.

    Args:
        app_id: The shop.
        token: Signs its messages; never shown.
        key: Encrypts them, 32 bytes; never shown.
    """

    app_id: str
    token: str = field(repr=False)
    key: bytes = field(repr=False)

    @classmethod
    def from_connection(cls, conn: Any) -> PushShop | None:
        """Read an Airflow connection of type `xiaoe`; None if it has neither of the two fields.

        Raises:
            XiaoeConfigError: Only one is filled in, or the key is none; names the field and the fix.
        """
        app_id = Shop.from_connection(conn).app_id
        token, secret = (str(conn.extra_dejson.get(name) or "").strip() for name in ("push_token", "push_secret"))
        if not token and not secret:
            return None
        where = f"connection {conn.conn_id}"
        if not token or not secret:
            empty = "push_secret" if token else "push_token"
            raise XiaoeConfigError(f"{where}: {empty} is empty while the other one is filled in: {_WHERE}")
        mask_secret(token)
        mask_secret(secret)
        try:
            return cls(app_id, token, key_of(secret))
        except ValueError as error:
            raise XiaoeConfigError(f"{where}: push_secret (EncodingAESKey) {error}: {_WHERE}") from None


def push_shops(conn_ids: Iterable[str]) -> Mapping[str, PushShop]:
    """The shops that push, by `app_id`.

    Raises:
        XiaoeConfigError: A connection is missing or wrong, two name the same shop, or none of them has the fields.
    """
    shops: dict[str, PushShop] = {}
    names = list(conn_ids)
    for conn_id in names:
        try:
            shop = PushShop.from_connection(get_connection(conn_id))
        except AirflowNotFoundException:
            raise XiaoeConfigError(
                f"XIAOE_CONN_IDS={','.join(names)!r}: there is no connection {conn_id}: the push service reads its"
                f" connections from the environment only, set AIRFLOW_CONN_{conn_id.upper()}"
            ) from None
        if shop is None:
            continue
        if shop.app_id in shops:
            raise XiaoeConfigError(f"connection {conn_id}: app_id={shop.app_id!r} is another connection's, too")
        shops[shop.app_id] = shop
    if not shops:
        raise XiaoeConfigError(
            f"XIAOE_CONN_IDS={','.join(names)!r}: none of these connections has push_token and push_secret: {_WHERE}"
        )
    return shops
