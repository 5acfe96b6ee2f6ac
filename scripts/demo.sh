#!/usr/bin/env bash
# What labels bring, on scikit-learn's digits: trains conf/experiment/demo.yaml (60 small models) into outputs/demo and
# reports on it. What is recorded is not trained again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh report
.venv/bin/python -m semiad.train experiment=demo results=outputs/demo samples=true -m
.venv/bin/python -m semiad.report results=outputs/demo
.venv/bin/python -m semiad.report results=outputs/demo --out outputs/demo/report.html
echo "Open outputs/demo/report.html: with eight labelled rows a class, AE-SAD (aesad) finds the known anomalies (AUC seen)" \
  "that the autoencoder (ae) reconstructs too well, and loses nothing on the unseen ones; a click on a number shows its runs."
