"""Settings, as they travel to another process."""

from pathlib import Path

import pytest

from connector.sandbox import Quota, Settings
from connector.sandbox.admin import is_loopback


def test_settings_survive_the_way_to_another_process():
    settings = Settings(
        database=Path("a/b.sqlite"), quota=Quota(5, 2, "date", "x", {"a": "b"}), faults="e500=1"
    )
    assert Settings.from_json(settings.to_json()) == settings
    assert Settings.from_json(Settings().to_json()) == Settings()


def test_keys_do_not_show():
    assert "hush" not in repr(Settings(api_key="hush", read_only_key="hush"))


@pytest.mark.parametrize("wrong", [{"upsert": "ignore"}, {"max_batch": 0}, {"max_bytes": 0}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=r"upsert|batch"):
        Settings(**wrong)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - nothing is bound
        ("example.test", False),
        ("", False),
    ],
)
def test_loopback_is_known_when_seen(host, here):
    assert is_loopback(host) is here
