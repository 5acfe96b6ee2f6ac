"""`python -m semiad.status results=DIR`: the state of a sweep, from any machine that sees the folder."""

import sys
from time import time

from semiad.console import open_console
from semiad.errors import InputError
from semiad.ledger import progress
from semiad.ledger.files import user_path
from semiad.ledger.reader import read

USAGE = "python -m semiad.status results=DIR (default outputs/results)"


def main() -> None:
    """The command. Exit status 1 if a run has failed, is missing, or a record contradicts another."""
    console = open_console()
    words = sys.argv[1:]
    if words in (["-h"], ["--help"]):
        print(f"{__doc__}\n\nusage: {USAGE}")
        return
    if any(not word.startswith("results=") for word in words) or len(words) > 1:
        sys.exit(f"error: {' '.join(words)}: expected {USAGE}")
    try:
        folder = user_path("results", words[0].removeprefix("results=") if words else "outputs/results")
    except InputError as error:
        sys.exit(f"error: {error}")
    if not folder.is_dir():
        sys.exit(f"error: results={folder} is no folder; {USAGE}")
    ledger, every, now = read(folder), [*progress.read(folder)], time()
    # What an earlier command left undone, a later one has taken over.
    jobs = [job for job in every if job.command == every[-1].command or job.shown_state(now) == "training"]
    for sentence in [*ledger.warnings, *ledger.conflicts]:
        console.print(f"warning: {sentence}", markup=False)
    if jobs:
        console.print(progress.view(jobs, now))
    failed, missing = ((ledger.runs["status"] == status).sum() for status in ("failed", "missing"))
    console.print(
        f"ledger: {len(ledger.recorded)} runs recorded, {failed} of them failed, {missing} planned ones missing"
    )
    sys.exit(bool(failed or missing or ledger.conflicts))


if __name__ == "__main__":
    main()
