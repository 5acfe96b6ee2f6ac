"""The report on 27,000 synthetic records: the summary, and two published tables."""

import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from rich.table import Table

from benchmarks.ledger import write_ledger
from benchmarks.settings import Settings
from benchmarks.timing import console

CASES = ((), ("experiment=aesad_table3",), ("experiment=aesad_table4",))
REPORT = """
import sys
from pathlib import Path
from semiad.report.__main__ import main
main(sys.argv[1:])
print(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""


def measure(settings: Settings) -> None:
    """Measure each report in a process of its own, start of Python included."""
    with TemporaryDirectory() as folder:
        results = Path(folder) / "r"
        count = write_ledger(results)
        size = sum(path.stat().st_size for path in results.glob("*.jsonl")) / 2**20
        table = Table(f"{count} records, {size:.0f} MiB", "s", "most memory, MiB", "every repeat, s", box=None)
        for words in CASES:
            reports = [time_report(*words, f"results={results}") for _ in range(settings.repeats)]
            seconds, memory = zip(*reports, strict=True)
            every = " ".join(f"{value:.2f}" for value in seconds)
            table.add_row(" ".join(words) or "summary", f"{median(seconds):.2f}", f"{max(memory):.0f}", every)
    console.print(table)


def time_report(*words: str) -> tuple[float, float]:
    """Give seconds and most memory in MiB of a report (Linux)."""
    start = perf_counter()
    done = subprocess.run([sys.executable, "-c", REPORT, *words], check=True, capture_output=True, text=True)
    # What resource.getrusage says of a child counts the memory of its parent.
    return perf_counter() - start, int(done.stdout.split()[-2]) / 2**10
