"""The ratio of pollution (ESAD Table 8; scenario (ii) of Deep SAD)."""

from semiad.scenarios.labelled_ratio import LabelledRatio


class PollutionRatio(LabelledRatio):
    """The protocol of `LabelledRatio` about another default, under a name of its own."""
