"""Roles in Superset, set again by each import.

| role | may |
|---|---|
| Admin | everything; Superset's own, since its pages for users, roles and groups open to no other name |
| 运营 | look at the dashboards, filter, export, change the own password |
| 分析师 | the same, and make charts and dashboards, and query the bi_* tables in SQL Lab |
| those of SUPERSET_SHOP_ROLES | as 运营, but see their shops only |
| Public | load the texts of the login page |

Imports Superset, so it may be imported only inside an application context.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

from superset import db
from superset import security_manager as security
from superset.connectors.sqla.models import RowLevelSecurityFilter, SqlaTable
from superset.models.core import Database

ADMIN = "Admin"
FORMER_ADMIN = "管理"
"""The administrators' role of earlier releases; whoever has it becomes Admin."""
VIEWER = "运营"
ANALYST = "分析师"
SHOP_ROLES = "SUPERSET_SHOP_ROLES"
PUBLIC_MAY = [("can_language_pack", "Superset")]
"""The login page loads its Chinese texts before anybody has logged in."""
VIEWER_MAY = [
    *PUBLIC_MAY,
    ("can_dashboard", "Superset"),
    ("can_dashboard_permalink", "Superset"),
    ("can_csv", "Superset"),
    ("can_log", "Superset"),
    ("can_share_dashboard", "Superset"),
    ("can_view_chart_as_table", "Dashboard"),
    ("can_read", "Dashboard"),
    ("can_read", "Chart"),
    ("can_read", "Dataset"),
    ("can_read", "Theme"),
    ("can_read", "CurrentUserRestApi"),
    ("can_read", "SecurityRestApi"),
    ("can_read", "DashboardFilterStateRestApi"),
    ("can_write", "DashboardFilterStateRestApi"),  # the values chosen in the filters, not the dashboard
    ("can_read", "DashboardPermalinkRestApi"),
    ("can_write", "DashboardPermalinkRestApi"),  # a link to share
    ("can_read", "ExploreFormDataRestApi"),
    ("can_time_range", "Api"),
    ("can_recent_activity", "Log"),
    ("can_get", "MenuApi"),
    ("can_read", "user"),  # the page 设置 → 信息
    ("can_write", "CurrentUserRestApi"),  # the own name and password
    ("can_drill", "Dashboard"),
    ("can_samples", "Datasource"),  # rows behind a point
    ("menu_access", "Home"),
    ("menu_access", "Dashboards"),
]
"""All rights of 运营, besides reading the datasets. Not a copy of Gamma, which may create charts."""
ANALYST_ROLES = ("Gamma", "sql_lab")
"""Superset's own roles whose rights 分析师 has, too."""


def set_roles() -> None:
    """Set the roles to exactly these rights; call it after each import, since each dataset adds a right.

    Raises:
        RuntimeError: A right is unknown to this release of Superset, or SUPERSET_SHOP_ROLES cannot be read.
    """
    tables = db.session.query(SqlaTable).filter_by(is_managed_externally=True).all()
    datasets = [("datasource_access", table.get_perm()) for table in tables]
    _give(VIEWER, [*VIEWER_MAY, *datasets])
    databases = db.session.query(Database).filter_by(is_managed_externally=True)
    shipped = [
        (right.permission.name, right.view_menu.name)
        for name in ANALYST_ROLES
        for right in security.find_role(name).permissions
    ]
    own = [("database_access", database.perm) for database in databases]
    _give(ANALYST, {*VIEWER_MAY, *datasets, *shipped, *own, ("can_write", "Dataset")})
    _give("Public", PUBLIC_MAY)
    _set_shop_roles(shop_roles(os.environ.get(SHOP_ROLES, "")), datasets, tables)
    _retire(FORMER_ADMIN)
    db.session.commit()


def shop_roles(setting: str) -> dict[str, list[str]]:
    """Role → ids of the shops that it sees. Pure.

    Args:
        setting: `ROLE=APP_ID,APP_ID; ROLE=APP_ID`.

    Raises:
        RuntimeError: It is not of that form, or a role is one of the others.
    """
    found: dict[str, list[str]] = {}
    for part in filter(None, (one.strip() for one in setting.split(";"))):
        role, _, shops = (piece.strip() for piece in part.partition("="))
        ids = [one.strip() for one in shops.split(",")]
        if not role or role in {ADMIN, VIEWER, ANALYST, "Public"} or not all(re.fullmatch(r"\w+", one) for one in ids):
            raise RuntimeError(f"{SHOP_ROLES}: {part!r}: give ROLE=APP_ID or ROLE=APP_ID,APP_ID with a role of its own")
        found[role] = ids
    return found


def _set_shop_roles(
    wanted: dict[str, list[str]], datasets: Iterable[tuple[str, str]], tables: Sequence[SqlaTable]
) -> None:
    """Make the roles and the rule of each; rules of roles that are no longer wanted show no row."""
    prefix = "shops of "
    rules = {rule.name: rule for rule in db.session.query(RowLevelSecurityFilter)}
    for name, rule in rules.items():
        if name.startswith(prefix) and name.removeprefix(prefix) not in wanted:
            rule.clause = "1 = 0"
    for role, ids in wanted.items():
        _give(role, [*VIEWER_MAY, *datasets])
        rule = rules.get(f"{prefix}{role}") or RowLevelSecurityFilter(name=f"{prefix}{role}")
        rule.filter_type, rule.group_key = "Regular", None
        rule.clause = f"shop_id IN ({', '.join(repr(one) for one in ids)})"
        rule.roles, rule.tables = [security.find_role(role)], list(tables)
        db.session.add(rule)


def _retire(role: str) -> None:
    """Make the users of a former role administrators, and take its rights away."""
    former = security.find_role(role)
    if former is None:
        return
    for user in former.user:
        user.roles = [security.find_role(ADMIN), *(one for one in user.roles if one not in (former, ADMIN))]
    former.permissions = []


def _give(role: str, rights: Iterable[tuple[str, str]]) -> None:
    found = []
    for permission, view in rights:
        right = security.find_permission_view_menu(permission, view)
        if right is None:
            raise RuntimeError(f"role {role}: this Superset has no right {permission} on {view}")
        found.append(right)
    security.add_role(role).permissions = found


def add_user(name: str, role: str, display: str, password: str) -> None:
    """Create a user unless it exists; an existing user keeps its password.

    Args:
        name: Login name.
        role: The user's only role.
        display: Name shown on pages.
        password: Password of a new user.

    Raises:
        RuntimeError: A new user has no password, or Superset refuses.
    """
    roles = [security.find_role(role)]
    user = security.find_user(name)
    if user is None:
        if not password:
            raise RuntimeError(f"the user {name} is new and needs a password")
        # The address must be unique; no mail is ever sent to it.
        user = security.add_user(name, display, "", f"{name}@localhost", roles, password=password)
        if not user:
            raise RuntimeError(f"Superset did not create the user {name}: see its log above")
    user.roles = roles
    db.session.commit()
