"""Where a query's own item stands among all, and how often it stands near the front."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RANKS = (1, 5, 10)
"""How many of the first items are looked at."""


def ranks_among(similar: np.ndarray) -> list[int]:
    """How many items come before each query's own; those as similar as it do.

    Args:
        similar: (Q, N) similarities; the own item of query i is item i. NaN rows find nothing.
    """
    own = similar.diagonal()[:, None]
    return [
        int(n) - 1 if known else similar.shape[1]
        for n, known in zip((similar >= own).sum(1), np.isfinite(own[:, 0]), strict=True)
    ]


def recalls(before: Sequence[int]) -> dict[int, float]:
    """Share of queries whose own item is among the first so many, for each of `RANKS`.

    Args:
        before: How many items come before each query's own, of at least one query.
    """
    return {k: sum(n < k for n in before) / len(before) for k in RANKS}
