"""A target on loopback and a ledger of what the writer settled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import pytest
from pydantic import SecretStr

from connector.destination.target import Target
from connector.destination.work import Rejection, Settlement

KEY = "key-of-the-tests"


@dataclass
class Ledger:
    """Everything that was settled, by sequence."""

    acknowledged: Counter[int] = field(default_factory=Counter)
    rejected: dict[int, Rejection] = field(default_factory=dict)
    settlements: int = 0

    def settle(self, settlement: Settlement) -> None:
        self.settlements += 1
        self.acknowledged.update(chain.from_iterable(settlement.acknowledged))
        for rejection in settlement.rejected:
            assert rejection.sequence not in self.rejected
            self.rejected[rejection.sequence] = rejection

    def holds_once(self, sequences: range | set[int]) -> bool:
        return self.acknowledged == Counter(sequences)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def target() -> Callable[..., Target]:
    def make(url: str, **settings: Any) -> Target:
        return Target("test", url, SecretStr(KEY), **settings)

    return make
