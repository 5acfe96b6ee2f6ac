"""Scripts that write small data to try `semiad` on, from data that comes with scikit-learn: `python -m semiad.examples.NAME`."""
