"""semiad as a wheel, in a folder of its own."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import CONF, SMALL, read

ROOT = CONF.parent


@pytest.mark.slow
def test_an_installed_wheel_works_in_any_folder(tmp_path: Path) -> None:
    source, site, work = (tmp_path / name for name in ("source", "site", "work"))
    for path in ("semiad", "conf", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copyfile
        source.mkdir(exist_ok=True)
        copy(ROOT / path, source / path)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*build, str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("semiad-*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    yamls = {path.relative_to(CONF) for path in CONF.rglob("*.yaml")}
    assert yamls == {path.relative_to(site / "semiad" / "conf") for path in (site / "semiad" / "conf").rglob("*.yaml")}
    assert (site / "semiad" / "datasets" / "odds.csv").is_file() and (site / "semiad" / "py.typed").is_file()
    for pattern in ("published/*.csv", "formats/*.jinja"):
        shipped, there = (sorted(p.name for p in (r / "semiad/report").glob(pattern)) for r in (site, ROOT))
        assert shipped == there and there
    work.mkdir()
    env = {**os.environ, "PYTHONPATH": str(site)}
    where = [sys.executable, "-c", "import semiad; print(semiad.__file__)"]
    told = subprocess.run(where, cwd=work, env=env, capture_output=True, text=True, check=True).stdout
    assert told.startswith(str(site))
    subprocess.run([sys.executable, "-m", "semiad.train", *SMALL], cwd=work, env=env, check=True, capture_output=True)
    (got,) = read(work / "outputs" / "results")
    assert got["status"] == "ok" and got["commit"] is None
