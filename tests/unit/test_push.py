"""The push service without a database: signature, decryption, forms of requests and messages, refusals, settings."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.push import sealing
from emulator.push.sealing import FORMS, Secrets, seal
from xiaoe import settings
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.provider_info import get_provider_info
from xiaoe.push import service
from xiaoe.push.cipher import CipherError, decrypt, is_signed, key_of, signature_of
from xiaoe.push.gate import Accepted, Gate, PushRefusal, RefusedError
from xiaoe.push.leaves import UnreadableError
from xiaoe.push.messages import AccountMerge, read_message
from xiaoe.push.refusals import RefusalLog
from xiaoe.push.request import read_request
from xiaoe.push.shops import PushShop, push_shops
from xiaoe.resources import privacy

AESKEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
SECRETS = Secrets("token-of-the-tests", AESKEY)
NOW = datetime(2026, 11, 20, 4, tzinfo=timezone.utc)
ORDER_CHANGE = """<doc>
<type>order_change</type>
<app_id>appAKLWLitnxxxx</app_id>
<message_id>20230615_1669013687304xxxxxx</message_id>
<retry_times>0</retry_times>
<xe_data>
<action>create</action>
<action_text>订单创建</action_text>
<app_id>appAKLWLitnxxxx</app_id>
<channel_id>0</channel_id>
<order_id>o_xxxx</order_id>
<order_state>0</order_state>
<user_id>u_qq_xxxx</user_id>
<version>v1.1.0</version>
</xe_data>
</doc>"""
"""As the documentation shows it; the next one, too, without a root."""
ACCOUNT_MERGE = """<app_id>appAKLWLitnxxxx</app_id>
<message_id>20230615_1669013687304xxxxxx</message_id>
<retry_times>0</retry_times>
<type>account_merge</type>
<xe_data>
<app_id>appAKLWLitnxxxx</app_id>
<merged_at>2021-12-18 18:00:58</merged_at>
<source_user_id>u_61b60b31b1e1c</source_user_id>
<target_user_id>u_614ab0bea5216</target_user_id>
</xe_data>"""


def shop(app_id: str = "app1", token: str = SECRETS.token, aeskey: str = AESKEY) -> PushShop:
    return PushShop(app_id, token, key_of(aeskey))


def gate(*shops: PushShop) -> Gate:
    return Gate({one.app_id: one for one in shops or (shop(),)}, timedelta(hours=48), timedelta(minutes=5))


def order_change(app_id: str = "app1", **fields: str) -> bytes:
    inner = {"app_id": app_id, "order_id": "o_1", "action": "settle", **fields}
    xml = "".join(f"<{name}>{value}</{name}>" for name, value in inner.items())
    head = f"<type>order_change</type><app_id>{app_id}</app_id><message_id>m1</message_id>"
    return f"{head}<xe_data>{xml}</xe_data>".encode()


def opened(
    text: bytes, *shops: PushShop, at: datetime = NOW, path: str | None = "app1", form: str = "json"
) -> Accepted:
    sealed = seal(text, SECRETS, int(at.timestamp()), form=form)
    return gate(*shops).open(path, read_request(sealed.body, sealed.query), NOW)


def refusal_of(*arguments: Any, **options: Any) -> PushRefusal:
    with pytest.raises(RefusedError) as caught:
        opened(*arguments, **options)
    return caught.value.reason


# --- signature and encryption --------------------------------------------------------------------------


def test_the_documented_form_by_a_vector_worked_out_with_openssl() -> None:
    """`printf` of the plain text, padded to 32 bytes, through `openssl enc -aes-256-cbc -nopad`; `sha1sum`."""
    encrypted = "Q3stYC6hdFzMh9T8HCvyDNeqF8GC3PsRaWObZ+CwfMw="
    assert decrypt(key_of(AESKEY), encrypted) == b"<type>x"
    assert signature_of("token", "1700000000", "nonce", encrypted) == "44614dc4847f40cb2552b9690a07093fcfc350e8"


def test_the_signature_of_wechats_documentation() -> None:
    """The same scheme, with the vector that developers.weixin.qq.com shows for the check of an address."""
    assert signature_of("AAAAA", "1714036504", "1514711492") == "f464b24fc39322e44b38aa78f5edd27bd1441696"


@given(st.binary(max_size=500), st.sampled_from([16, 32]), st.sampled_from([b"", b"app1"]))
def test_what_was_encrypted_is_decrypted(text: bytes, block: int, tail: bytes) -> None:
    assert decrypt(key_of(AESKEY), sealing.encrypt(text, AESKEY, block=block, tail=tail)) == text


@given(st.binary(max_size=200))
def test_no_text_breaks_decryption(text: bytes) -> None:
    encrypted = base64.b64encode(text).decode()
    with suppress(CipherError):
        decrypt(key_of(AESKEY), encrypted)


@given(st.text(max_size=50), st.text(max_size=50))
def test_only_the_right_signature_is_one(token: str, text: str) -> None:
    assert is_signed(signature_of(token, text), (text, token)), "whatever the order"
    assert is_signed(signature_of(token, text).upper(), (token, text))
    assert not is_signed(signature_of(token, text + "x"), (token, text))
    assert not is_signed(text, (token, text))


@pytest.mark.parametrize("aeskey", ["", "short", AESKEY + "=", AESKEY[:-1] + "!", AESKEY + "A"])
def test_a_key_that_is_none_is_refused_without_being_shown(aeskey: str) -> None:
    with pytest.raises(ValueError, match="43 letters and digits are needed") as caught:
        key_of(aeskey)
    assert not aeskey or aeskey not in str(caught.value)


# --- requests ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_the_four_values_are_found_in_every_form(form: str) -> None:
    assert opened(order_change(), form=form).message.order_id == "o_1"


def test_a_form_whose_signs_are_not_escaped_is_read() -> None:
    """A + is a blank then; base64 has none."""
    body = b"encrypt=ab+c/d==&signature=s&timestamp=1&nonce=n"
    assert read_request(body, "").encrypt == "ab+c/d=="


def test_of_two_signatures_that_of_the_encrypted_text_counts() -> None:
    fields = {"encrypt": "e", "timestamp": "1", "nonce": "n", "signature": "of the address", "msg_signature": "s"}
    assert read_request(json.dumps(fields).encode(), "").signature == "s"


@given(st.binary(max_size=300), st.text(max_size=50))
def test_no_request_breaks_the_reading(body: bytes, query: str) -> None:
    with suppress(UnreadableError):
        assert all(vars(read_request(body, query)).values())


@pytest.mark.parametrize("missing", ["encrypt", "signature", "timestamp", "nonce"])
def test_a_missing_value_is_named(missing: str) -> None:
    fields = {name: "1" for name in ("encrypt", "signature", "timestamp", "nonce") if name != missing}
    with pytest.raises(UnreadableError, match=f"has no {missing}$"):
        read_request(json.dumps(fields).encode(), "")


# --- messages ------------------------------------------------------------------------------------------


def test_the_documented_change_of_an_order_is_a_hint() -> None:
    message = read_message(ORDER_CHANGE.encode())
    assert (message.kind, message.app_id, message.order_id) == ("order_change", "appAKLWLitnxxxx", "o_xxxx")
    assert (message.key, message.merge, message.problem) == ("20230615_1669013687304xxxxxx", None, None)


def test_the_documented_merge_of_accounts_has_no_root() -> None:
    message = read_message(ACCOUNT_MERGE.encode())
    assert message.merge == AccountMerge("u_61b60b31b1e1c", "u_614ab0bea5216", "2021-12-18 18:00:58")
    assert message.order_id is None


@pytest.mark.parametrize(
    "text",
    [
        f'<?xml version="1.0" encoding="UTF-8"?>\n{ORDER_CHANGE}',
        f"\ufeff{ORDER_CHANGE}",
        ORDER_CHANGE.replace("<doc>", "").replace("</doc>", ""),
        ORDER_CHANGE.replace("o_xxxx", "<![CDATA[o_xxxx]]>"),
        json.dumps({"type": "order_change", "message_id": "m", "xe_data": {"order_id": "o_xxxx", "type": "x"}}),
        json.dumps({"xe_data": json.dumps({"type": "x", "order_id": "o_xxxx"}), "type": "order_change"}),
    ],
    ids=["declaration", "bom", "rootless", "cdata", "json", "json-in-json"],
)
def test_the_same_message_in_other_clothes(text: str) -> None:
    message = read_message(text.encode())
    assert (message.kind, message.order_id) == ("order_change", "o_xxxx")


def test_a_kind_that_nobody_knows_is_kept_and_hints_if_it_names_an_order() -> None:
    message = read_message(b"<type>order_paid_2027</type><xe_data><order_id>o_9</order_id></xe_data>")
    assert (message.kind, message.order_id) == ("order_paid_2027", "o_9")
    assert read_message(b"<type>exam</type><xe_data><score>1</score></xe_data>").order_id is None


def test_without_a_message_id_what_it_says_tells_a_repetition() -> None:
    def of(retry: int, state: int) -> str:
        text = f"<type>t</type><retry_times>{retry}</retry_times><xe_data><order_state>{state}</order_state></xe_data>"
        return read_message(text.encode()).key

    assert of(0, 1) == of(3, 1) != of(0, 3)
    assert of(0, 1).startswith("sha256:")


def bomb() -> bytes:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "ha"}">' for n in range(10))
    return f'<?xml version="1.0"?><!DOCTYPE doc [{entities}]><doc><type>&a9;</type></doc>'.encode()


@pytest.mark.parametrize(
    "text",
    [
        bomb(),
        b'<!DOCTYPE doc SYSTEM "file:///etc/passwd"><doc><type>x</type></doc>',
        b"<doc><type>&xxe;</type></doc>",
        b"</all><all><type>x</type>",
        b"<doc>" * 20_000,
        b"<a>" * 20_000 + b"x" + b"</a>" * 20_000,
        b"<a>1</a>" * 20_000,
        b'{"a":' * 20_000,
        b"[1]",
        b"hello",
        b"",
        b"\xff\xfe<type>x</type>",
        b"<type>\x00</type>",
        b'{"type": "\\ud800"}',
    ],
    ids=range(14),
)
def test_hostile_texts_are_unreadable_and_kept_in_a_readable_form(text: bytes) -> None:
    message = read_message(text)
    if message.problem is None:  # deep, but sound: it says nothing of an order
        assert (message.kind, message.order_id) == ("", None)
        return
    assert message.kind == "unreadable"
    assert len(message.kept(None).encode()) >= len(text)
    assert len(message.problem) < 80


@given(st.text(max_size=200) | st.from_regex(r"<[a-z]{1,5}>[^<]{0,20}</[a-z]{1,5}>"))
def test_no_text_breaks_the_reading_of_a_message(text: str) -> None:
    message = read_message(text.encode("utf-8", "surrogatepass"))
    assert len(message.key) <= 128
    assert len(message.kind) <= 64


def test_values_of_nobody_stay_and_the_others_are_hidden() -> None:
    data = "<xe_data><user_id>u1</user_id><phone>13800000000</phone></xe_data>"
    text = f"<type>user_phone_change</type><app_id>app1</app_id>{data}"
    message = read_message(text.encode())
    assert message.kept(None) == text
    kept = dict(json.loads(message.kept(lambda value: "***")))
    assert kept == {"type": "user_phone_change", "app_id": "app1", "user_id": "u1", "phone": "***"}
    assert read_message(b"13800000000").kept(lambda value: "***") == "", "nobody knows which of its values are whose"


# --- the gate ------------------------------------------------------------------------------------------


def test_a_message_of_ours_comes_in() -> None:
    accepted = opened(order_change())
    assert (accepted.app_id, accepted.sent_at, accepted.message.key) == ("app1", NOW, "m1")


def test_a_timestamp_may_count_milliseconds() -> None:
    sealed = seal(order_change(), SECRETS, int(NOW.timestamp() * 1000))
    assert gate().open("app1", read_request(sealed.body, ""), NOW).sent_at == NOW


def test_a_forged_or_changed_message_does_not() -> None:
    sealed = seal(order_change(), Secrets("another token", AESKEY), int(NOW.timestamp()))
    request = read_request(sealed.body, "")
    good = read_request(seal(order_change(), SECRETS, int(NOW.timestamp())).body, "")
    for forged in (
        request,
        replace(good, timestamp=str(int(good.timestamp) + 1)),
        replace(good, nonce="x"),
        replace(good, encrypt=request.encrypt),
        replace(good, signature=""),
        replace(good, signature="é" * 40),
    ):
        with pytest.raises(RefusedError) as caught:
            gate().open("app1", forged, NOW)
        assert (caught.value.reason, caught.value.app_id) == (PushRefusal.BAD_SIGNATURE, "app1")


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(hours=48), None),
        (timedelta(hours=48, seconds=1), PushRefusal.TOO_OLD),
        (timedelta(minutes=-5), None),
        (timedelta(minutes=-5, seconds=-1), PushRefusal.FROM_THE_FUTURE),
    ],
)
def test_timestamps_are_held_to_the_longest_repetition(age: timedelta, expected: PushRefusal | None) -> None:
    if expected is None:
        opened(order_change(), at=NOW - age)
    else:
        assert refusal_of(order_change(), at=NOW - age) is expected


@pytest.mark.parametrize("timestamp", ["", "now", "-1", "1e9", "9" * 30, "１７００００００００"])
def test_a_timestamp_that_is_none_is_no_push(timestamp: str) -> None:
    good = read_request(seal(order_change(), SECRETS, 1).body, "")
    signature = signature_of(SECRETS.token, timestamp, good.nonce, good.encrypt)
    with pytest.raises(RefusedError) as caught:
        gate().open("app1", replace(good, timestamp=timestamp, signature=signature), NOW)
    assert caught.value.reason is PushRefusal.NO_PUSH


def test_a_message_that_another_key_encrypted_is_asked_for_again() -> None:
    reason = refusal_of(order_change(), shop(aeskey="B" + AESKEY[1:]))
    assert reason is PushRefusal.WRONG_KEY
    assert reason.status == 500, "anything but success has the shop send it again"


def test_several_shops_are_told_apart_by_path_or_by_what_the_message_says() -> None:
    ours, other = shop("app1"), shop("app2", token="other")
    assert opened(order_change(), ours, other).app_id == "app1"
    assert opened(order_change(), ours, other, path=None).app_id == "app1"
    assert refusal_of(order_change(), ours, other, path="app2") is PushRefusal.BAD_SIGNATURE
    assert refusal_of(order_change(), ours, other, path="app3") is PushRefusal.UNKNOWN_SHOP
    assert refusal_of(order_change("app2"), ours, other) is PushRefusal.WRONG_SHOP, "signed by app1"
    assert refusal_of(order_change("app9"), ours) is PushRefusal.WRONG_SHOP


def test_shops_that_share_their_secrets_share_an_address() -> None:
    shops = shop("app1"), shop("app2")
    assert opened(order_change("app2"), *shops, path=None).app_id == "app2"
    assert refusal_of(order_change("app2"), *shops, path="app1") is PushRefusal.WRONG_SHOP


def test_nobody_has_a_message_decrypted_that_he_came_by() -> None:
    """Its signature is that of a check of the address."""
    sealed = read_request(seal(order_change(), SECRETS, int(NOW.timestamp())).body, "")
    fields = {"echostr": sealed.encrypt, "signature": sealed.signature, "timestamp": sealed.timestamp}
    with pytest.raises(RefusedError) as caught:
        gate().prove("app1", {**fields, "nonce": sealed.nonce}, NOW)
    assert caught.value.reason is PushRefusal.NO_PUSH


@pytest.mark.parametrize("echo", ["<script>", "a b", "", "é", "x" * 129])
def test_only_letters_and_digits_are_echoed(echo: str) -> None:
    at = str(int(NOW.timestamp()))
    fields = {"timestamp": at, "nonce": "n", "echostr": echo, "signature": signature_of(SECRETS.token, at, "n")}
    assert gate().prove("app1", {**fields, "echostr": "a1"}, NOW) == "a1"
    with pytest.raises(RefusedError):
        gate().prove("app1", fields, NOW)


def test_an_old_check_of_the_address_is_refused() -> None:
    fields = {"timestamp": "1", "nonce": "n", "echostr": "a", "signature": signature_of(SECRETS.token, "1", "n")}
    with pytest.raises(RefusedError) as caught:
        gate().prove("app1", fields, NOW)
    assert caught.value.reason is PushRefusal.TOO_OLD


def test_refusals_are_logged_once_a_minute_without_what_they_contain(caplog: pytest.LogCaptureFixture) -> None:
    seconds = iter([0.0, 1.0, 2.0, 61.0])
    log = RefusalLog(lambda: next(seconds))
    for _ in range(4):
        log.note(PushRefusal.BAD_SIGNATURE, "app1")
    first, second = caplog.messages
    assert "签名不符" in first
    assert "shop app1" in first
    assert "correct push_token" in first
    assert "另有 2 次" in second


# --- connections and settings --------------------------------------------------------------------------


def connection(**extra: str) -> str:
    fields = {"conn_type": "xiaoe", "login": "x", "password": "x", "extra": {"app_id": "app1", **extra}}
    return json.dumps(fields)


@pytest.fixture
def environment(clean_environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    clean_environment.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", connection(push_token="t", push_secret=AESKEY))
    clean_environment.setenv("XIAOE_HINTS", "list,push")
    return clean_environment


def test_a_shop_pushes_if_its_connection_has_both_secrets(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AIRFLOW_CONN_SILENT", connection())
    shops = push_shops(["xiaoe_default", "silent"])
    assert shops == {"app1": PushShop("app1", "t", key_of(AESKEY))}
    assert AESKEY not in repr(shops)


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ({}, "none of these connections has push_token and push_secret"),
        ({"push_token": "t"}, "connection xiaoe_default: push_secret is empty"),
        ({"push_secret": AESKEY}, "connection xiaoe_default: push_token is empty"),
        ({"push_token": "t", "push_secret": AESKEY[1:]}, r"push_secret \(EncodingAESKey\) has 42 characters"),
    ],
)
def test_what_is_missing_is_named_with_the_fix(
    environment: pytest.MonkeyPatch, extra: dict[str, str], told: str
) -> None:
    environment.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", connection(**extra))
    with pytest.raises(XiaoeConfigError, match=told) as caught:
        service.make_service()
    assert "消息推送" in str(caught.value)
    assert AESKEY[1:] not in str(caught.value)


def test_one_shop_has_one_connection(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AIRFLOW_CONN_AGAIN", connection(push_token="u", push_secret=AESKEY))
    with pytest.raises(XiaoeConfigError, match="app_id='app1' is another connection's, too"):
        push_shops(["xiaoe_default", "again"])


def test_messages_are_kept_as_long_as_they_may_be_repeated(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("XIAOE_PUSH_MAX_AGE_HOURS", "100")
    environment.setenv("XIAOE_PUSH_KEEP_DAYS", "4")
    with pytest.raises(XiaoeConfigError, match=r"^XIAOE_PUSH_KEEP_DAYS=4: .*: keep them 5 days or more$"):
        service.make_service()


@pytest.mark.parametrize("sources", ["", "list"])
def test_hints_that_nobody_looks_up_are_not_collected(environment: pytest.MonkeyPatch, sources: str) -> None:
    environment.setenv("XIAOE_HINTS", sources)
    with pytest.raises(XiaoeConfigError, match=f"^XIAOE_HINTS='{sources}': give push, or list,push"):
        service.make_service()


def test_a_policy_that_needs_a_key_needs_it_at_the_start(environment: pytest.MonkeyPatch) -> None:
    privacy.key.cache_clear()
    environment.setenv("XIAOE_PERSONAL_DATA", "push_messages.content=hash")
    with pytest.raises(XiaoeConfigError, match="XIAOE_PERSONAL_DATA_KEY_CONN_ID is empty"):
        service.make_service()


def test_a_port_is_one(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("XIAOE_PUSH_PORT", "65536")
    with pytest.raises(XiaoeConfigError, match=r"^XIAOE_PUSH_PORT='65536': give a port, 65535 at most"):
        settings.push_port()


def test_a_connection_that_is_not_there_is_named(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(XiaoeConfigError, match=r"there is no connection absent: .* set AIRFLOW_CONN_ABSENT$"):
        push_shops(["xiaoe_default", "absent"])


def test_an_address_that_is_taken_is_named_with_its_settings() -> None:
    with service.listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(XiaoeConfigError, match=f"XIAOE_PUSH_HOST='127.0.0.1', XIAOE_PUSH_PORT={port}: .* in use"):
            service.listening("127.0.0.1", port)


def test_the_form_of_a_connection_hides_both_secrets() -> None:
    from airflow.sdk._shared.secrets_masker import DEFAULT_SENSITIVE_FIELDS

    [kind] = get_provider_info()["connection-types"]
    for name in ("push_token", "push_secret"):
        assert kind["conn-fields"][name]["schema"]["format"] == "password"
        assert any(word in name for word in DEFAULT_SENSITIVE_FIELDS), "Airflow masks it by its name"
