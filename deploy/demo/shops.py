"""The demo's emulator of the Xiaoe API: the shops of the connections in airflow.env, with a running clock."""

from __future__ import annotations

import json
import os

ORDERS_PER_DAY = 40
"""Orders per day and shop; EMULATOR_FLAGS overrides it."""


def arguments(environment: dict[str, str]) -> list[str]:
    """The emulator's command line.

    Args:
        environment: With XIAOE_CONN_IDS, XIAOE_HISTORY_START and the connections; EMULATOR_FLAGS come last.

    Raises:
        SystemExit: It names no shop of the demo.
    """
    if "XIAOE_CONN_IDS" not in environment:
        raise SystemExit("airflow.env names no shop of the demo: move it away and run `scripts/env --demo`")
    shops, pushes = [], []
    for name in environment["XIAOE_CONN_IDS"].split(","):
        connection = json.loads(environment[f"AIRFLOW_CONN_{name.strip().upper()}"])
        shops.append(f"--shop={connection['extra']['app_id']}:{connection['login']}:{connection['password']}")
        if "push_token" in (extra := connection["extra"]):
            secrets = f"{extra['push_token']}:{extra['push_secret']}"
            pushes.append(f"--push={extra['app_id']}:{secrets}:http://push:8070/push/{extra['app_id']}")
    start = environment["XIAOE_HISTORY_START"]
    server = ["--host", "0.0.0.0", "--port", "8000"]  # noqa: S104 - of a container
    more = environment.get("EMULATOR_FLAGS", "").split()
    return [*server, "--start", start, *shops, *pushes, f"--orders-per-day={ORDERS_PER_DAY}", *more]


if __name__ == "__main__":
    from emulator.__main__ import main

    main(arguments(dict(os.environ)))
