"""The hook over real HTTP: against the emulator in a thread, and against a server that breaks every rule."""

from __future__ import annotations

import gzip
import json
import logging
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import pytest
import requests
import urllib3

from emulator.process import Emulator
from support.fixtures import shop_connection
from support.servers.emulator import serving as emulator_with
from support.servers.wire import MemoryTokens, Seen, Wire, answer_json, http, orders, serving, shop_answer, token
from support.worlds.shop import APP_ID, CLIENT_ID, END, NOW, SECRET
from xiaoe.api import body as body_module
from xiaoe.api import hook as hook_module
from xiaoe.api import retries
from xiaoe.api.errors import FEW_ATTEMPTS
from xiaoe.api.hook import Answer, XiaoeHook
from xiaoe.api.retries import ATTEMPTS, MAX_WAIT
from xiaoe.exceptions import (
    XiaoeBusyError,
    XiaoeConfigError,
    XiaoeError,
    XiaoeNetworkError,
    XiaoeQuotaError,
    XiaoeTokenError,
)
from xiaoe.resources.orders import ORDERS
from xiaoe.windows import Window

WEEK = ORDERS.filters(Window(END.replace(day=10), END.replace(day=16)))
WILD_SECRET = "s3cr et/+&=%中"
Connect = Callable[..., None]


class Waits(list[float]):
    """Takes the place of `time.sleep`: notes the wait and returns at once."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def tokens() -> MemoryTokens:
    return MemoryTokens()


@pytest.fixture
def hook(api: Emulator, waits: Waits, tokens: MemoryTokens) -> Iterator[XiaoeHook]:
    """A hook of the emulated shop, its token in memory and its waits free."""
    hook = XiaoeHook(sleep=waits, token_store=tokens)
    yield hook
    hook.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    with serving() as wire:
        yield wire


@pytest.fixture
def wired(wire: Wire, waits: Waits, monkeypatch: pytest.MonkeyPatch) -> Iterator[XiaoeHook]:
    """A hook of the hand-written server, with a wild secret and a time-out of one second."""
    fields = json.loads(shop_connection(wire.url, timeout=1))
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", json.dumps({**fields, "password": WILD_SECRET}))
    hook = XiaoeHook(sleep=waits, token_store=MemoryTokens())
    yield hook
    hook.close()


def page(hook: XiaoeHook, number: int = 1) -> Answer:
    return hook.list_page(ORDERS, {**WEEK, **ORDERS.paging.fields(number, None)})


def side_by_side(number: int, work: Callable[[int], Any]) -> list[Any]:
    """Run the same in threads that all begin at the same moment."""
    start = threading.Barrier(number)

    def begin(index: int) -> Any:
        start.wait()
        return work(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(begin, range(number)))


def issued(api: Emulator) -> int:
    numbers = api.stats()["tokens_issued"]
    assert isinstance(numbers, dict)
    return int(numbers[APP_ID])


def answered(api: Emulator, code: str) -> int:
    numbers = api.stats()["answers"]
    assert isinstance(numbers, dict)
    return int(numbers.get(code, 0))


# --- a good page ---------------------------------------------------------------------------------------


def test_a_page_brings_its_rows_the_total_and_the_bytes(hook: XiaoeHook, waits: Waits) -> None:
    answer = page(hook)
    assert len(answer.listing.rows) == 200
    assert answer.listing.total == json.loads(answer.body)["data"]["total"] > 200
    assert (waits, hook.counts) == ([], {"calls": 2, "tokens": 1})


def test_pages_follow_each_other_without_a_gap(hook: XiaoeHook) -> None:
    ids = [json.loads(bytes(row))["order_id"] for number in (1, 2) for row in page(hook, number).listing.rows]
    assert len(ids) == len(set(ids)) > 200


def test_the_page_size_of_the_connection_is_asked_for(hook: XiaoeHook, api: Emulator, connect: Connect) -> None:
    connect(api, page_size=7)
    assert len(page(hook).listing.rows) == 7


def test_observed_at_lies_before_the_request(wire: Wire, wired: XiaoeHook) -> None:
    wire.answer = shop_answer(orders())
    assert page(wired).observed_at <= wire.seen[-1].at


def test_a_body_sent_as_gzip_is_stored_as_the_json_it_is(wire: Wire, wired: XiaoeHook) -> None:
    body = b'{"code":0,"data":{"total":1,"list":[{"order_id":"o1"}]}}'
    wire.answer = shop_answer(http("200 OK", gzip.compress(body), "Content-Encoding: gzip"))
    assert page(wired).body == body


# --- what goes over the wire ---------------------------------------------------------------------------


def test_the_requests_are_those_of_the_documentation(wire: Wire, wired: XiaoeHook) -> None:
    wire.answer = shop_answer(orders(), token("xe_" + "t" * 509))
    page(wired, 3)
    asked, listed = wire.seen
    assert (asked.method, urlsplit(asked.path).path) == ("GET", "/token")
    assert parse_qs(urlsplit(asked.path).query) == {
        "app_id": [APP_ID],
        "client_id": [CLIENT_ID],
        "secret_key": [WILD_SECRET],
        "grant_type": ["client_credential"],
    }
    assert (listed.method, listed.path) == ("POST", "/xe.order.list.get/1.0.1")
    assert json.loads(listed.body) == {
        **WEEK,
        "page_index": 3,
        "page_size": 200,
        "access_token": "xe_" + "t" * 509,
    }


def test_no_header_but_the_usual_ones_is_sent(
    wire: Wire, wired: XiaoeHook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HttpHook would send login and password, and each Extra field as a header; requests those of ~/.netrc."""
    (tmp_path / "netrc").write_text("default login somebody password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    wire.answer = shop_answer(orders())
    page(wired)
    usual = {"Host", "User-Agent", "Accept-Encoding", "Accept", "Connection"}
    assert set(wire.seen[0].headers) == usual
    assert set(wire.seen[1].headers) == usual | {"Content-Type", "Content-Length"}


def test_options_for_proxy_and_certificates_are_passed_on(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, waits: Waits
) -> None:
    wire.answer = shop_answer(orders())
    fields = json.loads(shop_connection("http://api.invalid", proxies={"http": wire.url}, verify=False))
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", json.dumps(fields))
    hook = XiaoeHook(sleep=waits, token_store=MemoryTokens())
    page(hook)
    assert wire.seen[1].path == "http://api.invalid/xe.order.list.get/1.0.1"
    assert hook._pooled_session().verify is False
    assert not {"proxies", "verify"} & set(wire.seen[1].headers)


@pytest.mark.parametrize("counts", [True, False])
def test_a_proxy_of_the_environment_counts_unless_the_connection_says_otherwise(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, waits: Waits, counts: bool
) -> None:
    wire.answer = shop_answer(orders())
    monkeypatch.setenv("http_proxy", wire.url)
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection("http://api.invalid", trust_env=counts))
    hook = XiaoeHook(sleep=waits, token_store=MemoryTokens())
    with nullcontext() if counts else pytest.raises(XiaoeNetworkError, match="ConnectionError"):
        page(hook)
    assert [one.path.partition("?")[0] for one in wire.seen] == counts * [
        "http://api.invalid/token",
        "http://api.invalid/xe.order.list.get/1.0.1",
    ]


