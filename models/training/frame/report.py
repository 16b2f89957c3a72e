"""What out-of-fold scores are worth: by recording, by generator, in pairs, with intervals."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from .folds import Looked
from .material import Row


def by_recording(looked: Looked, scores: np.ndarray, version: int = 0) -> dict[int, float]:
    """Mean score of each recording, by its place in the list."""
    use = (looked.version == version) & np.isfinite(scores)
    return {i: float(scores[use & (looked.row == i)].mean()) for i in np.unique(looked.row[use])}


def auc(genuine: np.ndarray, forged: np.ndarray, genuine_weight: np.ndarray | None = None, forged_weight: np.ndarray | None = None) -> float:
    """Chance that a forged one scores above a genuine one, each drawn by its weight."""
    if not len(genuine) or not len(forged):
        return float("nan")
    a = np.ones(len(genuine)) if genuine_weight is None else genuine_weight
    b = np.ones(len(forged)) if forged_weight is None else forged_weight
    above = (forged[:, None] > genuine[None]) + 0.5 * (forged[:, None] == genuine[None])
    return float(b @ above @ a / a.sum() / b.sum())


def _groups(rows: list[Row], places: list[int], forged: int) -> dict[str, list[int]]:
    out: dict[str, list[int]] = defaultdict(list)
    for i in places:
        if rows[i].forged == forged:
            out[rows[i].generator if forged else "+".join(sorted(rows[i].people))].append(i)
    return out


def pooled(rows: list[Row], means: dict[int, float], drawn: np.random.Generator | None = None) -> float:
    """AUC with every generator and every genuine person counting alike; of a bootstrap sample of both if there is a generator."""
    values, weights = [], []
    for forged in (0, 1):
        groups = list(_groups(rows, list(means), forged).values())
        if drawn is not None:
            groups = [groups[i] for i in drawn.integers(len(groups), size=len(groups))]
        values.append(np.array([means[i] for g in groups for i in g]))
        weights.append(np.array([1 / len(g) for g in groups for _ in g]))
    return auc(values[0], values[1], weights[0], weights[1])


def interval(rows: list[Row], means: dict[int, float], times: int = 400) -> tuple[float, float]:
    """95 % of a bootstrap over generators and people."""
    rng = np.random.default_rng(1)
    return tuple(np.quantile([pooled(rows, means, rng) for _ in range(times)], [0.025, 0.975]))


def in_pairs(rows: list[Row], means: dict[int, float]) -> tuple[float, float, int]:
    """Share of pairs in which the forged one scores higher (every pair counts alike), AUC over their recordings, number of pairs."""
    sides: dict[str, tuple[list, list]] = defaultdict(lambda: ([], []))
    for i, m in means.items():
        if rows[i].pair:
            sides[rows[i].pair][rows[i].forged].append(m)
    both = [(np.array(g), np.array(f)) for g, f in sides.values() if g and f]
    right = float(np.mean([auc(g, f) for g, f in both]))
    return right, auc(np.concatenate([g for g, _ in both]), np.concatenate([f for _, f in both])), len(both)


def by_generator(rows: list[Row], means: dict[int, float]) -> dict[str, tuple[float, int]]:
    """AUC of each generator's recordings against all genuine people, and their number."""
    people = _groups(rows, list(means), 0).values()
    genuine = np.array([means[i] for g in people for i in g])
    weight = np.array([1 / len(g) for g in people for _ in g])
    return {k: (auc(genuine, np.array([means[i] for i in v]), weight), len(v)) for k, v in sorted(_groups(rows, list(means), 1).items())}


def line(looked: Looked, scores: np.ndarray) -> str:
    """One line: all, mean over generators by kind, pairs."""
    means = by_recording(looked, scores)
    rows = looked.rows
    each = by_generator(rows, means)
    kinds = defaultdict(list)
    for r in rows:
        if r.forged and r.generator in each:
            kinds[r.kind].append(r.generator)
    told = " ".join(f"{k} {np.mean([each[g][0] for g in set(v)]):.3f}" for k, v in sorted(kinds.items()))
    right, in_pair, number = in_pairs(rows, means)
    return f"AUC {pooled(rows, means):.3f} | {told} | pairs {right:.3f} / {in_pair:.3f} ({number})"


def by_size(looked: Looked, scores: np.ndarray, edges: tuple[float, ...] = (40, 100, 200, 10_000)) -> list[tuple[str, float, int, int]]:
    """AUC over recordings by the width of the face, pixels: which, AUC, genuine and forged recordings."""
    means, out = by_recording(looked, scores), []
    px = {i: float(looked.px[looked.row == i].mean()) for i in means}
    for low, high in zip(edges, edges[1:]):
        some = {i: m for i, m in means.items() if low <= px[i] < high}
        forged = sum(looked.rows[i].forged for i in some)
        out.append((f"{low:.0f}-{high:.0f}" if high < 10_000 else f"{low:.0f}+", pooled(looked.rows, some), len(some) - forged, forged))
    return out


def told(looked: Looked, scores: np.ndarray) -> list[str]:
    """All of it, for people and for the card."""
    means, rows = by_recording(looked, scores), looked.rows
    low, high = interval(rows, means)
    lines = [line(looked, scores), f"95 % of a bootstrap over generators and people: {low:.3f}-{high:.3f}",
             f"degraded pictures: AUC {pooled(rows, by_recording(looked, scores, 1)):.3f}"]
    lines += [f"face {which} px: AUC {value:.3f} ({g} genuine, {f} forged)" for which, value, g, f in by_size(looked, scores)]
    kind = {r.generator: r.kind for r in rows}
    return lines + [f"| {g} | {kind[g]} | {n} | {value:.2f} |" for g, (value, n) in by_generator(rows, means).items()]
