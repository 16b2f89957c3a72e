//! A network sees the right pixels, through the whole way from the frame to ONNX Runtime: networks that average a part
//! of their input say what was there.

use crate::common::{face_models, onnxruntime};
use crate::{Entry, folder};
use gstdeepfake::analysis::engine::profile::Profile;
use gstdeepfake::analysis::face::chain::{Chain, Face};
use gstdeepfake::analysis::face::models::MeshKind;
use gstdeepfake::analysis::networks::crop::FaceBox;
use gstdeepfake::analysis::networks::look::{Look, Shown, Viewer};
use gstdeepfake::analysis::networks::parts::Part;
use gstdeepfake::analysis::pixels::frame::{Colour, FrameView, PixelFormat, Plane};
use gstdeepfake::inference::{Config, FaceModelSet, Provider};

const W: usize = 320;
const H: usize = 240;

/// What the network of `entry` says of the face that the small networks see in a frame, and the face.
fn look(entry: &Entry, format: PixelFormat, data: &[u8], stride: usize) -> Option<(Look, Face)> {
    let dir = folder(std::slice::from_ref(entry));
    let set = FaceModelSet::load(&Config {
        model_dir: Some(face_models()),
        library: Some(onnxruntime()?),
        provider: Provider::Cpu,
        extra_models: vec![dir.path().to_path_buf()],
        ..Config::default()
    })
    .unwrap();
    let config = Profile::Balanced.chain(1, 16.0);
    assert_eq!(config.mesh, MeshKind::V2);
    let mut chain = Chain::new(set, config, None);
    let frame = FrameView::new(format, W, H, Colour::default(), &[Plane { data, stride }]).unwrap();
    let faces = chain.faces(&frame, 0, &mut Vec::new(), &mut ()).unwrap();
    let face = faces.into_iter().next().expect("the small networks see a face");
    let place = FaceBox::of(&face.mesh, face.pose);
    let shown = Shown { frame: &frame, face: &face, place: &place, pts: 0 };
    let look =
        Viewer::default().look(&mut chain, 0, shown, None).unwrap().expect("the face is in the picture");
    assert_eq!((look.pts, look.px), (0, f64::from(face.mesh.bounds()[2])));
    Some((look, face))
}

/// Its score alone.
fn score(entry: &Entry, format: PixelFormat, data: &[u8], stride: usize) -> Option<(f64, Face)> {
    look(entry, format, data, stride).map(|(look, face)| (look.score, face))
}

fn centre(face: &Face) -> [f64; 2] {
    let [x, y, w, h] = face.mesh.bounds().map(f64::from);
    [x + w / 2.0, y + h / 2.0]
}

/// Brightness of a picture that grows to the right and downwards; pixel `i` has its middle at `i + 0.5`.
fn slope(x: f64, y: f64) -> f64 {
    20.0 + 0.5 * (x - 0.5) + 0.25 * (y - 0.5)
}

fn sloping() -> Vec<u8> {
    let at = |i: usize| slope((i % W) as f64 + 0.5, (i / W) as f64 + 0.5);
    (0..W * H).map(|i| at(i).round() as u8).collect()
}

#[test]
fn every_crop_shows_its_part_of_the_picture() {
    let data = sloping();
    let longer = |f: &Face| f64::from(f.mesh.bounds()[2].max(f.mesh.bounds()[3]));
    // The crop, and width and height of what it shows of the frame.
    type Size = fn(&dyn Fn(&Face) -> f64, &Face) -> [f64; 2];
    let cases: [(&str, Size); 6] = [
        ("kind = \"box\"\nscale = 1.3", |l, f| [1.3 * l(f); 2]),
        ("kind = \"box\"\nscale = 1.3\nfilter = \"linear\"", |l, f| [1.3 * l(f); 2]),
        ("kind = \"box\"\nscale = 0.8\nshape = \"face\"", |_, f| {
            [0.8 * f64::from(f.mesh.bounds()[2]), 0.8 * f64::from(f.mesh.bounds()[3])]
        }),
        ("kind = \"aligned\"\nscale = 1.2", |l, f| [1.2 * l(f); 2]),
        // Not larger than its bound: pixel by pixel. Larger: shrunk.
        ("kind = \"native\"\nmax-face = 500", |_, _| [32.0; 2]),
        ("kind = \"native\"\nmax-face = 40", |_, f| [32.0 * f64::from(f.mesh.bounds()[2]) / 40.0; 2]),
    ];
    for (crop, size) in cases {
        let entry = Entry { crop: crop.into(), ..Entry::quadrant() };
        let Some((got, face)) = score(&entry, PixelFormat::Gray8, &data, W) else { return };
        let ([cx, cy], [w, h]) = (centre(&face), size(&longer, &face));
        let angle = if crop.contains("aligned") { f64::from(face.pose.roll) } else { 0.0 };
        let (sin, cos) = angle.sin_cos();
        // The middle of the top left quarter.
        let want = slope(cx - w / 4.0 * cos + h / 4.0 * sin, cy - w / 4.0 * sin - h / 4.0 * cos);
        // Native pictures lie on whole pixels, at most half a pixel away.
        let tolerance = if crop.contains("500") { 0.5 } else { 0.3 };
        assert!((255.0 * got - want).abs() < tolerance, "{crop}: {} instead of {want}", 255.0 * got);
    }
}

