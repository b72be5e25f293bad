"""project.yaml: sources, targets, state and defaults."""

import pytest

from connector.destination.target import Auth, RateLimit
from connector.errors import ConfigError, UsageError
from connector.source.settings import CsvOptions, DuckDBSettings, FilesSettings
from tests.support.project_folder import ProjectFolder

PROJECT = """\
version: 1
sources:
  warehouse: {type: duckdb, path: data/warehouse.duckdb}
  files:     {type: files, path: data/}                        # csv, json, parquet
default_target: sandbox
targets:
  sandbox:    {base_url: "http://127.0.0.1:8787/v1/", api_key: sandbox}
  production: {base_url: "https://api.example.com/v1", api_key: "${SEQUEN_API_KEY}",
               rate_limit: {requests_per_second: 50, burst: 50}, max_in_flight: 64,
               events_per_request: 500, bytes_per_request: 1000000}
state: {path: .connector}
"""
TARGET = "targets:\n  t: {{base_url: {url}, api_key: k}}\nsources: {{}}\n"


def replaced(right: str, wrong: str) -> str:
    assert right in PROJECT
    return PROJECT.replace(right, wrong, 1)


def test_names_come_in_the_order_of_the_file(folder: ProjectFolder) -> None:
    folder.write("project.yaml", PROJECT)
    project = folder.load()
    assert project.source_names == ("warehouse", "files")
    assert project.target_names == ("sandbox", "production")
    assert project.default_target == "sandbox"


def test_sources_become_settings(folder: ProjectFolder) -> None:
    folder.write(
        "project.yaml",
        """\
        sources:
          files: {type: files, path: "${FOLDER:-data}", encoding: latin-1, timezone: Europe/Paris,
                  csv: {delimiter: ";", header: "${HEADER}", null: "", all_text: true}}
          db: {type: duckdb, path: /abs/w.duckdb}
        targets: {}
        """,
    )
    project = folder.load({"HEADER": "false"})
    found = project.source("files")
    assert isinstance(found, FilesSettings)
    assert found.path == folder.path.parent.absolute() / "data"
    assert (found.encoding, found.timezone) == ("latin-1", "Europe/Paris")
    assert found.csv == CsvOptions(";", None, False, "", None, None, True)
    assert str(found.place) == "mappings/project.yaml:2:3"
    database = project.source("db")
    assert isinstance(database, DuckDBSettings)
    assert str(database.path) == "/abs/w.duckdb"
    assert database.timezone == "UTC"


def test_targets_become_targets(folder: ProjectFolder) -> None:
    folder.write("project.yaml", PROJECT)
    project = folder.load({"SEQUEN_API_KEY": "0123"})
    assert project.target().name == "sandbox"
    assert project.target().base_url == "http://127.0.0.1:8787/v1"
    target = project.target("production")
    assert target.api_key.get_secret_value() == "0123"
    assert target.rate_limit == RateLimit(50.0, 50)
    assert (target.auth, target.proxy, target.timeout) == (Auth.BEARER, None, 30.0)


def test_all_settings_of_a_target_can_be_variables(folder: ProjectFolder) -> None:
    folder.write(
        "project.yaml",
        """\
        sources: {}
        targets:
          t:
            base_url: "${URL}"
            api_key: "${KEY}"
            auth: "${AUTH}"
            rate_limit: {requests_per_second: "${RPS}", burst: "${BURST}"}
            max_in_flight: "${FLIGHT}"
            timeout: "${TIMEOUT}"
            connect_timeout: 5
            max_wait: 10 minutes
            proxy: "${PROXY}"
        """,
    )
    variables = {"URL": "https://h/v1", "KEY": "k", "AUTH": "api_key", "RPS": "0.5", "BURST": "3",
                 "FLIGHT": "8", "TIMEOUT": "45", "PROXY": "http://me:pw@proxy:8080"}  # fmt: skip
    target = folder.load(variables).target()
    assert target.rate_limit == RateLimit(0.5, 3)
    assert (target.base_url, target.auth, target.max_in_flight) == ("https://h/v1", Auth.API_KEY, 8)
    assert (target.timeout, target.connect_timeout, target.max_wait) == (45.0, 5.0, 600.0)
    assert target.proxy is not None
    assert target.proxy.get_secret_value() == "http://me:pw@proxy:8080"


