"""Scenarios: one file a protocol, pure functions of class labels."""
