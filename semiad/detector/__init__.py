"""Detectors: methods for a user's own rows, from `fit` to a folder on disk, in the manner of scikit-learn.

`from semiad import Detector` imports `semiad.detector.estimator` when it is first used.
"""
