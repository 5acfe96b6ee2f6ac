"""What the README and the tutorials print of the command `semiad` is what it prints."""

import os
import shlex
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
from typer.testing import CliRunner

from semiad.cli.app import app
from tests.pages import ROOT, compare, transcript


@pytest.mark.parametrize(
    ("pages", "example", "rows"),
    [
        (["docs/tutorial_table.md"], "breast_cancer", 77),
        pytest.param(["docs/tutorial_few_labels.md"], "few_labels", None, marks=pytest.mark.slow),
        (["README.md", "docs/start_table.md"], "breast_cancer", 77),
        (["docs/images.md"], "digit_images", 94),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_commands_print_what_the_page_says(
    pages: list[str], example: str, rows: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page takes from the one before it what the commands of both print."""
    monkeypatch.chdir(tmp_path)
    status, text = run_python(["-m", f"semiad.examples.{example}"])
    assert status == 0 and text.endswith(" are written\n")
    before: dict[str, tuple[int, str]] = {}
    for page in pages:
        commands = transcript(ROOT / page)
        assert len(commands) >= 3
        results = {}
        Path("scored.csv").unlink(missing_ok=True)  # which no command writes over
        for command, printed in commands:
            name, *words = shlex.split(command)
            assert name in ("semiad", "python")
            results[command] = before.get(command) or (run_python if name == "python" else run_semiad)(words)
            status, text = results[command]
            compare(command, text, printed, exact=words[0] == "check")
            assert status == (2 if printed.startswith("error: ") else 0)
        before |= results
    assert rows is None or len(Path("scored.csv").read_text().splitlines()) == 1 + rows


def run_semiad(words: list[str]) -> tuple[int, str]:
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.stderr + result.stdout


def run_python(words: list[str]) -> tuple[int, str]:
    """Run a module, and give its exit status and what it prints."""
    env = {**os.environ, "COLUMNS": "200", "WANDB_MODE": "disabled"}
    done = subprocess.run([sys.executable, *words], env=env, capture_output=True, text=True)
    return done.returncode, done.stderr + done.stdout


@pytest.mark.slow  # trains ten to twenty runs, a process for each command
@pytest.mark.parametrize(
    "pages", [["start_student"], ["start_researcher", "tutorial_report"]], ids=lambda pages: pages[0]
)
def test_training_prints_what_the_page_says(
    pages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A page goes on in the folder of the one before it."""
    if "start_researcher" in pages:
        monkeypatch.setenv("SEMIAD_DATA", str(request.getfixturevalue("shared")))
    monkeypatch.chdir(tmp_path)
    commands = [transcript(ROOT / f"docs/{page}.md") for page in pages]
    assert min(map(len, commands)) >= 3
    for command, printed in chain(*commands):
        name, *words = shlex.split(command)
        assert name == "python"
        status, text = run_python(words)
        compare(command, text, printed, exact=False)
        assert status == 0
