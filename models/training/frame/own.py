"""Swaps of our own making, made once of every genuine recording, and genuine stills, as rows beside those of the list."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from ..landmarks import FaceFinder
from .looks import Found, around
from .material import OWN, Row
from .swaps import Donor, chosen, swapped

#: What is made of each genuine recording: two with another person's face, one with its own, displaced; and the degrading of each.
MADE = {"donor0": 1, "donor1": 2, "self0": 1}
#: Each kind counts as so many generators.
COUNTS = 20
#: Stills that are genuine faces to learn from, by the beginning of their names; all of them count as so many people.
STILLS, AS_PEOPLE = ("london_", "canada_"), 6
#: Narrower faces and heads tilted further give no donors, pixels and radians.
NARROWEST, STEEPEST = 100.0, 0.5


def donors(folder: Path, finder: FaceFinder) -> list[Donor]:
    """The faces of a folder's stills."""
    found = []
    for path in sorted(folder.glob("*.jpg")):
        rgb = np.ascontiguousarray(cv2.imread(str(path), cv2.IMREAD_COLOR)[:, :, ::-1])
        face = finder.find(rgb, follow=False)
        if face is not None and face.width >= NARROWEST and abs(face.roll) <= STEEPEST:
            found.append(Donor(path.stem, rgb, face.points))
    return found


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def made(row: Row, faces: Found, kind: str, donors: list[Donor]) -> Found:
    """The `kind` of swap of that genuine recording; the same on every run."""
    rng, middle = np.random.default_rng(_number(f"{row.name} {kind}")), len(faces.pictures) // 2
    donor = chosen(rng, faces.pictures[middle], faces.points[middle], donors) if kind.startswith("donor") else None
    return swapped(faces, rng, donor)


def still_row(name: str) -> Row:
    """The row of a still: genuine, learned from and never tested."""
    return Row(f"{name}@still", "", None, 0, "none", "genuine", frozenset([f"still-{_number(name) % AS_PEOPLE}"]), "", OWN)


def still_faces(rgb: np.ndarray, points: np.ndarray) -> Found:
    """A still as a recording of one picture."""
    picture, moved = around(rgb, points)
    return Found([picture], [moved], [0.0], [float(np.ptp(points[:, 0]))])


def still_rows(folder: Path) -> list[Row]:
    """Rows of the stills that lie in the folder."""
    return [still_row(p.name.removesuffix("@still.0.npz")) for p in sorted(folder.glob("*@still.0.npz"))]


def rows(genuine: list[Row], folder: Path) -> list[Row]:
    """Rows of the swaps that lie in the folder; each is a pair with what it was made of."""
    out = []
    for row in genuine:
        for kind, version in MADE.items():
            name = f"{row.file}#{row.pane}@{kind}"
            if not row.forged and (folder / f"{Path(name).name}.{version}.npz").is_file():
                out.append(Row(name, "", None, 1, f"own-{kind[:-1]}-{_number(row.name) % COUNTS}", "swap", row.people, row.pair or row.name, OWN))
    return out


def paired(genuine: list[Row], own: list[Row]) -> list[Row]:
    """All rows; those that have no pair get one if a swap was made of them."""
    have = {r.pair for r in own}
    return [replace(r, pair=r.name) if not r.forged and not r.pair and r.name in have else r for r in genuine] + own
