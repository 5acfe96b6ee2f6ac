"""The ledger: one record for each run, kept as JSON lines, and everything that writes or reads them."""
