#!/usr/bin/env python3
"""Render the attacks on which the signals are calibrated, from genuine clips and portrait photos.

Every clip becomes photo attacks (one frame of it held before the camera: on a stand, steady, by a hand, waved about),
the demonstration clips also become loops and plain re-encodings; every photo becomes a photo attack. Parameters are
drawn from a fixed seed, so that the same folders give the same set. Files that are there already are not made again.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from pathlib import Path

KINDS = ("stand", "steady", "hand", "large")
CLIP_ENDINGS = {".mp4", ".mkv", ".mpg", ".webm", ".mov", ".avi"}
PHOTO_ENDINGS = {".jpg", ".jpeg", ".png"}


def motion(draw: random.Random, kind: str) -> dict[str, float]:
    """Sizes of the motion: fractions of the picture's size, degrees for rotation and tilt."""
    u = draw.uniform
    if kind == "stand":
        return dict(sway=u(0, .001), tremor=u(.001, .003), scale=u(0, .001), rotation=u(0, .1), tilt=u(0, .15))
    if kind == "steady":
        return dict(sway=u(.002, .008), tremor=u(.0005, .0015), scale=u(.002, .01), rotation=u(.2, .8), tilt=u(.3, 1.5))
    if kind == "hand":
        return dict(sway=u(.015, .03), tremor=u(.0008, .002), scale=u(.015, .03), rotation=u(1, 2.5), tilt=u(2, 5))
    return dict(sway=u(.03, .06), tremor=u(.001, .003), scale=u(.03, .08), rotation=u(2, 6), tilt=u(5, 12))


class Set:
    """The list of what is to be rendered."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.jobs: list[tuple[str, list[str]]] = []

    def photo(self, source: Path, person: str, kind: str, seconds: int, extra: list[str] | None = None) -> None:
        seed, u = 100 + len(self.jobs), self.draw.uniform
        numbers = dict(motion(self.draw, kind), drift=u(0, .05), gradient=u(0, .06), gloss=u(0, .08),
                       soften=u(.3, 1.1), noise=u(.6, 3))
        arguments = ["--attack", "photo", "--in", str(source), "--name", f"photo-{kind}", "--seed", str(seed),
                     "--bitrate", str(self.draw.choice([150, 300, 300, 600, 600, 1000])), "--duration", str(seconds)]
        for name, value in numbers.items():
            arguments += [f"--{name}", f"{value:.4f}"]
        self.jobs.append((f"{person}__photo-{kind}-{seed}", arguments + (extra or [])))

    def demonstration(self, clip: Path) -> None:
        person = f"clm_{clip.stem}"
        for seed, bitrate in enumerate((150, 600), start=1):
            self.jobs.append((f"{person}__reencode-{bitrate}", [
                "--attack", "reencode", "--in", str(clip), "--name", f"reencode-{bitrate}",
                "--bitrate", str(bitrate), "--seed", str(seed)]))
        for i in range(4):
            length, seam = self.draw.choice([3, 4, 5, 6]), self.draw.choice([[], [], [], ["--cross-fade", "0.4"]])
            self.jobs.append((f"{person}__loop-{length}s-{i + 1}", [
                "--attack", "loop", "--in", str(clip), "--name", f"loop-{length}s", "--length", str(length),
                "--start", f"{self.draw.uniform(0, 18):.2f}", "--duration", "24", "--seed", str(40 + i),
                "--bitrate", str(self.draw.choice([300, 600])), *seam]))
        for kind in ("stand", "steady", "hand", "hand", "large"):
            self.photo(clip, person, kind, 10, ["--start", f"{self.draw.uniform(0, 25):.2f}"])


def files(folder: Path | None, endings: set[str]) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in endings) if folder else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demonstration", type=Path, default=Path("models/fetched/clips"))
    parser.add_argument("--clips", type=Path, help="folder of more genuine clips")
    parser.add_argument("--photos", type=Path, help="folder of portrait photos")
    parser.add_argument("--most-photos", type=int, default=80, help="how many of them at most")
    parser.add_argument("--out", type=Path, default=Path("target/calibration/attacks"))
    parser.add_argument("--program", default="target/release/deepfake")
    arguments = parser.parse_args()
    wanted = Set(20)
    for clip in files(arguments.demonstration, CLIP_ENDINGS):
        wanted.demonstration(clip)
    for i, clip in enumerate(files(arguments.clips, CLIP_ENDINGS)):
        for j in range(1 + i % 2):
            wanted.photo(clip, f"clip_{clip.stem}", KINDS[(i + 2 * j) % 4], wanted.draw.choice([8, 10, 12]))
    photos = files(arguments.photos, PHOTO_ENDINGS)
    for i, photo in enumerate(sorted(wanted.draw.sample(photos, min(arguments.most_photos, len(photos))))):
        extra = ["--size", "640x480", "--fill", f"{wanted.draw.uniform(.42, .9):.3f}"]
        extra += ["--paper"] if wanted.draw.random() < .25 else []
        wanted.photo(photo, f"still_{photo.stem}", KINDS[i % 4], 8, extra)
    arguments.out.mkdir(parents=True, exist_ok=True)
    failed = 0
    for i, (name, job) in enumerate(wanted.jobs, start=1):
        print(f"[{i}/{len(wanted.jobs)}] {name}", flush=True)
        done = subprocess.run([arguments.program, "redteam", "render", *job, "--quiet",
                               "--out", str(arguments.out / f"{name}.mp4")], capture_output=True, text=True)
        if done.returncode:
            failed += 1
            print(f"error: {name}: {done.stderr.strip()}", file=sys.stderr)
    sys.exit(f"error: {failed} of {len(wanted.jobs)} could not be rendered" if failed else 0)


if __name__ == "__main__":
    main()
