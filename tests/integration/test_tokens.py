"""The shared token: one for all tasks, asked for by one of them, unreadable without the shop's secret."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.queues import SimpleQueue
from threading import Barrier

import pytest

from emulator.process import Emulator
from support.worlds.shop import APP_ID, CLIENT_ID, SECRET, Database
from xiaoe.api.hook import XiaoeHook
from xiaoe.api.shop import Shop
from xiaoe.api.tokens import ISSUES_PER_WINDOW, OwnTokenStore, SharedTokenStore, Token
from xiaoe.exceptions import XiaoeBusyError, XiaoeQuotaError
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.orders import ORDERS

pytestmark = pytest.mark.mysql

SHOP = Shop("xiaoe_default", "http://api", APP_ID, CLIENT_ID, SECRET)
LONG = "xe_" + "0123456789abcdef" * 31 + "0123456789abc"


class Office:
    """Issues numbered tokens, and counts."""

    def __init__(self, life: int = 7200) -> None:
        self.life = life
        self.issued: list[str] = []

    def __call__(self) -> Token:
        self.issued.append(f"{LONG[:500]}{len(self.issued)}")
        return Token(self.issued[-1], self.life)


@pytest.fixture(autouse=True)
def no_tokens(request: pytest.FixtureRequest) -> Iterator[None]:
    """The `database` fixture keeps the emulated shop's token from test to test; here each begins without."""
    if "database" not in request.fixturenames:
        yield
        return
    database: Database = request.getfixturevalue("database")
    database.rows("DELETE FROM api_tokens")
    yield
    database.rows("DELETE FROM api_tokens")


@pytest.fixture
def store(database: Database) -> SharedTokenStore:
    return SharedTokenStore(Warehouse())


@pytest.fixture
def office() -> Office:
    return Office()


def test_the_first_task_asks_and_the_others_share(store: SharedTokenStore, office: Office) -> None:
    first = store.obtain(SHOP, None, office)
    later = SharedTokenStore(Warehouse()).obtain(SHOP, None, office)
    assert first.value == later.value == office.issued[0]
    assert len(office.issued) == 1
    assert 7100 < later.seconds_left <= 7200


def test_a_token_of_512_characters_comes_back_whole(store: SharedTokenStore) -> None:
    assert len(LONG) == 512
    store.obtain(SHOP, None, lambda: Token(LONG, 7200))
    assert store.obtain(SHOP, None, Office()).value == LONG


def test_a_refused_token_is_replaced_once_and_the_new_one_shared(store: SharedTokenStore, office: Office) -> None:
    old = store.obtain(SHOP, None, office).value
    new = store.obtain(SHOP, old, office).value
    assert new != old
    assert store.obtain(SHOP, old, office).value == new, "another task had the same refusal a moment later"
    assert len(office.issued) == 2


def test_the_token_is_encrypted_at_rest(store: SharedTokenStore, database: Database) -> None:
    store.obtain(SHOP, None, lambda: Token(LONG, 7200))
    [row] = database.rows("SELECT * FROM api_tokens")
    assert (row["shop_id"], row["client_id"]) == (APP_ID, CLIENT_ID)
    content = str(row)
    assert LONG[:16] not in content
    assert SECRET not in content


def test_without_the_secret_the_stored_token_is_worth_nothing(store: SharedTokenStore, office: Office) -> None:
    """The secret was changed in the shop and in the connection: what was stored is replaced, not an error."""
    store.obtain(SHOP, None, office)
    changed = replace(SHOP, secret="another secret")
    assert store.obtain(changed, None, office).value == office.issued[1]
    assert store.obtain(changed, None, office).value == office.issued[1]
    assert len(office.issued) == 2


@pytest.mark.parametrize("damage", ["garbage", "", "gAAAAA"])
def test_a_damaged_token_is_replaced(damage: str, store: SharedTokenStore, office: Office, database: Database) -> None:
    store.obtain(SHOP, None, office)
    database.rows("UPDATE api_tokens SET token = %s", (damage,))
    assert store.obtain(SHOP, None, office).value == office.issued[1]


def test_shops_and_clients_have_tokens_of_their_own(store: SharedTokenStore, office: Office) -> None:
    others = [SHOP, replace(SHOP, app_id="app2"), replace(SHOP, client_id="xop2")]
    assert len({store.obtain(shop, None, office).value for shop in others}) == 3
    assert len({store.obtain(shop, None, office).value for shop in others}) == 3
    assert len(office.issued) == 3


@pytest.mark.parametrize(
    ("life", "age", "still_good"),
    [
        (7200, 7130, True),  # 70 s left, the margin of a long life is a minute
        (7200, 7145, False),
        (100, 85, True),  # 15 s left, the margin of a short life is a tenth
        (100, 91, False),
        (7200, 8000, False),
    ],
)
def test_a_token_near_its_end_is_replaced(
    life: int, age: int, still_good: bool, store: SharedTokenStore, database: Database
) -> None:
    office = Office(life)
    store.obtain(SHOP, None, office)
    database.rows(
        "UPDATE api_tokens SET issued_at = issued_at - INTERVAL %s SECOND,"
        " expires_at = expires_at - INTERVAL %s SECOND",
        (age, age),
    )
    token = store.obtain(SHOP, None, office)
    assert len(office.issued) == (1 if still_good else 2)
    assert token.seconds_left <= (life - age if still_good else life)


