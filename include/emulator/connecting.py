"""An Airflow connection to an emulator."""

from __future__ import annotations

import json

from emulator.options import Credentials


def airflow_connection(url: str, shop: Credentials, **extra: object) -> str:
    """Return a connection of type ``xiaoe`` as ``AIRFLOW_CONN_...`` takes it; ``extra`` adds to its extra fields."""
    return json.dumps(
        {
            "conn_type": "xiaoe",
            "host": url,
            "login": shop.client_id,
            "password": shop.secret,
            "extra": {"app_id": shop.app_id, **extra},
        }
    )
