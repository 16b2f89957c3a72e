"""The manifest entry and the card of a trained model: what it is, what it was trained on, how well it does."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

from . import channel, evenness, forge, masks, net, sources
from .export import Exported

ENTRY = """[[model]]
name = "{name}"
role = "face-signal"
file = "{file}"
sha256 = "{sha256}"
size = {size}
licence = "MIT"
origin = "models/training, card {card}"
family = "forgery"
signal = "{signal}"
per-second = 3.0
window = {window}
min-face = {min_face}
[model.crop]
{crop}
[model.preprocessing]
layout = "nchw"
colour = "rgb"
range = [0.0, 1.0]
[[model.input]]
name = "face"
shape = [-1, 3, {side}, {side}]
dtype = "f32"
[[model.output]]
name = "forged"
meaning = "attack-logit"
shape = [-1, 1]
dtype = "f32"
[[model.output]]
name = "heat"
meaning = "heat-map"
shape = [-1, 1, {cells}, {cells}]
dtype = "f32"
# Without [model.calibration] it runs, shows its score and counts for nothing: see fit_network.py.
"""


def entry(name: str, one: Exported, signal: str, crop: str, side: int, cells: int, window: float) -> str:
    """The text for manifest.toml."""
    return ENTRY.format(name=name, file=one.file.name, sha256=one.sha256, size=one.size, signal=signal, crop=crop, window=window,
                        card=f"{name}.md", side=side, cells=cells, min_face=int(channel.NARROWEST_FACE))


def frame_entry(name: str, one: Exported) -> str:
    """That of the frame model."""
    crop = f'kind = "native"\nmax-face = {int(channel.WIDEST_FACE)}'
    return entry(name, one, "frame-texture", crop, net.SIDE, net.CELLS, 3.0)


def colour_entry(name: str, one: Exported) -> str:
    """That of the colour model."""
    # It errs with the person: a long window, whose word is to count once.
    crop = f'kind = "aligned"\nscale = {evenness.SCALE}'
    return entry(name, one, "skin-colour", crop, evenness.SIDE, evenness.CELLS, 30.0)


def _material(folders: list[Path], kept: Path) -> list[str]:
    people, held_out = sources.split(sources.load(kept))
    stills = sum(not s.moving for s in people)
    lines = [f"- training: {stills} stills and {len(people) - stills} video frames of {len({s.person for s in people})} people; "
             f"validation: {len(held_out)} pictures of {len({s.person for s in held_out})} others"]
    for folder in folders:
        if (path := folder / "manifest.csv").is_file():
            with path.open(newline="") as text:
                rows = list(csv.DictReader(text))
            named = Counter((r.get("dataset") or r.get("source_repo") or "?",
                             r.get("terms") or r.get("licence") or "?") for r in rows)
            lines += [f"- {name}: {n} files, {terms}" for (name, terms), n in sorted(named.items())]
    return lines


def _table(written: list[Exported]) -> list[str]:
    rows = [f"| `{one.file.name}` | {one.size / 1e6:.2f} | {one.milliseconds:.1f} | {one.auc:.3f} | {one.difference:.1g} |"
            for one in written]
    return ["| file | MB | ms a crop, one core | AUC on held-out people | largest difference from PyTorch |",
            "|---|---|---|---|---|", *rows, ""]


_WARNING = ["", "Numbers on procedural forgeries say nothing about generators of fakes: measure with `make eval`.", ""]


def write_frame(out: Path, name: str, folders: list[Path], written: list[Exported], kept: Path, command: str) -> Path:
    """Writes `out/name.toml` and `out/name.md` of the frame model; returns the latter."""
    last = json.loads((out / "history.json").read_text())[-1]
    (out / f"{name}.toml").write_text(frame_entry(name, written[0]))
    text = [f"# Model card: {name}", "",
            "Says of one picture whether the inner face has the texture of the rest of it (face swaps, blended and restored",
            "faces), and, by a second output, whether the whole has been recaptured from a print or a screen.", "",
            *_table(written), "## Training data", "", *_material(folders, kept),
            "- forged and recaptured pictures: made from these by the rules in `models/training` (procedural)", "",
            "## Training", "", f"    python -m training {command}", "",
            f"- {last['step']} steps; methods {json.dumps(forge.METHODS)}; shapes {json.dumps(masks.SHAPES)}",
            "- held-out people, procedural forgeries: " + ", ".join(f"{k} {v:.3f}" for k, v in last.items()
                                                                     if k.startswith("auc") or k == "paired"), *_WARNING]
    path = out / f"{name}.md"
    path.write_text("\n".join(text))
    return path


def write_colour(out: Path, name: str, folders: list[Path], written: list[Exported], kept: Path, command: str,
                 fitted: dict[str, list[float]]) -> Path:
    """Writes `out/name.toml` and `out/name.md` of the colour model; returns the latter."""
    (out / f"{name}.toml").write_text(colour_entry(name, written[0]))
    text = [f"# Model card: {name}", "",
            "Says whether the colour of a face's skin is more even than the surroundings of the face let expect, as it is",
            "after decoders and colour transfer. Thirteen weights; `models/training/evenness.py` explains them.", "",
            *_table(written), "## Training data", "", *_material(folders, kept),
            "- forged twins: made from these by the rules in `models/training` (procedural)", "",
            "## Training", "", f"    python -m training {command}", "",
            f"- weights (octaves of the skin, of the ring, finest first; mean luma, red and blue difference): {fitted['weights']}, bias {fitted['bias'][0]}", *_WARNING]
    path = out / f"{name}.md"
    path.write_text("\n".join(text))
    return path
