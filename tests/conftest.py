"""What holds for every test."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings


def pytest_configure(config: pytest.Config) -> None:
    """Properties: no limit of time, and outside of the long suite the same examples every time."""
    settings.register_profile(
        "here",
        deadline=None,
        derandomize=config.option.markexpr != "chaos",
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("here")
