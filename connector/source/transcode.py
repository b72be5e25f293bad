"""Text in any of Python's encodings, as UTF-8 files that DuckDB reads."""

from __future__ import annotations

import codecs
import io
import tempfile
from pathlib import Path, PurePosixPath

import pyarrow as pa

from connector.errors import SourceError
from connector.leftovers import PrivateFolder, wipe
from connector.source.folder import Folder

COMPRESSED = {".gz": "gzip", ".zst": "zstd"}

_NATIVE = {
    "utf-8": "utf-8",
    "utf-8-sig": "utf-8",
    "ascii": "utf-8",
    "utf-16": "utf-16",
    "iso8859-1": "latin-1",
}
_CHARACTERS = 1 << 20


def native(encoding: str) -> str | None:
    """DuckDB's name of an encoding, None where it does not read it."""
    return _NATIVE.get(codecs.lookup(encoding).name)


class Transcoder:
    """UTF-8 copies of files, each made when it is first asked for, gone with the source."""

    def __init__(
        self, source: str, folder: Folder, encoding: str, scratch: Path | None = None
    ) -> None:
        self._source = source
        self._folder = folder
        self._encoding = encoding
        self._copies = _private_folder(source, scratch)
        self._made: dict[str, str] = {}

    @property
    def location(self) -> str:
        """The private folder of the copies, `/` included."""
        return f"{self._copies.path.resolve()}/"

    def pattern(self, table: str) -> str:
        """A glob for the copies of the files that match the glob `table`; folders keep their names.

        Raises:
            SourceError: a file is not in that encoding.
        """
        if table not in self._made:
            own = f"{len(self._made)}"
            for name in self._folder.files(table):
                self._copy(name, Path(self.location, own, _uncompressed(name)))
            self._made[table] = f"{self.location}{own}/{_uncompressed(table)}"
        return self._made[table]

    def close(self) -> None:
        """Delete the copies."""
        self._copies.close()

    def _copy(self, name: str, copy: Path) -> None:
        copy.parent.mkdir(parents=True, exist_ok=True)
        compression = COMPRESSED.get(PurePosixPath(name).suffix.lower())
        with self._folder.open(name) as file, copy.open("w", encoding="utf-8", newline="") as to:
            plain = pa.input_stream(file, compression=compression)
            text = io.TextIOWrapper(plain, encoding=self._encoding, newline="")
            try:
                while characters := text.read(_CHARACTERS):
                    to.write(characters)
            except UnicodeError:
                raise SourceError(
                    f"source {self._source!r}: {name} is not in {self._encoding}",
                    hint="name the right `encoding:` on the source",
                ) from None


def _private_folder(source: str, scratch: Path | None) -> PrivateFolder:
    """A folder in `scratch`, once those of processes that were killed are removed there."""
    try:
        if scratch is None:
            return PrivateFolder(Path(tempfile.gettempdir()), "copies")
        scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        wipe(scratch)
        return PrivateFolder(scratch, "copies")
    except OSError as error:
        raise SourceError(
            f"source {source!r}: no copy of its files can be made: {error.strerror}",
            hint="copies in UTF-8 are made in the state folder: make it writable",
        ) from error


def _uncompressed(name: str) -> str:
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    return name
