"""Roles in Superset: 管理 (everything), 运营 (view), and anonymous users (the login page).

Imports Superset, so it may be imported only inside an application context.
"""

from __future__ import annotations

from collections.abc import Iterable

from superset import db
from superset import security_manager as security
from superset.connectors.sqla.models import SqlaTable

ADMIN = "管理"  # AUTH_ROLE_ADMIN of superset_config.py
VIEWER = "运营"
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
    ("can_userinfo", "UserDBModelView"),
    ("resetmypassword", "UserDBModelView"),
    ("can_this_form_get", "ResetMyPasswordView"),
    ("can_this_form_post", "ResetMyPasswordView"),
    ("menu_access", "Home"),
    ("menu_access", "Dashboards"),
]
"""All rights of 运营, besides reading the datasets. Not a copy of Gamma, which may create charts."""


def set_roles() -> None:
    """Set the three roles to exactly these rights; call it after each import, since each dataset adds a right.

    Raises:
        RuntimeError: A right is unknown to this release of Superset.
    """
    tables = db.session.query(SqlaTable).filter_by(is_managed_externally=True)
    datasets = [("datasource_access", table.get_perm()) for table in tables]
    _give(VIEWER, [*VIEWER_MAY, *datasets])
    _give("Public", PUBLIC_MAY)
    security.add_role(ADMIN).permissions = list(security.find_role("Admin").permissions)
    db.session.commit()


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