def test_calls_go_over_one_session_until_it_is_closed(hook: XiaoeHook) -> None:
    page(hook)
    session = hook._session
    page(hook, 2)
    assert hook._session is session is not None
    hook.close()
    hook.close()
    assert hook._session is None
    page(hook)
    assert hook._session is not session


class Transport(requests.adapters.BaseAdapter):
    """Another transport: a plain function in place of the network."""

    def __init__(self, answer: Callable[[requests.PreparedRequest], bytes]) -> None:
        super().__init__()
        self.answer = answer

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        response = requests.Response()
        response.status_code = 200
        response.raw = urllib3.HTTPResponse(BytesIO(self.answer(request)), preload_content=False)
        return response

    def close(self) -> None:
        pass


def test_the_adapter_is_the_seam_for_another_transport(api: Emulator) -> None:
    def answer(request: requests.PreparedRequest) -> bytes:
        if request.path_url.startswith("/token"):
            return b'{"code":0,"data":{"access_token":"xe_1","expires_in":60}}'
        return b'{"code":0,"data":{"total":0,"list":null}}'

    hook = XiaoeHook(adapter=Transport(answer), token_store=MemoryTokens())
    assert page(hook).listing.total == 0


def test_a_mistake_of_the_program_is_not_taken_for_a_broken_network(api: Emulator) -> None:
    def answer(request: requests.PreparedRequest) -> bytes:
        raise KeyError("a bug")

    hook = XiaoeHook(adapter=Transport(answer), token_store=MemoryTokens())
    with pytest.raises(KeyError, match="a bug"):
        page(hook)


