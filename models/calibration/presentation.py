#!/usr/bin/env python3
"""Score and calibrate the network of presentation attacks (`presentation-network`) on genuine recordings and on renders.

    presentation.py score --folders recordings more --clips models/fetched/clips --stills portraits --out scores.csv
    presentation.py fit scores.csv

`score` shows the network the faces of recordings as the manifest says (twice a second), then renders of prints and
screens (`training/recapture.py`, in whole pictures and held into another scene) of one recording of every person and
of portraits, and the same pictures through the same camera and encoder without a medium, as a control. `fit` prints the table
`[model.calibration]`, and what it does to every person's genuine recordings. Needs the packages of models/training.

A render is no attack: it shows which way the score goes and no more. So the bias comes from the genuine side alone, the slope is
half of what the renders would give, and both are checked on people that had no part in the fit.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import re
import sys
import tomllib
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fit_network import auc, logistic, weights

MODELS = Path(__file__).resolve().parents[1]
NAME = "presentation-network"
#: Pictures a second, seconds of a window, and pictures that a window must have.
RATE, WINDOW, LEAST = 2.0, 3.0, 3
#: Seconds of a genuine recording at most, and pictures of a render.
MOST, SHOWN = 60.0, 4
#: No person may have more than this share of windows above so many nats.
SHARE, NATS = 0.01, 1.0
#: Of the slope that the renders give, so much is kept.
KEPT = 0.5
FOLDS = 5
#: The same people under several names, as the manifests have them.
SAME = [("audun", "audun|cap12|cap13"), ("franck", "franck"), ("ng", r"a\.ng|andrew ng"), ("li", r"f\.li|fei-fei li"), ("obama", "obama"),
        ("noem", "noem"), ("casey", "casey"), ("trump", "trump"), ("proctoring", "proctoring"), ("kath", "kath_"),
        ("furious", "furious|grimacing"), ("glasses-curly", "curly hair"), ("luoxiang", "luo ?xiang"), ("arj-1", "arj_m1"), ("incluit-beard", "incluit-man-beard")]


@dataclass
class Clip:
    """One face to be scored: a recording or a part of it; `label` is genuine, fake or attack."""

    path: Path
    name: str
    label: str
    kind: str
    person: str
    part: tuple[int, int, int, int] | None = None


def person_of(people: str) -> str:
    """One name for each person."""
    low = people.lower()
    return next((name for name, pattern in SAME if re.search(pattern, low)), low)


def clips_of(folder: Path) -> Iterator[Clip]:
    """The faces that a folder's manifest.csv names; of a composite its parts, one by one."""
    with (folder / "manifest.csv").open(newline="") as text:
        for row in csv.DictReader(text):
            label, people, parts = row.get("label") or "genuine", row["people"], row.get("parts") or ""
            name, path = f"{folder.name}/{Path(row['file']).name}", folder / row["file"]
            named = re.findall(r"(\w[\w ]*)\((genuine|fake)\):(\d+),(\d+),(\d+),(\d+)", parts)
            named += [(side, label, *box) for side, *box in re.findall(r"(left|right) (\d+),(\d+),(\d+),(\d+)", parts)]
            for what, of, *box in named:
                who = people if of == label and len(named) == 1 else f"{people} {what.strip()}"
                if match := re.search(r"driver: (.*)", people) if what.strip() == "driving" else None:
                    who = match[1]
                yield Clip(path, f"{name}#{what.strip()}", of, folder.name, person_of(who), tuple(map(int, box)))
            if not named and "source still" not in parts:
                yield Clip(path, name, label, folder.name, person_of(people))


