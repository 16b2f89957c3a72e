"""Fewer numbers a token: the directions in which the tokens of genuine faces vary most.

They are found without a label and once for all folds; a head on them is a head on the tokens themselves, see `expanded`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .folds import Looked
from .head import CLASS, INSIDE, INSIDE_SPREAD, LOWER, OUTSIDE, OUTSIDE_SPREAD, UPPER, Head, used

#: Pools that share their directions.
ALIKE = [(CLASS,), (INSIDE, OUTSIDE, LOWER, UPPER), (INSIDE_SPREAD, OUTSIDE_SPREAD)]
#: Numbers that are kept of each pool.
KEPT = 112


@dataclass(frozen=True)
class Bases:
    """`directions` blocks x pools x width x kept."""

    directions: np.ndarray


def bases(looked: Looked, kept: int = KEPT) -> Bases:
    """Of the genuine faces as they are (version 0)."""
    genuine = np.array([not looked.rows[i].forged for i in looked.row]) & (looked.version == 0)
    some = looked.features[genuine].astype(np.float32)
    _, blocks, pools, width = some.shape
    out = np.zeros((blocks, pools, width, min(kept, width)), np.float32)
    for block in range(blocks):
        for group in ALIKE:
            x = some[:, block, list(group)].reshape(-1, width)
            x = x - x.mean(0)
            _, vectors = np.linalg.eigh(x.T @ x)
            out[block, list(group)] = vectors[:, ::-1][:, :out.shape[-1]]
    return Bases(out)


def compressed(looked: Looked, to: Bases) -> Looked:
    """The same looks with fewer numbers a pool."""
    out = np.empty((*looked.features.shape[:3], to.directions.shape[-1]), np.float32)
    for block in range(out.shape[1]):
        for pool in range(out.shape[2]):
            out[:, block, pool] = looked.features[:, block, pool].astype(np.float32) @ to.directions[block, pool]
    return replace(looked, features=out)


def expanded(head: Head, of: Bases) -> Head:
    """The head for the tokens as the transformer leaves them."""
    blocks, pools, kept = list(head.shape.blocks), used(head.shape), of.directions.shape[-1]
    weights = head.weights.reshape(len(blocks), len(pools), kept)
    full = [[of.directions[b, p] @ weights[i, j] for j, p in enumerate(pools)] for i, b in enumerate(blocks)]
    return replace(head, weights=np.array(full, np.float32).ravel())