def test_variables_of_a_target_are_asked_for_with_the_target(folder: ProjectFolder) -> None:
    folder.write("project.yaml", PROJECT)
    project = folder.load()
    assert project.target("sandbox").api_key.get_secret_value() == "sandbox"
    with pytest.raises(ConfigError) as caught:
        project.target("production")
    assert str(caught.value) == (
        "mappings/project.yaml:8:66: the environment variable SEQUEN_API_KEY is not set;"
        " set it, or give a default: ${SEQUEN_API_KEY:-…}"
    )


def test_the_state_can_be_anywhere_and_the_control_store_in_a_database(
    folder: ProjectFolder,
) -> None:
    state = 'state: {path: "${STATE}", control_url: "${URL}"}\n'
    folder.write("project.yaml", replaced("state: {path: .connector}\n", state))
    project = folder.load({"STATE": "/var/state/", "URL": "sqlite:///secret.db"})
    assert str(project.state_path) == "/var/state"
    assert project.control_url is not None
    assert project.control_url.get_secret_value() == "sqlite:///secret.db"
    with pytest.raises(ConfigError, match="STATE is not set"):
        print(folder.load({"URL": "x"}).state_path)  # noqa: T201


def test_without_a_state_section_the_state_is_beside_the_project(folder: ProjectFolder) -> None:
    folder.write("project.yaml", replaced("state: {path: .connector}\n", ""))
    assert folder.load().state_path == folder.path.parent.absolute() / ".connector"
    assert folder.load().control_url is None