# --- trouble that passes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["http_500", "http_502", "cut", "non_json", "code_1001", "code_1002", "code_2054", "code_2053", "http_429"]
)
def test_a_fault_that_passes_is_retried_until_it_has(kind: str, hook: XiaoeHook, api: Emulator, waits: Waits) -> None:
    expected = page(hook).body
    api.set_faults(next=[{"kind": kind, "times": 2}])
    assert page(hook).body == expected
    assert len(waits) == hook.counts["retries"] == 2
    assert all(0 <= wait <= MAX_WAIT for wait in waits)


def test_a_stalled_answer_is_given_up_after_the_time_out_and_asked_for_again(
    wire: Wire, wired: XiaoeHook, waits: Waits
) -> None:
    answers = iter([wire.never, lambda seen: orders()])
    wire.answer = shop_answer(lambda seen: next(answers)(seen))
    assert page(wired).listing.total == 0
    assert len(waits) == 1


def test_retry_after_is_waited_for(hook: XiaoeHook, api: Emulator, waits: Waits) -> None:
    api.set_faults(next=[{"kind": "http_429", "times": 3}], retry_after=7)
    page(hook)
    assert len(waits) == 3
    assert all(7 <= wait <= 8 for wait in waits)


def test_a_used_up_quota_waits_for_the_next_window(hook: XiaoeHook, api: Emulator, waits: Waits) -> None:
    api.set_faults(next=[{"kind": "code_2053", "times": 2}])
    page(hook)
    assert len(waits) == 2
    assert all(10 <= wait <= 11 for wait in waits)


@pytest.mark.parametrize(
    ("kind", "error", "attempts"),
    [
        ("http_500", XiaoeNetworkError, ATTEMPTS),
        ("code_1001", XiaoeBusyError, ATTEMPTS),
        ("code_2054", XiaoeBusyError, ATTEMPTS),
        ("code_2053", XiaoeQuotaError, ATTEMPTS),
        ("code_1002", XiaoeBusyError, 3),
    ],
)
def test_a_fault_that_stays_ends_in_its_error_after_bounded_waits(
    kind: str, error: type[XiaoeError], attempts: int, hook: XiaoeHook, api: Emulator, waits: Waits
) -> None:
    page(hook)
    calls = hook.counts["calls"]
    api.set_faults(next=[{"kind": kind, "times": 100}])
    with pytest.raises(error) as caught:
        page(hook)
    assert type(caught.value) is error
    assert hook.counts["calls"] - calls == attempts
    assert len(waits) == attempts - 1
    assert all(0 <= wait <= MAX_WAIT for wait in waits)


