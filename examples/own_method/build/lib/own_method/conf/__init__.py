"""The configurations of the package, which the entry point `semiad.configs` names."""
