"""Each database user can do its task, from end to end, and nothing else."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import MySQLdb
import pytest

from emulator.process import Emulator
from emulator.push.sealing import Secrets
from support.servers import push
from support.worlds.runs import TaskRunner
from support.worlds.shop import APP_ID, EVERYTHING, TABLES, WHOLE_LISTS, Database, Sync, differences
from xiaoe.backup.service import back_up_now, drill_newest
from xiaoe.benefits.operators import XiaoeBenefitsOperator
from xiaoe.clock import now
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql import grants
from xiaoe.mysql.migrate import SCHEMA_DIR, migrate
from xiaoe.settings import drill_database

pytestmark = pytest.mark.mysql

NEW_OBJECT = "bi_test_later"
DENIED = (1044, 1142, 1143, 1227, 1370, 1410)


@dataclass
class Users:
    """The users under names of this run, and how to come as one of them."""

    admin: Database
    host: str
    names: dict[str, str]
    passwords: dict[str, str]

    def apply(self, *users: str, may_show: bool = False, fresh: bool = False, database: str | None = None) -> list[str]:
        """`make grants APPLY=1`."""
        url = self.admin.url if database is None else f"{self.admin.url.rpartition('/')[0]}/{database}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW_CONN_XIAOE_MYSQL_ADMIN", url)
            for user, variable in grants.PASSWORDS.items():
                patch.setenv(variable, self.passwords.get(user, ""))
            return grants.apply(
                self.host,
                require_tls=False,
                may_show=may_show,
                fresh=fresh,
                names=self.names,
                users=users or [*grants.PASSWORDS],
            )

    def url(self, user: str, database: str | None = None) -> str:
        parts = urlsplit(self.admin.url)
        name = database or parts.path.lstrip("/")
        return f"mysql://{self.names[user]}:{self.passwords[user]}@{parts.hostname}:{parts.port}/{name}"

    def come(self, user: str) -> Database:
        return Database(self.url(user))

    def drop(self) -> None:
        for name in self.names.values():
            self.admin.rows(f"DROP USER IF EXISTS '{name}'@'{self.host}'")


def make_users(migrated: str) -> Users:
    admin, tag = Database(migrated), f"{os.getpid()}_{secrets.token_hex(2)}"
    host = admin.value("SELECT CURRENT_USER()").rpartition("@")[2]
    return Users(
        admin,
        host,
        {user: f"{user[:10]}_{tag}" for user in grants.PASSWORDS},
        {user: f"{secrets.token_urlsafe(12)}'\\\"x" for user in grants.PASSWORDS},
    )


@pytest.fixture(scope="module")
def users(migrated: str) -> Iterator[Users]:
    """Made by the script, after there is a view and a table for dashboards."""
    users = make_users(migrated)
    # Without urlsplit's quoting: passwords in these URLs hold no odd characters.
    users.passwords = {user: secrets.token_hex(12) for user in users.passwords}
    users.admin.rows("CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_test_orders AS SELECT order_id, price FROM orders")
    users.admin.rows("CREATE TABLE IF NOT EXISTS bi_test_days (day DATE PRIMARY KEY)")
    users.apply()
    yield users
    users.drop()
    for statement in ("VIEW bi_test_orders", "TABLE bi_test_days", f"VIEW IF EXISTS {NEW_OBJECT}"):
        users.admin.rows(f"DROP {statement}")


@pytest.fixture
def runs(api: Emulator, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TaskRunner:
    return TaskRunner(api, monkeypatch, tmp_path / "pages")


def refused(database: Database, sql: str) -> None:
    with pytest.raises(MySQLdb.Error) as raised:
        database.rows(sql)
    assert raised.value.args[0] in DENIED, (sql, raised.value.args)


# --- migrate -------------------------------------------------------------------------------------------


def test_the_schema_is_made_by_the_user_for_it_from_nothing_and_again(
    users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{users.admin.url.rpartition('/')[2]}_grants"
    users.admin.rows(f"DROP DATABASE IF EXISTS {name}")
    try:
        users.apply("xiaoe_migrate", "xiaoe_backup", database=name)
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", users.url("xiaoe_migrate", name))
        assert migrate() == sorted(path.stem for path in SCHEMA_DIR.glob("*.sql"))
        assert migrate() == []
        made = Database(users.url("xiaoe_migrate", name))
        made.rows("CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_any AS SELECT order_id FROM orders")
        made.rows("ALTER TABLE users ADD COLUMN x INT NULL, ADD KEY idx_x (x)")
        refused(made, "SELECT * FROM mysql.user")
        refused(made, f"GRANT SELECT ON {name}.orders TO CURRENT_USER()")
        refused(made, f"CREATE TABLE {name}_other.t (a INT)")
    finally:
        users.admin.rows(f"DROP DATABASE IF EXISTS {name}")


# --- load ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["", "?local_infile=false"])
def test_every_dag_s_work_is_done_by_the_user_for_it(
    users: Users, runs: TaskRunner, database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", users.url("xiaoe_load") + file)
    assert runs.sync("orders", "history", **{"from": f"{EVERYTHING.begin:%Y-%m-%d}"})["inserted"] == 3000
    refunds, _ = runs.refunds()
    assert refunds["inserted"]
    for resource in WHOLE_LISTS:
        assert runs.sync(resource, "whole")["staged"], resource
    decide = XiaoeBenefitsOperator(task_id="decide", xiaoe_conn_id="xiaoe_default")
    decide.execute(runs.context())
    assert differences(database, api) == []
    assert database.value("SELECT COUNT(*) FROM benefit_decisions") == 3000


def test_the_loading_user_changes_no_table_and_sees_no_other_database(users: Users) -> None:
    come = users.come("xiaoe_load")
    for sql in (
        "CREATE TABLE t (a INT)",
        "DROP TABLE order_items",
        "ALTER TABLE orders ADD COLUMN x INT",
        "CREATE INDEX i ON orders (price)",
        "CREATE VIEW v AS SELECT 1",
        "TRUNCATE TABLE rejected_rows",
        "SELECT * FROM mysql.user",
        "SHOW BINARY LOGS",
        "SELECT * FROM orders INTO OUTFILE '/tmp/orders'",
        "GRANT SELECT ON orders TO CURRENT_USER()",
        "CREATE USER x_never",
        f"CREATE DATABASE {drill_database('xiaoe_test_never')}",
    ):
        refused(come, sql)
    assert {next(iter(row.values())) for row in come.rows("SHOW DATABASES")} <= {
        users.admin.url.rpartition("/")[2],
        "information_schema",
        "performance_schema",
    }


# --- backup --------------------------------------------------------------------------------------------


def test_a_backup_and_its_drill_are_made_by_the_user_for_it(
    users: Users, sync: Sync, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync.run(EVERYTHING)
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", users.url("xiaoe_backup"))
    monkeypatch.setenv("XIAOE_BACKUP_STORE", f"file://{tmp_path}/backups")
    _, manifest = back_up_now()
    assert manifest.tables["orders"].rows == 3000
    assert "are equal" in drill_newest(now())
    come = users.come("xiaoe_backup")
    for sql in ("DELETE FROM orders", "INSERT INTO rejected_rows (shop_id) VALUES ('a')", "DELETE FROM backups"):
        refused(come, sql)
    refused(come, "DROP TABLE orders")


# --- push ----------------------------------------------------------------------------------------------


def test_the_push_service_adds_messages_and_hints_and_reads_nothing_of_the_shop(
    users: Users, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", push.connection(APP_ID))
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", users.url("xiaoe_push"))
    monkeypatch.setenv("XIAOE_HINTS", "push")
    merge = b"<type>account_merge</type><source_user_id>u1</source_user_id><target_user_id>u2</target_user_id>"
    with push.pushing(APP_ID) as client:
        assert client.push(merge) == client.change("o_1") == client.change("o_1") == (200, "success")
        assert client.push(merge, secrets=Secrets("guessed", push.SECRETS.aeskey))[0] == 403
    assert (
        database.value("SELECT COUNT(*) FROM user_merges") == database.value("SELECT COUNT(*) FROM change_hints") == 1
    )
    assert database.value("SELECT CONCAT(messages, repeated, refused) FROM push_days") == "211"
    come = users.come("xiaoe_push")
    for sql in (
        "SELECT * FROM orders",
        "SELECT * FROM users",
        "SELECT * FROM api_tokens",
        "SELECT * FROM change_hints",
        "DELETE FROM change_hints",
        "DELETE FROM push_messages",
        "DROP TABLE push_messages",
    ):
        refused(come, sql)


# --- dashboards ----------------------------------------------------------------------------------------


def test_the_reader_reads_what_is_made_for_dashboards_and_nothing_else(users: Users, database: Database) -> None:
    come = users.come("bi_reader")
    shown = {next(iter(row.values())) for row in come.rows("SHOW TABLES")}
    assert shown > {"bi_test_orders", "bi_test_days", "bi_sales_daily", "bi_sync_status"}
    assert {name for name in shown if not name.startswith("bi_")} == set()
    assert come.rows("SELECT * FROM bi_test_orders") == come.rows("SELECT * FROM bi_test_days") == []
    for table in (*TABLES, "_yoyo_migration"):
        if not table.startswith("bi_"):
            refused(come, f"SELECT * FROM {table} LIMIT 1")
        refused(come, f"DELETE FROM {table} LIMIT 1")
    for sql in (
        "INSERT INTO bi_test_days VALUES ('2026-01-01')",
        "CREATE TEMPORARY TABLE t (a INT)",
        "DROP VIEW bi_test_orders",
        "SHOW CREATE VIEW bi_test_orders",
        "SELECT * FROM mysql.user",
    ):
        refused(come, sql)
    assert come.rows("SELECT table_name FROM information_schema.tables WHERE table_name = 'orders'") == []


def test_a_view_that_comes_later_is_readable_once_the_script_has_run_again(users: Users) -> None:
    users.admin.rows(f"CREATE OR REPLACE SQL SECURITY DEFINER VIEW {NEW_OBJECT} AS SELECT shop_id FROM orders")
    refused(users.come("bi_reader"), f"SELECT * FROM {NEW_OBJECT}")
    users.apply("bi_reader")
    users.come("bi_reader").rows(f"SELECT * FROM {NEW_OBJECT}")
    users.admin.rows(f"DROP VIEW {NEW_OBJECT}")


# --- the script ----------------------------------------------------------------------------------------


@pytest.fixture
def others(migrated: str) -> Iterator[Users]:
    users = make_users(migrated)
    yield users
    users.drop()


def test_a_new_user_without_a_password_is_not_made(others: Users) -> None:
    others.passwords = {}
    with pytest.raises(XiaoeConfigError, match=r"XIAOE_MIGRATE_PASSWORD is empty, and .* is new: set it, or .*SHOW=1"):
        others.apply()
    with pytest.raises(MySQLdb.Error):  # 1396: there is nobody to drop
        others.admin.rows(f"DROP USER '{others.names['xiaoe_migrate']}'@'{others.host}'")


def test_a_password_is_made_up_once_and_kept_by_the_next_run(others: Users) -> None:
    others.passwords = {}
    shown = dict(
        re.fullmatch(r"'(\S+)'@'.*': password (\S+)", line).groups()  # type: ignore[union-attr]
        for line in others.apply(may_show=True)
        if ": password " in line
    )
    assert set(shown) == set(others.names.values())
    assert [line for line in others.apply(may_show=True) if ": password " in line] == []
    others.passwords = {"xiaoe_load": shown[others.names["xiaoe_load"]]}
    others.come("xiaoe_load").rows("SELECT * FROM orders LIMIT 1")


def test_a_password_in_the_environment_is_set_whatever_characters_it_holds(others: Users) -> None:
    others.apply("xiaoe_load")
    others.passwords["xiaoe_load"] = "new-'one\"\\with%odd `characters"
    assert "password" not in "".join(others.apply("xiaoe_load"))
    parts = urlsplit(others.admin.url)
    MySQLdb.connect(
        host=parts.hostname,
        port=parts.port,
        user=others.names["xiaoe_load"],
        passwd=others.passwords["xiaoe_load"],
        db=parts.path.lstrip("/"),
    ).close()


def test_fresh_takes_what_a_user_should_not_have(users: Users, database: Database) -> None:
    users.apply("bi_reader", fresh=True)
    before = rights(users, "bi_reader")
    schema = urlsplit(database.url).path.lstrip("/")
    account = f"'{users.names['bi_reader']}'@'{users.host}'"
    users.admin.rows(f"GRANT ALL ON `{schema}`.* TO {account} WITH GRANT OPTION")
    users.apply("bi_reader")
    assert rights(users, "bi_reader") != before, "without FRESH=1, nothing is taken away"
    users.apply("bi_reader", fresh=True)
    assert rights(users, "bi_reader") == before
    assert [one for one in before if not re.match(r"GRANT (SELECT ON `\w+`\.`bi_\w+`|USAGE ON \*\.\*) TO", one)] == []
    refused(users.come("bi_reader"), "SELECT * FROM orders LIMIT 1")


def rights(users: Users, user: str) -> list[str]:
    """What SHOW GRANTS says, in an order that both servers would have."""
    return sorted(next(iter(row.values())) for row in users.come(user).rows("SHOW GRANTS"))


def test_one_user_can_be_chosen_and_a_name_that_is_none_is_an_error(users: Users, database: Database) -> None:
    text = grants.printed("%", require_tls=False, users=grants.chosen("bi_reader"))
    assert re.findall(r"CREATE USER IF NOT EXISTS '(\w+)'", text) == ["bi_reader"]
    assert grants.chosen(None) == [*grants.PASSWORDS]
    with pytest.raises(XiaoeConfigError, match=r"ONLY='reader': give one of .*bi_reader"):
        grants.chosen("reader")


def test_what_is_printed_holds_no_password_and_names_every_user(
    users: Users, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in grants.PASSWORDS.values():
        monkeypatch.setenv(variable, "never-to-be-printed")
    text = grants.printed("10.0.0.%", require_tls=True)
    assert "never-to-be-printed" not in text
    for user in grants.PASSWORDS:
        assert f"CREATE USER IF NOT EXISTS '{user}'@'10.0.0.%' IDENTIFIED BY 'PASSWORD OF {user}' REQUIRE SSL;" in text
    assert re.search(r"GRANT SELECT ON `\w+`.`bi_test_orders` TO 'bi_reader'@'10.0.0.%';", text)
    assert not re.search(r"GRANT[^;]*(ALL|GRANT OPTION|SUPER|FILE|\*\.\*)[^;]*;", text)


@pytest.mark.parametrize("work", [lambda users: users.apply("xiaoe_load")])
def test_who_may_not_make_users_is_told_what_it_takes(
    users: Users, others: Users, work: Callable[[Users], object]
) -> None:
    limited = Users(users.come("xiaoe_load"), others.host, others.names, others.passwords)
    with pytest.raises(
        XiaoeConfigError, match=r"CREATE USER IF NOT EXISTS .*MySQL says 1227.*It takes CREATE USER"
    ) as e:
        work(limited)
    assert others.passwords["xiaoe_load"] not in str(e.value)


def test_a_host_that_is_none_is_refused(database: Database) -> None:
    with pytest.raises(XiaoeConfigError, match=r"HOST=.*give where the users come from"):
        grants.printed("' OR 1 --", require_tls=False)
