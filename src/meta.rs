//! The verdict as buffer metadata.
//!
//! `deepfake-verdict` is a custom meta without tags: elements that convert or scale a frame copy untagged
//! metadata, because it depends on neither memory, size nor colours (and the boxes in it are normalised).
//! The region-of-interest metas are a courtesy to elements that know those (encoders, other overlays): their
//! parameters are lost in scaling, so nothing is read back from them.

use crate::analysis::judgement::verdict::Verdict;
use crate::analysis::pixels::rect::NormRect;
pub use crate::structure::Error;
use crate::structure::{NONE, read_verdict, time, write_verdict};
use gst::meta::CustomMeta;
use gstreamer as gst;
use gstreamer_video::VideoRegionOfInterestMeta;
use std::ops::ControlFlow;
use std::sync::{Arc, Once};

/// Name of the custom meta, of its structure, and of the parameter structure of our regions of interest.
pub const NAME: &str = "deepfake-verdict";

/// Type of our regions of interest.
pub const ROI_TYPE: &str = "face";

/// Registers the meta with GStreamer. Call it after `gst::init`; further calls do nothing.
pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // A process may hold this code twice: linked into the application and loaded as a plugin file.
        if !CustomMeta::is_registered(NAME) {
            // No transform function: GStreamer's own copies the structure on "copy" transforms, which is what
            // converters, scalers, tees and `make_mut` do, and refuses all others.
            CustomMeta::register_simple(NAME);
        }
    });
}

/// The structure of the buffer metadata, without the `age` that differs from buffer to buffer.
impl From<&Verdict> for gst::Structure {
    fn from(verdict: &Verdict) -> Self {
        let mut s = gst::Structure::new_empty(NAME);
        write_verdict(&mut s, verdict);
        s
    }
}

/// Reads a verdict out of buffer metadata or a `deepfake-verdict` message; see [`Error`] for what can be wrong.
impl TryFrom<&gst::StructureRef> for Verdict {
    type Error = Error;

    fn try_from(s: &gst::StructureRef) -> Result<Self, Error> {
        if s.name() != NAME {
            return Err(Error::Name { expected: NAME, found: s.name().to_string() });
        }
        read_verdict(s)
    }
}

/// A verdict made ready for the streaming thread: all that is the same for every buffer is built here, once a
/// verdict, so that [`Prepared::attach`] only copies it.
#[derive(Clone, Debug)]
pub struct Prepared {
    verdict: Arc<Verdict>,
    fields: gst::Structure,
}

impl Prepared {
    pub fn new(verdict: Arc<Verdict>) -> Self {
        let fields = gst::Structure::from(&*verdict);
        Self { verdict, fields }
    }

    /// The verdict this was made of.
    pub fn verdict(&self) -> &Arc<Verdict> {
        &self.verdict
    }

    /// Attaches the verdict to `buffer`, in place of one that is there already. `buffer_pts` is the buffer's
    /// PTS in nanoseconds; the age is unknown without it, and 0 for a buffer older than the analysed frame.
    /// An error means that [`register`] was never called.
    pub fn attach(
        &self,
        buffer: &mut gst::BufferRef,
        buffer_pts: Option<u64>,
    ) -> Result<(), glib::BoolError> {
        remove(buffer);
        let age = match (buffer_pts, self.verdict.analysed_pts) {
            (Some(now), Some(then)) => now.saturating_sub(then),
            _ => NONE,
        };
        // Always a new meta: the structure of a copied one may still belong to the buffer it came from.
        let mut meta = CustomMeta::add(buffer, NAME)?;
        let structure = meta.mut_structure();
        for (name, value) in self.fields.iter() {
            structure.set_value(name, value.clone());
        }
        structure.set("age", age);
        Ok(())
    }
}

/// Attaches `verdict`; what [`Prepared::attach`] does, for callers that attach a verdict once.
pub fn attach(
    buffer: &mut gst::BufferRef,
    verdict: &Verdict,
    buffer_pts: Option<u64>,
) -> Result<(), glib::BoolError> {
    Prepared::new(Arc::new(verdict.clone())).attach(buffer, buffer_pts)
}

/// The verdict on `buffer`: `None` if there is none, an error if it cannot be understood.
pub fn read(buffer: &gst::BufferRef) -> Option<Result<Verdict, Error>> {
    let meta = CustomMeta::from_buffer(buffer, NAME).ok()?;
    Some(Verdict::try_from(meta.structure()))
}

/// Nanoseconds from the analysed frame to this one; `None` without a verdict or where it is not known.
pub fn age(buffer: &gst::BufferRef) -> Option<u64> {
    let meta = CustomMeta::from_buffer(buffer, NAME).ok()?;
    time(meta.structure(), "age").ok().flatten()
}

/// Takes the verdict off `buffer`; says whether there was one.
pub fn remove(buffer: &mut gst::BufferRef) -> bool {
    let mut removed = false;
    // More than one only if other code added it; they all go.
    while let Ok(meta) = CustomMeta::from_mut_buffer(buffer, NAME) {
        if meta.remove().is_err() {
            break; // locked metadata: ours is never locked
        }
        removed = true;
    }
    removed
}

/// Adds a region of interest for every face, in pixels of a frame of `width` x `height`, in place of our
/// earlier ones. Regions that others made stay. A face that lies outside the frame gets none.
pub fn attach_rois(buffer: &mut gst::BufferRef, verdict: &Verdict, width: u32, height: u32) {
    remove_rois(buffer);
    for track in &verdict.tracks {
        let Some(rect) = pixel_rect(&track.rect, width, height) else { continue };
        let mut roi = VideoRegionOfInterestMeta::add(buffer, ROI_TYPE, rect);
        // The id is signed in C; ids beyond its range wrap, and the exact one is in the parameter.
        roi.set_id(track.track_id.cast_signed());
        roi.add_param(
            gst::Structure::builder(NAME)
                .field("state", track.state.name())
                .field("risk", track.risk)
                .field("track-id", track.track_id)
                .build(),
        );
    }
}

/// Takes our regions of interest off `buffer`.
pub fn remove_rois(buffer: &mut gst::BufferRef) {
    buffer.foreach_meta_mut(|mut meta| {
        let ours = meta.downcast_ref::<VideoRegionOfInterestMeta>().is_some_and(|r| r.param(NAME).is_some());
        ControlFlow::Continue(if ours {
            gst::buffer::BufferMetaForeachAction::Remove
        } else {
            gst::buffer::BufferMetaForeachAction::Keep
        })
    });
}

/// The part of a normalised box that lies in the frame, as x, y, width and height in whole pixels, rounded
/// outwards. `None` where nothing of it does, or where it is not a box (NaN, negative size).
pub fn pixel_rect(rect: &NormRect, width: u32, height: u32) -> Option<(u32, u32, u32, u32)> {
    // Float to integer casts saturate, and after the clamp the values fit.
    let span = |start: f64, length: f64, size: u32| {
        let (size_f, end) = (f64::from(size), start + length);
        if !(start.is_finite() && end.is_finite() && length > 0.0) {
            return None;
        }
        let low = (start * size_f).floor().clamp(0.0, size_f) as u32;
        let high = (end * size_f).ceil().clamp(0.0, size_f) as u32;
        (high > low).then_some((low, high - low))
    };
    let (x, w) = span(rect.x, rect.w, width)?;
    let (y, h) = span(rect.y, rect.h, height)?;
    Some((x, y, w, h))
}
