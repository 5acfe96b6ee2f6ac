#!/usr/bin/env bash
# DevNet, PReNet, FeaWAD, RoSAS, Deep SAD and XGBOD beside those of PyOD and DeepOD (python -m benchmarks peers), which are
# installed into .venv-peers, an environment of their own on top of .venv: bash scripts/peers.sh [data_root=DIR] [repeats=N]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
peers=(pyod==3.6.7 deepod==0.4.1)
bash scripts/setup.sh trees
stamp=".venv-peers/installed-${peers[*]}"
if [ ! -e "$stamp" ]; then
  .venv/bin/python -m venv --clear .venv-peers
  # What semiad needs is taken from .venv, and of what the peers need, only numba lacks: DeepOD itself asks for a torch of 2022.
  site='import sysconfig; print(sysconfig.get_path("purelib"))'
  .venv/bin/python -c "$site" > "$(.venv-peers/bin/python -c "$site")/semiad.pth"
  .venv-peers/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt numba
  .venv-peers/bin/pip install --quiet --disable-pip-version-check --no-deps "${peers[@]}"
  touch "$stamp"
fi
OMP_NUM_THREADS=1 PYTHONPATH=$PWD .venv-peers/bin/python -m benchmarks peers "$@"
