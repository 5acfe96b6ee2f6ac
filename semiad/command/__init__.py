"""The command `python -m semiad.train`: from its configuration to the records of its runs."""
