"""Random days in the life of a warehouse, the same for the same seed."""

# ruff: noqa: S608 - made of our own numbers

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from tests.support.road import Road

FIRST_SECOND = "timestamp '2025-03-01'"


@dataclass(slots=True)
class Days:
    """Changes the tables of a road: users come, change, go and return; events are added.

    No day deletes as many users as the guards stop.
    """

    road: Road
    random: Random
    users: int = 0
    clicks: int = 0
    orders: int = 0
    _gone: list[int] = field(default_factory=list)

    def begin(self, users: int, clicks: int, orders: int) -> None:
        """The first rows."""
        self.road.write(*self._inserts(users, clicks, orders))

    def pass_one(self, users: int = 6, clicks: int = 15, orders: int = 10) -> None:
        """One day, with up to so many new rows of each."""
        here = sorted(set(range(self.users)) - set(self._gone))
        changed = self.random.sample(here, min(len(here), users))
        gone = self.random.sample(here, min(len(here) // 20, 2))
        back = self.random.sample(self._gone, min(len(self._gone), 1))
        tier = self.random.choice(["null", "'gold'", "'basic'"])
        statements = [
            f"update users set note = 'note {self.random.random()}', tier = {tier}, "
            f"orders = coalesce(orders, 0) + 1 where {self._named(changed)}",
            f"delete from users where {self._named(gone)}",
            *(self._user(number) for number in back),
            *self._inserts(
                self.random.randint(0, users),
                self.random.randint(0, clicks),
                self.random.randint(0, orders),
            ),
        ]
        self._gone = [number for number in self._gone if number not in back] + gone
        self.road.write(*statements)

    def _named(self, numbers: list[int]) -> str:
        return f"user_id in ({', '.join(repr(f'u{number}') for number in numbers) or 'null'})"

    def _user(self, number: int) -> str:
        return (
            f"insert into users (user_id, country, tier, orders, note) "
            f"values ('u{number}', 'de', 'basic', {number}, 'note {self.random.random()}')"
        )

    def _inserts(self, users: int, clicks: int, orders: int) -> list[str]:
        statements = [
            f"insert into users (user_id, country, tier, orders) select 'u' || i, 'de', 'basic', i "
            f"from range({self.users}, {self.users + users}) as t(i)",
            f"insert into clicks select 'c' || i, 'u' || (i % 50), 's' || (i % 7), "
            f"{FIRST_SECOND} + i * interval 1 minute "
            f"from range({self.clicks}, {self.clicks + clicks}) as t(i)",
            f"insert into orders select 'o' || i, 'u' || (i % 50), i * 1.5, "
            f"{FIRST_SECOND} + i * interval 1 minute "
            f"from range({self.orders}, {self.orders + orders}) as t(i)",
        ]
        self.users += users
        self.clicks += clicks
        self.orders += orders
        return statements
