#!/usr/bin/env bash
# semiad beside PyOD and DeepOD, which are installed into .venv-peers, an environment of their own on top of .venv:
# bash scripts/peers.sh [data_root=DIR] [repeats=N]        DevNet, PReNet, FeaWAD, RoSAS, Deep SAD and XGBOD (python -m benchmarks peers)
# bash scripts/peers.sh rivals out=DIR [data_root=DIR] ... method=auto beside some of them (python -m benchmarks rivals)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
what=peers
if [ "${1:-}" = rivals ]; then
  what=rivals
  shift
fi
peers=(pyod==3.6.7 deepod==0.4.1)
bash scripts/setup.sh trees
stamp=".venv-peers/installed-${peers[*]}"
if [ ! -e "$stamp" ]; then
  .venv/bin/python -m venv --clear .venv-peers
  # What semiad needs is taken from .venv, and of what the peers need, only numba lacks: DeepOD itself asks for a torch of 2022.
  site='import sysconfig; print(sysconfig.get_path("purelib"))'
  # As a site folder, of which the .pth files count: that of semiad leads to its configuration.
  echo "import site; site.addsitedir('$(.venv/bin/python -c "$site")')" > "$(.venv-peers/bin/python -c "$site")/semiad.pth"
  .venv-peers/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt numba
  .venv-peers/bin/pip install --quiet --disable-pip-version-check --no-deps "${peers[@]}"
  touch "$stamp"
fi
OMP_NUM_THREADS=1 PYTHONPATH=$PWD .venv-peers/bin/python -m benchmarks "$what" "$@"
