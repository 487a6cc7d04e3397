"""`mart_people`: the accounts that are one person, because the shop merged one into another (docs/bi.md)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from xiaoe.mysql.session import Session

_ACCOUNTS = 1000
"""Accounts named in one statement."""


class MergedInto(NamedTuple):
    """What became of an account.

    Args:
        target: The account that it was merged into.
        at: When, as a time of Beijing.
    """

    target: str
    at: datetime


def people(merges: Mapping[str, MergedInto]) -> dict[str, str]:
    """Account → the account that it counts with, of all accounts that merges name. Pure.

    That is the end of a chain of merges. Where they go round in a circle, it is the target of the latest of them.

    Args:
        merges: Merged account → what became of it.
    """
    found: dict[str, str] = {}
    for start in merges:
        path: list[str] = []
        account = start
        while account in merges and account not in found and account not in path:
            path.append(account)
            account = merges[account].target
        if account in path:
            latest = max(path[path.index(account) :], key=lambda one: (merges[one].at, one))
            account = merges[latest].target
        person = found.get(account, account)
        found |= dict.fromkeys([*path, person], person)
    return found


def write_people(session: Session, shop_id: str) -> int:
    """Bring `mart_people` up to date, and queue what is worked out otherwise now; return how many accounts changed.

    The new person's first day moves as their days are worked out (bi_days.sql); an account that counts with another has
    no row of buyers.

    Args:
        session: In the transaction of a refresh.
        shop_id: The shop.
    """
    merges = session.query(
        "SELECT source_user_id, target_user_id, COALESCE(merged_at, told_at + INTERVAL 8 HOUR) FROM user_merges"
        " WHERE shop_id = %s",
        (shop_id,),
    )
    wanted = people({source: MergedInto(target, at) for source, target, at in merges})
    held = dict(session.query("SELECT user_id, person_id FROM mart_people WHERE shop_id = %s", (shop_id,)))
    changed = sorted(one for one in wanted.keys() | held.keys() if wanted.get(one, one) != held.get(one, one))
    if wanted != held:
        session.execute("DELETE FROM mart_people WHERE shop_id = %s", (shop_id,))
        session.insert_many(
            "INSERT INTO mart_people (shop_id, user_id, person_id) VALUES (%s, %s, %s)",
            [(shop_id, account, person) for account, person in sorted(wanted.items())],
        )
    persons = {mapping.get(one, one) for mapping in (wanted, held) for one in changed}
    session.insert_many(
        "INSERT INTO mart_queue (shop_id, kind, user_id) VALUES (%s, %s, %s)",
        [(shop_id, kind, one) for kind, found in (("user", changed), ("buyer", persons)) for one in sorted(found)],
    )
    for start in range(0, len(changed), _ACCOUNTS):
        some = (shop_id, changed[start : start + _ACCOUNTS])
        session.execute(
            "INSERT INTO mart_queue (shop_id, kind, day) SELECT DISTINCT shop_id, 'signup', DATE(registered_at)"
            " FROM users WHERE shop_id = %s AND user_id IN %s AND registered_at IS NOT NULL",
            some,
        )
        session.execute("DELETE FROM buyer_firsts WHERE shop_id = %s AND user_id IN %s", some)
        session.execute("DELETE FROM mart_buyers WHERE shop_id = %s AND user_id IN %s", some)
    return len(changed)


def accounts(session: Session, shop_id: str, users: Collection[str]) -> dict[str, str]:
    """Account → person, of every account of the people whose account one of these users is.

    Args:
        session: The warehouse.
        shop_id: The shop.
        users: Accounts.
    """
    merged = session.query(
        "SELECT a.user_id, a.person_id FROM mart_people AS m INNER JOIN mart_people AS a"
        " ON m.shop_id = a.shop_id AND m.person_id = a.person_id WHERE m.shop_id = %s AND m.user_id IN %s",
        (shop_id, sorted(users)),
    )
    return {user: user for user in users} | dict(merged)
