#!/usr/bin/env bash
# Checks a release: builds it, installs the wheel into empty environments, and tries it there.
#   bash scripts/release_check.sh [python=3.12] [deps=newest|lowest] [tests=none|quick|fast]
# Without settings: each Python that semiad names and that is at hand, with the newest versions of all packages, and the oldest
# Python also with the lowest versions that pyproject.toml allows; quick tests. Packages are installed by uv where it is on the
# PATH, else by pip; both read their index from their own settings. For the lowest versions take uv: pip finds no set of packages
# that installs with all extras. An environment takes some 8 GB, and is removed after its turn.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
only_python="" only_deps="" tests=quick
for word in "$@"; do
  case $word in
    python=3.*) only_python=${word#*=} ;;
    deps=newest | deps=lowest) only_deps=${word#*=} ;;
    tests=none | tests=quick | tests=fast) tests=${word#*=} ;;
    *) echo "error: '$word' is no setting: python=3.12, deps=newest|lowest, tests=none|quick|fast" >&2; exit 2 ;;
  esac
done
quick="losses metrics scenarios runs statistics tables tabular_files tabular_preprocessor detector_folder
  detector_estimator detector_export figures classical"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gigabytes=$(($(df --output=avail -k "$work" | tail -n 1) >> 20))
[ "$gigabytes" -ge 12 ] || { echo "error: $work has $gigabytes GB free, and an environment needs 12 (TMPDIR chooses another place)" >&2; exit 2; }
mapfile -t versions < <(sed -nE 's/.*Python :: (3\.[0-9]+)".*/\1/p' pyproject.toml)

find_python() { # VERSION: on the PATH, then of pyenv, then of uv
  local candidate
  for candidate in "python$1" "$HOME/.pyenv/versions/$1".*/bin/python "$(uv python find "$1" 2> /dev/null || true)"; do
    "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2> /dev/null || continue
    "$candidate" -c "import sys; print(sys.executable)"
    return
  done
  return 1
}

install() { # ENVIRONMENT WORDS...
  local env=$1
  shift
  if command -v uv > /dev/null; then
    uv pip install --quiet --python "$env/bin/python" "$@"
  else
    "$env/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
  fi
}

installed_size() { du -sm "$1"/lib/python*/site-packages | cut -f 1; } # in MB, without pip

# The commands of the core, in an empty folder, by the installed wheel; with `all`, those that need extras too.
try() { # ENVIRONMENT core|all
  local folder
  folder=$(mktemp -d -p "$work")
  # A process of its own: in a function that is tested by `||`, bash goes on after a command that fails.
  (cd "$folder" && PATH=$1/bin:$PATH PYTHONWARNINGS=ignore WANDB_MODE=disabled bash -euxo pipefail "$work/commands.sh" "$2") > "$folder.log" 2>&1 ||
    { tail -n 30 "$folder.log" >&2; return 1; }
}
cat > "$work/commands.sh" << 'EOF'
python -c "
import random
rows = [(random.gauss(9 * (i < 8), 1), random.gauss(0, 1), '1' if i < 8 else '') for i in range(120)]
print('a,b,label', *(f'{a},{b},{label}' for a, b, label in rows), sep='\n')
" > rows.csv
semiad --help
semiad fit rows.csv --label label --method aesad --epochs 5 --out model
semiad score model rows.csv --out scored.csv
python -m semiad.train epochs=2 'seeds=[0]' scenario.normal=8 scenario.anomalous=3 samples=true
python -m semiad.report
if [ "$1" = all ]; then
  python -m semiad.report --out report.html
  semiad export model --out model.onnx
else # a sentence and no traceback
  if python -m semiad.report --out report.html 2> said; then exit 1; fi
  cat said
  grep -q "pip install 'semiad\[report\]'" said
  if grep -q Traceback said; then exit 1; fi
fi
EOF

