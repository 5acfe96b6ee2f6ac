"""What the pages name is there."""

import re
from pathlib import Path
from pkgutil import resolve_name

import pytest

from tests.conftest import CONF

ROOT = CONF.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text())
    assert not [link for link in links if "://" not in link and not (page.parent / link).exists()]


def test_new_import_names_are_those_of_the_code() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text()
    rows = re.findall(r"^\| (`semiad.*) \| (.*) \|$", changes, flags=re.MULTILINE)
    names = {name for _, new in rows for name in re.findall(r"`(semiad\.[\w.]+)`", new)}
    assert len(names) > 30
    for name in names:
        resolve_name(name)  # raises where there is none


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tests_that_a_page_names_are_there(page: Path) -> None:
    for file, test in re.findall(r"`(?:tests/)?(test_\w+\.py)(?:::(\w+))?`", page.read_text()):
        (path,) = {*ROOT.glob(f"tests/{file}"), *ROOT.glob(f"examples/*/tests/{file}")}
        assert not test or f"def {test}(" in path.read_text()