@pytest.mark.parametrize(
    ("code", "advice"), [(2017, "开放平台"), (2051, "IP白名单"), (2052, "Host"), (2009, "user_id")]
)
def test_a_fault_that_somebody_has_to_put_right_stops_at_once(
    code: int, advice: str, hook: XiaoeHook, api: Emulator, waits: Waits
) -> None:
    api.set_faults(next=[{"kind": f"code_{code}", "times": 100}])
    with pytest.raises(XiaoeConfigError, match=advice):
        page(hook)
    assert (waits, answered(api, str(code)) >= 1) == ([], True)


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"password": "wrong"}, 2004, "Secret (password)"),
        ({"login": "wrong"}, 2020, "Client id (login)"),
        ({"extra": {"app_id": "wrong"}}, 2002, "Extra field app_id"),
    ],
)
def test_wrong_credentials_stop_at_once_and_name_the_field(
    change: dict[str, Any], code: int, field: str, api: Emulator, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", json.dumps({**json.loads(shop_connection(api.url)), **change}))
    with pytest.raises(XiaoeConfigError) as caught:
        page(XiaoeHook(sleep=waits, token_store=MemoryTokens()))
    assert str(code) in str(caught.value)
    assert field in str(caught.value)
    assert waits == []


def test_a_busy_token_call_is_retried_and_then_given_up(hook: XiaoeHook, api: Emulator, waits: Waits) -> None:
    api.set_faults(next=[{"kind": "code_1001", "interface": "token", "times": 4}])
    assert page(hook).listing.rows
    assert len(waits) == 4
    api.revoke_token()
    api.set_faults(next=[{"kind": "http_502", "interface": "token", "times": 1000}])
    with pytest.raises(XiaoeNetworkError, match="HTTP 502"):
        page(hook)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (http("200 OK", b'{"code":0', length=100), "no answer from .*: (IncompleteRead|ProtocolError)"),
        (http("200 OK", b'{"code":0,"data":{"li'), "not the API's JSON"),
        (http("200 OK", b"not gzip at all", "Content-Encoding: gzip"), "no answer from .*: DecodeError"),
        (http("200 OK", gzip.compress(b"{}" * 99, mtime=0)[:-9], "Content-Encoding: gzip"), "not the API's JSON"),
        (b"this is no HTTP\r\n\r\n", "no answer from"),
        (b"", "no answer from .*: ConnectionError"),
        (http("200 OK", b"<html>proxy login</html>", "Content-Type: text/html"), "not the API's JSON"),
        (http("200 OK", b""), "not the API's JSON"),
        (http("503 Service Unavailable", b"<html>busy</html>"), "HTTP 503"),
        (answer_json({"code": 0, "data": [1]}), "unknown shape"),
    ],
)
def test_a_broken_answer_is_a_network_error_on_any_call(
    answer: bytes, message: str, wire: Wire, wired: XiaoeHook
) -> None:
    wire.answer = shop_answer(answer)
    with pytest.raises(XiaoeNetworkError, match=message):
        page(wired)
    wire.answer = lambda seen: answer
    with pytest.raises(XiaoeNetworkError):
        page(XiaoeHook(sleep=lambda _: None, token_store=MemoryTokens()))


@pytest.mark.parametrize(
    "answer",
    [
        http("302 Found", b"", "Location: http://127.0.0.1:1/elsewhere"),
        http("301 Moved Permanently", b"", "Location: /"),
        http("404 Not Found", b"<html>nginx</html>"),
        http("403 Forbidden", b"<html>firewall</html>"),
    ],
)
def test_an_address_that_is_not_the_api_stops_at_once_and_is_never_followed(
    answer: bytes, wire: Wire, wired: XiaoeHook, waits: Waits
) -> None:
    wire.answer = lambda seen: answer
    with pytest.raises(XiaoeConfigError, match="is the connection's Host the base URL"):
        page(wired)
    assert (len(wire.seen), waits) == (1, [])


def test_an_address_where_nobody_listens_is_a_network_error(
    api: Emulator, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection("http://127.0.0.1:1"))
    with pytest.raises(XiaoeNetworkError, match=r"no answer from http://127\.0\.0\.1:1/token: ConnectionError"):
        page(XiaoeHook(sleep=waits, token_store=MemoryTokens()))
    assert waits


