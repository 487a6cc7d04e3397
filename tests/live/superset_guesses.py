"""Run by test_superset.py inside Superset's environment: guessing a password. The right one is on standard input."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "include" / "superset"))

from bi_login import TRIES
from superset.app import create_app

SPELLINGS = ("yunying", "YUNYING", "Yunying", "yunying@localhost")
password = sys.stdin.readline().rstrip("\n")
app = create_app()
app.config["WTF_CSRF_ENABLED"] = False


def by_interface(name: str, guess: str, address: str) -> Any:
    who = {"username": name, "password": guess, "provider": "db"}
    return app.test_client().post("/api/v1/security/login", json=who, environ_base={"REMOTE_ADDR": address})


def by_page(name: str, guess: str, address: str) -> Any:
    who = {"username": name, "password": guess}
    return app.test_client().post(
        "/login/", data=who, headers={"Accept": "text/html"}, environ_base={"REMOTE_ADDR": address}
    )


def failures(name: str) -> int:
    """Wrong passwords that were compared with the hash."""
    with app.app_context():
        from superset import security_manager as security

        return security.find_user(name).fail_login_count or 0


assert by_interface("yunying", password, "203.0.113.1").status_code == 200
assert by_page("yunying", password, "203.0.113.1").status_code == 302
before = failures("yunying")
seen: Counter[int] = Counter()
for number in range(100):
    way = by_page if number % 2 else by_interface
    seen[way(SPELLINGS[number % 4], f"guess {number}", f"198.51.100.{number}").status_code] += 1
assert seen[429] == 100 - TRIES + 2, seen
assert failures("yunying") - before == TRIES - 2, failures("yunying")
refused = by_page("yunying", password, "203.0.113.2")
assert refused.status_code == 429, "the right password, too"
assert refused.headers["Retry-After"] == "60"
assert "登录尝试次数太多" in refused.get_data(as_text=True)
assert by_interface("yunying", password, "203.0.113.2").get_json()["message"] == "登录尝试次数太多"

seen = Counter(by_interface(f"account{number}", "guess", "203.0.113.9").status_code for number in range(40))
assert seen == {401: TRIES, 429: 40 - TRIES}, seen
assert by_interface("admin", "guess", "203.0.113.10").status_code == 401, "another address"
print("as it should be")
