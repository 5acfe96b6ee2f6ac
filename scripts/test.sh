#!/usr/bin/env bash
# All checks: style, types, import contracts, tests. Real data is taken from ../shared/data where it is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh test
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/lint-imports
# Two tests at a time with a thread each: small models gain nothing from more, and threads that wait for each other lose much.
OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} .venv/bin/pytest --numprocesses 2
