"""Engines: what trains a list of runs."""
