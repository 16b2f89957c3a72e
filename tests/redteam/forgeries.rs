//! Forgeries on synthetic pictures, with faces that a test puts where it likes.

use gstdeepfake::analysis::face::mesh::{EYE_REGION, FaceMesh, LEFT_EYE, LIPS, OVAL, RIGHT_EYE};
use gstdeepfake::recorded::{Frame, StreamInfo};
use gstdeepfake::redteam::run::load;
use gstdeepfake::redteam::*;

const W: u32 = 160;
const H: u32 = 120;

/// A face that looks into the camera, its centre at `x`, `y`.
fn face(x: f32, y: f32) -> FaceMesh {
    let mut points = vec![[0.0; 3]; 478];
    for (i, p) in points.iter_mut().enumerate() {
        // A sunflower: points all over, none on another.
        let (r, a) = ((i as f32 / 478.0).sqrt(), i as f32 * 2.399_963);
        *p = [x + 24.0 * r * a.cos(), y + 30.0 * r * a.sin(), -12.0 * (1.0 - r * r)];
    }
    let mut put = |indices: &[usize], cx: f32, cy: f32, rx: f32, ry: f32| {
        for (k, i) in indices.iter().enumerate() {
            let a = k as f32 / indices.len() as f32 * std::f32::consts::TAU;
            points[*i] = [cx + rx * a.sin(), cy - ry * a.cos(), -8.0];
        }
    };
    put(&OVAL, x, y, 26.0, 33.0);
    put(&LIPS, x, y + 15.0, 9.0, 4.0);
    let (right, left): (Vec<usize>, Vec<usize>) = EYE_REGION.iter().partition(|i| **i < 248);
    put(&right, x - 10.0, y - 9.0, 8.0, 5.0);
    put(&left, x + 10.0, y - 9.0, 8.0, 5.0);
    for (eye, side) in [(RIGHT_EYE, -1.0), (LEFT_EYE, 1.0)] {
        let (cx, cy) = (x + side * 10.0, y - 8.0);
        let places =
            [(side * 5.0, 0.0), (-side * 5.0, 0.0), (-2.0, -2.0), (2.0, -2.0), (-2.0, 2.0), (2.0, 2.0)];
        for (i, (dx, dy)) in eye.iter().zip(places) {
            points[*i] = [cx + dx, cy + dy, -8.0];
        }
    }
    points[13] = [x, y + 15.0, -8.0];
    points[152] = [x, y + 33.0, -2.0];
    points[4] = [x, y + 3.0, -14.0];
    points[151] = [x, y - 20.0, -8.0];
    FaceMesh { points, presence: 1.0 }
}

/// Finds a face where the picture's brightness says.
struct FaceByTime;

impl Finder for FaceByTime {
    fn find(&mut self, frame: &Frame, _: &StreamInfo) -> Result<Vec<FaceMesh>> {
        Ok(vec![face(76.0 + (frame.pts_ns / 40_000_000 % 9) as f32, 60.0)])
    }
    fn reset(&mut self) {}
}

/// Every brightness has its own pattern: other people look different.
fn frame(n: u64, base: u8) -> Frame {
    let (a, b) = if base == 60 { (5, 3) } else { (2, 7) };
    let luma = (0..H).flat_map(|y| (0..W).map(move |x| base + ((x * a + y * b + n as u32) % 61) as u8));
    let data: Vec<u8> = luma.chain(std::iter::repeat_n(base / 2 + 60, (W * H / 2) as usize)).collect();
    Frame::new(n * 40_000_000, Some(40_000_000), W, H, data).unwrap()
}

fn segment(base: u8, count: u64) -> Segment {
    let mut info = StreamInfo::new(W, H, (25, 1));
    info.duration_ns = Some(count * 40_000_000);
    Segment { info, frames: (0..count).map(|n| frame(n, base)).collect() }
}

fn resources() -> Resources {
    let mut resources = Resources::with_faces(Faces::new(Box::new(FaceByTime)));
    (resources.other, resources.later) = (Some(segment(140, 60)), Some(segment(60, 60)));
    resources
}