def test_an_endless_body_is_not_read_to_its_end(wire: Wire, wired: XiaoeHook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIAOE_MAX_PAGE_MB", "1")
    wire.answer = shop_answer(http("200 OK", gzip.compress(b" " * 2_000_000), "Content-Encoding: gzip"))
    with pytest.raises(XiaoeNetworkError, match=r"more than the longest sensible answer \(XIAOE_MAX_PAGE_MB\)"):
        page(wired)


def test_a_body_that_comes_in_drops_is_given_up(wire: Wire, wired: XiaoeHook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each drop is in time for the time-out, which counts from the last byte; the whole would take days."""
    clock = iter(range(0, 10**9, 2))
    monkeypatch.setattr(body_module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    drops = iter([http("200 OK", b"{", length=10**6)])
    wire.answer = shop_answer(lambda seen: next(drops))
    wire.more = b" " * 40
    with pytest.raises(XiaoeNetworkError, match=r"no answer from .*: ReadTimeout"):
        wired.ask(ORDERS, {**WEEK, **ORDERS.paging.fields(1, None)}, once=True)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_is_whole_in_whatever_pieces_it_comes(
    wire: Wire, wired: XiaoeHook, pack: Callable[[bytes], bytes], chunked: bool
) -> None:
    sent = orders(*[{"order_id": f"o_{number}", "title": "x" * 999} for number in range(200)]).partition(b"\r\n\r\n")[2]
    coding = f"Content-Encoding: {'gzip' if pack is gzip.compress else 'deflate'}"
    packed = pack(sent)
    if chunked:
        pieces = [packed[at : at + 100] for at in range(0, len(packed), 100)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        head = f"HTTP/1.1 200 OK\r\n{coding}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        wire.answer = shop_answer(head.encode() + body)
    else:
        wire.answer = shop_answer(http("200 OK", packed, coding))
    found = page(wired)
    assert found.body == sent
    assert len(found.listing.rows) == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_packed_body_that_breaks_off_is_a_network_error(wire: Wire, wired: XiaoeHook, chunked: bool) -> None:
    packed = gzip.compress(orders({"order_id": "o_1"}).partition(b"\r\n\r\n")[2])
    half = packed[: len(packed) // 2]
    kind = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(packed)}"
    body = b"%x\r\n%s\r\n" % (len(half), half) if chunked else half
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n{kind}\r\nConnection: close\r\n\r\n"
    wire.answer = shop_answer(head.encode() + body)
    with pytest.raises(XiaoeNetworkError):
        page(wired)


# --- the token -----------------------------------------------------------------------------------------


def test_eight_threads_that_need_a_token_ask_for_one(hook: XiaoeHook, api: Emulator, tokens: MemoryTokens) -> None:
    before = issued(api)
    answers = side_by_side(8, lambda index: page(hook))
    assert len({answer.body for answer in answers}) == 1
    assert issued(api) - before == hook.counts["tokens"] == 1
    assert tokens.asked == 1


def test_a_token_revoked_in_mid_run_is_refreshed_once_for_all_threads(hook: XiaoeHook, api: Emulator) -> None:
    page(hook)
    before = issued(api)
    api.revoke_token()
    answers = side_by_side(8, lambda index: page(hook))
    assert all(answer.listing.rows for answer in answers)
    assert issued(api) - before == 1
    assert hook.counts["tokens"] == 2


def test_a_refreshed_token_is_shared_with_other_tasks(hook: XiaoeHook, api: Emulator, tokens: MemoryTokens) -> None:
    other = XiaoeHook(token_store=tokens)
    page(hook)
    page(other)
    api.revoke_token()
    page(hook)
    before = issued(api)
    page(other)
    assert issued(api) == before
    assert other.counts["tokens"] == 0


def test_a_token_called_expired_is_refreshed_without_a_wait(hook: XiaoeHook, api: Emulator, waits: Waits) -> None:
    page(hook)
    api.set_faults(next=[{"kind": "code_2008"}])
    assert page(hook).listing.rows
    assert (hook.counts["tokens"], hook.counts["retries"], waits) == (2, 0, [])


@pytest.mark.parametrize("kind", ["code_2008", "code_2007"])
def test_a_fresh_token_that_is_refused_as_well_is_an_error_after_few_attempts(
    kind: str, hook: XiaoeHook, api: Emulator, waits: Waits
) -> None:
    """Another program that fetches tokens of its own ends ours each time: asking on would use up the quota."""
    api.set_faults(next=[{"kind": kind, "times": 1000}])
    with pytest.raises(XiaoeBusyError, match="a fresh token was refused as well"):
        page(hook)
    assert len(waits) == 3
    assert hook.counts["tokens"] <= 9


def test_a_token_is_asked_for_again_before_its_end(
    wire: Wire, wired: XiaoeHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(hook_module, "time", SimpleNamespace(monotonic=lambda: now))
    store = MemoryTokens()
    wired._tokens = store
    wire.answer = shop_answer(orders(), token(life=100))
    page(wired)
    now += 89
    page(wired)
    assert store.asked == 1
    now += 2
    page(wired)
    assert store.asked == 2


def test_a_token_that_lives_a_second_still_brings_a_page(wire: Wire, wired: XiaoeHook) -> None:
    wire.answer = shop_answer(orders(), token(life=1))
    assert page(wired).listing.total == 0


def test_success_without_a_token_is_retried_and_then_an_error(wire: Wire, wired: XiaoeHook) -> None:
    wire.answer = lambda seen: answer_json({"code": 0, "msg": "success", "data": None})
    with pytest.raises(XiaoeNetworkError, match="/token answered success without a token"):
        page(wired)


def test_a_token_call_that_answers_a_token_code_is_no_endless_loop(wire: Wire, wired: XiaoeHook) -> None:
    wire.answer = lambda seen: answer_json({"code": 2008, "msg": "expired"})
    with pytest.raises(XiaoeTokenError):
        page(wired)
    assert len(wire.seen) == 1


@pytest.mark.parametrize(("code", "calls"), [(1001, ATTEMPTS), (1002, FEW_ATTEMPTS), (4711, FEW_ATTEMPTS)])
def test_a_token_call_is_tried_as_often_as_its_code_says(code: int, calls: int, wire: Wire, wired: XiaoeHook) -> None:
    wire.answer = lambda seen: answer_json({"code": code, "msg": "no"})
    with pytest.raises(XiaoeBusyError):
        page(wired)
    assert len(wire.seen) == wired.counts["tokens"] == calls


# --- secrets -------------------------------------------------------------------------------------------


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception with all that hangs on it."""
    while error is not None:
        yield error
        yield from chain(error.__cause__)
        error = error.__context__


def forbidden(value: str) -> set[str]:
    return {value, quote(value, safe=""), quote_plus(value), quote(value)}


TROUBLE: dict[str, Callable[[Wire], Callable[[Seen], bytes]]] = {
    "a page": lambda wire: shop_answer(orders(), token("xe_t0ken")),
    "no answer": lambda wire: lambda seen: b"",
    "a cut token": lambda wire: lambda seen: http("200 OK", b'{"code":0,"data":{"access_token":"xe_t0ken'),
    "404": lambda wire: lambda seen: http("404 Not Found", seen.path.encode()),
    "a proxy's page": lambda wire: lambda seen: http("200 OK", b"<p>" + seen.path.encode()),
    "a redirect": lambda wire: lambda seen: http("302 Found", b"", f"Location: {seen.path}&again=1"),
    "the API quotes the call": lambda wire: (
        lambda seen: answer_json({"code": 2004, "msg": f"wrong: {WILD_SECRET} in {seen.path}"})
    ),
    "the API quotes the token": lambda wire: shop_answer(
        lambda seen: answer_json({"code": 2008, "msg": f"expired: {json.loads(seen.body)['access_token']}"}),
        token("xe_t0ken"),
    ),
    "busy": lambda wire: shop_answer(
        lambda seen: answer_json({"code": 1001, "msg": seen.body.decode()}), token("xe_t0ken")
    ),
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_neither_secret_nor_token_is_in_an_exception_or_a_log_at_any_level(
    trouble: str, wire: Wire, wired: XiaoeHook, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook_module, "ATTEMPTS", 2)
    wire.answer = TROUBLE[trouble](wire)
    said: list[str] = []
    with caplog.at_level(logging.DEBUG):
        try:
            page(wired)
        except XiaoeError as error:
            said += [f"{one!s} {one!r} {one.args}" for one in chain(error)]
        said += [repr(wired.shop), repr(wired._token), wired.test_connection()[1]]
    said += [f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records]
    for text in said:
        for word in forbidden(WILD_SECRET) | {"xe_t0"}:
            assert word not in text


def test_the_debug_line_of_the_token_call_is_there_without_the_secret(
    wire: Wire, wired: XiaoeHook, caplog: pytest.LogCaptureFixture
) -> None:
    wire.answer = shop_answer(orders())
    with caplog.at_level(logging.DEBUG):
        page(wired)
    assert f"/token?app_id={APP_ID}&client_id={CLIENT_ID}&secret_key=***&grant_type=client_credential" in caplog.text


def test_after_eight_token_calls_without_an_answer_the_page_is_not_asked_for_again(
    wire: Wire, wired: XiaoeHook, waits: Waits
) -> None:
    wire.answer = lambda seen: http("502 Bad Gateway")
    with pytest.raises(XiaoeNetworkError):
        page(wired)
    assert (len(wire.seen), len(waits)) == (ATTEMPTS, ATTEMPTS - 1)


# --- the Test button -----------------------------------------------------------------------------------


def test_a_good_connection_says_how_many_orders_there_are(hook: XiaoeHook, waits: Waits) -> None:
    good, message = hook.test_connection()
    assert good
    assert message.startswith(f"connected to shop {APP_ID}: ")
    assert "orders in the last 24 hours. " in message
    assert "xiaoe_shop_check" in message, "what to do next"
    assert waits == []


def test_the_button_takes_the_shared_token(hook: XiaoeHook, api: Emulator, tokens: MemoryTokens) -> None:
    page(hook)
    before = issued(api)
    assert XiaoeHook(token_store=tokens).test_connection()[0]
    assert issued(api) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"password": "wrong"}, "compare the connection's Secret (password)"),
        ({"password": ""}, "secret is empty"),
        ({"host": "ftp://x"}, "is not a base URL"),
        ({"host": "http://127.0.0.1:1"}, "no answer from http://127.0.0.1:1/token"),
    ],
)
def test_a_bad_connection_says_why(
    change: dict[str, Any], message: str, api: Emulator, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", json.dumps({**json.loads(shop_connection(api.url)), **change}))
    good, said = XiaoeHook(sleep=waits, token_store=MemoryTokens()).test_connection()
    assert not good
    assert message in said


@pytest.mark.parametrize("warehouse", [None, "mysql://nobody:nothing@127.0.0.1:1/xiaoe"])
def test_the_button_works_before_there_is_a_warehouse(
    warehouse: str | None, api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XIAOE_MYSQL_CONN_ID", "not_set_up_yet")
    if warehouse:
        monkeypatch.setenv("AIRFLOW_CONN_NOT_SET_UP_YET", warehouse)
    good, message = XiaoeHook().test_connection()
    assert (good, message[:12]) == (True, "connected to")


# --- limits --------------------------------------------------------------------------------------------


def test_eight_threads_stay_below_the_limit_of_the_api(monkeypatch: pytest.MonkeyPatch, waits: Waits) -> None:
    """45 calls in a second are a burst to this emulator; the hook may send 35 and 8 at once."""
    with emulator_with(
        orders=100, now=NOW, frozen=True, burst=45, start="2026-11-01", shop=[f"{APP_ID}:{CLIENT_ID}:{SECRET}"]
    ) as api:
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection(api.url, calls_per_second=35, concurrency=8))
        hook = XiaoeHook(sleep=waits, token_store=MemoryTokens())
        side_by_side(8, lambda index: [page(hook) for _ in range(8)])
        assert answered(api, "2053") == answered(api, "2054") == 0
        assert answered(api, "0") == 65
    assert waits == []


def test_every_line_is_kept_for_the_next_call(api: Emulator, waits: Waits, connect: Connect) -> None:
    """Twenty calls end together, again and again: that is more lines than the HTTP library keeps by itself."""
    connect(api, concurrency=20)
    with closing(XiaoeHook(sleep=waits, token_store=MemoryTokens())) as hook:
        page(hook)
        together, send = threading.Barrier(20, timeout=30), hook._send

        def end_together(*call: Any, **request: Any) -> bytes:
            content = send(*call, **request)
            together.wait()
            return content

        hook._send = end_together  # type: ignore[method-assign]
        side_by_side(20, lambda index: [page(hook) for _ in range(8)])
        pools = hook._pooled_session().get_adapter(api.url).poolmanager.pools  # type: ignore[attr-defined]
        [lines] = [pools[key] for key in pools.keys()]  # noqa: SIM118 - no dictionary
        assert lines.num_requests == 2 + 20 * 8
        assert lines.num_connections <= 20


@pytest.mark.parametrize(("kind", "shared"), [("code_2053", True), ("code_2054", True), ("http_500", False)])
def test_when_the_api_slows_one_thread_down_the_others_wait_as_well(
    kind: str, shared: bool, hook: XiaoeHook, api: Emulator, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    page(hook)
    api.set_faults(next=[{"kind": kind}])
    page(hook)
    page(hook)
    [wait] = waits
    with ThreadPoolExecutor(1) as other:
        other.submit(page, hook).result()
    assert waits == pytest.approx([wait, wait] if shared else [wait])


@pytest.mark.parametrize("calls_per_second", [1, 60, 299, 300])
@pytest.mark.parametrize("concurrency", [1, 4, 64])
def test_neither_limit_is_passed_in_any_window_however_full_the_bucket(
    calls_per_second: int, concurrency: int, hook: XiaoeHook, api: Emulator, connect: Connect
) -> None:
    connect(api, calls_per_second=calls_per_second, concurrency=concurrency)
    limiter = hook._limiter(ORDERS)
    assert hook._limiter(ORDERS) is limiter
    [bucket] = limiter.buckets()
    [rate] = bucket.rates
    assert rate.interval == 1000
    assert 1 <= rate.limit <= calls_per_second
    assert rate.burst <= concurrency
    window = ORDERS.quota_seconds
    assert rate.limit * window + rate.burst <= ORDERS.calls_per_second * window
