"""Data sets: one file a source, each with `load(root) -> Dataset`."""
