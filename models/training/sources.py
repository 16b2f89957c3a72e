"""Genuine faces as training material: every picture of a folder (stills and recordings), cut around its face."""

from __future__ import annotations

import csv
import hashlib
import pickle
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from . import video
from .landmarks import FaceFinder, extent, middle

STILLS = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
RECORDINGS = {".mp4", ".mkv", ".mpg", ".webm", ".mov", ".avi"}
#: A cut is so many times as wide as the face, and shows the face at most so wide, pixels.
CONTEXT, WIDEST = 2.8, 420.0
#: Narrower faces hold no texture worth learning from.
NARROWEST = 50.0
#: Heads tilted further are left out: most are recordings whose rotation flag was not honoured, radians.
STEEPEST = 0.8
#: Pictures taken of one recording, at most.
PER_RECORDING = 24


@dataclass
class Source:
    """A genuine face. `points` (468 x 2) are in pixels of `rgb` (h x w x 3, 8 bit)."""

    name: str
    #: People are told apart by this: training and validation share none.
    person: str
    moving: bool
    rgb: np.ndarray
    points: np.ndarray

    @property
    def width(self) -> float:
        return float(np.ptp(self.points[:, 0]))


def person_of(name: str) -> str:
    """The person that a file's name tells of; files of one person share it. A guess where the name is silent."""
    if match := re.match(r"(london_\d+|canada_[^_]+|congress_[A-Z]\d+)", name):
        return match[1]
    if name.startswith("intel-iot-devkit"):
        return "intel"
    if name.startswith("vardanagarwal"):
        return "proctoring"
    if match := re.search(r"__(s\d+|[a-z]{4}\da)\.", name):
        return match[1]
    return Path(name).stem


def cut(rgb: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The face with its surroundings, shrunk if it is wider than `WIDEST`."""
    half, centre = extent(points) * CONTEXT / 2, middle(points)
    h, w = rgb.shape[:2]
    x0, y0 = np.maximum(np.floor(centre - half), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(centre + half), [w, h]).astype(int)
    picture, moved = rgb[y0:y1, x0:x1], points - [x0, y0]
    if (wide := float(np.ptp(points[:, 0]))) > WIDEST:
        scale = WIDEST / wide
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        moved = moved * scale
    return np.ascontiguousarray(picture), moved.astype(np.float32)


def _of_file(path: Path, finder: FaceFinder) -> list[Source]:
    person = person_of(path.name)
    if path.suffix.lower() in STILLS:
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
        pictures = [] if bgr is None else [(0, bgr[:, :, ::-1])]
        moving = False
    else:
        frames = video.length(path, 6000)
        step = max(1, frames // PER_RECORDING)
        pictures, moving = video.picked(path, range(step // 2, frames, step)), True
    found = []
    for index, rgb in pictures:
        face = finder.find(np.ascontiguousarray(rgb), follow=False)
        if face is None or face.width < NARROWEST or abs(face.roll) > STEEPEST:
            continue
        picture, points = cut(rgb, face.points)
        found.append(Source(f"{path.name}#{index}", person, moving, picture, points))
    return found


def files(folders: list[Path], kinds: set[str], pattern: str = "*") -> list[Path]:
    """Files of such a kind and name in the folders and below them, sorted."""
    return sorted(p for folder in folders for p in folder.rglob(pattern) if p.suffix.lower() in kinds)


def collect(folders: list[Path], finder: FaceFinder | None = None, pattern: str = "*") -> list[Source]:
    """All faces of the folders' stills and recordings of such a name, sorted by file name."""
    finder = finder or FaceFinder(threads=2)
    files = files(folders, STILLS | RECORDINGS, pattern)
    if not files:
        raise FileNotFoundError(f"no pictures or recordings in {', '.join(map(str, folders))}")
    found = []
    for path in tqdm(files, desc="faces", unit="file"):
        found += _of_file(path, finder)
    return found


def kept(folders: list[Path], cache: Path) -> Path:
    """The file in `cache` that holds the folders' faces, made if it is not there or the folders have changed."""
    listing = sorted((str(p), p.stat().st_size) for f in folders for p in f.rglob("*") if p.is_file())
    what = (listing, CONTEXT, WIDEST, NARROWEST, STEEPEST, PER_RECORDING)
    file = cache / f"sources-{hashlib.sha256(repr(what).encode()).hexdigest()[:16]}.pkl"
    if not file.is_file():
        found = collect(folders)
        if not found:
            raise ValueError(f"no face was found in {', '.join(map(str, folders))}")
        cache.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".part")
        partial.write_bytes(pickle.dumps(found))
        partial.rename(file)
    return file


def load(file: Path) -> list[Source]:
    """The faces that `kept` wrote."""
    return pickle.loads(file.read_bytes())


def followed(folders: list[Path], moments: int = 6, frames: int = 25, every: int = 4) -> list[Source]:
    """Faces of the folders' recordings as the plugin meets them: at `moments` of each recording the face is followed for some
    `frames`, and each `every`th of them is taken.
    """
    finder, found = FaceFinder(), []
    for path in tqdm(files(folders, RECORDINGS), desc="recordings", unit="file"):
        length = video.length(path, 6000)
        starts = {int(s) for s in np.linspace(0, max(0, length - frames), moments + 2)[1:-1]}
        for start in sorted(starts):
            finder.roi = None
            for index, rgb in video.picked(path, range(start, start + frames)):
                face = finder.find(rgb)
                if face is None or face.width < NARROWEST or abs(face.roll) > STEEPEST:
                    break
                if (index - start) % every == 0:
                    found.append(Source(f"{path.name}#{index}", person_of(path.name), True, *cut(rgb, face.points)))
    return found


def split(sources: list[Source], share: float = 0.12) -> tuple[list[Source], list[Source]]:
    """Training and validation, by person: the same person always falls on the same side."""
    def held_out(person: str) -> bool:
        return int(hashlib.sha256(person.encode()).hexdigest(), 16) % 1000 < share * 1000
    return [s for s in sources if not held_out(s.person)], [s for s in sources if held_out(s.person)]


def attributions(folders: list[Path]) -> list[dict[str, str]]:
    """Rows of the folders' `manifest.csv`, for the card."""
    rows = []
    for folder in folders:
        if (path := folder / "manifest.csv").is_file():
            with path.open(newline="") as text:
                rows += list(csv.DictReader(text))
    return rows