def test_a_token_of_a_second_is_stored_and_soon_replaced(store: SharedTokenStore, database: Database) -> None:
    office = Office(life=1)
    assert store.obtain(SHOP, None, office).seconds_left == 1
    database.rows("UPDATE api_tokens SET expires_at = UTC_TIMESTAMP(3)")
    assert store.obtain(SHOP, None, office).value == office.issued[1]


# --- the count of token calls --------------------------------------------------------------------------


def test_too_many_token_calls_are_an_error_that_names_the_cause(
    store: SharedTokenStore, office: Office, database: Database
) -> None:
    old = store.obtain(SHOP, None, office).value
    database.rows("UPDATE api_tokens SET issues = %s", (ISSUES_PER_WINDOW - 1,))
    new = store.obtain(SHOP, old, office).value
    with pytest.raises(XiaoeQuotaError, match=f"another program use client_id {CLIENT_ID}") as caught:
        store.obtain(SHOP, new, office)
    assert (caught.value.retry_after, caught.value.max_attempts) == (600, 1)
    assert len(office.issued) == 2, "the API was not asked again"
    assert store.obtain(SHOP, None, office).value == new, "a task whose token works is not hurt"


@pytest.mark.parametrize("seconds", [601, -601], ids=["after ten minutes", "after the clock was set back"])
def test_the_count_begins_again(store: SharedTokenStore, office: Office, database: Database, seconds: int) -> None:
    old = store.obtain(SHOP, None, office).value
    database.rows(
        f"UPDATE api_tokens SET issues = 1000, counted_since = UTC_TIMESTAMP(3) - INTERVAL {seconds} SECOND",
    )
    assert store.obtain(SHOP, old, office).value == office.issued[1]
    assert database.value("SELECT issues FROM api_tokens") == 1
    age = database.value("SELECT TIMESTAMPDIFF(SECOND, counted_since, UTC_TIMESTAMP(3)) FROM api_tokens")
    assert 0 <= age < 600


def test_a_call_that_fails_counts_and_leaves_the_lock_free(
    store: SharedTokenStore, office: Office, database: Database
) -> None:
    def busy() -> Token:
        raise XiaoeBusyError("busy")

    with pytest.raises(XiaoeBusyError):
        store.obtain(SHOP, None, busy)
    assert database.value("SELECT issues FROM api_tokens") == 1
    assert store.obtain(SHOP, None, office).value == office.issued[0]


# --- more than one process -----------------------------------------------------------------------------


def ask(ready: Barrier, answers: SimpleQueue[int]) -> None:
    hook = XiaoeHook()
    ready.wait()
    hook.list_page(ORDERS, ORDERS.paging.fields(1, None))
    answers.put(hook.counts["tokens"])


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_three_processes_that_need_a_token_at_once_ask_for_one(database: Database, api: Emulator) -> None:
    before = issued(api)
    context = multiprocessing.get_context("fork")
    ready, answers = context.Barrier(3, timeout=60), context.SimpleQueue()
    tasks = [context.Process(target=ask, args=(ready, answers)) for _ in range(3)]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join()
    assert [task.exitcode for task in tasks] == [0, 0, 0]
    assert sorted(answers.get() for _ in tasks) == [0, 0, 1]
    assert issued(api) - before == 1


def issued(api: Emulator) -> int:
    numbers = api.stats()["tokens_issued"]
    assert isinstance(numbers, dict)
    return int(numbers[APP_ID])


def test_a_hook_shares_by_default_and_refreshes_what_was_revoked(database: Database, api: Emulator) -> None:
    first, second = XiaoeHook(), XiaoeHook()
    for hook in (first, second):
        hook.list_page(ORDERS, ORDERS.paging.fields(1, None))
    assert (first.counts["tokens"], second.counts["tokens"]) == (1, 0)
    api.revoke_token()
    for hook in (second, first):
        hook.list_page(ORDERS, ORDERS.paging.fields(1, None))
    assert (first.counts["tokens"], second.counts["tokens"]) == (1, 1)
    assert database.value("SELECT issues FROM api_tokens") == 2


def test_every_call_counts_also_those_that_failed(database: Database, api: Emulator) -> None:
    api.set_faults(next=[{"kind": "http_502", "interface": "token", "times": 3}])
    hook = XiaoeHook(sleep=lambda _: None)
    hook.list_page(ORDERS, ORDERS.paging.fields(1, None))
    assert hook.counts["tokens"] == database.value("SELECT issues FROM api_tokens") == 4


def test_the_quota_error_ends_a_page_without_further_tries(database: Database, api: Emulator) -> None:
    hook = XiaoeHook(sleep=lambda _: None)
    hook.list_page(ORDERS, ORDERS.paging.fields(1, None))
    database.rows("UPDATE api_tokens SET issues = 1000")
    api.revoke_token()
    with pytest.raises(XiaoeQuotaError):
        hook.list_page(ORDERS, ORDERS.paging.fields(1, None))
    assert hook.counts["retries"] == 0
    assert database.value("SELECT issues FROM api_tokens") == 1001


def test_a_store_that_does_not_share_always_asks(office: Office) -> None:
    assert OwnTokenStore().obtain(SHOP, None, office) != OwnTokenStore().obtain(SHOP, None, office)
