"""Draws of rows other than an epoch's permutation, for `Method.draw_rows`. All are with replacement."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def draw_of(rows: Int64[Tensor, " m"], steps: int, size: int, source: torch.Generator) -> Int64[Tensor, "steps size"]:
    """Draw some of the given row numbers for each step."""
    return rows[torch.randint(len(rows), (steps, size), generator=source)]


def draw_pairs_of(
    rows: Int64[Tensor, " m"], steps: int, size: int, source: torch.Generator
) -> Int64[Tensor, "steps size 2"]:
    """Draw pairs of two different ones of the given row numbers; of a single one, pairs of it with itself."""
    first = torch.randint(len(rows), (steps, size), generator=source)
    further = torch.randint(1, max(len(rows), 2), (steps, size), generator=source)
    return rows[torch.stack([first, (first + further) % len(rows)], dim=2)]


def both_kinds(s: Float[Tensor, " n"]) -> tuple[Int64[Tensor, " u"], Int64[Tensor, " a"]]:
    """Give the numbers of the unlabelled and of the labelled rows; all rows in place of a kind that has none."""
    unlabelled, labelled = (s == 0).nonzero().squeeze(1), (s == 1).nonzero().squeeze(1)
    rows = torch.arange(len(s))
    return unlabelled if len(unlabelled) else rows, labelled if len(labelled) else rows


def draw_balanced(
    s: Float[Tensor, " n"], steps: int, batch_size: int, source: torch.Generator
) -> Int64[Tensor, "steps b"]:
    """Draw batches of which the first half, rounded up, is unlabelled and the rest labelled.

    Args:
        s: semi-labels of the rows.
        steps: batches.
        batch_size: rows in each.
        source: of random numbers.
    """
    unlabelled, labelled = both_kinds(s)
    half = batch_size // 2
    drawn = draw_of(unlabelled, steps, batch_size - half, source), draw_of(labelled, steps, half, source)
    return torch.cat(drawn, dim=1)


def draw_pairs(
    s: Float[Tensor, " n"], steps: int, batch_size: int, source: torch.Generator
) -> Int64[Tensor, "steps b 2"]:
    """Draw batches of pairs: a half of two unlabelled rows, a quarter mixed, a quarter of two labelled rows.

    An unlabelled row comes first in a mixed pair. What a batch has beyond whole quarters are pairs of unlabelled rows.

    Args:
        s: semi-labels of the rows.
        steps: batches.
        batch_size: pairs in each.
        source: of random numbers.
    """
    unlabelled, labelled = both_kinds(s)
    quarter = batch_size // 4
    neither = draw_pairs_of(unlabelled, steps, batch_size - 2 * quarter, source)
    mixed = [draw_of(rows, steps, quarter, source) for rows in (unlabelled, labelled)]
    both = draw_pairs_of(labelled, steps, quarter, source)
    return torch.cat([neither, torch.stack(mixed, dim=2), both], dim=1)


def draw_triplets(
    s: Float[Tensor, " n"], steps: int, batch_size: int, source: torch.Generator
) -> Int64[Tensor, "steps b 3"]:
    """Draw batches of triplets of two unlabelled rows and a labelled one.

    Args:
        s: semi-labels of the rows.
        steps: batches.
        batch_size: triplets in each.
        source: of random numbers.
    """
    unlabelled, labelled = both_kinds(s)
    return torch.stack([draw_of(rows, steps, batch_size, source) for rows in (unlabelled, unlabelled, labelled)], dim=2)


def draw_members(
    s: Float[Tensor, " n"], members: int, steps: int, batch_size: int, labelled: int, source: torch.Generator
) -> Int64[Tensor, "steps b m"]:
    """Draw a batch for each member of an ensemble: unlabelled rows of its own part, then labelled ones, of all.

    The part of member i are the unlabelled rows i, i + members, i + 2 members, ...; all of them, if that is none.

    Args:
        s: semi-labels of the rows.
        members: of the ensemble.
        steps: batches.
        batch_size: rows in each.
        labelled: how many of them are labelled.
        source: of random numbers.
    """
    drawn = []
    for part, anomalies in member_rows(s, members):
        kinds = draw_of(part, steps, batch_size - labelled, source), draw_of(anomalies, steps, labelled, source)
        drawn.append(torch.cat(kinds, dim=1))
    return torch.stack(drawn, dim=2)


def member_rows(s: Float[Tensor, " n"], members: int) -> Iterator[tuple[Int64[Tensor, " u"], Int64[Tensor, " a"]]]:
    """Give the numbers of the unlabelled and of the labelled rows of each member of an ensemble: see `draw_members`."""
    unlabelled, labelled = both_kinds(s)
    for member in range(members):
        part = unlabelled[member::members]
        yield part if len(part) else unlabelled, labelled
