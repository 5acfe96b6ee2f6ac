"""The documentation site has every page, group and key; `scripts/docs.sh` itself builds it and checks its links."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.docsite.conf_reference import ConfigFile, Key, conf_pages, groups
from tests.conftest import CONF

ROOT = CONF.parent
FILES = sorted(path.relative_to(CONF).as_posix() for path in CONF.rglob("*.yaml"))


def no_meaning(target: str, argument: str) -> str:
    return ""


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return conf_pages(CONF, ROOT / "docs", no_meaning)


def navigation(entries: Any) -> list[str]:
    if isinstance(entries, str):
        return [entries]
    nested = entries.values() if isinstance(entries, dict) else entries
    return [page for entry in nested for page in navigation(entry)]


def leaves(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict) and value:
        return [leaf for name, item in value.items() for leaf in leaves(item, f"{path}.{name}" if path else str(name))]
    return [path]


def test_every_page_is_in_the_navigation(pages: dict[str, str]) -> None:
    listed = navigation(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert len(listed) == len(set(listed))
    assert {page for page in listed if "/" not in page} == {path.name for path in ROOT.glob("docs/*.md")}
    assert {page for page in listed if page.startswith("reference/hydra/")} == {f"reference/hydra/{p}" for p in pages}


@pytest.mark.parametrize("file", FILES)
def test_reference_has_every_key_of_every_file(file: str, pages: dict[str, str]) -> None:
    path = CONF / file
    text = path.read_text()
    group = path.parent.relative_to(CONF).as_posix()
    page = pages["keys.md"] if group == "." else pages[group.replace("/", "_") + ".md"]
    if group == ".":
        section = page
    else:
        (section,) = re.findall(rf"^## {re.escape(path.stem)}$(.*?)(?=^## |\Z)", page, flags=re.MULTILINE | re.DOTALL)
    content = yaml.safe_load(text) or {}
    content.pop("defaults", None)
    if group == ".":
        del content["hydra"]["help"]  # is a page of text by itself
    prefix = "" if group == "." or "@package _global_" in text else group.replace("/", ".")
    rows = re.findall(r"^\| `([^`]+)` \|", section, flags=re.MULTILINE)
    assert rows if content else "No keys." in section
    assert {*leaves(content, prefix)} - {prefix} <= {*rows}


def test_keys_have_their_value_comments_and_meaning(tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    file = tmp_path / "some" / "thing.yaml"
    file.write_text(
        "# @package _global_\n# What it is,\n# in two lines.\ndefaults:\n  - override /network: mlp\n"
        "first: 1  # how many\n# Above.\nthing:\n  _target_: semiad.thing.Thing\n"
        '  names: [a, "b # c"]  # of them\n  inner: {x: 1, y: "${first}"}  # k_l is one\n'
        "  rows:\n    - {a: 1}\n    - {b: 2}\n"
    )

    def meaning(target: str, argument: str) -> str:
        return f"{argument} of {target}" if argument != "rows" else ""

    config = ConfigFile(file, "some")
    assert config.comment == "What it is, in two lines."
    assert config.defaults == ["override /network: mlp"]
    assert list(config.keys(meaning)) == [
        Key("first", "1", "How many."),
        Key("thing", "", "Above."),
        Key("thing._target_", "semiad.thing.Thing", ""),
        Key("thing.names", '[a, "b # c"]', "Of them. Names of semiad.thing.Thing."),
        Key("thing.inner", "", "k_l is one. Inner of semiad.thing.Thing."),
        Key("thing.inner.x", "1", ""),
        Key("thing.inner.y", '"${first}"', ""),
        Key("thing.rows", "[{a: 1}, {b: 2}]", ""),
    ]
    assert list(groups(tmp_path)) == ["some"]


def test_keys_of_the_command_have_its_help(pages: dict[str, str]) -> None:
    assert re.search(
        r"^\| `seeds` \| `\[0\]` \| draws of rows and weights, a run each; .*default", pages["keys.md"], re.MULTILINE
    )
    assert re.search(r"^\| \[`method`\]\(method.md\) \| `aesad` \|", pages["keys.md"], re.MULTILINE)
