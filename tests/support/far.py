"""A sandbox for many tests, as good as new in each of them.

    from tests.support.far import far, running_sandbox

in a `conftest.py` gives its tests the fixture `far`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.sandbox import Handle, Sandbox


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    """The one server."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def far(running_sandbox: Sandbox) -> Sandbox:
    """The API, as good as new."""
    renew(running_sandbox)
    return running_sandbox


def renew(sandbox: Handle) -> None:
    """Take back every fault, rule and quota, and forget every row."""
    sandbox.set_faults({})
    sandbox.set_quota()
    sandbox.set_poison([])
    sandbox.reset()
