"""What the ESAD paper claims of its method, and the runs that speak to it."""

from collections.abc import Iterator

from semiad.report.claims import Claim, Comparison, against

RATIOS = ("0", "0.01", "0.05", "0.1", "0.2")
"""The shares of labelled anomalies gamma_l in Table 1."""
ALL_PARTS = "enc2+ass+gaussian+permutation"
ESAD = {"method": ("ESAD",)}


def design(first: str, second: str) -> Comparison:
    """Compare two designs of Table 5."""
    return Comparison(f"{first} with {second}", "esad_table5", "design", first, second)


def least_affected(table: str, rivals: tuple[str, ...]) -> Iterator[Comparison]:
    """Compare what ESAD and each rival lose by pollution."""
    for rival in rivals:
        text = f"ESAD loses less than {rival} from gamma_p 0 to 0.2"
        yield Comparison(text, table, "gamma_p", "0.2", "0", beside=("method", "ESAD", rival))


CLAIMS = (
    Claim(
        "ESAD is better than Deep SAD at every gamma_l",
        "Section 4.3, Table 1: “On all involved datasets, results present that the average AUCs of ESAD outperform all "
        "other methods”",
        tuple(
            Comparison(f"ESAD with Deep SAD, gamma_l = {ratio}", "esad_table1", "method", "ESAD", "Deep SAD",
                       {"gamma_l": (ratio,)})
            for ratio in RATIOS
        ),
    ),
    Claim(
        "ESAD is the best on tables",
        "Section 4.4, Table 4: “ESAD shows the highest AUCs and stability”",
        against("ESAD", ("CAE", "Deep SVDD", "Deep SAD"), "esad_table4"),
    ),
    Claim(
        "Labels help ESAD",
        "Section 4.3, Table 1: “Results when gamma_l > 0 are much better than the results when gamma_l = 0”",
        tuple(
            Comparison(f"ESAD, gamma_l = {ratio} with 0", "esad_table1", "gamma_l", ratio, "0", ESAD)
            for ratio in RATIOS[1:]
        ),
    ),
    Claim(
        "The second encoder helps",
        "Section 4.5, Table 5: “without the second encoder, ESAD shows relatively low and unstable AUCs”",
        (design("enc2", "none"),),
    ),
    Claim(
        "The assistance helps",
        "Section 4.5, Table 5, and its supplement, Figure 5: “without the assistant loss, i.e., lambda_2 = 0, ESAD "
        "shows relatively low and unstable AUCs”",
        (design("enc2+ass", "enc2"), Comparison("lambda_2 = 1 with 0", "esad_fig5", "lambda_2", "1", "0")),
    ),
    Claim(
        "Transformed outliers (x-tilde) help",
        "Section 4.5, Table 5: “When the supervision is changed and x-tilde ≠ x, the AUCs are relatively higher”",
        (
            design("enc2+ass+gaussian", "enc2+ass"),
            design("enc2+ass+permutation", "enc2+ass"),
            design(ALL_PARTS, "enc2+ass"),
        ),
    ),
    Claim(
        "ESAD is least affected by pollution",
        "Supplement, Table 8: “ESAD is least affected by the pollution data and show the best robustness in all the "
        "polluted levels”",
        tuple(least_affected("esad_table8", ("CAE", "Deep SVDD", "Deep SAD"))),
    ),
    Claim(
        "lambda_1 = 1 is the best, and stable",
        "Section 4.5, Figure 2: “the best AUC can be obtained when lambda_1 is set to 1 in all the three datasets”",
        tuple(
            Comparison(f"lambda_1 = 1 with {value}", "esad_fig2", "lambda_1", "1", value)
            for value in ("0.01", "0.1", "10", "100")
        ),
    ),
)  # fmt: skip
