//! One variant, and what the checks make of it.

use gstdeepfake::analysis::pixels::fingerprint::Fingerprint;
use gstdeepfake::analysis::pixels::frame::{Colour, FrameView, PixelFormat, Plane};
use gstdeepfake::analysis::pixels::rect::NormRect;
use gstdeepfake::analysis::source::provenance::{Finding, Outcome, Weighed, weigh};
use gstdeepfake::analysis::source::{Origin, SourceForensics, Timing, bitstream};
use gstdeepfake::recorded::Frame;

/// Arrival and PTS, ns.
pub type Times = Vec<(u64, u64)>;

/// What a source sends.
pub struct Case {
    pub origin: Origin,
    pub rate: (u32, u32),
    pub times: Times,
    /// Consecutive pictures with the face's place.
    pub pictures: Vec<(Frame, Option<NormRect>)>,
    /// Small pictures over a longer time, for the checks of rhythm.
    pub small: Vec<Frame>,
    pub marks: Vec<bitstream::Mark>,
}

#[derive(Debug)]
pub struct Judged {
    pub weighed: Weighed,
    pub findings: Vec<Finding>,
}

pub fn view(frame: &Frame) -> FrameView<'_> {
    let planes = frame.planes().map(|(data, w, _)| Plane { data, stride: w as usize });
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    FrameView::new(PixelFormat::I420, w, h, Colour::default(), &planes).unwrap()
}

impl Case {
    pub fn judge(&self) -> Judged {
        let mut timing = Timing::new(Some(self.rate));
        for (arrival, pts) in &self.times {
            timing.observe(*arrival, Some(*pts), None);
        }
        let mut forensics = SourceForensics::new(self.origin);
        for (frame, face) in &self.pictures {
            forensics.observe_frame(&view(frame), frame.pts_ns, *face);
        }
        for frame in &self.small {
            forensics.observe_print(frame.pts_ns, &Fingerprint::of(&view(frame)));
        }
        let mut findings = timing.findings(self.origin.claim);
        findings.extend(forensics.findings());
        findings.extend(bitstream::findings(&self.marks, self.origin.claim));
        Judged { weighed: weigh(&findings), findings }
    }
}

impl Judged {
    /// The findings that say something, in short.
    pub fn spoken(&self) -> String {
        let spoken = self.findings.iter().filter(|f| f.outcome == Outcome::Found);
        let short = |f: &Finding| format!("{} {:+.1}", f.check, f.injection);
        spoken.map(short).collect::<Vec<_>>().join(", ")
    }
}
