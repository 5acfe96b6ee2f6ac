"""The shipped configuration, as a package, so that it travels in the wheel."""
