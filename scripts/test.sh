#!/usr/bin/env bash
# All checks: style, types, import contracts, tests. `bash scripts/test.sh fast` leaves out the slow tests and the check of
# the format. Real data is taken from ../shared/data where it is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ $# -eq 0 ] || [ "$*" = fast ] || { echo "error: '$*' is no word of this script: bash scripts/test.sh [fast]" >&2; exit 1; }
bash scripts/setup.sh test
.venv/bin/ruff check .
[ "$*" = fast ] || .venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/lint-imports
# Two tests at a time with a thread each: small models gain nothing from more, and threads that wait for each other lose much.
# Each process takes tests that lie side by side, which share what their file prepares, and then from the end of the other's.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
[ "$*" != fast ] || set -- -m "not slow"
.venv/bin/pytest --numprocesses 2 --dist worksteal --durations 40 "$@"
