"""What the README and the tutorials print of the command `semiad` is what it prints."""

import os
import re
import shlex
import subprocess
import sys
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


def compare(command: str, text: str, printed: str, exact: bool) -> None:
    """Assert that a command has printed what the page says, white space aside."""
    output = "\n".join(" ".join(line.split()) for line in text.splitlines())
    assert re.fullmatch(pattern(printed, exact), output), f"{command}\n{output}"


@pytest.mark.parametrize(
    ("page", "example", "rows"),
    [
        ("docs/tutorial_table.md", "breast_cancer.py", 77),
        pytest.param("docs/tutorial_few_labels.md", "few_labels.py", None, marks=pytest.mark.slow),
        ("docs/start_table.md", "breast_cancer.py", 77),
        ("docs/images.md", "digit_images.py", 94),
        pytest.param("README.md", "breast_cancer.py", 77, marks=pytest.mark.slow),
    ],
)
def test_commands_print_what_the_page_says(
    page: str, example: str, rows: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_python([f"examples/{example}"]) == (0, "")
    commands = transcript(ROOT / page)
    assert len(commands) >= 3
    for command, printed in commands:
        name, *words = shlex.split(command)
        assert name in ("semiad", "python")
        status, text = run_python(words) if name == "python" else run_semiad(words)
        compare(command, text, printed, exact=words[0] == "check")
        assert status == (2 if printed.startswith("error: ") else 0)
    assert rows is None or len(Path("scored.csv").read_text().splitlines()) == 1 + rows


def run_semiad(words: list[str]) -> tuple[int, str]:
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.stderr + result.stdout


def run_python(words: list[str]) -> tuple[int, str]:
    """Run a script of `examples/`, which another folder has, or a module."""
    if words[0] != "-m":
        words = [str(ROOT / words[0]), *words[1:]]
    env = {**os.environ, "COLUMNS": "200", "WANDB_MODE": "disabled"}
    done = subprocess.run([sys.executable, *words], env=env, capture_output=True, text=True)
    return done.returncode, done.stderr + done.stdout


@pytest.mark.slow  # trains ten to twenty runs, a process for each command
@pytest.mark.parametrize("page", ["docs/start_student.md", "docs/start_researcher.md"])
def test_training_prints_what_the_page_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if "researcher" in page:
        monkeypatch.setenv("SEMIAD_DATA", str(request.getfixturevalue("shared")))
    monkeypatch.chdir(tmp_path)
    commands = transcript(ROOT / page)
    assert len(commands) >= 3
    for command, printed in commands:
        name, *words = shlex.split(command)
        assert name == "python"
        status, text = run_python(words)
        # Which a changed checkout adds.
        lines = [line for line in text.splitlines() if not line.startswith("uncommitted code: ")]
        compare(command, "\n".join(lines), printed, exact=False)
        assert status == 0