check() { # VERSION newest|lowest: adds a line to the table
  local env=$work/env python core_mb all_mb constraints=() told="-" result=ok
  if ! python=$(find_python "$1"); then
    echo "$1|$2|not found||||" >> "$work/table"
    return
  fi
  echo "== Python $1 ($python), $2 versions"
  "$python" -m venv --without-pip "$env"
  command -v uv > /dev/null || "$env/bin/python" -m ensurepip > "$work/ensurepip.log"
  [ "$2" = newest ] || constraints=(--constraint "$work/lowest.txt")
  install "$env" "${constraints[@]}" "$wheel" && core_mb=$(installed_size "$env") || result="core: no install"
  [ "$result" != ok ] || try "$env" core || result="core: fails"
  [ "$result" != ok ] || { install "$env" "${constraints[@]}" "$wheel[all]" && all_mb=$(installed_size "$env"); } || result="all: no install"
  [ "$result" != ok ] || try "$env" all || result="all: fails"
  if [ "$result" = ok ] && [ "$tests" != none ]; then
    # The copy's files, which are those of the wheel, with the packages of the environment.
    # Old packages meet newer ones that they need in turn: that these call something old is no error of semiad's.
    local files=(tests) filters=()
    [ "$2" = newest ] || filters=(-W ignore::DeprecationWarning -W ignore::FutureWarning)
    [ "$tests" = fast ] || mapfile -t files < <(printf 'tests/test_%s.py\n' $quick)
    install "$env" "${constraints[@]}" "$wheel[test]" || result="test: no install"
    [ "$result" != ok ] || (cd "$work/source" && OMP_NUM_THREADS=1 PYTHONPATH=$PWD "$env/bin/python" -m pytest -q -p no:cacheprovider --hypothesis-profile=ci -m "not slow" \
      "${filters[@]}" "${files[@]}") > "$work/pytest.log" 2>&1 || { result="tests fail"; grep -E '^(FAILED|ERROR|E  )' "$work/pytest.log" | head -n 40 || tail -n 20 "$work/pytest.log"; }
    [ ! -e "$work/pytest.log" ] || { told=$(tail -n 1 "$work/pytest.log"); rm "$work/pytest.log"; }
  fi
  echo "$1|$2|$("$env/bin/python" -c "import torch; print(torch.__version__)" 2> /dev/null || true)|${core_mb-}|${all_mb-}|$told|$result" >> "$work/table"
  rm -rf "$env"
}

# A copy of what git would commit, so that no build output lies in the checkout.
mkdir "$work/source"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
  tar -cf - --null --files-from=- | tar -xf - -C "$work/source"
oldest=$(find_python "${versions[0]}" || command -v python3)
"$oldest" -m venv "$work/tools"
"$work/tools/bin/python" -m pip install --quiet --disable-pip-version-check build
for words in "$work/dist" "--wheel $work/direct"; do
  "$work/tools/bin/python" -m build --outdir ${words##* } $(grep -o -- --wheel <<< "$words" || true) "$work/source" > "$work/build.log" 2>&1 ||
    { tail -n 30 "$work/build.log" >&2; exit 1; }
done
ln -s ../conf "$work/source/semiad/conf" # where an installed semiad has them; for the tests
wheel=$(ls "$work"/dist/*.whl) sdist=$(ls "$work"/dist/*.tar.gz)
"$work/tools/bin/python" - "$wheel" "$work"/direct/*.whl "$root/pyproject.toml" "$work/lowest.txt" << 'EOF'
import sys
import tomllib
import zipfile
from pathlib import Path

from packaging.requirements import Requirement

*wheels, project, lowest = sys.argv[1:]
first, second = ({entry.filename: entry.CRC for entry in zipfile.ZipFile(wheel).infolist()} for wheel in wheels)
if first != second:
    sys.exit(f"error: the wheels of the sdist and of the checkout differ in {sorted(set(first.items()) ^ set(second.items()))}")
if others := sorted(name for name in first if not name.startswith(("semiad/", "semiad-"))):
    sys.exit(f"error: the wheel has {others[0]}, which is no part of semiad")
table = tomllib.loads(Path(project).read_text())["project"]
extras = [line for name, lines in table["optional-dependencies"].items() if name not in ("docs", "test") for line in lines]
pins = {}
for requirement in map(Requirement, [*table["dependencies"], *extras]):
    for limit in requirement.specifier:
        if limit.operator == ">=":
            pins[requirement.name] = limit.version
Path(lowest).write_text("".join(f"{name}=={version}\n" for name, version in sorted(pins.items())))
EOF
echo "$(basename "$sdist") $(($(stat -c %s "$sdist") / 1024)) kB; $(basename "$wheel") $(($(stat -c %s "$wheel") / 1024)) kB, the same from the sdist and from the checkout"

echo "Python|versions|torch|core MB|all MB|tests ($tests)|result" > "$work/table"
for version in "${versions[@]}"; do
  [ -z "$only_python" ] || [ "$version" = "$only_python" ] || continue
  [ "$only_deps" = lowest ] || check "$version" newest
  [ "$only_deps" = newest ] || [ "$version" != "${versions[0]}" ] || check "$version" lowest
done
column -t -s '|' "$work/table"
! tail -n +2 "$work/table" | grep -vqE '\|ok$|\|not found\|'
