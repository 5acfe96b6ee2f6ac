"""semiad: the workbench for semi-supervised anomaly detection."""

__version__ = "0.1.0"
