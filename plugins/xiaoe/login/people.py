"""Accounts of people, made by hand on the server: the first one, and whoever has lost the password."""

from __future__ import annotations

import getpass
import secrets
import sys

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

from xiaoe.exceptions import XiaoeConfigError

SHORTEST = 12
"""Characters of a password."""


def password_for(name: str, *, ask: bool) -> str:
    """A password for somebody: a strong one is made, or it is asked for.

    Args:
        name: Whose, for the prompt.
        ask: Ask at the terminal, twice; without a terminal, take a line of standard input.

    Raises:
        XiaoeConfigError: It is too short, or was not repeated.
    """
    if not ask:
        return secrets.token_urlsafe(15)
    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\n")
    elif (password := getpass.getpass(f"password of {name}: ")) != getpass.getpass("again: "):
        raise XiaoeConfigError(f"password of {name}: the two differ; run it again")
    if len(password) < SHORTEST:
        raise XiaoeConfigError(f"password of {name}: {len(password)} characters, give {SHORTEST} or more")
    return password


def set_person(name: str, role: str, password: str) -> None:
    """Create an account in Airflow's database, or give an existing one this role and password, and open it.

    Args:
        name: What the person logs in with.
        role: Their only role: 运营, 分析师, Admin, or another that Airflow has.
        password: Stored as a hash.

    Raises:
        XiaoeConfigError: There is no such role, or Airflow refuses the account.
    """
    with get_application_builder() as builder:
        security = builder.sm
        security.sync_roles()
        if (found := security.find_role(role)) is None:
            known = sorted(one.name for one in security.get_all_roles())
            raise XiaoeConfigError(f"role {role!r} of {name}: give one of {', '.join(known)}")
        user = security.find_user(name) or security.add_user(name, name, "", f"{name}@localhost", found, password)
        if not user:
            raise XiaoeConfigError(f"{name}: Airflow did not create the account, see its log above")
        user.roles, user.active = [found], True
        security.update_user(user)
        security.reset_password(user.id, password)


def close_account(name: str) -> None:
    """End an account: its sessions and tokens open nothing any more."""
    with get_application_builder() as builder:
        user = builder.sm.find_user(name)
        user.active = False
        builder.sm.update_user(user)