class Scorer:
    """The network, fed as its manifest entry says."""

    def __init__(self) -> None:
        import onnxruntime as ort
        from training.landmarks import FaceFinder

        import cv2

        cv2.setNumThreads(1)
        manifest = tomllib.loads((MODELS / "manifest.toml").read_text())
        self.entry = next(m for m in manifest["model"] if m["name"] == NAME)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(str(MODELS / self.entry["file"]), options, providers=["CPUExecutionProvider"])
        self.finder = FaceFinder(mesh="face-mesh-v2")
        self.genuine = self.entry["output"][0]["genuine-class"]

    def picture(self, rgb: np.ndarray, follow: bool = False) -> tuple[float, float] | None:
        """Attack logit of the face that is followed, or of the clearest one, and the face's width; `None` if there is none that
        is wide enough."""
        from training.crops import box

        face = self.finder.find(np.ascontiguousarray(rgb), follow)
        if face is None or face.width < self.entry["min-face"]:
            return None
        side, crop = self.entry["input"][0]["shape"][-1], self.entry["crop"]
        seen = box(rgb, face.points, side, crop["scale"])[:, :, ::-1].astype(np.float32)
        (out,) = self.session.run(None, {self.entry["input"][0]["name"]: np.ascontiguousarray(seen.transpose(2, 0, 1))[None]})
        logits = out.reshape(-1).astype(np.float64)
        return float(np.logaddexp.reduce(np.delete(logits, self.genuine)) - logits[self.genuine]), face.width


def pictures(clip: Clip, most: float) -> Iterator[tuple[float, np.ndarray]]:
    """RATE pictures a second of a clip, with their times, of `most` seconds at most."""
    from training import video

    fps = video.rate(clip.path)
    step = max(1, round(fps / RATE))
    for index, rgb in video.picked(clip.path, range(0, int(most * fps), step)):
        if clip.part:
            x, y, w, h = clip.part
            rgb = rgb[y:y + h, x:x + w]
        yield index / fps, np.ascontiguousarray(rgb)


def still(path: Path) -> np.ndarray:
    import cv2

    return cv2.imread(str(path), cv2.IMREAD_COLOR)[:, :, ::-1]


# ---- renders ----------------------------------------------------------------------------


def at_most(rgb: np.ndarray, side: int) -> np.ndarray:
    import cv2

    scale = min(1.0, side / max(rgb.shape[:2]))
    return cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else rgb


