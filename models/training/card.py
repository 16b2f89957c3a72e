"""The manifest entry and the card of a trained model: what it is, what it was trained on, how well it does."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from . import channel, evenness, forge, masks, net, sources
from .export import Exported
from .sources import Source

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


@dataclass(frozen=True)
class Run:
    """A training run, as both cards tell of it."""

    out: Path
    folders: list[Path]
    people: list[Source]
    held_out: list[Source]
    #: Arguments of `python -m training`.
    command: str


def _material(run: Run) -> list[str]:
    stills = sum(not s.moving for s in run.people)
    named = Counter((r.get("dataset") or r.get("source_repo") or "?", r.get("terms") or r.get("licence") or "?")
                    for r in sources.attributions(run.folders))
    return [f"- training: {stills} stills and {len(run.people) - stills} video frames of "
            f"{len({s.person for s in run.people})} people; "
            f"validation: {len(run.held_out)} pictures of {len({s.person for s in run.held_out})} others",
            *(f"- {name}: {n} files, {terms}" for (name, terms), n in sorted(named.items()))]


def _written(run: Run, name: str, toml: str, about: list[str], files: list[Exported], twins: str, how: list[str]) -> Path:
    """Writes `run.out/name.toml` and `run.out/name.md`; returns the latter."""
    (run.out / f"{name}.toml").write_text(toml)
    rows = [f"| `{one.file.name}` | {one.size / 1e6:.2f} | {one.milliseconds:.1f} | {one.auc:.3f} | {one.difference:.1g} |"
            for one in files]
    text = [f"# Model card: {name}", "", *about, "",
            "| file | MB | ms a crop, one core | AUC on held-out people | largest difference from PyTorch |",
            "|---|---|---|---|---|", *rows, "", "## Training data", "", *_material(run),
            f"- {twins}: made from these by the rules in `models/training` (procedural)", "",
            "## Training", "", f"    python -m training {run.command}", "", *how, "",
            "Numbers on procedural forgeries say nothing about generators of fakes: measure with `make eval`.", ""]
    path = run.out / f"{name}.md"
    path.write_text("\n".join(text))
    return path


def write_frame(run: Run, name: str, files: list[Exported]) -> Path:
    """Entry and card of the frame model; returns the card."""
    last = json.loads((run.out / "history.json").read_text())[-1]
    about = ["Says of one picture whether the inner face has the texture of the rest of it (face swaps, blended and restored",
             "faces), and, by a second output, whether the whole has been recaptured from a print or a screen."]
    how = [f"- {last['step']} steps; methods {json.dumps(forge.METHODS)}; shapes {json.dumps(masks.SHAPES)}",
           "- held-out people, procedural forgeries: " + ", ".join(f"{k} {v:.3f}" for k, v in last.items()
                                                                    if k.startswith("auc") or k == "paired")]
    return _written(run, name, frame_entry(name, files[0]), about, files, "forged and recaptured pictures", how)


def write_colour(run: Run, name: str, files: list[Exported], fitted: dict[str, list[float]]) -> Path:
    """Entry and card of the colour model; returns the card."""
    about = ["Says whether the colour of a face's skin is more even than the surroundings of the face let expect, as it is",
             "after decoders and colour transfer. Thirteen weights; `models/training/evenness.py` explains them."]
    how = ["- weights (octaves of the skin, of the ring, finest first; mean luma, red and blue difference): "
           f"{fitted['weights']}, bias {fitted['bias'][0]}"]
    return _written(run, name, colour_entry(name, files[0]), about, files, "forged twins", how)
