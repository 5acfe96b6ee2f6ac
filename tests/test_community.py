"""Files for those who come by a public host: workflows call scripts that are there, templates are read by the host."""

import re
from pathlib import Path

import pytest
import yaml

from scripts.compare_table import differences
from tests.conftest import CONF

ROOT = CONF.parent
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
TABLE = "digits many 30/30 0.8543 ± 0.0343\ndigits many 30/30 0.9554 ± 0.0136\n"


def test_there_are_workflows() -> None:
    assert {path.name for path in WORKFLOWS} == {"ci.yml", "nightly.yml"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_calls_scripts_that_are_there(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    assert content[True]  # YAML 1.1 reads the key "on" as true
    assert content["permissions"] == {"contents": "read"}
    commands = [step["run"] for job in content["jobs"].values() for step in job["steps"] if "run" in step]
    assert len(commands) >= len(content["jobs"])
    for command in commands:
        match = re.fullmatch(r"bash (scripts/\w+\.sh)( \$\{\{.*\}\})?", command)
        assert match and (ROOT / match[1]).is_file(), command
    for job in content["jobs"].values():
        assert job["timeout-minutes"] and all("uses" in step or "run" in step for step in job["steps"])


def test_workflows_test_the_versions_of_python_that_are_promised() -> None:
    named = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == named


@pytest.mark.parametrize("path", sorted(ROOT.glob(".github/ISSUE_TEMPLATE/*.yml")), ids=lambda path: path.name)
def test_a_form_has_what_the_host_asks_for(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    if path.name == "config.yml":
        assert content == {"blank_issues_enabled": True}
        return
    assert {"name", "description", "body"} <= {*content}
    ids = [field["id"] for field in content["body"]]
    assert len(ids) == len({*ids}) and all(field["attributes"]["label"] for field in content["body"])


def test_scripts_that_pages_name_are_there() -> None:
    pages = {*ROOT.glob("*.md")} - {ROOT / "CHANGELOG.md"}  # which tells of earlier ones too
    for page in [*pages, *ROOT.glob("docs/*.md"), *ROOT.glob(".github/*.md")]:
        for name in re.findall(r"\bscripts/\w+\.(?:sh|py)\b", page.read_text()):
            assert (ROOT / name).is_file(), (page.name, name)


def test_a_table_that_differs_is_told() -> None:
    assert differences((ROOT / "README.md").read_text(), (ROOT / "README.md").read_text()) == []
    assert differences(TABLE, TABLE.replace("0.8543", "0.8601")) == []
    assert differences(TABLE, TABLE.replace("0.8543", "0.8743")) == ["expected 0.8543, but 0.8743 was printed"]
    assert differences(TABLE, TABLE.replace("30/30", "29/30", 1)) == ["expected 30/30, but 29/30 was printed"]
    assert len(differences(TABLE, TABLE.splitlines()[0])) == 1
    assert len(differences("", "")) == 1
