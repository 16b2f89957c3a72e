"""The manifest entry and the card of a trained model: what it is, what it was trained on, how well it does."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from . import channel, forge, masks, motion, net, skin, sources, unwrap
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
family = "{family}"
signal = "{signal}"
per-second = {per_second}
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
{more}[[model.output]]
name = "{output}"
meaning = "attack-logit"
shape = [-1, 1]
dtype = "f32"
{heat}# Without [model.calibration] it runs, shows its score and counts for nothing: see fit_network.py.
"""


HEAT = """[[model.output]]
name = "heat"
meaning = "heat-map"
shape = [-1, 1, {cells}, {cells}]
dtype = "f32"
"""


def frame_entry(name: str, one: Exported) -> str:
    """The frame model's text for manifest.toml."""
    return ENTRY.format(name=name, file=one.file.name, sha256=one.sha256, size=one.size, card=f"{name}.md", family="forgery",
                        signal="frame-texture", per_second=3.0, window=3.0, min_face=int(channel.NARROWEST_FACE),
                        crop=f'kind = "native"\nmax-face = {int(channel.WIDEST_FACE)}', side=net.SIDE, more="", output="forged",
                        heat=HEAT.format(cells=net.CELLS))


POINTS = f'[[model.input]]\nname = "points"\nmeaning = "landmarks"\nshape = [-1, {unwrap.POINTS}, 2]\ndtype = "f32"\n'
OPPOSITE = """# What the score says with the sign turned.
[model.opposite]
name = "{name}"
signal = "{signal}"
family = "presentation"
"""


def skin_entry(name: str, one: Exported) -> str:
    """The skin model's: what it says of forgeries and, with the sign turned, of recaptured pictures."""
    # It errs with the person and the camera: a long window, whose word is to count once.
    return ENTRY.format(name=name, file=one.file.name, sha256=one.sha256, size=one.size, card=f"{name}.md", family="forgery",
                        signal="skin-detail", per_second=3.0, window=30.0, side=skin.SIDE, more=POINTS, output="forged",
                        min_face=f"{int(channel.NARROWEST_FACE)}\nmin-inside = 0.85", crop=f'kind = "aligned"\nscale = {unwrap.SCALE}',
                        heat=HEAT.format(cells=skin.CELLS) + OPPOSITE.format(name=f"{name}-medium", signal="skin-medium"))


def motion_entry(name: str, one: Exported) -> str:
    """The motion model's, as the skin model's, with its state."""
    tensor = '[[model.{}]]\nname = "{}"\nmeaning = "{}"\nshape = [-1, {}]\ndtype = "f32"\n'
    more = POINTS + tensor.format("input", "seconds", "seconds", 1) + tensor.format("input", "state", "state", motion.STATE)
    return ENTRY.format(name=name, file=one.file.name, sha256=one.sha256, size=one.size, card=f"{name}.md", family="forgery",
                        signal="skin-motion", per_second="10.0\nper-second-economy = 8.0", window=30.0, side=motion.SIDE, more=more, output="forged",
                        min_face=f"{int(channel.NARROWEST_FACE)}\nmin-inside = 0.85\nsettle = {motion.SETTLE}\nhold = 1.0",
                        crop=f'kind = "aligned"\nscale = {unwrap.SCALE}',
                        heat=tensor.format("output", "next", "state", motion.STATE)
                        + OPPOSITE.format(name=f"{name}-medium", signal="medium-motion"))


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
    used = {s.name.split("#")[0] for s in run.people + run.held_out}
    named = Counter((r.get("dataset") or r.get("source_repo") or "?", r.get("terms") or r.get("licence") or "?")
                    for r in sources.attributions(run.folders) if Path(r.get("file") or "").name in used)
    return [f"- training: {stills} stills and {len(run.people) - stills} video frames of "
            f"{len({s.person for s in run.people})} people",
            *([f"- validation: {len(run.held_out)} pictures of {len({s.person for s in run.held_out})} others"] if run.held_out else []),
            *(f"- {name}: {n} files, {terms}" for (name, terms), n in sorted(named.items()))]


def _written(run: Run, name: str, toml: str, about: list[str], files: list[Exported], twins: str | None,
             how: list[str]) -> Path:
    """Writes `run.out/name.toml` and `run.out/name.md`; returns the latter."""
    (run.out / f"{name}.toml").write_text(toml)
    rows = [f"| `{one.file.name}` | {one.size / 1e6:.2f} | {one.milliseconds:.1f} | {'-' if math.isnan(one.auc) else f'{one.auc:.3f}'} | "
            f"{one.difference:.1g} |" for one in files]
    text = [f"# Model card: {name}", "", *about, "",
            "| file | MB | ms a crop, one core | AUC on held-out people | largest difference from PyTorch |",
            "|---|---|---|---|---|", *rows, "", "## Training data", "", *_material(run),
            *([f"- {twins}: made from these by the rules in `models/training` (procedural)"] if twins else []), "",
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


def write_skin(run: Run, name: str, one: Exported, fitted: dict[str, list[float]]) -> Path:
    """Entry and card of the skin model; returns the card."""
    about = ["Says whether the skin shows the colour detail that the rest of the face and its surroundings let expect: generated and",
             "swapped faces have less, recaptured pictures more. Learned from genuine recordings alone; `models/training/skin.py` explains it."]
    recordings = len({skin.recording_of(s) for s in run.people})
    how = [f"- {recordings} recordings; of the variance of the skin's red and blue detail (finest scale first, red then blue) the rest of "
           f"the picture explains, on recordings left out, {fitted['explained']}; spread around it {fitted['spread']} nats",
           f"- taken off for a unit of the skin's mean luma, red and blue difference: {fitted.get('tone', 'nothing')}"]
    return _written(run, name, skin_entry(name, one), about, [one], None, how)


def write_motion(run: Run, name: str, one: Exported, fitted: dict[str, list[float]], names: list[str]) -> Path:
    """Entry and card of the motion model; returns the card."""
    about = ["Says whether the skin's colour changes from moment to moment as the rest of the picture lets expect: generated and swapped",
             "faces have less of that, recaptured pictures more. A network of time: its state goes in and comes out with every picture.",
             "Learned from genuine recordings alone; `models/training/motion.py` explains it."]
    how = [f"- {len(names)} recordings, each as it is and once encoded anew, at {' and '.join(f'{r:g}' for r in motion.RATES)} pictures a second; of the "
           f"variance of what is judged the rest explains, on recordings left out, {fitted['explained']}; spread around it {fitted['spread']} nats"]
    return _written(run, name, motion_entry(name, one), about, [one], None, how)
