"""Real attack data of the user's own, mixed into the training."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from . import video
from .crops import native
from .landmarks import FaceFinder
from .sources import NARROWEST, STILLS

#: What a label or a folder's name means: 0 genuine, 1 forged, 2 recaptured.
LABELS = {"genuine": 0, "real": 0, "live": 0, "bonafide": 0, "bona-fide": 0,
          "forged": 1, "fake": 1, "swap": 1, "deepfake": 1, "attack": 1,
          "recaptured": 2, "spoof": 2, "print": 2, "screen": 2, "replay": 2, "mask": 2}
#: Crops taken of one recording, at most.
PER_RECORDING = 16


@dataclass(frozen=True)
class Labelled:
    """Crops n x SIDE x SIDE x 3 (8 bit) and their labels n."""

    pictures: np.ndarray
    labels: np.ndarray


def listed(folder: Path) -> list[tuple[Path, int]]:
    """Files and labels: of `manifest.csv` (columns `file`, `label`) if there is one, else of the folders' names."""
    rows: list[tuple[Path, int]] = []
    manifest = folder / "manifest.csv"
    if manifest.is_file():
        with manifest.open(newline="") as text:
            for number, row in enumerate(csv.DictReader(text), 2):
                label, name = (row.get("label") or "").strip().lower(), (row.get("file") or "").strip()
                if label not in LABELS:
                    raise ValueError(f"{manifest}:{number}: `label` is `{label}`, not one of {', '.join(LABELS)}")
                if not (folder / name).is_file():
                    raise FileNotFoundError(f"{manifest}:{number}: there is no `{name}`")
                rows.append((folder / name, LABELS[label]))
        return rows
    for sub in sorted(p for p in folder.iterdir() if p.is_dir()):
        if sub.name.lower() not in LABELS:
            raise ValueError(f"{sub}: a folder of labelled data is named {', '.join(LABELS)}, or there is a manifest.csv")
        rows += [(p, LABELS[sub.name.lower()]) for p in sorted(sub.rglob("*")) if p.is_file() and p.suffix]
    if not rows:
        raise FileNotFoundError(f"{folder} holds neither manifest.csv nor folders of labelled files")
    return rows


def collect(folder: Path) -> Labelled:
    """Native crops of all listed files."""
    finder, pictures, labels = FaceFinder(threads=2), [], []
    for path, label in tqdm(listed(folder), desc="labelled", unit="file"):
        if path.suffix.lower() in STILLS:
            bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
            frames = [] if bgr is None else [np.ascontiguousarray(bgr[:, :, ::-1])]
        else:
            number = video.length(path, 3000)
            frames = (rgb for _, rgb in video.picked(path, range(0, number, max(1, number // PER_RECORDING))))
        for rgb in frames:
            face = finder.find(rgb, follow=False)
            if face is not None and face.width >= NARROWEST:
                pictures.append(native(rgb, face.points)[0])
                labels.append(label)
    if not pictures:
        raise ValueError(f"{folder}: no face was found in any of its files")
    return Labelled(np.stack(pictures), np.array(labels))
