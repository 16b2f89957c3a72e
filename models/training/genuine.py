"""What genuine recordings let expect: ridge regressions of some numbers on others, each recording weighing the same.

A model that knows genuine recordings alone cannot learn a forger instead of the forged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Fewer recordings say nothing of people.
FEWEST = 10


@dataclass(frozen=True)
class Expected:
    """`given` (n x g) @ `weights` (g x j) + `bias` (j) is what to expect of `judged` (n x j). `spread` (j) is the standard deviation
    around it, of recordings left out in turn, and `explained` (j) the share of the variance that is left out no more.
    """

    weights: np.ndarray
    bias: np.ndarray
    spread: np.ndarray
    explained: np.ndarray

    def told(self) -> dict[str, list[float]]:
        """For the card."""
        return {"explained": self.explained.round(3).tolist(), "spread": self.spread.round(4).tolist()}


def fit(judged: np.ndarray, given: np.ndarray, names: np.ndarray, penalty: float) -> Expected:
    """`names` (n) are those of the recordings that the rows are of; `penalty` is in units of a recording."""
    recordings, counts = np.unique(names, return_counts=True)
    if len(recordings) < FEWEST:
        raise ValueError(f"{len(recordings)} genuine recordings: {FEWEST} at least are needed, of many people")
    share = 1 / counts[np.searchsorted(recordings, names)]
    mean = np.average(given, 0, share)
    scale = np.sqrt(np.average((given - mean) ** 2, 0, share)) + 1e-3
    x, level = (given - mean) / scale, np.average(judged, 0, share)
    y = judged - level

    def solved(rows: np.ndarray) -> np.ndarray:
        a = x[rows] * share[rows, None]
        return np.linalg.solve(a.T @ x[rows] + penalty * np.eye(x.shape[1]), a.T @ y[rows])
    left = np.concatenate([y[names == n] - x[names == n] @ solved(names != n) for n in recordings])
    order = np.concatenate([np.flatnonzero(names == n) for n in recordings])
    spread = np.sqrt(np.average(left**2, 0, share[order]))
    weights = solved(np.ones(len(x), bool)) / scale[:, None]
    return Expected(weights, level - mean @ weights, spread, 1 - spread**2 / np.average(y**2, 0, share))
