"""Maps errors of MySQL and MariaDB to exceptions, with advice for the person who has to act.

Other codes are left unchanged: conflicts, which `session.retry_conflicts` handles, and faults of our own SQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from MySQLdb import Error

from xiaoe.exceptions import XiaoeConfigError, XiaoeError, XiaoeRetriableError
from xiaoe.texts import Advice, Text

_NO_DATABASE = (1049, 1044)
"""The second is sent to a user without rights on a database, whether it exists or not."""
_SCHEMA = (1146, 1054, 1049)
"""No such table, column, database."""
_NO_SPACE = "error: 28 -", "errno: 28 ", "No space left"
_SCHEMA_OLD = Advice(
    Text("缺表或缺字段", "the schema is missing or old"),
    Text("在服务器上运行 `make migrate`，再清除任务", "run `make migrate`"),
)
_PLUGIN = Advice(
    Text("登录方式不支持", "the way to log in does not work"),
    Text(
        "让连接走加密（`ssl_mode=REQUIRED`），或请数据库管理员给该用户换一种登录插件",
        "come over TLS, as caching_sha2_password needs (ssl_mode=REQUIRED in the connection's extra), or give the user"
        " another authentication plugin",
    ),
)
_LOG_IN = Advice(
    Text("登录被拒", "MySQL refuses the login"),
    Text(
        "改正连接的登录名和密码；必须走 TLS 的用户没走 TLS 也是这个报错（ssl_mode）",
        "correct the connection's login and password; a user that has to come over TLS (ssl_mode) is refused like this,"
        " too",
    ),
)
_RIGHTS = Advice(
    Text("数据库用户权限不够", "the MySQL user lacks a right"),
    Text(
        "运行 `make grants` 查看每个用户需要的权限，请数据库管理员授权",
        "the user lacks a right: `make grants` tells which ones each user needs",
    ),
)
_START = Advice(
    Text("连不上数据库", "MySQL is not reached"),
    Text(
        "启动数据库，或改正连接的主机和端口；之后会自动重试",
        "start the server, or correct host and port; trying again later",
    ),
)
_HOST = Advice(
    Text("找不到数据库主机", "MySQL's host is not found"),
    Text(
        "没有这台主机，或域名解析出了问题：改正连接的主机；之后会自动重试",
        "there is no such host, or the name service is down: correct host; trying again later",
    ),
)
_BUSY = Advice(
    Text("数据库连接数用完", "MySQL takes no more connections"),
    Text(
        "调大 max_connections，或用 `SHOW PROCESSLIST` 看谁占着；之后会自动重试",
        "the server takes no more connections: raise max_connections, or see in SHOW PROCESSLIST who holds them",
    ),
)
_DISK = Advice(
    Text("数据库磁盘已满", "MySQL's disk is full"),
    Text(
        "清理数据库服务器的磁盘；之后会自动重试",
        "the server's disk or a limit of its tables is full: free some space there; trying again later",
    ),
)
_READ_ONLY = Advice(
    Text("数据库只读", "MySQL is read-only"),
    Text(
        "连接的主机是不是从库？改成主库的地址；之后会自动重试",
        "the server or the session is read-only: is it a replica? Name the primary in host; trying again later",
    ),
)
_TLS = Advice(
    Text("加密连接不成立", "TLS does not work"),
    Text(
        "改正连接扩展字段里的 ssl_mode 和 ssl",
        "correct ssl_mode and ssl in the connection's extra (docs/configuration.md)",
    ),
)
_TLS_ONLY = Advice(
    Text("数据库只接受加密连接", "MySQL takes TLS only"),
    Text(_TLS.fix.zh, f"the server takes connections over TLS only: {_TLS.fix.en}"),
)
_ADDRESS = Advice(
    Text("数据库不接受这台服务器的地址", "MySQL does not let this machine in"),
    Text(
        "按这台服务器的地址建用户：`make grants HOST=…`",
        "the server does not let this machine's address in: make the user for it, `make grants HOST=…`",
    ),
)
_BLOCKED = Advice(
    Text("数据库屏蔽了这台服务器", "MySQL blocks this machine"),
    Text(
        "请数据库管理员执行 `FLUSH HOSTS` 或 `TRUNCATE performance_schema.host_cache`，并查明是谁的连接总是中断",
        "an administrator has to unblock it (FLUSH HOSTS, in MySQL TRUNCATE performance_schema.host_cache) and to find"
        " whose connections keep breaking off",
    ),
)
_OVERLOADED = Advice(
    Text("数据库资源不足", "MySQL lacks resources"),
    Text(
        "查数据库服务器的内存、线程和日志缓存；之后会自动重试",
        "the server lacks memory, threads or room for this transaction: look there; trying again later",
    ),
)
_STOPPED = Advice(
    Text("语句被数据库中止", "MySQL stopped a statement"),
    Text(
        "有人中止了它，或超过了数据库的时限；会自动重试，反复出现就查是谁",
        "somebody killed it, or it ran longer than the server allows; it is tried again, find out who if it comes back",
    ),
)
_EXPIRED = Advice(
    Text("数据库用户的密码已过期", "the MySQL user's password has expired"),
    Text("给该用户换一个新密码", "the user's password has expired: give it a new one"),
)
_LOCKED = Advice(
    Text("数据库用户被锁定", "the MySQL user is locked"),
    Text("在数据库里解锁该用户", "the account is locked: unlock it on the server"),
)
_CONFLICT = Advice(
    Text("数据库忙，互相等待", "tasks waited for each other in MySQL"),
    Text(
        "会自动重试；反复出现就用 `SHOW PROCESSLIST` 看谁占着锁",
        "it is tried again; if it keeps coming back, see in SHOW PROCESSLIST who holds the lock",
    ),
)

_STOP = {
    1044: _RIGHTS,
    1045: _LOG_IN,
    1129: _BLOCKED,
    1130: _ADDRESS,
    1142: _RIGHTS,
    1143: _RIGHTS,
    1227: _RIGHTS,
    1370: _RIGHTS,
    1410: _RIGHTS,
    1698: _LOG_IN,
    1251: _PLUGIN,
    1524: _PLUGIN,
    1862: _EXPIRED,
    2026: _TLS,
    2059: _PLUGIN,
    2061: _PLUGIN,
    3118: _LOCKED,
    3159: _TLS_ONLY,
    4151: _LOCKED,
}
_WAIT = {
    1021: _DISK,
    1037: _OVERLOADED,
    1038: _OVERLOADED,
    1040: _BUSY,
    1041: _OVERLOADED,
    1047: _START,
    1053: _START,
    1114: _DISK,
    1135: _OVERLOADED,
    1158: _START,
    1159: _START,
    1160: _START,
    1161: _START,
    1197: _OVERLOADED,
    1203: _BUSY,
    1206: _OVERLOADED,
    1226: _BUSY,
    1317: _STOPPED,
    1792: _READ_ONLY,
    1836: _READ_ONLY,
    1927: _START,
    1969: _STOPPED,
    2002: _START,
    2003: _START,
    2004: _START,
    2005: _HOST,
    2006: _START,
    2013: _START,
    2055: _START,
    3024: _STOPPED,
    3169: _START,
    4031: _START,
}
ADVICE = {
    **_STOP,
    **_WAIT,
    **dict.fromkeys(_SCHEMA, _SCHEMA_OLD),
    **dict.fromkeys((1020, 1205, 1213, 1467, 3101), _CONFLICT),
    1290: _READ_ONLY,
}
"""Code → what it means and what a person does; of 1290, only where the text says read-only."""


class NoDatabaseError(XiaoeConfigError):
    """The connection's database does not exist, or this user has no right to it."""


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Replace errors that a person can fix by ones that name the fix.

    Args:
        where: The connection, for the message; without its password.

    Raises:
        XiaoeConfigError: Somebody has to change something.
        XiaoeRetriableError: It may succeed later.
    """
    try:
        yield
    except Error as error:
        if (meaning := meaning_of(error, where)) is None:
            raise
        raise meaning from None


def is_schema_error(error: Error) -> bool:
    """Whether a table, a column or the database is not there."""
    return bool(error.args) and error.args[0] in _SCHEMA


def meaning_of(error: Error, where: str) -> XiaoeError | None:
    """The exception for an error of the database; None if it is a conflict or our own fault."""
    code, text = (*error.args, "")[:2] if error.args else (0, "")
    said = f"({where}: MySQL says {code}: {text})"
    stop = NoDatabaseError if code in _NO_DATABASE else XiaoeConfigError
    if code in _SCHEMA:
        return stop(f"the warehouse's schema is missing or old {said}: {_SCHEMA_OLD.fix.en}")
    if code in _STOP:
        return stop(f"{_STOP[code].fix.en} {said}")
    if code in _WAIT:
        return XiaoeRetriableError(f"{_WAIT[code].fix.en} {said}")
    if any(sign in str(text) for sign in _NO_SPACE):
        return XiaoeRetriableError(f"{_DISK.fix.en} {said}")
    if code == 1290 and "read" in str(text) and "only" in str(text):  # the same code stands for many options
        return XiaoeRetriableError(f"{_READ_ONLY.fix.en} {said}")
    return None
