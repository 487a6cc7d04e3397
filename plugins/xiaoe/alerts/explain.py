"""What an error's text means for staff: its code, advice, and the text without what is private. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from xiaoe.api import errors as api_errors
from xiaoe.mysql import errors as mysql_errors
from xiaoe.texts import Advice, Text

MAX_HEADLINE = 80
MAX_IN_CHAT = 300
_BY_ITSELF = "会自动重试；反复出现请看处理说明"
_CLEAR_STAGE = "到店铺后台核对报错里的编号：还在，就清除“读取”重新读；确已删除，按处理说明接受缺失"

_BY_TEXT = (
    (r"run `make migrate`", mysql_errors.ADVICE[1146]),
    (r"no answer from|HTTP 5\d\d|HTTP 408|not the API's JSON", Advice(
        Text("小鹅通接口没有应答", "the API does not answer"),
        Text("会自动重试，先等一小时；还不行就检查服务器的网络和代理，或联系小鹅通", api_errors.PASSING[1001].fix.en),
    )),
    (r"HTTP 429", api_errors.PASSING[2053]),
    (r"HTTP \d{3}", api_errors.ADVICE[2052]),
    (r"no longer lists|does not list \d+ rows|more than half|suddenly empty", Advice(
        Text("接口不再返回部分数据", "the API no longer lists rows"),
        Text(_CLEAR_STAGE, "look them up in the shop's console: there, clear stage; deleted, accept_missing"),
    )),
    (r"the API says|is the same as one before it|sent no total|no row_count", Advice(
        Text("读到的条数对不上", "the list does not add up"),
        Text(_BY_ITSELF, "it is tried again; if a window stays like this, see the documentation"),
    )),
    (r"checks failed", Advice(
        Text("数据检查未通过", "checks of the data failed"),
        Text("打开监控页，按“未通过的检查”里每一项的说明处理", "the monitoring page has each check and its advice"),
    )),
    (r"cannot be read in|without a key|XIAOE_MAX_UNREADABLE_PERCENT|XIAOE_MAX_REFUSED_PERCENT", Advice(
        Text("接口的数据格式变了", "the form of the API's fields changed"),
        Text("能读的都已入库；把报错转给维护者修正", "what could be read is stored; give the error to the maintainers"),
    )),
    (r"this machine's clock", Advice(
        Text("服务器时钟不准", "a clock is wrong"),
        Text("校准报错里不准的那台机器的时钟", "set the clock that is wrong (NTP)"),
    )),
    (r"held the lock", Advice(
        Text("前一个任务还没写完", "another task still writes"), Text(_BY_ITSELF, "it is tried again by itself"),
    )),
    (r"No space left|free disk", Advice(
        Text("磁盘空间不足", "the disk is nearly full"),
        Text("清理服务器的磁盘或扩容，再清除任务", "free some space or enlarge the disk, then clear the task"),
    )),
    (r"killed, or its worker was lost", Advice(
        Text("任务被中断", "the task was killed"),
        Text("看任务日志和服务器的内存；清除后从中断处接着做", "see its log and the machine's memory; clear the task"),
    )),
    (r"smtp_default|_MAIL_TO=|chat service", Advice(
        Text("邮件或群消息发不出去", "mail or chat is refused"),
        Text("按报错改邮件或群机器人的连接，再清除这一个任务", "correct the connection, then clear that task"),
    )),
    (r"limits this session", Advice(
        Text("数据库的会话设置不合要求", "MySQL limits the session"),
        Text("请数据库管理员按报错里的变量逐项改好", "the server's owner sets the variables that the error names"),
    )),
    (r"is empty on this server", Advice(
        Text("连到了另一台空的数据库", "another, empty server"),
        Text("连错就改连接的主机；数据确已丢失就恢复备份", "correct host, or restore a backup"),
    )),
    (r"XIAOE_[A-Z_]+=|connection \S+: ", Advice(
        Text("设置或连接填错", "a setting or a connection is wrong"),
        Text("按报错改正其中写明的那一项，再清除任务", "correct what the error names, then clear the task"),
    )),
)  # fmt: skip
"""Signs of errors that carry no code, the first that fits → advice."""

_API_CODE = re.compile(r"answered code (-?\d+)\b")
_MYSQL_CODE = re.compile(r"MySQL says (\d+):|^\w*Error: \((\d+),")
_QUOTED = re.compile(r"(?<!\w)'.*?'(?!\w)|(?<!\w)\".*?\"(?!\w)")
_LOGIN = re.compile(r"[^\s'\"(),，（]+@[^\s'\"(),，）]+")
_ADDRESS = re.compile(
    r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b|(?<![\w:])(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{0,4}(?![\w:])"
)
_LONG_NUMBER = re.compile(r"\d{7,}")


class Meaning(NamedTuple):
    """What is known of an error.

    Args:
        code: Of the API or of MySQL; empty without one.
        advice: None: nothing beyond the error's own text.
    """

    code: str
    advice: Advice | None


def meaning_of(message: str) -> Meaning:
    """The code and the advice of an error, by its text as `alerts.message` holds it."""
    if found := _API_CODE.search(message):
        known = api_errors.ADVICE | api_errors.PASSING
        return Meaning(found[1], known.get(int(found[1])) or api_errors.PASSING[1001])
    if found := _MYSQL_CODE.search(message):
        code = found[1] or found[2]
        return Meaning(code, mysql_errors.ADVICE.get(int(code)))
    return Meaning("", next((advice for sign, advice in _BY_TEXT if re.search(sign, message)), None))


def problem(message: str, language: str) -> str:
    """An error in a few words, with its code: the end of a subject.

    An error that nothing is known of speaks for itself, shortened and without what it quotes: subjects end up in logs.
    """
    code, advice = meaning_of(message)
    text = advice.what.to(language) if advice else without_values(message, MAX_HEADLINE)
    if not code:
        return text
    return f"{text}（{code}）" if language == "zh" else f"{text} ({code})"


def without_servers(message: str) -> str:
    """An error without users and addresses of servers, for a mail."""
    own, says, said = message.partition("MySQL says")
    return _ADDRESS.sub("…", _LOGIN.sub("…", own + says + _QUOTED.sub("'…'", said)))


def without_values(message: str, most: int) -> str:
    """The first line of an error without quoted values, addresses and long numbers, for subjects and chats."""
    first = message.strip().partition("\n")[0]
    plain = _LONG_NUMBER.sub("…", _ADDRESS.sub("…", _LOGIN.sub("…", _QUOTED.sub("'…'", first))))
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"
