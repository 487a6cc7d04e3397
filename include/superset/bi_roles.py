"""Who may do what in Superset: 管理 (everything), 运营 (look), and what anonymous people get (the login page).

Imports Superset: only inside an application context.
"""

from __future__ import annotations

from collections.abc import Iterable

from superset import db
from superset import security_manager as security
from superset.connectors.sqla.models import SqlaTable

ADMIN = "管理"  # AUTH_ROLE_ADMIN of superset_config.py
VIEWER = "运营"
PUBLIC_MAY = [("can_language_pack", "Superset")]
"""The login page needs its Chinese before anybody has logged in."""
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
    ("can_write", "DashboardFilterStateRestApi"),  # what one has chosen in the filters, not the dashboard
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
"""All that 运营 may do, besides reading the datasets. Not a copy of Gamma, which may make charts of its own."""


def set_roles() -> None:
    """Bring the three roles to exactly what stands here; call it after each import, datasets bring rights of their own.

    Raises:
        RuntimeError: This Superset does not know one of the rights.
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
            raise RuntimeError(f"role {role}: this Superset knows no right {permission} on {view}")
        found.append(right)
    security.add_role(role).permissions = found


def add_user(name: str, role: str, display: str, password: str) -> None:
    """Make a user unless there is one; a password that somebody changed stays.

    Args:
        name: To log in with.
        role: The only one.
        display: What pages show.
        password: Of a new user.

    Raises:
        RuntimeError: There is no password for a new user, or Superset refused.
    """
    roles = [security.find_role(role)]
    user = security.find_user(name)
    if user is None:
        if not password:
            raise RuntimeError(f"the user {name} is new and needs a password")
        # The address has to be unique, and is never written to.
        user = security.add_user(name, display, "", f"{name}@localhost", roles, password=password)
        if not user:
            raise RuntimeError(f"Superset did not make the user {name}: see its log above")
    user.roles = roles
    db.session.commit()
