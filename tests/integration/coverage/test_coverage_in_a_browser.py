"""The page as a browser draws it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest

from connector.coverage.cover import cover
from connector.coverage.page import page
from tests.support.project_folder import PROJECT, ProjectFolder

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--force-device-scale-factor=1",
)  # fmt: skip
MEASURE = """
<script>
addEventListener("load", () => {
  const page = document.documentElement;
  const wide = page.scrollWidth - page.clientWidth;
  const ink = getComputedStyle(document.body).color;
  const colors = new Set([...document.querySelectorAll(".cell")].map(
    cell => getComputedStyle(cell).backgroundColor));
  document.title = `overflow=${wide} ink=${ink} colors=${colors.size} alerts=${window.alerts || 0}`;
});
</script>
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    tmp_path = tmp_path_factory.mktemp("report")
    (tmp_path / "data").mkdir()
    with duckdb.connect(tmp_path / "data/warehouse.duckdb") as connection:
        connection.execute(
            "CREATE TABLE users AS SELECT n AS id, nullif(n % 3, 0) AS age, 'x' AS gender, "
            "'<script>window.alerts = 1</script>' AS plan FROM range(30) t(n)"
        )
    folder = ProjectFolder(tmp_path, PROJECT)
    for number in range(8):
        folder.write(
            f"a_mapping_with_quite_a_long_name_{number}.yaml",
            "kind: users\nsource: warehouse\ntable: users\n"
            "fields: {uid: id, age: age, gender: gender, plan: plan}\n",
        )
    project = folder.load()
    return page(cover(project, project.select(), target="sandbox"))


@pytest.mark.parametrize("width", [500, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_its_window_in_light_and_dark(
    report: str, tmp_path: Path, width: int, scheme: str
) -> None:
    # The page forbids scripts; the copy that is measured allows this one.
    measured = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', MEASURE, report)
    file = tmp_path / "page.html"
    file.write_text(measured, "utf-8")
    found = _title(file, tmp_path, width, scheme)
    assert "overflow=0" in found
    assert "alerts=0" in found
    light = int(re.search(r"ink=rgb\((\d+)", found)[1])  # type: ignore[index]
    assert (light > 128) == (scheme == "dark")
    assert int(re.search(r"colors=(\d+)", found)[1]) >= 3  # type: ignore[index]


def test_no_script_runs_in_it(report: str, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(report.replace("</body>", "<script>document.title = 'ran'</script></body>"))
    assert _title(file, tmp_path, 1280, "light").startswith("Data coverage")


def _title(file: Path, folder: Path, width: int, scheme: str) -> str:
    assert CHROMIUM is not None
    dumped = subprocess.run(
        [
            CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width},900",
            f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
            "--virtual-time-budget=2000", "--dump-dom", file.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    return re.search(r"<title>(.*?)</title>", dumped, re.DOTALL)[1]  # type: ignore[index]
