"""What the README and the tutorials print of the command `semiad` is what it prints."""

import re
import runpy
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from semiad.cli.app import app
from tests.conftest import CONF

ROOT = CONF.parent


def transcript(page: Path) -> list[tuple[str, str]]:
    """The commands of a page and what they print."""
    blocks = re.findall(r"^```console\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part]
    return [(command, printed) for command, _, printed in (part.partition("\n") for part in parts)]


def pattern(printed: str, exact: bool) -> str:
    """What output has to match: numbers that come of training differ between machines; `...` stands for anything."""
    text = re.escape("\n".join(" ".join(line.split()) for line in printed.splitlines()))
    text = text.replace(re.escape("..."), "(?s:.*)")
    return text if exact else re.sub(r"\d+(\\\.\d+)?", r"[\\d.]+", text)


@pytest.mark.parametrize(
    ("page", "example", "rows"),
    [
        ("docs/tutorial_table.md", "breast_cancer.py", 77),
        ("docs/start_table.md", "breast_cancer.py", 77),
        ("docs/images.md", "digit_images.py", 94),
        pytest.param("README.md", "breast_cancer.py", 77, marks=pytest.mark.slow),
    ],
)
def test_commands_print_what_the_page_says(
    page: str, example: str, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(ROOT / "examples" / example))
    commands = transcript(ROOT / page)
    assert len(commands) >= 3
    for command, printed in commands:
        name, *words = shlex.split(command)
        assert name == "semiad"
        result = CliRunner().invoke(app, words)
        output = "\n".join(" ".join(line.split()) for line in (result.stderr + result.stdout).splitlines())
        assert re.fullmatch(pattern(printed, exact=words[0] == "check"), output), f"{command}\n{output}"
        assert result.exit_code == (2 if printed.startswith("error: ") else 0)
    assert len(Path("scored.csv").read_text().splitlines()) == 1 + rows
