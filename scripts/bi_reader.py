"""The database user of the dashboards: it may read the bi_* tables and views, and nothing else."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from demo_database import connected, query

READER = "bi_reader"


def marts(dsn: str) -> list[str]:
    """The tables and views that dashboards read.

    Raises:
        RuntimeError: The database holds none.
    """
    rows = query(
        dsn,
        "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'bi\\_%'",
    )
    if not rows:
        name = urlsplit(dsn).path.lstrip("/")
        raise RuntimeError(
            f"database {name} holds no bi_* tables: run `make demo`, or `make migrate` for one of your own"
        )
    return sorted(str(name) for [name] in rows)


def grants(account: str, database: str, tables: list[str]) -> list[str]:
    """The statements that give an account these rights and take all others.

    Args:
        account: As MySQL writes it: 'bi_reader'@'127.0.0.1'.
        database: Where the tables are.
        tables: Each is granted by name, so that a new table is not readable by chance.
    """
    return [
        f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {account}",
        *(f"GRANT SELECT ON `{database}`.`{table}` TO {account}" for table in tables),
    ]


def make_reader(dsn: str, password: str, name: str = READER) -> str:
    """Make the user on a server of this machine, or bring it up to date; return the URI for Superset.

    Args:
        dsn: The warehouse, with an account that may make users.
        password: The user's, from now on.
        name: The user's.
    """
    parts = urlsplit(dsn)
    database = parts.path.lstrip("/")
    account = f"'{name}'@'%'"
    tables = marts(dsn)
    with connected(dsn) as connection, connection.cursor() as cursor:
        for verb in ("CREATE USER IF NOT EXISTS", "ALTER USER"):
            cursor.execute(f"{verb} %s@'%%' IDENTIFIED BY %s", (name, password))
        for statement in grants(account, database, tables):
            cursor.execute(statement)
    server = f"{parts.hostname}:{parts.port or 3306}"
    return f"mysql+pymysql://{name}:{quote(password, safe='')}@{server}/{database}?charset=utf8mb4"


def script(dsn: str) -> str:
    """What to run on a server of one's own, as somebody who may make users."""
    account = f"'{READER}'@'%'"
    lines = [
        f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY 'CHOOSE-A-PASSWORD'",
        *grants(account, urlsplit(dsn).path.lstrip("/"), marts(dsn)),
    ]
    return "".join(f"{line};\n" for line in lines)
