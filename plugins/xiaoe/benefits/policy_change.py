"""A change of the policy: its effect on existing decisions, and putting it in force."""

from __future__ import annotations

import getpass
from collections import Counter
from contextlib import ExitStack
from datetime import datetime

from xiaoe import clock, settings
from xiaoe.benefits.decide import Decider, apply_policy, merges_locked, policy_in_force
from xiaoe.benefits.names import NAMES
from xiaoe.benefits.policy import Policy, is_seen_hourly, read_policy
from xiaoe.mysql.warehouse import Warehouse

_NOT_IN_FORCE = 0
Effect = dict[str, Counter[tuple[str, str]]]
"""Shop → (old decision, new decision) → how many orders."""


def change_policy(*, apply: bool, by: str | None = None) -> str:
    """Report in Chinese what include/benefit_policy.yaml would change, and put it in force if asked to.

    Args:
        apply: Put it in force, recorded with its id and who did it; the next run of xiaoe_benefits decides again.
        by: Who does it; by default the user of this machine.

    Raises:
        XiaoeConfigError: The policy file is wrong, or no rescan sees an order after its deadline.
    """
    policy, warehouse = read_policy(), Warehouse()
    waits = not is_seen_hourly(policy)
    with warehouse.session() as session:
        current = policy_in_force(session)
        shops = [shop for (shop,) in session.query("SELECT DISTINCT shop_id FROM benefit_decisions ORDER BY shop_id")]
        starts = session.query("SELECT shop_id, since FROM benefit_starts ORDER BY shop_id")
    days = [] if policy.since else [f"店铺 {shop_id} 的福利起算日：{since}" for shop_id, since in starts]
    if current and current[1].to_json() == policy.to_json():
        return "\n".join([f"规则未变（编号 {current[0]}）：{policy.to_json()}", *days])
    lines = [f"现行规则：{current[1].to_json() if current else '无'}", f"新规则：  {policy.to_json()}", *days]
    if waits:
        lines.append(
            f"注意：每小时复查只读近 {settings.rescan_days().days} 天的订单（XIAOE_RESCAN_DAYS），"
            f"少于 {policy.days} + 1 天；截止后要等每晚的复查，判定最多晚一天"
        )
    for shop_id, changes in effect(warehouse, shops, policy, clock.now()).items():
        lines.append(f"店铺 {shop_id}：{sum(changes.values())} 单的判定会变化")
        lines += [f"  {NAMES[old]} → {NAMES[new]}：{orders} 单" for (old, new), orders in sorted(changes.items())]
    if not apply:
        return "\n".join([*lines, "未启用。启用：make benefit-policy APPLY=1"])
    with warehouse.session() as session, session.lock("benefit_policy"), ExitStack() as stack:
        for shop_id in shops:
            stack.enter_context(merges_locked(session, shop_id))
        policy_id = apply_policy(session, policy, by=by or getpass.getuser(), shop_ids=shops)
        session.commit()
    return "\n".join([*lines, f"已启用，编号 {policy_id}；下一次 xiaoe_benefits 运行时重新判定"])


def effect(warehouse: Warehouse, shop_ids: list[str], policy: Policy, now: datetime) -> Effect:
    """The changes a policy would make, per shop; writes nothing."""
    return {shop_id: Decider(warehouse, shop_id, policy, _NOT_IN_FORCE, now=now).effect() for shop_id in shop_ids}
