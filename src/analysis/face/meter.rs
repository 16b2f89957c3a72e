//! The steps of an analysis, for whoever has a clock.

/// The steps whose time is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Reading and scaling the frame for the detector, and cutting aligned crops.
    Pixels,
    Detector,
    Mesh,
    Blendshapes,
    Quality,
    Repeats,
    /// Networks that watch a face, with the cutting of their pictures.
    Networks,
    Signals,
}

impl Stage {
    pub const ALL: [Self; 8] = [
        Self::Pixels,
        Self::Detector,
        Self::Mesh,
        Self::Blendshapes,
        Self::Quality,
        Self::Repeats,
        Self::Networks,
        Self::Signals,
    ];
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pixels => "pixels",
            Self::Detector => "detector",
            Self::Mesh => "mesh",
            Self::Blendshapes => "blendshapes",
            Self::Quality => "quality",
            Self::Repeats => "repeats",
            Self::Networks => "networks",
            Self::Signals => "signals",
        }
    }
}

/// Told when a stage begins; whoever has a clock can measure. `()` measures nothing.
pub trait Meter {
    fn begin(&mut self, stage: Stage);
}

impl Meter for () {
    fn begin(&mut self, _: Stage) {}
}
