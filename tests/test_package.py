"""semiad as a wheel and as a source distribution, in a folder of its own."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import semiad
from tests.conftest import CONF, SMALL, read

ROOT = CONF.parent
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"
"""As pip and `python -m build` call it, in the folder of the source."""


def build(kind: str, source: Path, out: Path) -> Path:
    """Build a wheel or a source distribution."""
    out.mkdir(exist_ok=True)
    command = [sys.executable, "-c", BUILD, f"build_{kind}", str(out)]
    told = subprocess.run(command, cwd=source, check=True, capture_output=True, text=True)
    assert "importable" not in told.stderr  # a warning of a folder that is in the wheel by accident
    return out / told.stdout.split()[-1]


def contents(wheel: Path) -> dict[str, int]:
    """CRC of each file by its name."""
    return {entry.filename: entry.CRC for entry in zipfile.ZipFile(wheel).infolist()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, so that nothing is written into the checkout."""
    folder = tmp_path_factory.mktemp("source")
    for name in (
        "semiad",
        "conf",
        "pyproject.toml",
        "MANIFEST.in",
        "README.md",
        "CHANGELOG.md",
        "CITATION.cff",
        "LICENSE",
    ):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_has_all_that_runs_and_nothing_else(wheel: Path) -> None:
    names = {*contents(wheel)}
    info = f"semiad-{semiad.__version__}.dist-info/"
    assert {name.partition("/")[0] + "/" for name in names} == {"semiad/", info}
    yamls = {f"semiad/conf/{path.relative_to(CONF).as_posix()}" for path in CONF.rglob("*.yaml")}
    assert yamls == {name for name in names if name.endswith(".yaml")}
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "semiad").rglob("*.py")}
    code.add("semiad/conf/__init__.py")
    assert code == {name for name in names if name.endswith(".py")}
    others = {
        path.relative_to(ROOT).as_posix()
        for pattern in ("*.csv", "*.jinja", "py.typed")
        for path in (ROOT / "semiad").rglob(pattern)
    }
    assert others == {name for name in names if name.startswith("semiad/") and not name.endswith((".py", ".yaml"))}
    entry_points = zipfile.ZipFile(wheel).read(f"{info}entry_points.txt").decode()
    assert "semiad = semiad.cli.app:main" in entry_points and "semiad-train = semiad.train:main" in entry_points


def test_the_source_distribution_builds_the_same_wheel(source: Path, wheel: Path, tmp_path: Path) -> None:
    archive = build("sdist", source, tmp_path / "sdist")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, filter="data")
    again = build("wheel", tmp_path / archive.name.removesuffix(".tar.gz"), tmp_path / "again")
    assert again.name == wheel.name
    assert contents(again) == contents(wheel)


@pytest.mark.slow
def test_an_installed_wheel_works_in_any_folder(wheel: Path, tmp_path: Path) -> None:
    site, work = tmp_path / "site", tmp_path / "work"
    zipfile.ZipFile(wheel).extractall(site)
    work.mkdir()
    env = {**os.environ, "PYTHONPATH": str(site)}
    where = [sys.executable, "-c", "import semiad; print(semiad.__file__)"]
    told = subprocess.run(where, cwd=work, env=env, capture_output=True, text=True, check=True).stdout
    assert told.startswith(str(site))
    subprocess.run([sys.executable, "-m", "semiad.train", *SMALL], cwd=work, env=env, check=True, capture_output=True)
    (got,) = read(work / "outputs" / "results")
    assert got["status"] == "ok" and got["commit"] is None


def test_the_citation_is_that_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert str(citation["version"]) == semiad.__version__
    assert citation["license"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"]
    for reference in citation["references"]:
        assert reference["title"] in (ROOT / "docs" / "fidelity.md").read_text()