def camera(rng: np.random.Generator, shown: list[np.ndarray]) -> list[np.ndarray]:
    """What a webcam and one encoder do to pictures; the same for attacks and for the control."""
    import cv2
    from training import video

    blur, noise, gain, crf = rng.uniform(0.3, 0.9), rng.uniform(0.6, 3.0), rng.uniform(0.9, 1.08), int(rng.integers(18, 30))
    out = []
    for rgb in shown:
        seen = cv2.GaussianBlur(rgb.astype(np.float32), (0, 0), blur) * gain + rng.normal(0, noise, rgb.shape)
        out.append(np.ascontiguousarray(np.clip(seen, 0, 255).astype(np.uint8)[: rgb.shape[0] // 2 * 2, : rgb.shape[1] // 2 * 2]))
    return video.through_codec(out, "h264", crf, fps=2)


def hand(rng: np.random.Generator, frames: int, corners: np.ndarray, size: float) -> list[np.ndarray]:
    """Where the corners of what is held are in each picture: sway, turn and tilt."""
    out, sway, turn, tilt = [], rng.uniform(0.0, 0.03), rng.uniform(0, 2.5), rng.uniform(0, 0.05)
    middle = corners.mean(0)
    base = rng.normal(0, 0.03, (4, 2)) * size
    for _ in range(frames):
        a = np.deg2rad(rng.normal(0, turn))
        turned = (corners - middle) @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) + middle
        out.append((turned + base + rng.normal(0, tilt / 3, (4, 2)) * size + rng.normal(0, sway, 2) * size).astype(np.float32))
    return out


def rendered(rng: np.random.Generator, frames: list[np.ndarray], width: float, medium: str, held: bool, scene: np.ndarray) -> list[np.ndarray]:
    """`frames` (of a face `width` pixels wide) on a medium before the camera: filling the picture, or held into a `scene`."""
    import cv2
    from training.recapture import recaptured

    seed = int(rng.integers(1 << 31))
    fill = rng.uniform(0.5, 0.92) if held else 1.0
    h0, w0 = frames[0].shape[:2]
    height, wide = (480, 640) if held else (h0, w0)
    scale = fill * min(height / h0, wide / w0) if held else 1.0
    h, w = max(int(h0 * scale), 16), max(int(w0 * scale), 16)
    edge = int(rng.uniform(0.02, 0.08) * h) if held else 0
    # A page is brighter than its picture, a screen has a dark frame.
    border = float(rng.uniform(190, 245) if medium == "print" else rng.uniform(5, 45))
    x, y = ((wide - w - 2 * edge) * rng.uniform(0.3, 0.7), (height - h - 2 * edge) * rng.uniform(0.2, 0.8)) if held else (-0.02 * w, -0.02 * h)
    size = np.array([w + 2 * edge, h + 2 * edge]) if held else np.array([1.04 * w, 1.04 * h])
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size + [x, y]
    back = cv2.GaussianBlur(cv2.resize(scene, (wide, height)), (0, 0), rng.uniform(8, 20)) if held else None
    out = []
    places = hand(rng, len(frames), corners, float(h) if held else 0.25 * h)
    for rgb, place in zip(frames, places):
        shown = cv2.resize(rgb, (w, h), interpolation=cv2.INTER_AREA)
        media, _ = recaptured(np.random.default_rng(seed), shown, width * w / w0, medium)
        media = cv2.copyMakeBorder(media.astype(np.float32), edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=[border] * 3)
        mh, mw = media.shape[:2]
        m = cv2.getPerspectiveTransform(np.array([[0, 0], [mw, 0], [mw, mh], [0, mh]], np.float32), place)
        mode = cv2.BORDER_CONSTANT if held else cv2.BORDER_REPLICATE
        seen = cv2.warpPerspective(media, m, (wide, height), flags=cv2.INTER_LINEAR, borderMode=mode)
        if held:
            mask = cv2.warpPerspective(np.ones((mh, mw), np.float32), m, (wide, height), flags=cv2.INTER_LINEAR)[..., None]
            seen = seen * mask + back * (1 - mask)
        out.append(np.clip(seen, 0, 255).astype(np.uint8))
    return out


def renders(scorer: Scorer, sources: list[tuple[str, str, list[np.ndarray]]]) -> Iterator[tuple[Clip, float, np.ndarray]]:
    """Prints and screens of `sources` (name, person, pictures), and the control, picture by picture."""
    for place, (name, person, frames) in enumerate(sources):
        frames = [at_most(f, 720) for f in frames]
        found = scorer.finder.find(np.ascontiguousarray(frames[0]), follow=False)
        if found is None or found.width < 60 or len(frames) < LEAST:
            continue
        scene = sources[(place + 7) % len(sources)][2][0]
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        for medium, held in itertools.product(("print", "screen"), (False, True)):
            shown = [frames[0]] * len(frames) if medium == "print" else frames
            kind = f"{medium}-{'held' if held else 'full'}"
            made = camera(rng, rendered(rng, shown, found.width, medium, held, scene))
            for i, rgb in enumerate(made):
                yield Clip(Path(name), f"{kind}/{name}", "attack", kind, person), i / RATE, rgb
        for i, rgb in enumerate(camera(rng, frames)):
            yield Clip(Path(name), f"control/{name}", "genuine", "control", person), i / RATE, rgb


def score(arguments: argparse.Namespace) -> None:
    sys.path.insert(0, str(MODELS))
    clips = [c for folder in arguments.folders for c in clips_of(folder)]
    if arguments.clips:
        clips += [Clip(p, f"clips/{p.name}", "genuine", "clips", person_of(p.stem)) for p in sorted(arguments.clips.glob("*.mp4"))]
    scorer = Scorer()
    first: dict[str, tuple[str, str, list[np.ndarray]]] = {}
    with arguments.out.open("w", newline="") as text:
        out = csv.writer(text)
        out.writerow(["clip", "label", "kind", "person", "time_s", "score", "face_px"])

        def told(clip: Clip, time: float, rgb: np.ndarray, follow: bool = False) -> bool:
            if (seen := scorer.picture(rgb, follow)) is not None:
                out.writerow([clip.name, clip.label, clip.kind, clip.person, f"{time:.2f}", f"{seen[0]:.3f}", f"{seen[1]:.0f}"])
            return seen is not None

        for clip in clips:
            kept, count = [], 0
            scorer.finder.roi = None
            for time, rgb in pictures(clip, MOST if clip.label == "genuine" else MOST / 6):
                if told(clip, time, rgb, True) and len(kept) < SHOWN:
                    kept.append(rgb)
                count += 1
            print(f"{clip.name}: {count} pictures", flush=True)
            if clip.label == "genuine" and kept and clip.person not in first:
                first[clip.person] = (clip.name, clip.person, kept)
        sources = list(first.values())
        for path in sorted(arguments.photos.glob("*.mp4")) if arguments.photos else []:
            who, kind, *_ = re.split("__(?=photo)|-\\d+$", path.stem)
            who = who.removeprefix("clip_").removeprefix("clm_")
            clip = Clip(path, f"photo/{path.name}", "attack", kind, next((c.person for c in clips if c.path.stem == who), person_of(who)))
            scorer.finder.roi = None
            for time, rgb in pictures(clip, MOST / 6):
                told(clip, time, rgb, True)
        for folder in arguments.stills or []:
            # Few portraits of each set, the same on every run.
            groups = defaultdict(list)
            for path in sorted(folder.glob("*.jp*g")) + sorted(folder.glob("*.png")):
                groups[path.name.split("_")[0]].append(path)
            for paths in groups.values():
                for path in paths[:: max(1, len(paths) // arguments.portraits)][: arguments.portraits]:
                    sources.append((path.name, "_".join(path.stem.split("_")[:2]), [at_most(still(path), 720)] * SHOWN))
        for clip, time, rgb in renders(scorer, sources):
            told(clip, time, rgb)
        print(f"renders of {len(sources)} recordings and portraits", flush=True)


# ---- fit --------------------------------------------------------------------------------


@dataclass
class Windows:
    """Mean scores of WINDOW seconds, with what they are of."""

    score: np.ndarray
    attack: np.ndarray
    person: np.ndarray
    kind: np.ndarray
    clip: np.ndarray


def windows(path: Path) -> Windows:
    parts = defaultdict(list)
    with path.open(newline="") as text:
        for row in csv.DictReader(text):
            if row["label"] in ("genuine", "attack"):
                key = (row["clip"], row["person"], row["kind"], row["label"], int(float(row["time_s"]) // WINDOW))
                parts[key].append(float(row["score"]))
    # A recording shorter than a window counts with what it has.
    whole = {key[0] for key, scores in parts.items() if len(scores) >= LEAST}
    rows = [(np.mean(s), k) for k, s in parts.items() if len(s) >= LEAST or k[0] not in whole]
    column = lambda i: np.array([k[i] for _, k in rows])  # noqa: E731
    return Windows(np.array([s for s, _ in rows]), column(3) == "attack", column(1), column(2), column(0))


def highest(scores: np.ndarray) -> float:
    """What at most SHARE of a person's windows are above: with fewer than 1 / SHARE windows, the highest."""
    return float(np.sort(scores)[len(scores) - 1 - int(SHARE * len(scores))])


def calibrated(w: Windows, used: np.ndarray) -> tuple[float, float]:
    """Slope and bias from the windows that are `used`."""
    y = w.attack[used].astype(float)
    scale = w.score[used].std()
    slope = KEPT * logistic(w.score[used][:, None] / scale, y, weights(y, w.person[used]))[0] / scale
    genuine = used & ~w.attack
    tail = max(highest(w.score[genuine & (w.person == p)]) for p in set(w.person[genuine]))
    return float(slope), float(NATS - slope * tail)


def shown(title: str, scores: np.ndarray) -> str:
    q = np.percentile(scores, [5, 25, 50, 75, 95, 100])
    return f"{title:28} {len(scores):5}  " + "  ".join(f"{v:6.2f}" for v in q)


def fit(arguments: argparse.Namespace) -> None:
    w = windows(arguments.scores)
    print(f"windows of {WINDOW:g} s                    n      5 %    25 %    50 %    75 %    95 %     most")
    for label, these in (("genuine", ~w.attack), ("attack", w.attack)):
        for kind in sorted(set(w.kind[these])):
            print(shown(f"{label} {kind}", w.score[these & (w.kind == kind)]))
    for kind in sorted(set(w.kind[w.attack])):
        used = ~w.attack | (w.kind == kind)
        print(f"AUC {kind}: {auc(w.attack[used].astype(float), w.score[used]):.3f}")
    everyone = np.ones(len(w.score), bool)
    slope, bias = calibrated(w, everyone)
    people = sorted(set(w.person[~w.attack]))
    fold = np.array([zlib.crc32(p.encode()) % FOLDS for p in w.person])
    out = np.zeros(len(w.score))
    for k in range(FOLDS):
        a, b = calibrated(w, fold != k)
        out[fold == k] = a * w.score[fold == k] + b
    recorded = len(set(w.person[~w.attack & (w.kind != "control")]))
    bound = float(np.log(recorded + 1))
    # It never speaks for a live person: no real attack was there to say how seldom one looks genuine.
    inside = np.clip(slope * w.score + bias, 0, bound)
    out = np.clip(out, 0, bound)
    of = {p: ~w.attack & (w.person == p) for p in people}
    for title, llr in (("in the fit", inside), ("left out of it", out)):
        odds = np.mean([np.exp(llr[these]).mean() for these in of.values()])
        print(f"{title}: above {NATS:g} nat {(llr > NATS)[~w.attack].mean():.2%} of genuine windows (most {llr[~w.attack].max():.2f} nats), "
              f"{(llr > NATS)[w.attack].mean():.1%} of renders; odds of a false alert times {odds:.3f}")
        for kind in sorted(set(w.kind[w.attack])):
            these = w.attack & (w.kind == kind)
            print(f"    {kind:16} median {np.median(llr[these]):5.2f} nats, above {NATS:g} nat {(llr[these] > NATS).mean():6.1%}")
    means = np.array([w.score[these].mean() for these in of.values()])
    within = np.concatenate([w.score[these] - w.score[these].mean() for these in of.values()])
    print(f"{recorded} people in recordings, {len(people)} in all: the score's spread between them {means.std():.2f}, within one {np.sqrt((within**2).sum() / (len(within) - len(people))):.2f}")
    for p in people:
        print(shown(p[:28], w.score[of[p]]) + f"   above {NATS:g} nat, left out: {(out[of[p]] > NATS).mean():.3f}")
    print("[model.calibration]")
    print(f"slope = {slope:.4f}\nbias = {bias:.4f}\nllr-min = 0.0\nllr-max = {bound:.2f}\nonce = true")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("score")
    one.add_argument("--folders", nargs="+", type=Path, default=[], help="folders with recordings and a manifest.csv")
    one.add_argument("--clips", type=Path, help="the demonstration clips")
    one.add_argument("--photos", type=Path, help="attacks that render.py made: photos that are moved, without the texture of a print")
    one.add_argument("--stills", nargs="+", type=Path, help="folders of portraits")
    one.add_argument("--portraits", type=int, default=10, help="portraits of each set")
    one.add_argument("--out", type=Path, required=True)
    one.set_defaults(run=score)
    two = commands.add_parser("fit")
    two.add_argument("scores", type=Path)
    two.set_defaults(run=fit)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
