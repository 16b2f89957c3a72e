//! Everything that is read from pictures, in one place.

use super::cadence::Cadence;
use super::grid::Grid;
use super::noise::Noise;
use super::origin::{Origin, against};
use super::provenance::Finding;
use crate::analysis::pixels::fingerprint::Fingerprint;
use crate::analysis::pixels::frame::FrameView;
use crate::analysis::pixels::rect::NormRect;

/// Everything that is read from pictures. Bounded memory (about 1 MB at most), a millisecond or so a frame.
#[derive(Debug)]
pub struct SourceForensics {
    origin: Origin,
    last: Option<u64>,
    noise: Noise,
    grid: Grid,
    cadence: Cadence,
}

impl SourceForensics {
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            last: None,
            noise: Noise::default(),
            grid: Grid::default(),
            cadence: Cadence::default(),
        }
    }

    /// Takes a frame with its PTS (ns) and the face's place in it, if there is one. Noise is measured between two
    /// frames at most [`MAX_PAIR_NS`](super::noise::MAX_PAIR_NS) apart: call it for two consecutive frames a few times a second, or for a
    /// steady 5 a second. It keeps a copy of the small blocks that it needs, never of the frame. A PTS that does not
    /// rise, and a new size, start everything afresh.
    pub fn observe_frame(&mut self, frame: &FrameView<'_>, pts: u64, face: Option<NormRect>) {
        if self.last.is_some_and(|last| pts <= last) {
            *self = Self::new(self.origin);
        }
        self.last = Some(pts);
        self.noise.observe(frame, pts, face);
        self.grid.observe(frame);
    }

    /// Takes the fingerprint of every frame, for the checks of cadence; they are silent without.
    pub fn observe_print(&mut self, pts: u64, print: &Fingerprint) {
        self.cadence.observe(&(pts, *print));
    }

    /// One finding a check, evidence of injection already weighed against the claim.
    pub fn findings(&self) -> Vec<Finding> {
        let mut all = self.noise.findings(&self.origin);
        all.extend(self.grid.findings(&self.origin));
        all.extend(self.cadence.findings(&self.origin));
        against(self.origin.claim, all)
    }
}

#[cfg(test)]
mod tests {
    use super::super::origin::Coding;
    use super::super::provenance::Class;
    use super::*;
    use crate::analysis::pixels::frame::{Colour, PixelFormat, Plane};
    use proptest::prelude::*;

    #[test]
    fn a_file_that_says_so_is_no_injection() {
        let found = || vec![Finding::of("timestamps", Class::Physical, -1.0, "exact").injected(2.0)];
        let nats = |claim| against(claim, found()).iter().map(|f| f.injection).sum::<f64>();
        assert_eq!(nats(Class::File), 0.0);
        assert_eq!(nats(Class::Physical), 2.0);
        assert!(nats(Class::Network) > 0.0 && nats(Class::Network) < 2.0);
    }

    #[test]
    fn media_types_tell_the_coding() {
        let of = ["video/x-raw", "image/jpeg", "video/x-h264", "audio/x-raw", ""].map(Coding::of_media_type);
        assert_eq!(of, [Coding::Raw, Coding::Intra, Coding::Inter, Coding::Unknown, Coding::Unknown]);
    }

    fn grey(data: &[u8], w: usize, h: usize) -> FrameView<'_> {
        let plane = Plane { data, stride: w };
        FrameView::new(PixelFormat::Gray8, w, h, Colour::default(), &[plane]).unwrap()
    }

    #[test]
    fn a_time_that_goes_back_starts_afresh() {
        let data: Vec<u8> = (0..128 * 96).map(|i| (40 + i % 128) as u8).collect();
        let mut forensics = SourceForensics::new(Origin { coding: Coding::Raw, ..Origin::default() });
        for n in 1..=6 {
            forensics.observe_frame(&grey(&data, 128, 96), n * 40_000_000, None);
        }
        assert!(forensics.grid.measured().is_some());
        forensics.observe_frame(&grey(&data, 128, 96), 1, None);
        assert!(forensics.grid.measured().is_none());
    }

    /// What a frame costs: `cargo test --release forensics_cost -- --ignored --nocapture`.
    #[test]
    #[ignore = "prints a number"]
    fn forensics_cost() {
        let (w, h) = (1280, 720);
        let grain = |n: usize, i: usize| (i.wrapping_mul(2_654_435_761 + n) >> 13) % 5;
        let frame = |n: usize| (0..w * h).map(|i: usize| (60 + i % w / 16 + grain(n, i)) as u8).collect();
        let frames: Vec<Vec<u8>> = (0..8).map(frame).collect();
        let mut forensics = SourceForensics::new(Origin { coding: Coding::Raw, ..Origin::default() });
        let begun = std::time::Instant::now();
        for n in 0..200 {
            forensics.observe_frame(&grey(&frames[n % 8], w, h), n as u64 * 40_000_000, None);
        }
        println!("observe_frame, {w}x{h}: {:.0} us", begun.elapsed().as_secs_f64() * 1e6 / 200.0);
        let begun = std::time::Instant::now();
        let count = std::hint::black_box(forensics.findings()).len();
        println!("findings ({count}): {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_pictures_are_survived(
            (w, h) in (16usize..140, 16usize..140),
            seeds in prop::collection::vec((any::<u8>(), any::<u64>()), 1..8),
            rect in prop::array::uniform4(any::<f64>()),
        ) {
            let mut forensics = SourceForensics::new(Origin { coding: Coding::Raw, ..Origin::default() });
            for (n, (seed, pts)) in seeds.iter().enumerate() {
                let data: Vec<u8> = (0..w * h).map(|i| (i * usize::from(*seed) / 7) as u8).collect();
                let [x, y, rw, rh] = rect;
                let pts = if n % 2 == 0 { *pts } else { n as u64 * 40_000_000 };
                let face = Some(NormRect { x, y, w: rw, h: rh });
                forensics.observe_frame(&grey(&data, w, h), pts, face);
                forensics.observe_print(pts, &Fingerprint::of(&grey(&data, w, h)));
            }
            for finding in forensics.findings() {
                prop_assert!(finding.weight.is_finite() && finding.injection.is_finite());
            }
        }
    }
}
