#!/usr/bin/env bash
# Reproduces the table of the README from nothing: trains the demo anew, and fails where the printed table differs.
# Then runs 200 command lines that are drawn at random.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
rm -rf outputs/demo
bash scripts/demo.sh
.venv/bin/python -m semiad.report results=outputs/demo > outputs/demo/printed.txt
.venv/bin/python scripts/compare_table.py README.md outputs/demo/printed.txt
echo "the table is that of README.md"
SEMIAD_FUZZ=200 OMP_NUM_THREADS=1 .venv/bin/pytest -q tests/test_fuzz_command.py
