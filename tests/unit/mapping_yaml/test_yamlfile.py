"""YAML with places: what scalars mean, where things stand, and what is refused."""

from pathlib import Path

import pytest
import yaml

from connector.errors import Problem
from connector.mapping import yamlfile
from connector.mapping.yamlfile import MAX_BYTES, Document, read_document


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def _loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers PyYAML may come with, which word their complaints differently."""
    monkeypatch.setattr(yamlfile, "_LOADER", getattr(yaml, request.param))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("f.yaml")


def read(file: Path, text: str | bytes) -> tuple[Document | None, list[Problem]]:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_document(file)


def document(file: Path, text: str) -> Document:
    found, problems = read(file, text)
    assert not problems
    assert found is not None
    return found


@pytest.mark.usefixtures("_loader")
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("12", 12),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("NO", "NO"),
        ("on", "on"),
        ("0123", "0123"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2025-05-14", "2025-05-14"),
        (".inf", ".inf"),
        ("1e999", "1e999"),
        ("9" * 40, "9" * 40),
        ("'true'", "true"),
        ('"12"', "12"),
        ("=", "="),
    ],
)
def test_only_what_looks_like_a_number_or_a_boolean_is_one(
    file: Path, written: str, meant: object
) -> None:
    value = document(file, f"key: {written}").data["key"]
    assert value == meant
    assert type(value) is type(meant)


def test_keys_are_the_text_that_is_written(file: Path) -> None:
    assert list(document(file, "NO: a\n12: b\nnull: c\ntrue: d\n").data) == [
        "NO", "12", "null", "true"
    ]  # fmt: skip


@pytest.mark.usefixtures("_loader")
@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("k: value", 1, 4),
        ("k: 'value'", 1, 5),
        ('k: "value"', 1, 5),
        ("k: |\n   value\n", 2, 4),
        ("k: |\n\n   value\n", 2, 4),
        ("k: >-\n  value\n", 2, 3),
        ("k:\n  value\n", 2, 3),
        ("'é😀': {a: 1}\nk: value", 2, 4),
        ("'é😀': 1\r\nk: value\r\n", 2, 4),
        ("{'é😀': 1, k: value}", 1, 14),
        ("k:", 1, 1),
    ],
)
def test_the_place_of_a_value_is_the_first_character_of_its_text(
    file: Path, text: str, line: int, column: int
) -> None:
    found = document(file, text)
    place = found.value(("k",))
    assert (place.line, place.column) == (line, column)


def test_what_does_not_exist_stands_where_it_would(file: Path) -> None:
    found = document(file, "a:\n  b: {c: 1}\n")
    assert str(found.key(("a", "b", "missing", "deeper"))) == "f.yaml:2:3"
    assert found.get(("a", "b", "c")) == 1
    assert found.get(("a", "b", "c", "d")) is None
    assert found.keys(("a", "b")) == {"c"}


@pytest.mark.usefixtures("_loader")
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "f.yaml:1:1: the file is empty"),
        ("# nothing\n", "f.yaml:1:1: the file is empty"),
        ("- a", "f.yaml:1:1: the file must be a mapping of keys to values"),
        ("text", "f.yaml:1:1: the file must be a mapping of keys to values"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document begins here"),
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1: 'a' is given twice; first in line 1"),
        ("a: {b: 1, b: 2}\n", "f.yaml:1:11: 'b' is given twice; first in line 1"),
        ("a: &x 1\n", "f.yaml:1:4: anchors are not supported"),
        ("a: *x\n", "f.yaml:1:4: aliases are not supported"),
        ("a: !!int 1\n", "f.yaml:1:4: tags are not supported"),
        ("a: !!python/object/apply:os.getcwd []\n", "f.yaml:1:4: tags are not supported"),
        ("? [a]\n: 1\n", "f.yaml:1:3: a key must be plain text"),
        ("a:\n\tb: 1\n", "f.yaml:2:1: a tab in the indentation"),
        ("where: a: b\n", "f.yaml:1:9: a ':' where no key can stand"),
        ("a: 1\nb\nc: 1\n", "f.yaml:3:1: this line has no ':'"),
        ("a: 'b\n", "f.yaml:1:4: a quote is opened here and never closed"),
        ("a: 'b' = c\n", "f.yaml:1:8: this line fits nowhere"),
        ("a: 'b' || c\n", "f.yaml:1:9: a value cannot go on here"),
        ("a: {b: 1\nc: 2\n", "f.yaml:1:4: a '{' is opened here and not closed"),
        ("a: [b, c\n", "f.yaml:1:4: a '[' is opened here and not closed"),
        ("a: @b\n", "f.yaml:1:4: a value cannot begin with '@'"),
        ("a: %b\n", "f.yaml:1:4: a value cannot begin with '%'"),
        ('a: "\\0"\n', "f.yaml:1:4: an escape that is no character"),
        ("a: b\x07\n", "f.yaml:1:5: the unprintable character U+0007 stands here"),
        ("a: note = 'x #1' and b\n", "f.yaml:1:4: a '#' within quotes begins a comment here"),
        ("[" * 5000, "f.yaml:1:34: this is nested deeper than 32 levels"),
        ("a: " + "{a: " * 5000, "f.yaml:1:132: this is nested deeper than 32 levels"),
    ],
)
def test_what_cannot_be_read_is_explained_at_its_place(
    file: Path, text: str, complaint: str
) -> None:
    _, problems = read(file, text)
    assert str(problems[0]).startswith(complaint)


@pytest.mark.usefixtures("_loader")
def test_an_unknown_escape_is_explained(file: Path) -> None:
    _, problems = read(file, 'a: "\\q"\n')
    assert problems[0].message == "an unknown escape after a backslash"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"a: \xff\n", "f.yaml:1:4: this is not UTF-8"),
        (b"a: 1\nb: caf\xe9\n", "f.yaml:2:7: this is not UTF-8"),
        (b"\xef\xbb\xbfa: 1\n", "f.yaml:1:1: the file begins with a byte order mark"),
        ("a: 1".encode("utf-16"), "f.yaml:1:1: the file begins with a byte order mark"),
        (b"a" * (MAX_BYTES + 1), "f.yaml: the file is larger than 1,000,000 bytes"),
    ],
)
def test_bytes_that_are_no_yaml_are_explained(file: Path, content: bytes, complaint: str) -> None:
    found, problems = read(file, content)
    assert found is None
    assert str(problems[0]).startswith(complaint)


def test_an_apostrophe_before_a_comment_is_just_that(file: Path) -> None:
    assert document(file, "a: the user's name # as text\n").data == {"a": "the user's name"}


def test_several_refusals_of_one_file_are_shown_at_once(file: Path) -> None:
    _, problems = read(file, "a: &x 1\nb: !t 2\na: 3\n")
    assert [problem.place.line for problem in problems] == [1, 2, 3]


def test_an_alias_bomb_is_refused_without_growing(file: Path) -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 20))
    found, problems = read(file, "l0: &l0 lol\n" + levels)
    assert found is not None
    assert len(str(found.data)) < 10_000
    assert len(problems) == 1 + 19 * 10


def test_a_missing_file_is_explained(tmp_path: Path) -> None:
    found, problems = read_document(tmp_path / "none.yaml")
    assert found is None
    assert "cannot be read" in problems[0].message
