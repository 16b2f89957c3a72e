"""The network of presentation attacks: what the manifest says of it, and how its calibration is fitted."""

from __future__ import annotations

import csv
import io
import re
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from support import DOWNLOADS, MODELS, ROOT, fetch

sys.path.insert(0, str(ROOT / "models" / "calibration"))

import presentation  # noqa: E402

MODEL = MODELS["presentation-network"]
CARD = (ROOT / "models" / "presentation-network.md").read_text(encoding="utf-8")


# ---- manifest -----------------------------------------------------------------------


def test_it_is_pinned_and_taken_out_as_it_is() -> None:
    source, download = MODEL["source"], DOWNLOADS[MODEL["source"]["download"]]
    assert (download["registry"], download["package"], download["version"]) == ("npm", "faceplugin-face-recognition-js", "0.0.1")
    assert download["file"] == f"{download['package']}-{download['version']}.tgz"
    assert source["convert"] == "none" and "sha256" not in source
    assert MODEL["licence"] == "MIT" and "not told" in MODEL["origin"] and "not told" in download["licence"]


def test_it_is_fed_as_its_package_feeds_it_but_for_the_order_of_colours() -> None:
    crop, pixels = MODEL["crop"], MODEL["preprocessing"]
    assert (crop["kind"], crop["shape"], crop["outside"], crop["filter"]) == ("box", "square", "shift", "linear")
    assert (pixels["layout"], pixels["colour"], pixels["range"]) == ("nchw", "bgr", [0, 255])
    (output,) = MODEL["output"]
    assert output["meaning"] == "logits" and output["genuine-class"] == 0 and output["shape"] == [1, 3]
    assert MODEL["family"] == "presentation"


def test_its_calibration_is_cautious() -> None:
    worth = MODEL["calibration"]
    assert 0 < worth["slope"] <= 0.5 and worth["once"] is True
    # No real attack was there to say how often one looks genuine: it never speaks for a live person.
    assert worth["llr-min"] == 0 and worth["llr-max"] < 5
    assert "training data" in CARD and "renders" in CARD and MODEL["sha256"] in CARD


def test_the_card_has_the_terms() -> None:
    assert "Permission is hereby granted, free of charge" in CARD and "Copyright (c) 2021 gitguanqi" in CARD


# ---- fetch --------------------------------------------------------------------------


def test_a_member_is_taken_out_of_an_npm_package(tmp_path: Path) -> None:
    data = b"network" * 9
    path = tmp_path / DOWNLOADS[MODEL["source"]["download"]]["file"]
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo(MODEL["source"]["member"])
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    assert fetch.extract(path, MODEL["source"], len(data)) == data
    with pytest.raises(fetch.FetchError, match="is larger than"):
        fetch.extract(path, MODEL["source"], len(data) - 1)
    with pytest.raises(fetch.FetchError, match="holds no .*package/other"):
        fetch.extract(path, MODEL["source"] | {"member": "package/other"}, len(data))


# ---- calibration ---------------------------------------------------------------------


def written(path: Path, rows: list[tuple[str, str, str, str, float, float]]) -> Path:
    with path.open("w", newline="") as text:
        out = csv.writer(text)
        out.writerow(["clip", "label", "kind", "person", "time_s", "score"])
        out.writerows(rows)
    return path


def people(count: int, shift: float = 0.0) -> list[tuple[str, str, str, str, float, float]]:
    """Genuine recordings of 30 s and renders of so many people."""
    draw = np.random.default_rng(4)
    rows = []
    for p in range(count):
        level = draw.normal(-7, 2)
        for i in range(60):
            rows.append((f"clip{p}", "genuine", "recording", f"person{p}", i / 2, level + draw.normal(0, 1) + shift))
        for i in range(12):
            rows.append((f"print/{p}", "attack", "print", f"person{p}", i / 2, 2 + draw.normal(0, 3) + shift))
    return rows


def test_windows_are_means_and_short_recordings_count_with_what_they_have(tmp_path: Path) -> None:
    rows = [("long", "genuine", "a", "p", t / 2, float(t)) for t in range(8)]
    rows += [("short", "genuine", "a", "q", 0.0, 5.0), ("swap", "fake", "a", "r", 0.0, 9.0)]
    w = presentation.windows(written(tmp_path / "s.csv", rows))
    assert sorted(w.score.tolist()) == [2.5, 5.0], "two pictures of the second window are too few"
    assert not w.attack.any() and set(w.person) == {"p", "q"}, "a swap is no presentation attack"


def test_no_person_is_often_taken_for_an_attack(tmp_path: Path) -> None:
    w = presentation.windows(written(tmp_path / "s.csv", people(20)))
    slope, bias = presentation.calibrated(w, np.ones(len(w.score), bool))
    assert slope > 0
    for person in set(w.person):
        these = ~w.attack & (w.person == person)
        assert (slope * w.score[these] + bias > presentation.NATS + 1e-9).mean() <= presentation.SHARE
    assert (slope * w.score[w.attack] + bias).mean() > (slope * w.score[~w.attack] + bias).mean()


def test_a_score_that_is_shifted_is_worth_the_same(tmp_path: Path) -> None:
    one, two = (presentation.windows(written(tmp_path / f"{s}.csv", people(9, s))) for s in (0.0, 5.0))
    every = np.ones(len(one.score), bool)
    (a, b), (c, d) = presentation.calibrated(one, every), presentation.calibrated(two, every)
    assert a == pytest.approx(c, rel=0.02) and d == pytest.approx(b - 5 * c, abs=0.1)


def test_composites_are_taken_apart_and_people_known_again(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "manifest.csv").write_text(
        "file,label,people,parts\n"
        "clips/a.mp4,fake,still: X; driver: Kristi Noem,\"source still:2,2,5,5|driving(genuine):9,2,7,8|result(fake):30,2,7,8\"\n"
        "clips/b.mp4,genuine,A.Ng,\n"
        "clips/c.mp4,genuine,two,\"left 0,0,6,7 ; right 6,0,6,7 (both genuine, no fake part)\"\n"
        "clips/d.mp4,fake,Y,source still:2,2,5,5\n"
    )
    found = list(presentation.clips_of(folder))
    assert [(c.name, c.label, c.part) for c in found] == [
        ("set/a.mp4#driving", "genuine", (9, 2, 7, 8)),
        ("set/a.mp4#result", "fake", (30, 2, 7, 8)),
        ("set/b.mp4", "genuine", None),
        ("set/c.mp4#left", "genuine", (0, 0, 6, 7)),
        ("set/c.mp4#right", "genuine", (6, 0, 6, 7)),
    ]
    assert found[0].person == presentation.person_of("K.Noem") and found[2].person == presentation.person_of("Andrew Ng")
    assert found[3].person != found[4].person


def test_the_fit_says_what_the_manifest_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "s.csv", people(20))
    presentation.fit(presentation.argparse.Namespace(scores=path))
    said = capsys.readouterr().out
    for key in ("slope", "bias", "llr-min", "llr-max"):
        assert re.search(rf"^{key} = -?\d", said, re.MULTILINE) and key in MODEL["calibration"]
