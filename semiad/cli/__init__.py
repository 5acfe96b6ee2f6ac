"""The command `semiad`: detectors for tables of a user's own, and what trains and reports experiments."""