#[test]
fn native_pixels_are_those_of_the_frame() {
    let data: Vec<u8> = crate::common::frames::random_bytes(5, W * H);
    let Some((got, face)) = score(&Entry::quadrant(), PixelFormat::Gray8, &data, W) else { return };
    let [left, top] = centre(&face).map(|c| (c - 16.0 + 0.5).floor() as usize);
    let quarter = (top..top + 16).flat_map(|y| (left..left + 16).map(move |x| (x, y)));
    let sum: f64 = quarter.map(|(x, y)| f64::from(data[y * W + x])).sum();
    assert!((got * 255.0 - sum / 256.0).abs() < 1e-3, "{} instead of {}", got * 255.0, sum / 256.0);
}

#[test]
fn colours_and_classes_are_where_they_belong() {
    let data: Vec<u8> = [204u8, 102, 51].into_iter().cycle().take(W * H * 3).collect();
    let of = |change: &dyn Fn(&mut Entry)| {
        let mut entry = Entry::means();
        change(&mut entry);
        score(&entry, PixelFormat::Rgb, &data, 3 * W).map(|s| s.0)
    };
    let set = |text: &mut String, from: &str, to: &str| {
        assert!(text.contains(from));
        *text = text.replace(from, to);
    };
    // The channels' means become logits of 8, 4 and 2.
    let either = |a: f64, b: f64| (a.exp() + b.exp()).ln();
    let Some(rgb) = of(&|_| {}) else { return };
    assert!((rgb - (either(4.0, 2.0) - 8.0)).abs() < 1e-3, "{rgb}");
    let bgr = of(&|e| set(&mut e.preprocessing, "rgb", "bgr")).unwrap();
    assert!((bgr - (either(4.0, 8.0) - 2.0)).abs() < 1e-3, "{bgr}");
    let last = of(&|e| set(&mut e.outputs, "genuine-class = 0", "attack-class = [2]")).unwrap();
    assert!((last - (2.0 - either(8.0, 4.0))).abs() < 1e-3, "{last}");
    let two =
        of(&|e| set(&mut e.outputs, "genuine-class = 0", "genuine-class = 1\nattack-class = 0")).unwrap();
    assert!((two - 4.0).abs() < 1e-3, "{two}");
    // Mean and deviation, one a channel: (0.8 - 0.3) / 0.5, (0.4 - 0.2) / 0.1, (0.2 - 0.1) / 0.05.
    let normal = |e: &mut Entry| {
        set(&mut e.preprocessing, "range = [0, 10]", "mean = [0.3, 0.2, 0.1]\nstd = [0.5, 0.1, 0.05]")
    };
    let normal = of(&normal).unwrap();
    assert!((normal - (either(2.0, 2.0) - 1.0)).abs() < 1e-3, "{normal}");
}

#[test]
fn the_heat_map_lies_over_the_face_the_right_way_round() {
    let crop = "kind = \"box\"\nscale = 1.0\nshape = \"face\"";
    let entry = Entry { crop: crop.into(), ..Entry::quadrant() };
    let Some(plain) = look(&entry, PixelFormat::Gray8, &[60; W * H], W) else { return };
    let [x, y, w, h] = plain.1.mesh.bounds().map(f64::from);
    // Bright from one height of the face to another, all across it.
    let band = |from: f64, to: f64| -> Vec<u8> {
        let within = |i: usize| {
            (from..to).contains(&(((i / W) as f64 + 0.5 - y) / h))
                && ((i % W) as f64 - x - w / 2.0).abs() < w / 5.0
        };
        (0..W * H).map(|i| if within(i) { 220 } else { 60 }).collect()
    };
    for (from, to, parts) in
        [(0.0, 0.25, [Part::Forehead, Part::Eyes]), (0.5, 0.75, [Part::Mouth, Part::Nose])]
    {
        let heat = look(&entry, PixelFormat::Gray8, &band(from, to), W).unwrap().0.heat.unwrap();
        let hottest = heat.hottest().unwrap();
        assert!(parts.contains(&hottest), "{from}..{to}: {hottest:?}");
    }
    assert_eq!(plain.0.heat.unwrap().hottest(), None, "a flat map blames nobody");
}
