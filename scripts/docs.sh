#!/usr/bin/env bash
# Builds the documentation site into site/; a link or an anchor that leads nowhere, and a page without a way to it, are
# errors. Open site/index.html: it needs no server and no network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh docs
# Without --quiet, which would hide warnings from --strict. The note that is silenced is about the next version of mkdocs
# (docs/decisions.md).
NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --strict
echo "Open site/index.html: $(find site -name '*.html' | wc -l) pages"
