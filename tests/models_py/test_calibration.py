"""Tests of models/calibration/fit.py: what it fits, what it leaves out, and that it knows the signals as they are."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from support import ROOT

sys.path.insert(0, str(ROOT / "models" / "calibration"))

import fit  # noqa: E402

SOURCES = ROOT / "src" / "analysis" / "signals"


def traces(path: Path, windows: dict[str, tuple[int, int]]) -> Path:
    """Traces of six people, genuine and as photos; `windows` a signal, of genuine video and of attacks."""
    draw = np.random.default_rng(3)
    with path.open("w") as out:
        for signal, counts in windows.items():
            for attack, count in enumerate(counts):
                for i in range(count):
                    person, step = i % 6, i // 6
                    file = f"person{person}" + ("__photo-hand-1" if attack else "") + ".mp4"
                    features = draw.normal(2.0 * attack, 1.0, len(fit.SIGNALS[signal][1])).tolist()
                    trace = dict(pts=step * 80_000_000, track_id=1, signal=signal, quality=0.9, llr=0.0, features=features)
                    out.write(json.dumps({"file": file, "trace": trace}) + "\n")
    return path


def test_signals_that_are_absent_or_seldom_spoke_are_left_out_with_a_note(tmp_path, capsys):
    few = fit.MIN_WINDOWS - 1
    path = traces(tmp_path / "t.jsonl", {"planarity": (600, 600), "solidity": (900, few), "gaze": (few, 900)})
    out: list[str] = []
    fit.fit_faces([path], "-v2", 13.0, out)
    assert [re.search(r"\[signal\.(.+)\]", text).group(1) for text in out] == ["planarity-v2"]
    said = capsys.readouterr().out
    assert f"solidity-v2: left out, 900 windows of genuine video and {few} of attacks" in said
    assert f"gaze-v2: left out, {few} windows" in said
    assert "pulse-v2: left out, 0 windows of genuine video and 0 of attacks" in said


def test_signals_are_fitted_where_they_spoke_enough_but_for_those_of_forgeries(tmp_path):
    windows = {"planarity": (600, 600), "solidity": (400, 300), "eye-stabilisation": (300, 400)}
    path = traces(tmp_path / "t.jsonl", windows)
    out: list[str] = []
    fit.fit_faces([path], "-v2", 13.0, out)
    names = {re.search(r"\[signal\.(.+)\]", text).group(1) for text in out}
    assert names == {"planarity-v2", "solidity"}
    out.clear()
    fit.fit_faces([path], "-v1", 13.0, out)
    assert len(out) == 1 and "[signal.planarity-v1]" in out[0]


def test_nothing_to_fit_is_an_error_that_says_so(tmp_path):
    path = traces(tmp_path / "t.jsonl", {"planarity": (20, 20)})
    with pytest.raises(SystemExit, match="no signal has enough traces"):
        fit.fit_faces([path], "-v2", 13.0, [])


def test_the_table_is_that_of_the_sources():
    found = {}
    for path in SOURCES.glob("*.rs"):
        text = path.read_text()
        name = re.search(r'fn name\(&self\) -> &\'static str \{\s*"([a-z-]+)"', text)
        names = re.search(r"pub const FEATURES: \[&str; \d+\] =\s*\[(.*?)\];", text, re.DOTALL)
        window = re.search(r"pub const WINDOW: f64 = ([0-9.]+);", text)
        if name and names and window:
            found[name.group(1)] = (float(window.group(1)), re.findall(r'"([a-z0-9-]+)"', names.group(1)))
    assert {"solidity", "eye-stabilisation", "micro-motion"} <= set(found)
    assert found == fit.SIGNALS
