"""What a mean score is worth: a logistic regression of the label on out-of-fold means, every generator and every person alike."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from scipy.optimize import minimize

from .folds import Looked
from .report import by_recording


def means(looked: Looked, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Mean score, label, weight (each class adds up to 1/2) and group of each recording."""
    held = by_recording(looked, scores)
    rows = [looked.rows[i] for i in held]
    group = [r.generator if r.forged else "+".join(sorted(r.people)) for r in rows]
    count, forged = Counter(group), np.array([r.forged for r in rows])
    weight = np.array([1 / count[g] for g in group])
    for label in (0, 1):
        weight[forged == label] /= 2 * weight[forged == label].sum()
    return np.array(list(held.values())), forged, weight, group


def fit(score: np.ndarray, forged: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Slope and bias; nats at even odds."""
    sign = np.where(forged == 1, 1.0, -1.0)
    found = minimize(lambda t: float(weight @ np.logaddexp(0, -sign * (t[0] * score + t[1]))) + 1e-3 * t[0] ** 2, [0.5, 0.0])
    return float(found.x[0]), float(found.x[1])


def cost(llr: np.ndarray, forged: np.ndarray, weight: np.ndarray) -> float:
    """Cross-entropy at even odds, bits: 1 says nothing, 0 is perfect."""
    return float(weight @ np.logaddexp(0, np.where(forged == 1, -llr, llr))) / math.log(2)


def expected_error(llr: np.ndarray, forged: np.ndarray, weight: np.ndarray, bins: int = 8) -> float:
    """Expected calibration error: mean distance between what is promised and what is found, in bins of alike weight."""
    p, order = 1 / (1 + np.exp(-llr)), np.argsort(llr)
    edge = np.minimum((np.cumsum(weight[order]) * bins).astype(int), bins - 1)
    total = 0.0
    for k in range(bins):
        here = order[edge == k]
        if len(here):
            total += abs(weight[here] @ (p[here] - forged[here]))
    return float(total)


def told(looked: Looked, scores: np.ndarray) -> list[str]:
    """The manifest's table, and how good it is on groups that were left out of its fit in turn."""
    score, forged, weight, group = means(looked, scores)
    order = sorted(set(group))
    fold = np.array([order.index(g) % 5 for g in group])
    out = np.zeros(len(score))
    for k in range(5):
        slope, bias = fit(score[fold != k], forged[fold != k], weight[fold != k])
        out[fold == k] = slope * score[fold == k] + bias
    # No score may say more than there are independent groups to say it.
    bound = math.log(min(len({g for g, f in zip(group, forged) if f == label}) for label in (0, 1)) + 1)
    clipped = np.clip(out, -bound, bound)
    slope, bias = fit(score, forged, weight)
    return [f"# {int((forged == 0).sum())} genuine and {int(forged.sum())} forged recordings; cost {cost(clipped, forged, weight):.3f} bit, "
            f"calibration error {expected_error(clipped, forged, weight):.3f}", f"slope = {slope:.4f}", f"bias = {bias:.4f}",
            f"llr-min = {-bound:.2f}", f"llr-max = {bound:.2f}"]
