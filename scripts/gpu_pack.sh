#!/usr/bin/env bash
# Gathers into DIR (.gpu, which git ignores) what scripts/gpu.sh needs on a machine without a network that has PyTorch,
# Lightning and scikit-learn: bash scripts/gpu_pack.sh [DIR]. Wheels are for Python 3.12 on x86-64 Linux, and for the Python
# that gathers them. Variables: data_root=DIR (where MNIST and Fashion-MNIST are), PYTHON=python3. See docs/gpu.md.
set -euo pipefail
[ $# -le 1 ] || { echo "error: bash scripts/gpu_pack.sh [DIR]" >&2; exit 2; }
pack=$(realpath -m "${1:-$(dirname "${BASH_SOURCE[0]}")/../.gpu}")
[ -z "${data_root:-}" ] || data_root=$(realpath "$data_root")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
limit=$((55 << 20)) travels=$((64 << 20))
mib() { awk "BEGIN { printf \"%.1f MiB\", $1 / 1048576 }"; }
size() { du -cb --files0-from=- | tail -n 1 | cut -f 1; }
check() { # that what was gathered is not too much
  packed=$(find "$pack" -type f -print0 | size)
  [ "$packed" -le $limit ] || { echo "error: $pack holds more than $(mib $limit)" >&2; exit 1; }
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
rm -rf "$pack/wheels" "$pack/data"
mkdir -p "$pack/wheels"

# Data: what is at hand, and Debian's package of Fashion-MNIST.
gather() { # NAME FOLDER...: copies the four files of NAME from the first of the folders that has them
  local name=$1 file folder
  shift
  for folder in "$@"; do
    [ -e "$folder/train-images-idx3-ubyte.gz" ] || [ -e "$folder/train-images-idx3-ubyte" ] || continue
    mkdir -p "$pack/data/$name/raw"
    for file in {train,t10k}-{images-idx3,labels-idx1}-ubyte; do
      if [ -e "$folder/$file.gz" ]; then cp "$folder/$file.gz" "$pack/data/$name/raw"
      else gzip -c "$folder/$file" > "$pack/data/$name/raw/$file.gz"; fi
    done
    return
  done
  return 1
}
roots=("${data_root:-data}" "${SEMIAD_DATA:-data}" data ../shared/data)
gather MNIST "${roots[@]/%//MNIST/raw}" || { echo "error: MNIST is in none of ${roots[*]}: give data_root=DIR" >&2; exit 1; }
debian=usr/share/datasets/fashion-mnist
gather FashionMNIST "${roots[@]/%//FashionMNIST/raw}" /$debian || {
  (cd "$scratch" && apt-get download -qq dataset-fashion-mnist 2> /dev/null && dpkg-deb -x dataset-fashion-mnist_*.deb .) || true
  gather FashionMNIST "$scratch/$debian" || {
    echo "error: Fashion-MNIST is in none of ${roots[*]} and is not installed: give data_root=DIR" >&2; exit 1; }
}
check

# Packages. semiad's own wheel is there for its version, which records name; its code is that of the checkout.
pure=(hydra-core omegaconf 'antlr4-python3-runtime==4.9.*' jaxtyping wadler-lindig)
compiled=(msgspec clarabel cffi)
pip() { "$python" -m pip "$@" --quiet --quiet --disable-pip-version-check --no-deps; }
pip wheel --constraint constraints.txt --wheel-dir "$pack/wheels" "${pure[@]}"
pip download --constraint constraints.txt --dest "$pack/wheels" --only-binary=:all: "${compiled[@]}"
pip download --constraint constraints.txt --dest "$pack/wheels" --only-binary=:all: --python-version 3.12 --implementation cp \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 "${compiled[@]}"
git archive HEAD | tar -x -C "$scratch"
pip wheel --wheel-dir "$pack/wheels" "$scratch"
printf '%s\n' "${pure[@]}" "${compiled[@]}" semiad > "$pack/requirements.txt"
git rev-parse HEAD > "$pack/commit.txt"

check
(cd "$pack" && find . -type f -printf '%10s  %P\n' | sort -k 2)
tree=$(git ls-files -z --cached --others --exclude-standard | size)
echo "$(mib "$packed") in $pack (at most $(mib $limit)); with the $(mib "$tree") of the checkout $(mib $((packed + tree)))"
[ $((packed + tree)) -le $travels ] || { echo "error: that and the checkout are more than $(mib $travels)" >&2; exit 1; }
