"""What the AE-SAD paper claims of its method, and the runs that speak to it."""

from semiad.report.claims import Claim, Comparison, against

RIVALS = ("AE", "OC-SVM", "A3", "Deep-SAD")
DEFAULT = "0.1"
"""The alpha of lambda that the paper takes unless it says otherwise."""


def in_lambda(first: str, second: str, table: str, words: str = "") -> Comparison:
    """Predict no difference between two values of lambda, given by alpha."""
    return Comparison(f"alpha {first} with {second}{words}", table, "alpha", first, second, kind="same")


CLAIMS = (
    Claim(
        "AE-SAD is better than each rival on tables",
        "Section 4.4, Table 2: “almost always achieves better performances than competitors”",
        against("AE-SAD", RIVALS, "aesad_table2"),
    ),
    Claim(
        "AE-SAD is better than each rival on images",
        "Section 4.4, Tables 3 and 4, one-vs-one: “a larger probability of winning over all the competitors on all the "
        "datasets”",
        against("AE-SAD", RIVALS, "aesad_table3"),
    ),
    Claim(
        "Seen and unseen classes both gain over the autoencoder",
        "Section 3.1, Table 1: “all the anomalous classes, both seen and unseen, take advantage of the AE-SAD "
        "strategy”",
        tuple(
            Comparison(f"AE-SAD with AE, {kind} classes{words}", table, "method", "AE-SAD", "AE", metric=f"auc_{kind}")
            for kind in ("seen", "unseen")
            for table, words in (("aesad_table1", ", the example"), ("aesad_table3", ", one-vs-one"))
        ),
    ),
    Claim(
        "AE-SAD is robust to pollution",
        "Section 4.5, Tables 5 to 7: “AE-SAD improves on the baseline AE and performs better also in this setting”",
        (
            *against("AE-SAD", RIVALS, "aesad_table7", "one-vs-many, polluted"),
            *against("AE-SAD", RIVALS, "aesad_table6", "one-vs-all, polluted"),
            Comparison("AE-SAD at 12.5 % with 0.25 % of pollution", "aesad_table5", "pollution, %", "12.5", "0.25",
                       {"method": ("AE-SAD",)}, kind="same"),
            Comparison("AE-SAD loses less than AE from 0.25 to 12.5 % of pollution", "aesad_table5", "pollution, %",
                       "12.5", "0.25", beside=("method", "AE-SAD", "AE")),
        ),
    ),
    Claim(
        "The number of epochs is not critical",
        "Section 4.3, Figure 5: “while the number of epochs is a critical hyperparameter for standard AE, this is "
        "not the case for AE-SAD”",
        (
            Comparison("AE-SAD, the last epoch with that of the lowest loss", "aesad_fig5", "", "auc",
                       "auc_at_min_loss", {"method": ("AE-SAD",)}, kind="same"),
            Comparison("AE-SAD with AE, the last epoch", "aesad_fig5", "method", "AE-SAD", "AE"),
        ),
    ),
    Claim(
        "The choice of lambda is not critical",
        "Sections 4.2 and 4.5, Figures 3 and 6: “its selection does not represent a critical choice”",
        (
            in_lambda("0", DEFAULT, "aesad_fig3"),
            in_lambda("2", DEFAULT, "aesad_fig3"),
            in_lambda("0", DEFAULT, "aesad_fig6", ", polluted"),
            in_lambda("2", DEFAULT, "aesad_fig6", ", polluted"),
        ),
    ),
    Claim(
        "Few labels suffice",
        "Section 4.2, Figure 4: “performs remarkably well even when only a few anomalies are available”",
        (
            Comparison("AE-SAD with AE, 8 labelled", "aesad_fig4", "method", "AE-SAD", "AE", {"labelled": ("8",)}),
            Comparison("AE-SAD, 8 with 128 labelled", "aesad_fig4", "labelled", "8", "128",
                       {"method": ("AE-SAD",)}, kind="same"),
        ),
    ),
)  # fmt: skip
