#!/usr/bin/env bash
# Measures semiad on a GPU, part by part in order of worth, each with a time limit: bash scripts/gpu.sh OUT [MINUTES]
# The same command again goes on with what is left. OUT gets tables (CSV), records.tar.gz and summary.txt. Variables:
# device=cpu (toy sizes), parts="right packed", work=DIR (what is in work, OUT.work by default), data_root=DIR, pack=DIR
# (what scripts/gpu_pack.sh has gathered), PYTHON=python3. See docs/gpu.md.
set -euo pipefail
[ $# -ge 1 ] && [ $# -le 2 ] || { echo "error: bash scripts/gpu.sh OUT [MINUTES]" >&2; exit 2; }
[[ ${2:-9} =~ ^[1-9][0-9]*$ ]] || { echo "error: MINUTES is '$2', expected a whole number from 1 on" >&2; exit 2; }
mkdir -p "$1"
out=$(realpath "$1") work=$(realpath -m "${work:-$1.work}")
end=$((SECONDS + 60 * ${2:-9}))
cd "$(dirname "${BASH_SOURCE[0]}")/.."
device=${device:-cuda} pack=$(realpath -m "${pack:-.gpu}")
python=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}

# What an earlier go left in OUT, or what was brought along from it.
if [ ! -e "$work/parts.csv" ]; then
  mkdir -p "$work/logs"
  for earlier in "$out" "$pack/out"; do
    [ -f "$earlier/parts.csv" ] || continue
    cp "$earlier"/*.csv "$work"
    [ ! -f "$earlier/records.tar.gz" ] || tar -xzf "$earlier/records.tar.gz" -C "$work"
    break
  done
fi
[ -e "$work/parts.csv" ] || echo "started,part,status,s" > "$work/parts.csv"

# Packages and data that were brought along.
export PYTHONPATH=$PWD
needed="import hydra, jaxtyping, msgspec; from importlib.metadata import version; version('semiad')"
if [ -d "$pack/wheels" ] && ! "$python" -c "$needed" 2> /dev/null; then
  [ -d "$work/site" ] || "$python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-compile \
    --find-links "$pack/wheels" --target "$work/site" --requirement "$pack/requirements.txt"
fi
[ ! -d "$work/site" ] || PYTHONPATH=$PWD:$work/site
if ! "$python" -c "import semiad.conf" 2> /dev/null; then # semiad is not installed, which puts its configurations into it
  mkdir -p "$work/code/semiad"
  ln -sfn "$PWD"/semiad/* "$PWD/conf" "$work/code/semiad"
  export PYTHONSAFEPATH=1 PYTHONPATH=$work/code:$PYTHONPATH # without the checkout, where it would not be found
fi
[ -n "${data_root:-}" ] || { [ -d "$pack/data" ] && data_root=$pack/data || data_root=${SEMIAD_DATA:-data}; }

# Leaves in OUT at most eight files of 16 MiB.
publish() {
  local folders=()
  for folder in results alone logs; do [ ! -d "$work/$folder" ] || folders+=("$folder"); done
  tar -czf "$work/records.tar.gz" -C "$work" --exclude resumable --exclude jobs "${folders[@]}"
  [ "$(stat -c %s "$work/records.tar.gz")" -lt $((16 << 20)) ] || echo "warning: records.tar.gz is over 16 MiB" >&2
  "$python" -m benchmarks.gpu summary out="$work" > "$work/summary.txt" || echo "warning: no summary" >&2
  find "$work" -maxdepth 1 -type f \( -name '*.csv' -o -name summary.txt -o -name records.tar.gz \) -exec cp -t "$out" {} +
}

failed=0
list=$("$python" -m benchmarks.gpu)
for name in ${parts-}; do
  grep -q "^$name " <<< "$list" || { printf "error: there is no part '%s', expected some of\n%s\n" "$name" "$list" >&2; exit 2; }
done
while read -r name seconds title; do
  [[ " ${parts-$name} " == *" $name "* ]] || continue
  ! grep -q ",$name,done," "$work/parts.csv" || { echo "$name: done before"; continue; }
  left=$((end - SECONDS - 25)) start=$SECONDS status=0
  [ "$left" -ge 15 ] || { echo "$name: no time left"; continue; }
  [ "$seconds" -le "$left" ] || seconds=$left
  echo "$name: $title (at most $seconds s)"
  timeout --kill-after 10 $((seconds + 10)) "$python" -m benchmarks.gpu "$name" out="$work" seconds="$seconds" \
    device="$device" data_root="$data_root" < /dev/null >> "$work/logs/$name.txt" 2>&1 || status=$?
  case $status in
    0) said=done ;;
    75 | 124 | 137 | 143) said=unfinished ;;
    *) said=failed failed=1 ;;
  esac
  echo "$(date -u +%FT%TZ),$name,$said,$((SECONDS - start))" >> "$work/parts.csv"
  echo "$name: $said after $((SECONDS - start)) s"
  [ $said != failed ] || tail -n 3 "$work/logs/$name.txt"
  publish || echo "warning: not all results are in $out" >&2
done <<< "$list"
publish || echo "warning: not all results are in $out" >&2
cat "$work/summary.txt"
exit $failed
