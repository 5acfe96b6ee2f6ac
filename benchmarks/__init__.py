"""Measurements of speed: `python -m benchmarks` lists them."""
