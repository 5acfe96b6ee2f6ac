"""The page of a comparison: one file that needs no network, no script and no other file."""

from collections.abc import Mapping

from semiad.detector.candidates import BEST
from semiad.detector.comparison import Comparison
from semiad.report.formats.environment import make_environment


def comparison_report(made: Comparison, source: str, command: str, unseen: Mapping[str, tuple[float, float]]) -> str:
    """Write the page.

    Args:
        made: the comparison.
        source: the name of the table.
        command: that fits the chosen candidate.
        unseen: for each kind of anomaly that a fold left out, the average precision on it: of what the other folds
            choose, and of the mean score of their best candidates; empty for folds at random.
    """
    template = make_environment("semiad.detector").get_template("comparison_report.html.jinja")
    return template.render(
        made=made,
        alone=made.worth(1),
        together=made.worth(BEST),
        best=made.taken(BEST),
        marked=[made.chosen.candidate],
        source=source,
        command=command,
        unseen=unseen,
    )
