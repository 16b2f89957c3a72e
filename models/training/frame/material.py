"""The list of recordings that the frame network learns from."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

#: One row a face: a composite has several.
LIST = Path(__file__).resolve().parents[1] / "data" / "frame.csv"
#: Fold of swaps of our own making: they are trained on, and never tested.
OWN = -1
#: What the kinds of forgery are.
KINDS = ["genuine", "swap", "lips", "animated", "synthetic"]


@dataclass(frozen=True)
class Row:
    """A face in a recording. `file` is below the folder of the recordings, `rect` is x, y, w, h in pixels or None for all of it."""

    file: str
    pane: str
    rect: tuple[int, int, int, int] | None
    #: 1 for forged.
    forged: int
    generator: str
    kind: str
    #: Whoever is seen: no training with anybody of the people that are tested on.
    people: frozenset[str]
    #: Rows of one pair are of one recording or one driver.
    pair: str
    #: Of the cross-validation: forged ones by generator, genuine ones by person.
    fold: int

    @property
    def name(self) -> str:
        return Path(self.file).name if "@" in self.file else f"{Path(self.file).name}#{self.pane}"


def read(path: Path = LIST) -> list[Row]:
    """All rows of the list."""
    rows = []
    with path.open(newline="") as text:
        for number, r in enumerate(csv.DictReader(text), 2):
            if r["kind"] not in KINDS or (r["label"] == "fake") == (r["kind"] == "genuine"):
                raise ValueError(f"{path}:{number}: label `{r['label']}` and kind `{r['kind']}`")
            rect = tuple(int(v) for v in r["rect"].split()) if r["rect"] else None
            rows.append(Row(f"{r['folder']}/{r['file']}", r["pane"], rect, int(r["label"] == "fake"), r["generator"], r["kind"],
                            frozenset(r["person"].split("+")), r["pair"], int(r["fold"])))
    return rows
