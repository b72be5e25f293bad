"""Faults and poison, as they are asked for."""

import pytest

from connector.sandbox import Faults, Poison
from connector.sandbox.faults import poison_rules


def parse(text: str, seed: int = 7) -> Faults:
    return Faults.parse(text, seed=seed, hang_seconds=1)


def test_the_same_seed_draws_the_same_faults():
    def drawn(seed: int) -> list[str | None]:
        faults = parse("e503=0.2, reset=0.1, latency=20ms", seed)
        return [faults.draw() for _ in range(1000)]

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)
    assert 150 < drawn(7).count("e503") < 250
    assert 60 < drawn(7).count("reset") < 140


def test_a_rate_of_one_strikes_always_and_of_zero_never():
    assert {parse("e500=1").draw() for _ in range(100)} == {"e500"}
    assert {parse("e500=0").draw() for _ in range(100)} == {None}


@pytest.mark.parametrize(
    ("text", "seconds"), [("latency=20ms", 0.02), ("latency=1.5s", 1.5), ("latency=2", 2)]
)
def test_latency_is_a_time(text, seconds):
    assert parse(text).latency == seconds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("e503", "write name=rate"),
        ("e503=2", "from 0 to 1"),
        ("e503=nan", "from 0 to 1"),
        ("e503=often", "from 0 to 1"),
        ("e200=0.1", "is no fault"),
        ("explode=0.1", "is no fault"),
        ("latency=soon", "is a time"),
        ("capacity=0", "at least 1"),
        ("e500=0.6,reset=0.6", "more than 1"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_in_words(text, words):
    with pytest.raises(ValueError, match=words):
        parse(text)


def test_poison_hits_the_field_with_that_value_only():
    rule = Poison("events", "item_id", "bad")
    assert rule.hits({"item_id": "bad"})
    assert not rule.hits({"item_id": "good"})
    assert not rule.hits({})
    assert not Poison("events", "item_id", None).hits({})


@pytest.mark.parametrize(
    "document",
    [{}, ["x"], [{}], [{"resource": "items", "field": "a", "equals": 1}], [{"no": 1}],
     [{"resource": "users", "field": "a", "equals": 1, "status": 200}]],
)  # fmt: skip
def test_poison_rules_that_make_no_sense_are_refused(document):
    with pytest.raises(ValueError, match=r"rule|resource|status"):
        poison_rules(document)
