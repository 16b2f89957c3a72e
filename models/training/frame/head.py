"""The head: what the surroundings of a face let expect of it, and a logistic regression on what they do not.

A ridge regression, fitted on genuine faces alone, says from the tokens around a face what the tokens within are to be like: camera,
light and codec are in both. What is left over, divided by its spread over genuine faces, is what the logistic regression sees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

#: Places of what is pooled (see frame_network.POOLS): what is judged, and what it is expected from.
CLASS, INSIDE, OUTSIDE, LOWER, UPPER, INSIDE_SPREAD, OUTSIDE_SPREAD = range(7)


@dataclass(frozen=True)
class Shape:
    """What a head looks at, and how hard it is held back."""

    #: Places among the blocks that the features have.
    blocks: tuple[int, ...] = (1, 2, 3)
    #: Pools that are judged as they are, and those that are judged less what is expected of them.
    plain: tuple[int, ...] = ()
    residual: tuple[int, ...] = (INSIDE, LOWER, UPPER, INSIDE_SPREAD)
    given: tuple[int, ...] = (OUTSIDE, OUTSIDE_SPREAD)
    #: Of the ridge, in units of a mean variance.
    ridge: float = 3.0
    #: Directions of the most variance that are kept, and whether each is divided by its spread over genuine faces.
    kept: int = 256
    whiten: float = 0.0
    #: Of the squared weights.
    penalty: float = 0.01
    #: Share of the loss that asks a forged face to score above the genuine one of its pair.
    pairs: float = 0.0


@dataclass
class Head:
    """score = features (flat, as `flat` gives) @ weights + bias."""

    weights: np.ndarray
    bias: float
    shape: Shape

    def __call__(self, features: np.ndarray) -> np.ndarray:
        return flat(features, self.shape) @ self.weights + self.bias


def used(shape: Shape) -> list[int]:
    """Pools that a score depends on, in order."""
    return sorted({*shape.plain, *shape.residual, *(shape.given if shape.residual else ())})


def flat(features: np.ndarray, shape: Shape) -> np.ndarray:
    """n x blocks x pools x width to n x what the head depends on."""
    return features[:, list(shape.blocks)][:, :, used(shape)].reshape(len(features), -1).astype(np.float32)


def _columns(shape: Shape, pools: tuple[int, ...], block: int, width: int) -> np.ndarray:
    """Places of a block's pools in what `flat` gives."""
    here = used(shape)
    return np.concatenate([np.arange(width) + (block * len(here) + here.index(p)) * width for p in pools])


def _spread(x: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    share = share.astype(np.float32)
    mean = share @ x
    return mean, np.sqrt(share @ (x - mean) ** 2) + 1e-4


def expected(x: np.ndarray, y: np.ndarray, share: np.ndarray, penalty: float) -> np.ndarray:
    """Ridge regression of y (n x j) on x (n x g), both of mean 0 and spread 1, `share` adding up to 1: g x j."""
    a = x * share[:, None].astype(np.float32)
    return np.linalg.solve(a.T @ x + penalty * np.eye(x.shape[1], dtype=x.dtype) / 10, a.T @ y)


def fit(features: np.ndarray, forged: np.ndarray, share: np.ndarray, pairs: np.ndarray, shape: Shape) -> Head:
    """`features` n x blocks x pools x width; `forged` n, 0 or 1; `share` n, adding up to 1 in each class; `pairs` m x 2, rows of a forged
    and of a genuine face of one pair.
    """
    width, x = features.shape[-1], flat(features, shape)
    genuine = forged == 0
    level, spread = _spread(x[genuine], share[genuine])
    z = (x - level) / spread
    # What is judged, as numbers and as what they are made of: places of the numbers that come in, and weights of those given.
    judged, made = [], []
    for block in range(len(shape.blocks)):
        if shape.plain:
            at = _columns(shape, shape.plain, block, width)
            judged.append(z[:, at])
            made.append((at, None, None))
        if shape.residual:
            at, given = _columns(shape, shape.residual, block, width), _columns(shape, shape.given, block, width)
            w = expected(z[genuine][:, given], z[genuine][:, at], share[genuine], shape.ridge)
            judged.append(z[:, at] - z[:, given] @ w)
            made.append((at, given, w))
    r = np.concatenate(judged, 1)
    middle, scale = _spread(r[genuine], share[genuine])
    r = (r - middle) / scale
    # Directions of the most variance, of both classes alike.
    both = share / 2
    centre = both @ r
    vectors = _directions((r - centre) * np.sqrt(both)[:, None].astype(np.float32), shape.kept)
    t = (r - centre) @ vectors
    by = np.ones(t.shape[1])
    if shape.whiten:
        vary = np.sqrt(share[genuine] @ (t[genuine] - share[genuine] @ t[genuine]) ** 2)
        by = 1 / np.maximum(vary, 1e-2 * vary.max()) ** shape.whiten
    by = by / np.sqrt((both @ (t * by) ** 2).mean())
    theta = _logistic((t * by).astype(np.float64), forged, both, pairs, shape)
    # Back to the numbers that come in.
    v = (vectors @ (by * theta[:-1])) / scale
    bias = theta[-1] - (middle + centre * scale) @ v
    u, start = np.zeros(x.shape[1]), 0
    for at, given, w in made:
        part = v[start:start + len(at)]
        start += len(at)
        u[at] += part
        if given is not None:
            u[given] -= w @ part
    u = u / spread
    return Head(u.astype(np.float32), float(bias - level @ u), shape)


def _directions(c: np.ndarray, kept: int) -> np.ndarray:
    """The `kept` directions (columns) in which the rows of `c` vary most, by a randomised decomposition; the same on every run."""
    if min(c.shape) <= kept + 16:
        return np.linalg.svd(c, full_matrices=False)[2][:kept].T
    probe = np.random.default_rng(0).standard_normal((c.shape[1], kept + 16)).astype(np.float32)
    for _ in range(3):
        probe = np.linalg.qr(c.T @ np.linalg.qr(c @ probe)[0])[0]
    _, _, turned = np.linalg.svd(c @ probe, full_matrices=False)
    return probe @ turned[:kept].T


def _logistic(t: np.ndarray, forged: np.ndarray, share: np.ndarray, pairs: np.ndarray, shape: Shape) -> np.ndarray:
    sign = np.where(forged == 1, 1.0, -1.0)
    d = t[pairs[:, 0]] - t[pairs[:, 1]] if shape.pairs and len(pairs) else None

    def cost(theta: np.ndarray) -> tuple[float, np.ndarray]:
        w, b = theta[:-1], theta[-1]
        m = sign * (t @ w + b)
        p = share * -sign / (1 + np.exp(np.clip(m, -40, 40)))
        loss = share @ np.logaddexp(0, -m) + shape.penalty * w @ w / 2
        gradient = np.append(t.T @ p + shape.penalty * w, p.sum())
        if d is not None:
            k = d @ w
            q = -1 / (1 + np.exp(np.clip(k, -40, 40))) / len(d)
            loss += shape.pairs * np.logaddexp(0, -k).mean()
            gradient[:-1] += shape.pairs * (d.T @ q)
        return float(loss), gradient

    return minimize(cost, np.zeros(t.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
