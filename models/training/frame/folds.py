"""Cross-validation by generator and by person, and what comes out of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from .head import Head, Shape, fit
from .material import OWN, Row


@dataclass
class Looked:
    """All looks: `features` n x blocks x pools x width, and the row each is of, its version, its second and its face's width, pixels."""

    rows: list[Row]
    features: np.ndarray
    row: np.ndarray
    version: np.ndarray
    seconds: np.ndarray
    px: np.ndarray


def training_rows(rows: list[Row], fold: int) -> np.ndarray:
    """Rows to train on when `fold` is tested: none of its generators, and nobody of its people."""
    tested = [r for r in rows if r.fold == fold]
    people = frozenset().union(*(r.people for r in tested))
    generators = {r.generator for r in tested if r.forged}
    return np.array([r.fold != fold and not r.people & people and not (r.forged and r.generator in generators) for r in rows])


def shares(rows: list[Row], row: np.ndarray, even: float = 1.0) -> np.ndarray:
    """Weights of looks, adding up to 1 in each class. Every generator counts alike (as its number of recordings to the power
    `1 - even`), and every recording of it; every genuine person counts alike."""
    looks = Counter(row.tolist())
    group = [r.generator if r.forged else "+".join(sorted(r.people)) for r in rows]
    members: dict[tuple, set] = defaultdict(set)
    for i in looks:
        members[(rows[i].forged, group[i])].add(i)
    weight = np.zeros(len(row))
    for at, i in enumerate(row):
        size = len(members[(rows[i].forged, group[i])])
        weight[at] = size ** (1 - even) / size / looks[i]
    forged = np.array([rows[i].forged for i in row])
    for label in (0, 1):
        weight[forged == label] /= weight[forged == label].sum()
    return weight


def pairs_of(rows: list[Row], row: np.ndarray, version: np.ndarray, rng: np.random.Generator, each: int = 40) -> np.ndarray:
    """Places of forged and genuine looks of one pair and one version, m x 2."""
    sides: dict[tuple, tuple[list, list]] = defaultdict(lambda: ([], []))
    for at, (i, v) in enumerate(zip(row, version)):
        if rows[i].pair:
            sides[(rows[i].pair, int(v))][rows[i].forged].append(at)
    out = []
    for genuine, forged in sides.values():
        if genuine and forged:
            out.append(np.stack([rng.choice(forged, each), rng.choice(genuine, each)], 1))
    return np.concatenate(out) if out else np.zeros((0, 2), int)


@dataclass(frozen=True)
class Member:
    """One of the heads whose sum is the score: `kinds` of forgery that it learns from, and whether from swaps of our own making too."""

    shape: Shape
    kinds: tuple[str, ...]
    own: bool


def train(looked: Looked, which: np.ndarray, members: list[Member]) -> Head:
    """A head on the rows `which` (a flag each): the sum of the members', each divided by its spread over genuine faces."""
    heads = []
    for m in members:
        learned = np.array([not r.forged or (r.kind in m.kinds and (m.own or r.fold != OWN)) for r in looked.rows])
        use = (which & learned)[looked.row]
        row, version = looked.row[use], looked.version[use]
        forged, share = np.array([looked.rows[i].forged for i in row]), shares(looked.rows, row)
        pairs = pairs_of(looked.rows, row, version, np.random.default_rng(0)) if m.shape.pairs else np.zeros((0, 2), int)
        head = fit(looked.features[use], forged, share, pairs, m.shape)
        score, weight = head(looked.features[use][forged == 0]), share[forged == 0]
        level = weight @ score
        spread = np.sqrt(weight @ (score - level) ** 2)
        heads.append((head.weights / spread, (head.bias - level) / spread))
    return Head(np.sum([w for w, _ in heads], 0).astype(np.float32), float(sum(b for _, b in heads)), members[0].shape)


def out_of_fold(looked: Looked, members: list[Member]) -> np.ndarray:
    """A score for each look, of the head that was trained without its generator and its people; nan for swaps of our own making."""
    out = np.full(len(looked.row), np.nan)
    fold = np.array([r.fold for r in looked.rows])
    for k in sorted(set(fold) - {OWN}):
        head = train(looked, training_rows(looked.rows, k), members)
        test = fold[looked.row] == k
        out[test] = head(looked.features[test])
    return out
