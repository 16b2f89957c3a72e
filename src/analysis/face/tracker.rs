//! Who is who from frame to frame: stable ids, association, loss and re-appearance.
//!
//! A face is followed by its own mesh (the next region of interest is where the last mesh was); the detector
//! finds new faces and the lost ones. A lost face keeps its id, and with it its evidence, only if a face of
//! like size re-appears near the same place within [`REUNION_NS`]: evidence must not pass to another person.

use crate::analysis::face::align::Roi;
use crate::analysis::face::detector::{Detection, iou};

/// How long a lost face may be away and still be the same, ns.
pub const REUNION_NS: u64 = 1_500_000_000;
/// Lost faces that are remembered for each that may be followed: what flickers must not fill the memory.
const REMEMBERED: usize = 2;
/// Overlap from which a detection is a followed face.
const SAME_IOU: f32 = 0.2;
/// Overlap from which two followed faces are one.
const MERGED_IOU: f32 = 0.6;

/// One face.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Track {
    /// Never reused within an epoch.
    pub id: u32,
    /// Where to look for the face in the next frame.
    pub roi: Roi,
    /// `[x, y, w, h]`, frame pixels, smoothed for display.
    pub rect: [f32; 4],
    /// PTS of the first and of the last frame in which it was seen, ns.
    pub first_pts: u64,
    pub seen_pts: u64,
    /// Set while the face is not to be seen.
    pub lost: bool,
}

/// The faces of a stream.
#[derive(Clone, Debug)]
pub struct Tracker {
    tracks: Vec<Track>,
    next_id: u32,
    max_faces: usize,
    min_face: f32,
}

impl Tracker {
    /// Follows up to `max_faces` faces of at least `min_face` pixels' width.
    pub fn new(max_faces: usize, min_face: f32) -> Self {
        Self { tracks: Vec::new(), next_id: 1, max_faces: max_faces.max(1), min_face }
    }

    /// All faces, the lost ones too, by id.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// Faces that are being followed, the largest first.
    pub fn followed(&self) -> Vec<Track> {
        let mut all: Vec<_> = self.tracks.iter().filter(|t| !t.lost).copied().collect();
        all.sort_by(|a, b| b.roi.size.total_cmp(&a.roi.size).then(a.id.cmp(&b.id)));
        all
    }

    /// Whether the detector should look: nobody is followed, or somebody is missing.
    pub fn wants_detection(&self) -> bool {
        self.tracks.iter().all(|t| t.lost) || self.tracks.iter().any(|t| t.lost)
    }

    /// Offers the detector's faces: known ones are left to their meshes, lost ones come back, others are new
    /// while there is room (the best scores first).
    pub fn offer(&mut self, detections: &[Detection], pts: u64) {
        for d in detections {
            let rect = [d.x, d.y, d.w, d.h];
            if d.w < self.min_face || self.tracks.iter().any(|t| !t.lost && covers(t.rect, rect)) {
                continue;
            }
            if self.tracks.iter().filter(|t| !t.lost).count() >= self.max_faces {
                continue;
            }
            let back = self
                .tracks
                .iter_mut()
                .filter(|t| t.lost && may_be_same(t, rect, pts))
                .min_by(|a, b| centre_distance(a.rect, rect).total_cmp(&centre_distance(b.rect, rect)));
            if let Some(track) = back {
                track.lost = false;
                track.roi = Roi::from_detection(d);
                track.rect = rect;
                continue;
            }
            self.tracks.push(Track {
                id: self.next_id,
                roi: Roi::from_detection(d),
                rect,
                first_pts: pts,
                seen_pts: pts,
                lost: false,
            });
            self.next_id = self.next_id.wrapping_add(1).max(1);
        }
    }

    /// The mesh found the face at `rect`; the next search is at `roi`.
    pub fn seen(&mut self, id: u32, rect: [f32; 4], roi: Roi, pts: u64) {
        if let Some(t) = self.tracks.iter_mut().find(|t| t.id == id) {
            // Half-way smoothing a frame, but no lag behind a face that really moves.
            let moved = centre_distance(t.rect, rect) / rect[2].max(1.0);
            let keep = (0.5 - 2.0 * moved).clamp(0.0, 0.5);
            for (old, new) in t.rect.iter_mut().zip(rect) {
                *old = keep * *old + (1.0 - keep) * new;
            }
            t.roi = roi;
            t.seen_pts = pts;
            t.lost = false;
        }
    }

    /// The mesh did not find the face.
    pub fn lose(&mut self, id: u32) {
        if let Some(t) = self.tracks.iter_mut().find(|t| t.id == id) {
            t.lost = true;
        }
    }

