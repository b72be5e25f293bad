"""project.yaml: databases behind a URL, and Snowflake."""

from pathlib import Path

import pytest

from connector.errors import ConfigError
from connector.source.settings import SnowflakeSettings, SQLAlchemySettings
from tests.support.project_folder import ProjectFolder

SNOWFLAKE = "type: snowflake, account: org-account, user: loader"


def settings(folder: ProjectFolder, source: str, **environment: str) -> object:
    folder.write("project.yaml", f"sources:\n  w: {{{source}}}\ntargets: {{}}\n")
    return folder.load(environment).source("w")


def test_a_url_is_kept_secret_and_its_variables_are_expanded(folder: ProjectFolder) -> None:
    found = settings(
        folder,
        'type: sqlalchemy, url: "${WAREHOUSE_URL}", schema: sales, timezone: Europe/Paris',
        WAREHOUSE_URL="postgresql://reader:hidden@db/warehouse",
    )
    assert isinstance(found, SQLAlchemySettings)
    assert found.url.get_secret_value() == "postgresql://reader:hidden@db/warehouse"
    assert "hidden" not in repr(found)
    assert (found.schema, found.timezone) == ("sales", "Europe/Paris")
    assert found.folder == folder.path.parent.absolute()


def test_snowflake_is_signed_in_to_with_a_key_pair(folder: ProjectFolder) -> None:
    found = settings(
        folder,
        f"{SNOWFLAKE}, private_key_file: keys/rsa.p8, private_key_passphrase: sesame, "
        "role: READER, warehouse: SMALL, database: PROD, schema: ANALYTICS, "
        'url: "https://xy.privatelink.example.com", '
        "session_parameters: {STATEMENT_TIMEOUT_IN_SECONDS: 600}",
    )
    assert isinstance(found, SnowflakeSettings)
    assert found.private_key_file == folder.path.parent.absolute() / "keys/rsa.p8"
    assert found.private_key_passphrase is not None
    assert found.private_key_passphrase.get_secret_value() == "sesame"
    assert "sesame" not in repr(found)
    assert (found.account, found.user, found.role) == ("org-account", "loader", "READER")
    assert (found.warehouse, found.database, found.schema) == ("SMALL", "PROD", "ANALYTICS")
    assert found.url == "https://xy.privatelink.example.com"
    assert found.session_parameters == {"STATEMENT_TIMEOUT_IN_SECONDS": 600}


@pytest.mark.parametrize(
    "keys",
    [
        f"{SNOWFLAKE}, password: sesame",
        f"{SNOWFLAKE}, token: sesame",
        f"{SNOWFLAKE}, authenticator: externalbrowser",
        "type: snowflake, connection: prod",
        "type: snowflake, connection: prod, role: READER, password: sesame",
    ],
)
def test_there_are_other_ways_to_sign_in_to_snowflake(folder: ProjectFolder, keys: str) -> None:
    assert "sesame" not in repr(settings(folder, keys))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("type: sqlalchemy", "'url' is missing"),
        ('type: sqlalchemy, url: ""', "'url'"),
        (SNOWFLAKE, "no way to sign in; give `password`, `private_key_file`, `token` or"),
        ("type: snowflake, password: sesame", "which account?; give `account:`"),
        (f"{SNOWFLAKE}, password: a, token: b", "one way to sign in, not `password` and `token`"),
        (f"{SNOWFLAKE}, password: a, private_key_passphrase: b", "is for a `private_key_file`"),
        (f"{SNOWFLAKE}, password: a, url: 'http://elsewhere'", "the address must be https"),
        (f"{SNOWFLAKE}, password: a, passwd: b", "'passwd'"),
    ],
)
def test_a_mistake_in_a_database_source_is_explained(
    folder: ProjectFolder, keys: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(folder, keys)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(Path("mappings/project.yaml:2:")))