fn render(kind: &Kind, seed: u64, count: u64) -> (Vec<Frame>, Option<u64>) {
    let source = segment(60, count);
    let resources = resources();
    let frames = Frames::new(source.info, source.frames);
    let condition = Condition { noise: 0.0, ..Condition::new(kind.clone(), seed) };
    let mut scene = scene_with(Box::new(frames), &condition, &resources).unwrap();
    let mut out = Vec::new();
    while out.len() < count as usize
        && let Some(frame) = scene.next_frame().unwrap()
    {
        out.push(frame);
    }
    (out, scene.onset_pts())
}

/// Share of luma pixels in a rectangle that differ by more than 3.
fn changed(a: &Frame, b: &Frame, [x, y, w, h]: [usize; 4]) -> f64 {
    let at = |f: &Frame, i: usize, j: usize| i32::from(f.data()[j * W as usize + i]);
    let differs = (y..y + h).flat_map(|j| (x..x + w).map(move |i| (i, j)));
    let n = differs.filter(|(i, j)| (at(a, *i, *j) - at(b, *i, *j)).abs() > 3).count();
    n as f64 / (w * h) as f64
}

const CORNER: [usize; 4] = [0, 0, 30, 20];
const CHEEKS: [usize; 4] = [62, 62, 30, 8];

#[test]
fn every_condition_of_the_catalogue_renders_the_same_twice_and_on_time() {
    for trial in
        load(None).unwrap().iter().filter(|t| !t.family.is_of_source() && t.seconds.is_none_or(|s| s < 20.0))
    {
        // Ways and noise are tested elsewhere.
        if !trial.name.ends_with("/clean") && !trial.first {
            continue;
        }
        let kind = shortened(&trial.kind);
        let ((a, onset), (b, _)) = (render(&kind, 5, 60), render(&kind, 5, 60));
        assert!(a.len() >= 45, "{}: {} frames", trial.name, a.len());
        assert!(a == b, "{} is not the same twice", trial.name);
        assert!(a.windows(2).all(|p| p[1].pts_ns > p[0].pts_ns), "{}: time goes back", trial.name);
        assert_eq!(onset.is_some(), trial.is_attack(), "{}", trial.name);
    }
}

/// Onsets that fit into the few frames of a test.
fn shortened(kind: &Kind) -> Kind {
    match kind.clone() {
        Kind::Partial(g) => Kind::Partial(PartialAttack { onset: g.onset.min(0.5), ..g }),
        Kind::Splice(s) => Kind::Splice(Splice { onset: 0.5, ..s }),
        Kind::Freeze(f) => Kind::Freeze(Freeze { onset: 0.5, ..f }),
        Kind::Loop(l) => Kind::Loop(Replay {
            length: 0.8,
            seam: match l.seam {
                Seam::CrossFade(_) => Seam::CrossFade(0.2),
                other => other,
            },
            ..l
        }),
        other => other,
    }
}

#[test]
fn a_swap_changes_the_face_and_nothing_else() {
    let genuine = segment(60, 3).frames;
    for blend in [Blend::Alpha, Blend::Colour, Blend::MultiBand, Blend::Poisson] {
        for donor in [Donor::Still, Donor::Other, Donor::Own] {
            let swap = Swap { blend, donor, shift: 0.06, ..Swap::default() };
            let (out, onset) = render(&Kind::Swap(swap), 3, 3);
            assert_eq!(onset, Some(0));
            assert_eq!(changed(&genuine[1], &out[1], CORNER), 0.0, "{blend:?} {donor:?}");
            assert!(
                changed(&genuine[1], &out[1], CHEEKS) > 0.2,
                "{blend:?} {donor:?}: the face is as it was"
            );
        }
    }
}

#[test]
fn parts_keep_to_their_place() {
    let genuine = segment(60, 2).frames;
    let swap = |part| render(&Kind::Swap(Swap { part, blend: Blend::Alpha, ..Swap::default() }), 3, 2).0;
    let mouth = [72, 78, 12, 6];
    let (with_mouth, with_eyes) = (swap(Part::Mouth), swap(Part::Eyes));
    assert_eq!(changed(&genuine[0], &with_eyes[0], mouth), 0.0, "another's eyes change the mouth");
    assert!(changed(&genuine[0], &with_mouth[0], [0, 0, 160, 120]) < 0.2);
}

