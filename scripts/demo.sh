#!/usr/bin/env bash
# AE and AE-SAD on all 90 one-vs-one pairs of scikit-learn's digits, seed 0. What is recorded is not trained again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh
.venv/bin/python -m semiad.train method=ae,aesad dataset=digits scenario=one_vs_one 'seeds=[0]' shards=1 \
  results=outputs/demo -m
.venv/bin/python -m semiad.report results=outputs/demo
