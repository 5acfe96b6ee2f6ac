#!/usr/bin/env bash
# Makes .venv and installs semiad into it, once: bash scripts/setup.sh [EXTRA,...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
extra=${1:-}
python=$(command -v python3 || command -v python) || { echo "error: no python3 on the PATH; semiad needs Python 3.11 or newer" >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "error: $python is $("$python" --version), but semiad needs Python 3.11 or newer" >&2; exit 1; }
stamp=.venv/installed-${extra:-plain}
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || [ constraints.txt -nt "$stamp" ]; then
  [ -x .venv/bin/pip ] || "$python" -m venv --clear .venv
  echo "installing semiad into .venv (PyTorch is large: several GB, some minutes) ..."
  .venv/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".${extra:+[$extra]}"
  touch "$stamp"
fi
