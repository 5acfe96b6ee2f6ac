"""What a page of the documentation prints of commands, compared with what they print."""

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.conftest import CONF

ROOT = CONF.parent


def transcript(page: Path, section: str = "") -> list[tuple[str, str]]:
    """The commands of a page, or of its section with that heading, and what they print."""
    text = page.read_text()
    if section:
        (text,) = re.findall(rf"^## {re.escape(section)}$(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"^```console\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part]
    pairs = (re.match(r"((?:.*\\\n)*.*)\n?((?s:.*))", part) for part in parts)
    return [(pair[1], pair[2]) for pair in pairs if pair is not None]


def pattern(printed: str, exact: bool) -> str:
    """What output has to match: numbers that come of training differ between machines; `...` stands for anything."""
    text = re.escape("\n".join(" ".join(line.split()) for line in printed.splitlines()))
    text = text.replace(re.escape("..."), "(?s:.*)")
    return text if exact else re.sub(r"\d+(\\\.\d+)?", r"[\\d.]+", text)


def compare(command: str, text: str, printed: str, exact: bool) -> None:
    """Assert that a command has printed what the page says, white space aside."""
    text = re.sub(r"\x1b\[\d+m", "", text)  # colours
    # A changed checkout adds a line.
    lines = [" ".join(line.split()) for line in text.splitlines() if not line.startswith("uncommitted code: ")]
    output = "\n".join(lines)
    assert re.fullmatch(pattern(printed, exact), output), f"{command}\n{output}"


def run_section(page: str, section: str, folder: Path, env: Mapping[str, str], inside: Sequence[str] = ()) -> None:
    """Run the commands of a section in one shell, in order, and compare what each prints.

    Args:
        page: of the checkout, as `docs/tutorial_sweep.md`.
        section: its heading.
        folder: current folder of the first command.
        env: environment variables.
        inside: the command that runs the shell, such as `unshare`.
    """
    commands = transcript(ROOT / page, section)
    assert commands
    mark = "----- next command -----"
    script = "".join(f"echo '{mark}'\n{command} || echo \"exit status $?\"\n" for command, _ in commands)
    path = f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH\n"
    words = [*inside, "bash", "-c", f"exec 2>&1\n{path}{script}"]
    done = subprocess.run(words, cwd=folder, env=env, stdout=subprocess.PIPE, text=True, timeout=300)
    first, *outputs = done.stdout.split(f"{mark}\n")
    assert not first and len(outputs) == len(commands), done.stdout
    for (command, printed), output in zip(commands, outputs, strict=True):
        compare(command, output, printed, exact=False)