    /// Ids that ended: faces away for too long, of too many lost ones those that are away longest, and the younger of two
    /// that have become one.
    pub fn expire(&mut self, pts: u64) -> Vec<u32> {
        let mut ended = Vec::new();
        let all = self.tracks.clone();
        self.tracks.retain(|t| {
            let gone = t.lost && pts.saturating_sub(t.seen_pts) > REUNION_NS;
            let merged =
                !t.lost && all.iter().any(|o| !o.lost && o.id < t.id && iou(o.rect, t.rect) > MERGED_IOU);
            if gone || merged {
                ended.push(t.id);
            }
            !(gone || merged)
        });
        let mut lost: Vec<_> = self.tracks.iter().filter(|t| t.lost).map(|t| (t.seen_pts, t.id)).collect();
        lost.sort_unstable();
        let forgotten = lost.len().saturating_sub(REMEMBERED * self.max_faces);
        for (_, id) in lost.into_iter().take(forgotten) {
            self.tracks.retain(|t| t.id != id);
            ended.push(id);
        }
        ended
    }
}

/// Detector box and mesh box are cut differently: count it when the centre of one lies well inside the other.
fn covers(track: [f32; 4], det: [f32; 4]) -> bool {
    iou(track, det) > SAME_IOU || centre_distance(track, det) < 0.35 * track[2].max(det[2])
}

fn may_be_same(t: &Track, rect: [f32; 4], pts: u64) -> bool {
    let away = pts.saturating_sub(t.seen_pts);
    let ratio = rect[2].max(1.0) / t.rect[2].max(1.0);
    away <= REUNION_NS
        && (0.5..2.0).contains(&ratio)
        && centre_distance(t.rect, rect) < t.rect[2].max(rect[2])
}

fn centre_distance(a: [f32; 4], b: [f32; 4]) -> f32 {
    (a[0] + a[2] / 2.0 - b[0] - b[2] / 2.0).hypot(a[1] + a[3] / 2.0 - b[1] - b[3] / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn face(x: f32, w: f32) -> Detection {
        let keypoints = [[x + 0.3 * w, 40.0], [x + 0.7 * w, 40.0], [0.0; 2], [0.0; 2], [0.0; 2], [0.0; 2]];
        Detection { score: 0.9, x, y: 20.0, w, h: w, keypoints }
    }

    fn follow(t: &mut Tracker, x: f32, w: f32, id: u32, pts: u64) {
        t.seen(id, [x, 20.0, w, w], Roi::from_detection(&face(x, w)), pts);
    }

    #[test]
    fn a_short_loss_keeps_the_id_and_a_long_one_does_not() {
        let mut t = Tracker::new(4, 10.0);
        t.offer(&[face(100.0, 50.0)], 0);
        follow(&mut t, 100.0, 50.0, 1, 0);
        t.lose(1);
        t.offer(&[face(110.0, 52.0)], 1_000_000_000);
        assert_eq!(t.followed()[0].id, 1);
        follow(&mut t, 110.0, 52.0, 1, 1_000_000_000);
        t.lose(1);
        assert_eq!(t.expire(3_000_000_000), vec![1]);
        t.offer(&[face(110.0, 52.0)], 3_000_000_000);
        assert_eq!(t.followed()[0].id, 2);
    }

    #[test]
    fn someone_elsewhere_or_of_another_size_is_someone_else() {
        for other in [face(400.0, 50.0), face(100.0, 130.0)] {
            let mut t = Tracker::new(4, 10.0);
            t.offer(&[face(100.0, 50.0)], 0);
            t.lose(1);
            t.offer(&[other], 500_000_000);
            assert_eq!(t.followed().iter().map(|f| f.id).collect::<Vec<_>>(), vec![2]);
        }
    }

    #[test]
    fn faces_that_cross_keep_their_ids() {
        let mut t = Tracker::new(4, 10.0);
        t.offer(&[face(0.0, 50.0), face(300.0, 50.0)], 0);
        for i in 0..=30u64 {
            let x = 10.0 * i as f32;
            follow(&mut t, x, 50.0, 1, i);
            t.seen(2, [300.0 - x, 90.0, 50.0, 50.0], Roi::default(), i);
            assert!(t.expire(i).is_empty());
        }
        assert!((t.tracks()[0].rect[0] - 300.0).abs() < 3.0 && t.tracks()[1].rect[0] < 3.0);
    }

    #[test]
    fn two_tracks_on_one_face_become_the_older() {
        let mut t = Tracker::new(4, 10.0);
        t.offer(&[face(0.0, 50.0), face(200.0, 50.0)], 0);
        follow(&mut t, 2.0, 50.0, 2, 1);
        follow(&mut t, 2.0, 50.0, 2, 2);
        assert_eq!(t.expire(2), vec![2]);
    }

    proptest! {
        #[test]
        fn ids_are_never_reused_and_the_number_is_bounded(
            steps in proptest::collection::vec((0f32..600.0, 5f32..200.0, any::<bool>(), 0u64..2_000_000_000), 1..80)
        ) {
            let mut t = Tracker::new(3, 10.0);
            let (mut now, mut ended) = (0, Vec::new());
            for (x, w, lose, dt) in steps {
                now += dt;
                t.offer(&[face(x, w)], now);
                if lose && let Some(f) = t.followed().first() {
                    t.lose(f.id);
                }
                ended.extend(t.expire(now));
                prop_assert!(t.followed().len() <= 3 && t.tracks().len() <= 9);
                prop_assert!(t.tracks().iter().all(|k| !ended.contains(&k.id) && k.roi.size >= 10.0));
            }
        }
    }
}
