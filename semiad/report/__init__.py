"""Report what a ledger holds, beside what the papers print: `python -m semiad.report`."""
