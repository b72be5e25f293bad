from datetime import timedelta

import pytest

from connector.errors import ConfigError
from connector.excerpt import excerpt
from connector.listeners.settings import Event, SyncLog
from tests.support.project_folder import PROJECT, ProjectFolder


def mistakes(folder: ProjectFolder, more: str) -> list[str]:
    folder.write("project.yaml", PROJECT + more)
    return [mistake.partition(": ")[2] for mistake in folder.mistakes()]


def test_without_them_nobody_is_told(folder: ProjectFolder) -> None:
    project = folder.load()
    assert (project.sync_log, project.alerts) == (None, ())


def test_a_sync_log_and_alerts_are_read(folder: ProjectFolder) -> None:
    folder.write(
        "project.yaml",
        PROJECT
        + 'sync_log: {source: warehouse, schema: ops}\nalerts:\n  - webhook: "${HOOK}"\n'
        + "    on: [failed, recovered]\n    repeat: 2h\n    timeout: 3s\n"
        + "    template: {text: '{{ text }}'}\n",
    )
    project = folder.load({"HOOK": "https://chat.example/hooks/1"})
    assert project.sync_log == SyncLog("warehouse", "ops")
    (alert,) = project.alerts
    assert alert.on == {Event.FAILED, Event.RECOVERED}
    assert (alert.repeat, alert.timeout) == (timedelta(hours=2), 3.0)
    assert alert.webhook.get_secret_value() == "https://chat.example/hooks/1"
    assert "chat.example" not in repr(alert)


def test_the_address_of_a_webhook_is_asked_for_when_one_may_be_posted(
    folder: ProjectFolder,
) -> None:
    folder.write("project.yaml", PROJECT + 'alerts: [{webhook: "${HOOK}"}]\n')
    project = folder.load()
    with pytest.raises(ConfigError, match="HOOK is not set"):
        _ = project.alerts


@pytest.mark.parametrize(
    ("alert", "said"),
    [
        ('webhook: "http://chat.example/x"', "the address must be https"),
        ("webhook: chat", "this is no web address"),
        ('webhook: "https://a.example", on: []', "on"),
        ('webhook: "https://a.example", on: [faild]', "faild"),
        ('webhook: "https://a.example", template: {a: "{{ b "}', "this is no template"),
        ('webhook: "https://a.example", repeat: soon', "this is no duration"),
        ('webhook: "https://a.example", colour: red', "colour"),
    ],
)
def test_mistakes_are_found_where_they_are(folder: ProjectFolder, alert: str, said: str) -> None:
    (mistake,) = mistakes(folder, f"alerts: [{{{alert}}}]\n")
    assert said in mistake


def test_an_excerpt_covers_the_address(folder: ProjectFolder) -> None:
    folder.write("project.yaml", PROJECT + 'alerts: [{webhook: "ftp://chat.example/secret"}]\n')
    with pytest.raises(ConfigError) as caught:
        folder.load()
    (problem,) = caught.value.problems
    assert "secret" not in (excerpt(problem) or "")
    assert "secret" not in str(problem)
