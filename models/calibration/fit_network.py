#!/usr/bin/env python3
"""Fit the [model.calibration] of a network that watches a face (role face-signal).

    deepfake scan labelled/manifest.csv --extra-models mine/ --json scan.jsonl
    fit_network.py scan.jsonl --model my-swap-detector [--kind swap reenactment]

Reads the mean attack logit of each labelled recording and fits one slope and one bias by logistic regression with equal
weight of the two classes, so that the logit is a log-likelihood ratio whatever the shares of the classes (Pigeon et al.
2000). Recordings that share a person or a pair are one group: all groups of a class have equal weight, none is in the
fit that judges it, and the LLR is bounded by their number: with N groups of a class nothing rarer than 1 in N was seen.

Fit it on recordings that the network was not trained on, or it will be far too sure of itself.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np

FOLDS = 5
# Keeps the slope finite where the classes do not overlap: one error in this many groups is always possible.
RIDGE = 1e-2


def read(paths: list[Path], model: str, kinds: list[str]) -> list[tuple[float, float, bool, set[str]]]:
    """Mean score, mean width of the face, whether it is an attack, and what ties it to others, of each recording."""
    rows, names = [], set()
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                record = json.loads(line)
                scores = record["outcome"].get("model_scores", {})
                label = record["label"] or {}
                clip = record["clip"]
            except (ValueError, KeyError, TypeError, AttributeError):
                sys.exit(f"error: {path}, line {number} is no result of deepfake scan --json")
            names |= set(scores)
            seen = scores.get(model, {})
            attack, score = label.get("attack"), seen.get("mean_score")
            if attack is None or score is None or (
                    attack and not any(kind in (label.get("attack_type") or "") for kind in kinds)):
                continue
            people = [p.strip() for p in (label.get("identity_group") or "").split("|") if p.strip()]
            marks = {f"person {p}" for p in people} | ({f"pair {label['pair_id']}"} if label.get("pair_id") else set())
            rows.append((score, seen.get("mean_face_px") or 100.0, attack, marks or {f"clip {clip}"}))
    if not rows:
        sys.exit(f"error: no labelled recording with a score of {model!r}; there are scores of: "
                 f"{', '.join(sorted(names)) or 'no network at all (--extra-models?)'}")
    return rows


def groups(rows: list[tuple[float, float, bool, set[str]]]) -> np.ndarray:
    """The number of each recording's group: those that have a mark in common, however far round."""
    parent = list(range(len(rows)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    first: dict[str, int] = {}
    for i, row in enumerate(rows):
        for mark in row[3]:
            parent[root(i)] = root(first.setdefault(mark, i))
    return np.array([root(i) for i in range(len(rows))])


def weights(y: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Half of all weight to each class, shared evenly by its groups."""
    w = np.zeros(len(y))
    for label in (0.0, 1.0):
        of_class = y == label
        for g in set(group[of_class]):
            these = of_class & (group == g)
            w[these] = 0.5 / len(set(group[of_class])) / these.sum()
    return w


def logistic(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Weighted logistic regression by Newton's method; the last coefficient is the bias."""
    x = np.column_stack([x, np.ones(len(x))])
    ridge = np.diag([RIDGE] * (x.shape[1] - 1) + [1e-9])
    beta = np.zeros(x.shape[1])
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        step = np.linalg.solve((x * (w * p * (1 - p))[:, None]).T @ x + ridge, x.T @ (w * (y - p)) - ridge @ beta)
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    return beta


def fit(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """As `logistic`, on scores of unit spread, so that the ridge means the same for every network."""
    scale = np.maximum(x.std(axis=0), 1e-6)
    beta = logistic(x / scale, y, w)
    beta[:-1] /= scale
    return beta


def auc(y: np.ndarray, s: np.ndarray) -> float:
    """Area under the curve; ties count half."""
    a, g = s[y == 1][:, None], s[y == 0][None, :]
    return float(((a > g) + 0.5 * (a == g)).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", nargs="+", type=Path, help="what deepfake scan --json wrote")
    parser.add_argument("--model", required=True, help="name of the model in its manifest")
    parser.add_argument("--kind", nargs="+", default=[""], help="only attacks whose type has one of these in its name")
    parser.add_argument("--size", action="store_true", help="fit size-slope too")
    parser.add_argument("--data", default="", help="what the recordings are, for people")
    arguments = parser.parse_args()
    rows = read(arguments.scans, arguments.model, arguments.kind)
    y = np.array([float(r[2]) for r in rows])
    if len(set(y)) < 2:
        sys.exit("error: there must be genuine recordings and attacks")
    score, size = np.array([r[0] for r in rows]), np.array([math.log(max(r[1], 1) / 100) for r in rows])
    x = np.column_stack([score, size]) if arguments.size else score[:, None]
    group = groups(rows)
    least = min(len(set(group[y == label])) for label in (0.0, 1.0))
    order = sorted(set(group))
    fold = np.array([order.index(g) % FOLDS for g in group])
    out = np.zeros(len(y))
    for k in range(FOLDS):
        rest, these = fold != k, fold == k
        if len(set(y[rest])) < 2:
            sys.exit("error: too few independent groups of recordings to check the fit")
        beta = fit(x[rest], y[rest], weights(y[rest], group[rest]))
        out[these] = x[these] @ beta[:-1] + beta[-1]
    beta = fit(x, y, weights(y, group))
    bound = math.log(least + 1)
    w = weights(y, group)
    clipped = np.clip(out, -bound, bound)
    cost = float((w * np.logaddexp(0, np.where(y == 1, -clipped, clipped))).sum() / math.log(2))
    print(f"# {int((y == 0).sum())} genuine and {int((y == 1).sum())} attacked recordings, {least} independent groups in "
          f"the smaller class", file=sys.stderr)
    print(f"# AUC {auc(y, score):.3f}; cross-validated: AUC {auc(y, out):.3f}, cost {cost:.3f} bit (1 says nothing, "
          f"0 is perfect)", file=sys.stderr)
    if beta[0] <= 0 or cost >= 1:
        print("# this network says nothing useful here: leave it without a calibration", file=sys.stderr)
        beta = np.array([0.0] * len(beta))
    print("[model.calibration]")
    print(f"slope = {beta[0]:.4f}\nbias = {beta[-1]:.4f}")
    if arguments.size:
        print(f"size-slope = {beta[1]:.4f}")
    print(f"llr-min = {-bound:.2f}\nllr-max = {bound:.2f}")
    if arguments.data:
        print(f"data = {json.dumps(arguments.data)}")


if __name__ == "__main__":
    main()
