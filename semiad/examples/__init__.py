"""Scripts that write small data to try `semiad` on: `python -m semiad.examples.NAME`."""
