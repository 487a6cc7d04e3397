"""The database's users, one per task, each with the least rights that do it (docs/decisions/0020)."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from MySQLdb import Error

from xiaoe import settings
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.errors import meaning_of
from xiaoe.mysql.migrate import database_name
from xiaoe.mysql.warehouse import Warehouse

ADMIN_CONN_ID = "xiaoe_mysql_admin"
PASSWORDS = {
    "xiaoe_migrate": "XIAOE_MIGRATE_PASSWORD",
    "xiaoe_load": "XIAOE_LOAD_PASSWORD",
    "xiaoe_backup": "XIAOE_BACKUP_PASSWORD",
    "xiaoe_push": "XIAOE_PUSH_PASSWORD",
    "bi_reader": "XIAOE_BI_READER_PASSWORD",
}
"""User → environment variable of its password."""
_TABLES = "SELECT, INSERT, UPDATE, DELETE"
_PUSH = {
    "_yoyo_migration": "SELECT",
    "push_messages": "SELECT, INSERT, UPDATE",
    "push_days": "SELECT, INSERT, UPDATE",
    "user_merges": "SELECT, INSERT, UPDATE",
    "change_hints": "INSERT",
}
"""Table → what the push service, which the internet reaches, does with it."""
_SCHEMA = "CREATE, DROP, ALTER, INDEX, REFERENCES, CREATE VIEW, SHOW VIEW"
_NO_DATABASE = 1049
_SYNTAX = 1064
"""Its message quotes the statement."""
_HOST = re.compile(r"[A-Za-z0-9.:%_/-]{1,255}")


@dataclass(frozen=True)
class GrantPlan:
    """Who may do what.

    Args:
        database: The warehouse.
        objects: Its tables and views; those named `bi_…` are the dashboards'.
        host: Where the users may come from, as MySQL spells it, e.g. `10.0.0.%`.
        require_tls: Whether the users have to come over TLS.
        literal_names: The server takes `_` and `%` in a database's name as they are (`partial_revokes`).
        names: User → another name for it.
        journal: Whether `xiaoe_backup` ships the journal, too: it may then read the binary log of the whole server.
    """

    database: str
    objects: Sequence[str]
    host: str = "%"
    require_tls: bool = False
    literal_names: bool = False
    names: dict[str, str] = field(default_factory=dict)
    journal: bool = False

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise XiaoeConfigError(f"HOST={self.host!r}: give where the users come from, e.g. 10.0.0.% or localhost")

    def account(self, user: str) -> str:
        """The user as a statement names it."""
        return f"'{self.names.get(user, user)}'@'{self.host}'"

    def rights(self, user: str) -> list[str]:
        """The GRANT statements of a user. Those on single tables are there only once the tables are."""
        whole, drill = self._all_of(self.database), self._all_of(settings.drill_database(self.database))
        backups = [f"`{self.database}`.`backups`"] if "backups" in self.objects else []
        status = [f"`{self.database}`.`journal_status`"] if "journal_status" in self.objects else []
        dashboards = [f"`{self.database}`.`{name}`" for name in self.objects if name.startswith("bi_")]
        pairs = {
            "xiaoe_migrate": [(f"{_TABLES}, {_SCHEMA}", whole)],
            "xiaoe_load": [(f"{_TABLES}, CREATE TEMPORARY TABLES, SHOW VIEW", whole)],
            "xiaoe_backup": [
                ("SELECT, SHOW VIEW", whole),
                *(("INSERT, UPDATE", one) for one in backups),
                *(("INSERT, UPDATE, DELETE", one) for one in status),
                (f"{_TABLES}, {_SCHEMA}, CREATE TEMPORARY TABLES", drill),
                *([("REPLICATION SLAVE, REPLICATION CLIENT", "*.*")] if self.journal else []),
            ],
            "xiaoe_push": [
                (rights, f"`{self.database}`.`{name}`") for name, rights in _PUSH.items() if name in self.objects
            ],
            "bi_reader": [("SELECT", one) for one in dashboards],
        }[user]
        return [f"GRANT {rights} ON {where} TO {self.account(user)}" for rights, where in pairs]

    def create(self, user: str, password: str) -> str:
        """The statement that makes a user, if it is not there."""
        tls = " REQUIRE SSL" if self.require_tls else ""
        return f"CREATE USER IF NOT EXISTS {self.account(user)} IDENTIFIED BY '{_quoted(password)}'{tls}"

    def change(self, user: str, password: str) -> str:
        """The statement that gives a user its password."""
        tls = " REQUIRE SSL" if self.require_tls else ""
        return f"ALTER USER {self.account(user)} IDENTIFIED BY '{_quoted(password)}'{tls}"

    def _all_of(self, database: str) -> str:
        name = database if self.literal_names else database.replace("_", r"\_").replace("%", r"\%")
        return f"`{name}`.*"


def chosen(name: str | None) -> list[str]:
    """One user, or all.

    Raises:
        XiaoeConfigError: There is no such user.
    """
    if name and name not in PASSWORDS:
        raise XiaoeConfigError(f"ONLY={name!r}: give one of {', '.join(PASSWORDS)}, or leave it out for all")
    return [name] if name else [*PASSWORDS]


def printed(host: str, *, require_tls: bool, journal: bool = False, users: Sequence[str] = tuple(PASSWORDS)) -> str:
    """The statements for an administrator to run, with a place for each password."""
    warehouse = Warehouse()
    database = database_name(warehouse.conn_id)
    with closing(warehouse.connect("information_schema")) as server:
        plan = GrantPlan(database, _objects(server, database), host, require_tls, journal=journal)
    lines = []
    for user in users:
        lines += [plan.create(user, f"PASSWORD OF {user}"), *plan.rights(user)]
    return "".join(f"{line};\n" for line in lines)


def apply(
    host: str,
    *,
    require_tls: bool,
    may_show: bool,
    fresh: bool = False,
    journal: bool = False,
    names: dict[str, str] | None = None,
    users: Sequence[str] = tuple(PASSWORDS),
) -> list[str]:
    """Make the users and give them their rights, over the connection `xiaoe_mysql_admin`; safe to run twice.

    A password in the environment is set, one that is not stays as it is; a new user without one gets one made up.

    Args:
        host: See `GrantPlan`.
        require_tls: See `GrantPlan`.
        may_show: Passwords that were made up may be returned; without, there are none.
        fresh: Take every other right away first; for a moment, the users have none at all.
        journal: See `GrantPlan`.
        names: See `GrantPlan`.
        users: Which ones.

    Returns:
        What was done, line by line.

    Raises:
        XiaoeConfigError: The administrator may not do it, or a new user has no password.
    """
    warehouse = Warehouse(ADMIN_CONN_ID)
    database = database_name(ADMIN_CONN_ID)
    with closing(warehouse.connect("information_schema")) as server:
        literal = ("partial_revokes", "ON") in _rows(server, "SHOW VARIABLES LIKE 'partial%'")
        plan = GrantPlan(database, _objects(server, database), host, require_tls, literal, names or {}, journal)
        made_up = {user: password for user in users if (password := _ensure_user(server, plan, user, may_show))}
        for user in users:
            revoked = [f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {plan.account(user)}"] if fresh else []
            for statement in (*revoked, *plan.rights(user)):
                _run(server, statement)
    lines = [f"{plan.account(user)}: {len(plan.rights(user))} grants" for user in users]
    return lines + [f"{plan.account(user)}: password {password}" for user, password in made_up.items()]


def _ensure_user(server: Any, plan: GrantPlan, user: str, may_show: bool) -> str | None:
    """Make the user, or set its password; returns a password that was made up."""
    given = os.environ.get(PASSWORDS[user], "")
    password = given or secrets.token_urlsafe(24)
    is_new = _run(server, plan.create(user, password)) == 0
    if given:
        _run(server, plan.change(user, given))
    elif is_new and not may_show:
        _run(server, f"DROP USER {plan.account(user)}")
        raise XiaoeConfigError(
            f"{PASSWORDS[user]} is empty, and {plan.account(user)} is new: set it, or let a password be made up and"
            " shown once: SHOW=1"
        )
    return password if is_new and not given else None


def _objects(server: Any, database: str) -> list[str]:
    """Tables and views of a database; none where it is not there yet."""
    try:
        return [str(name) for name, *_ in _rows(server, f"SHOW FULL TABLES FROM `{database}`")]
    except Error as error:
        if error.args[0] != _NO_DATABASE:
            raise
        return []


def _rows(server: Any, statement: str) -> list[tuple[Any, ...]]:
    with server.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def _run(server: Any, statement: str) -> int:
    """Run a statement and return the number of warnings. A statement that fails is named without its password."""
    try:
        server.query(statement)
    except Error as error:
        code, text = error.args
        quoted = "" if code == _SYNTAX else text
        said = meaning_of(error, f"connection {ADMIN_CONN_ID}") or f"MySQL says {code}: {quoted}"
        raise XiaoeConfigError(
            f"{statement.partition(' IDENTIFIED BY')[0]}: {said}. It takes CREATE USER, and every right that is given"
            " away, WITH GRANT OPTION"
        ) from None
    return int(server.warning_count())


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
