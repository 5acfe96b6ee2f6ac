"""`python -m semiad.report`: what a ledger holds, beside what the papers print."""
