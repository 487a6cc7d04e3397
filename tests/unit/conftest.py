"""What the unit tests share: hypothesis settings without a clock, and a clean environment."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from airflow.sdk._shared.secrets_masker import reset_secrets_masker
from hypothesis import HealthCheck, settings

settings.register_profile(
    "unit", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def forgetful_masker() -> Iterator[None]:
    """Airflow looks for every secret it was ever told in every line it logs: hundreds of tokens make that slow."""
    yield
    reset_secrets_masker()


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No setting of this project in the environment, so that every default shows."""
    for name in [name for name in os.environ if name.startswith("XIAOE_") and not name.startswith("XIAOE_TEST_")]:
        monkeypatch.delenv(name)
    return monkeypatch