def test_without_a_default_the_only_target_is_the_one(folder: ProjectFolder) -> None:
    folder.write("project.yaml", TARGET.format(url="https://h"))
    assert folder.load().target().name == "t"
    folder.write("project.yaml", replaced("default_target: sandbox\n", ""))
    with pytest.raises(UsageError, match=r"no target named.*one of sandbox, production"):
        folder.load().target()
    folder.write("project.yaml", "sources: {}\ntargets: {}\n")
    with pytest.raises(UsageError, match=r"add one to project\.yaml"):
        folder.load().target()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://api.example.com/v1", "the address must be https"),
        ("http://127.0.0.1.example.com", "the address must be https"),
        ("https://me:pw@h/v1", "credentials do not belong into an address"),
        ("https://h/v1?key=pw", "neither query nor fragment"),
        ("https://h/v1#pw", "neither query nor fragment"),
        ("ftp://h/pw", "this is no web address"),
        ("h/pw", "this is no web address"),
        ("https:///pw", "this is no web address"),
        ("https://h:99999/pw", "this is no web address"),
        ("https://[pw/", "this is no web address"),
        ("https://h/ pw", "this is no web address"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused_without_repeating_it(
    folder: ProjectFolder, url: str, said: str
) -> None:
    folder.write("project.yaml", TARGET.format(url=f"'{url}'"))
    (found,) = folder.mistakes()
    assert found.startswith("project.yaml:2:18: ")
    assert said in found
    assert "pw" not in found
    folder.write("project.yaml", TARGET.format(url="'${URL}'"))
    assert folder.mistakes() == []
    with pytest.raises(ConfigError) as caught:
        folder.load({"URL": url}).target("t")
    assert said in str(caught.value)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:1/v1",
        "http://127.9.9.9",
        "http://[::1]:80/",
        "https://h/v1///",
        "HTTPS://H",
    ],
)
def test_plain_http_is_for_this_machine_only(folder: ProjectFolder, url: str) -> None:
    folder.write("project.yaml", TARGET.format(url=f"'{url}'"))
    assert folder.load().target().base_url == url.rstrip("/")


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("version: 1", "version: 9", "project.yaml:1:10: 'version' must be 1, not '9'"),
        ("sources:", "source:", "project.yaml:2:1: unknown key 'source'; did you mean 'sources'?"),
        ("type: duckdb", "type: bigquery",
         "project.yaml:3:21: 'type' must be duckdb, files, sqlalchemy or snowflake, "
         "not 'bigquery'"),
        ("type: duckdb, ", "", "project.yaml:3:3: 'type' is missing"),
        ("path: data/warehouse.duckdb", "pth: x",
         "project.yaml:3:29: unknown key 'pth'; did you mean 'path'?"),
        (", path: data/warehouse.duckdb", "", "project.yaml:3:3: 'path' is missing"),
        ("path: data/}", "path: data/, csv: {delimter: x}}",
         "project.yaml:4:47: unknown key 'delimter'; did you mean 'delimiter'?"),
        ("path: data/}", "path: data/, timezone: Mars/Phobos}",
         "project.yaml:4:51: this is no time zone; name one as Europe/Paris or UTC"),
        ("path: data/}", "path: data/, encoding: klingon}",
         "project.yaml:4:51: this is no text encoding; for example utf-8 or latin-1"),
        ("default_target: sandbox", "default_target: sandbx",
         "project.yaml:5:17: 'sandbx' is no target of this file; did you mean 'sandbox'?"),
        ("  sandbox: ", "  sand/box: ",
         "project.yaml:7:3: a name is made of letters, digits, '_', '-' and '.'"),
        ("api_key: sandbox", "api_key: ''", "project.yaml:7:65: 'api_key' must not be empty"),
        ("api_key: sandbox", 'api_key: "a\\nb"',
         "project.yaml:7:65: the key holds characters that no key has; is it copied whole?"),
        (", api_key: sandbox", "", "project.yaml:7:3: 'api_key' is missing"),
        ("api_key: sandbox", "api_key: k, auth: basic",
         "project.yaml:7:73: 'auth' must be bearer or api_key, not 'basic'"),
        ("api_key: sandbox", "api_key: k, proxy: 'socks:pw'",
         "project.yaml:7:75: this is no proxy address; write http://host:port"),
        ("requests_per_second: 50", "requests_per_second: 0",
         "project.yaml:9:50: 'requests_per_second' must be more than 0"),
        ("burst: 50", "burst: 0", "project.yaml:9:61: 'burst' must be at least 1"),
        ("max_in_flight: 64", "max_in_flight: 5000",
         "project.yaml:9:81: 'max_in_flight' must be at most 1,024"),
        ("max_in_flight: 64", "timeout: soon",
         "project.yaml:9:75: this is no duration; write one as 30s, 90 minutes, 6h or 3 days"),
        ("max_in_flight: 64", "timeout: -1",
         "project.yaml:9:75: 'timeout' must be more than 0"),
        ("state: {path: .connector}", "state: .connector",
         "project.yaml:11:8: 'state' must be a mapping of keys to values"),
        ("state: {path: .connector}", "defaults: {on_invalid: skip}",
         "project.yaml:11:24: 'on_invalid' must be reject or drop_field, not 'skip'"),
        ("state: {path: .connector}", "defaults: {deletes: {missing: hard}}",
         "project.yaml:11:22: unknown key 'missing'"),
    ],
)  # fmt: skip
def test_a_mistake_in_project_yaml_is_explained_where_it_stands(
    folder: ProjectFolder, right: str, wrong: str, said: str
) -> None:
    folder.write("project.yaml", replaced(right, wrong))
    assert any(found.startswith(said) for found in folder.mistakes()), folder.mistakes()


def test_no_secret_is_in_any_representation(folder: ProjectFolder) -> None:
    text = PROJECT.replace("api_key: sandbox", "api_key: hunter2, proxy: 'http://u:hunter2@p:1'")
    text = text.replace("path: .connector}", "path: .connector, control_url: 'x://u:hunter2@h/d'}")
    folder.write("project.yaml", text)
    project = folder.load({"SEQUEN_API_KEY": "hunter2"})
    texts = [repr(project), repr(project.target()), repr(project.control_url)]
    assert "hunter2" not in "".join(texts)
    for variable in ("base_url", "timeout", "auth", "api_key", "proxy"):
        keys = {"base_url": "https://h", "api_key": "k", variable: '"${S}"'}
        body = ", ".join(f"{key}: {value}" for key, value in keys.items())
        folder.write("project.yaml", f"sources: {{}}\ntargets: {{t: {{{body}}}}}\n")
        secret = "hunter2\n" if variable == "api_key" else "hunter2"
        with pytest.raises(ConfigError) as caught:
            folder.load({"S": secret}).target()
        assert "hunter2" not in str(caught.value) + repr(caught.value)