#[test]
fn a_partial_attack_comes_and_goes() {
    let of = Box::new(Kind::Swap(Swap::default()));
    let partial =
        PartialAttack { onset: 0.4, lasts: Some(0.4), every: Some(1.2), of, ..PartialAttack::default() };
    let (out, onset) = render(&Kind::Partial(partial), 3, 50);
    assert_eq!(onset, Some(400_000_000));
    for (n, (frame, genuine)) in out.iter().zip(&segment(60, 50).frames).enumerate() {
        let open = (n + 20) % 30 < 10;
        assert_eq!(frame != genuine, open, "frame {n}");
    }
    let smaller = PartialAttack { onset: 0.0, smaller: true, ..PartialAttack::default() };
    let (out, _) = render(&Kind::Partial(smaller), 3, 20);
    assert_eq!((out[9].width(), out[10].width(), out[10].height()), (W, W / 2, H / 2));
}

#[test]
fn times_are_what_they_are_said_to_be() {
    let play = |trick| render(&Kind::Cadence(Cadence { trick }), 3, 50).0;
    let steps = |f: &[Frame]| f.windows(2).map(|p| p[1].pts_ns - p[0].pts_ns).collect::<Vec<_>>();
    let doubled = play(Trick::Duplicate(5));
    assert!((0..50).all(|n| (n > 0 && doubled[n].data() == doubled[n - 1].data()) == (n % 5 == 4)));
    assert_eq!(steps(&play(Trick::Drop(5))).iter().filter(|s| **s == 80_000_000).count(), 9);
    assert!(steps(&play(Trick::Perfect)).iter().all(|s| *s == 40_000_000));
    let jitter = steps(&play(Trick::Jitter(3.0)));
    assert!(jitter.iter().any(|s| *s > 42_000_000) && jitter.iter().any(|s| *s < 38_000_000));
    assert!(steps(&play(Trick::Skew(10_000.0))).iter().all(|s| (40_399_000..40_401_000).contains(s)));
    let faster = play(Trick::Rate(25.0, 50.0));
    assert!(faster.chunks(2).take(20).all(|p| p[0].data() == p[1].data()));
    let cut = play(Trick::Cut);
    assert!(
        cut[24].data() == segment(60, 50).frames[24].data()
            && cut[25].data() == segment(60, 60).frames[0].data()
    );
}

#[test]
fn a_pulse_beats_on_the_skin_only() {
    let of = Box::new(Kind::Reencode(Reencode::default()));
    let pulse = Adversarial { with: Disguise::Pulse, strength: 20.0, of };
    let (out, _) = render(&Kind::Adversarial(pulse), 3, 30);
    let genuine = segment(60, 30).frames;
    assert!((0..30).all(|n| changed(&genuine[n], &out[n], CORNER) == 0.0));
    assert!((0..30).any(|n| changed(&genuine[n], &out[n], CHEEKS) > 0.5));
}

#[test]
fn what_is_missing_is_told() {
    let source = || Box::new(Frames::new(segment(60, 5).info, segment(60, 5).frames));
    let tell = |kind: Kind, resources: &Resources| {
        let condition = Condition::new(kind, 1);
        match scene_with(source(), &condition, resources) {
            Err(e) => e.to_string(),
            Ok(mut scene) => scene.next_frame().unwrap_err().to_string(),
        }
    };
    let swap = || Kind::Swap(Swap::default());
    assert!(tell(swap(), &Resources::NONE).contains("another person"));
    let mut lone = Resources::NONE;
    lone.other = Some(segment(90, 5));
    assert!(tell(swap(), &lone).contains("faces cannot be found"));
    let found = Resources::with_faces(Faces::new(Box::new(FaceByTime)));
    let later = Kind::Swap(Swap { donor: Donor::Later, ..Swap::default() });
    assert!(tell(later, &found).contains("another time"));
    assert!(tell(Kind::Swap(Swap { edge: f64::NAN, ..Swap::default() }), &found).contains("edge"));
}
