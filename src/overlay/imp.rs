//! GObject behaviour of `deepfakeoverlay`.
//!
//! A BaseTransform that makes its own output: a buffer without a verdict goes on untouched, not even made
//! writable; one with a verdict is drawn on in place, which copies pixels only if another element holds them.

use super::canvas::{Canvas, Component, Cover, Layout, Rect};
use super::colour::Coding;
use super::font::{self, Font};
use super::scene::{self, Op, Options};
use crate::formats::FORMATS;
use crate::lock::lock;
use crate::meta;
use gst::subclass::prelude::*;
use gst::{glib, prelude::*};
use gst_base::subclass::base_transform::{BaseTransformMode, GenerateOutputSuccess};
use gst_base::subclass::prelude::*;
use gst_video::prelude::*;
use gstreamer as gst;
use gstreamer_base as gst_base;
use gstreamer_video as gst_video;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "deepfakeoverlay",
        gst::DebugColorFlags::empty(),
        Some("Deepfake verdict overlay"),
    )
});

const DEFAULT_SHOW_BOXES: bool = true;
const DEFAULT_MAX_REASONS: u32 = 3;
const MAX_MAX_REASONS: u32 = 6;
const DEFAULT_SHOW_STATUS: bool = true;
const DEFAULT_SHOW_DECISION: bool = true;
const DEFAULT_OPACITY: f64 = 1.0;

#[derive(Clone, Copy, Debug)]
struct Settings {
    show_boxes: bool,
    max_reasons: u32,
    show_status: bool,
    show_decision: bool,
    opacity: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            show_boxes: DEFAULT_SHOW_BOXES,
            max_reasons: DEFAULT_MAX_REASONS,
            show_status: DEFAULT_SHOW_STATUS,
            show_decision: DEFAULT_SHOW_DECISION,
            opacity: DEFAULT_OPACITY,
        }
    }
}

#[derive(Debug)]
struct State {
    info: gst_video::VideoInfo,
    font: Font,
}

#[derive(Debug, Default)]
pub struct Overlay {
    settings: Mutex<Settings>,
    state: Mutex<Option<State>>,
    /// Unreadable metadata was reported; once is enough.
    warned: AtomicBool,
}

/// The value under a lock that no panic can leave half-changed here.
#[glib::object_subclass]
impl ObjectSubclass for Overlay {
    const NAME: &'static str = "GstDeepfakeOverlay";
    type Type = super::Overlay;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for Overlay {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            vec![
                glib::ParamSpecBoolean::builder("show-boxes")
                    .nick("Show boxes")
                    .blurb("Draw each face's box, its state and its risk")
                    .default_value(DEFAULT_SHOW_BOXES)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecUInt::builder("max-reasons")
                    .nick("Maximum reasons")
                    .blurb("How many reasons to list for a face, the strongest first (0 = none)")
                    .maximum(MAX_MAX_REASONS)
                    .default_value(DEFAULT_MAX_REASONS)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecBoolean::builder("show-status")
                    .nick("Show status")
                    .blurb("Say in words when there is no verdict and why (the alert banner always shows)")
                    .default_value(DEFAULT_SHOW_STATUS)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecBoolean::builder("show-decision")
                    .nick("Show decision")
                    .blurb("Say what the session would end in now, with the probability of an attack")
                    .default_value(DEFAULT_SHOW_DECISION)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecDouble::builder("opacity")
                    .nick("Opacity")
                    .blurb("Opacity of all that is drawn, from 0 (invisible) to 1")
                    .minimum(0.0)
                    .maximum(1.0)
                    .default_value(DEFAULT_OPACITY)
                    .mutable_playing()
                    .build(),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let mut settings = lock(&self.settings);
        // GObject has checked type and range; a value of another type changes nothing.
        match pspec.name() {
            "show-boxes" => settings.show_boxes = value.get().unwrap_or(settings.show_boxes),
            "max-reasons" => settings.max_reasons = value.get().unwrap_or(settings.max_reasons),
            "show-status" => settings.show_status = value.get().unwrap_or(settings.show_status),
            "show-decision" => settings.show_decision = value.get().unwrap_or(settings.show_decision),
            "opacity" => settings.opacity = value.get().unwrap_or(settings.opacity),
            name => gst::error!(CAT, imp = self, "unknown property {name}"),
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = *lock(&self.settings);
        match pspec.name() {
            "show-boxes" => settings.show_boxes.to_value(),
            "max-reasons" => settings.max_reasons.to_value(),
            "show-status" => settings.show_status.to_value(),
            "show-decision" => settings.show_decision.to_value(),
            "opacity" => settings.opacity.to_value(),
            _ => pspec.default_value().clone(),
        }
    }
}

impl GstObjectImpl for Overlay {}

impl ElementImpl for Overlay {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Deepfake verdict overlay",
                "Filter/Editor/Video",
                "Draws the verdict that deepfakedetect attached to the video",
                "The gst-plugin-deepfake developers",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = gst_video::VideoCapsBuilder::new().format_list(FORMATS).build();
            [("sink", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)]
                .into_iter()
                .filter_map(|(name, direction)| {
                    gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).ok()
                })
                .collect()
        });
        &TEMPLATES
    }
}

impl BaseTransformImpl for Overlay {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        self.warned.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *lock(&self.state) = None;
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = gst_video::VideoInfo::from_caps(incaps)
            .map_err(|e| gst::loggable_error!(CAT, "cannot use caps {incaps}: {e}"))?;
        *lock(&self.state) = Some(State { info, font: Font::default() });
        Ok(())
    }

    fn generate_output(&self) -> Result<GenerateOutputSuccess, gst::FlowError> {
        let Some(mut buffer) = self.take_queued_buffer() else {
            return Ok(GenerateOutputSuccess::NoOutput);
        };
        match meta::read(&buffer) {
            None => {}
            Some(Ok(verdict)) => self.draw(&mut buffer, &verdict)?,
            Some(Err(error)) => self.warn_once(&error),
        }
        Ok(GenerateOutputSuccess::Buffer(buffer))
    }
}

impl Overlay {
    fn warn_once(&self, error: &meta::Error) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Format,
                ("Unreadable {} metadata is ignored: {error}", meta::NAME)
            );
        }
    }

    fn draw(
        &self,
        buffer: &mut gst::Buffer,
        verdict: &crate::analysis::judgement::verdict::Verdict,
    ) -> Result<(), gst::FlowError> {
        let settings = *lock(&self.settings);
        let mut state = lock(&self.state);
        let Some(State { info, font }) = state.as_mut() else { return Err(gst::FlowError::NotNegotiated) };
        let options = Options {
            boxes: settings.show_boxes,
            max_reasons: settings.max_reasons.min(MAX_MAX_REASONS) as usize,
            status: settings.show_status,
            decision: settings.show_decision,
        };
        let ops = scene::build(verdict, meta::age(buffer), info.width(), info.height(), options);
        if ops.is_empty() || settings.opacity <= 0.0 {
            return Ok(());
        }
        let mut frame = match gst_video::VideoFrameRef::from_buffer_ref_writable(buffer.make_mut(), info) {
            Ok(frame) => frame,
            Err(error) => {
                // A picture without its overlay beats no picture.
                gst::warning!(CAT, imp = self, "cannot draw on the frame: {error}");
                return Ok(());
            }
        };
        let Some(layout) = layout(&frame) else {
            gst::warning!(CAT, imp = self, "cannot draw on a frame of this layout");
            return Ok(());
        };
        let mut canvas = Canvas { layout: &layout, planes: frame.planes_data_mut() };
        for op in &ops {
            draw_op(&mut canvas, font, op, settings.opacity);
        }
        Ok(())
    }
}

fn draw_op(canvas: &mut Canvas<'_>, font: &mut Font, op: &Op, opacity: f64) {
    match op {
        Op::Fill { rect, colour, opacity: own } => {
            canvas.blend(*rect, Cover::Solid, *colour, (opacity * own * 255.0).round() as u8);
        }
        Op::Text { x, y, size, colour, text } => {
            for (index, c) in text.chars().enumerate() {
                let glyph = font.glyph(c, *size);
                let rect = Rect {
                    x: x + font::pen(index, *size) + glyph.left,
                    y: y + glyph.top,
                    w: glyph.width,
                    h: glyph.height,
                };
                canvas.blend(rect, Cover::Mask(&glyph.mask), *colour, (opacity * 255.0).round() as u8);
            }
        }
    }
}

/// Where the mapped frame's components are: the buffer's own strides, which may differ from the caps'.
/// `None` for what cannot be addressed from a plane's start (negative strides).
fn layout(frame: &gst_video::VideoFrameRef<&mut gst::BufferRef>) -> Option<Layout> {
    let (info, format) = (frame.info(), frame.format_info());
    let components = (0..format.n_components() as usize)
        .map(|i| {
            let plane = *format.plane().get(i)? as usize;
            let stride = usize::try_from(*info.stride().get(plane)?).ok().filter(|s| *s > 0)?;
            Some(Component {
                plane,
                stride,
                pixel_stride: usize::try_from(*format.pixel_stride().get(i)?).ok()?,
                offset: *format.poffset().get(i)? as usize,
                w_sub: *format.w_sub().get(i)?,
                h_sub: *format.h_sub().get(i)?,
            })
        })
        .collect::<Option<Vec<_>>>()?;
    let coding = if format.is_rgb() {
        Coding::Rgb
    } else {
        let colorimetry = info.colorimetry();
        // Frames that do not say are taken for standard definition.
        let (kr, kb) = colorimetry.matrix().kr_kb().unwrap_or((0.299, 0.114));
        Coding::Yuv { kr, kb, full_range: colorimetry.range() == gst_video::VideoColorRange::Range0_255 }
    };
    Some(Layout {
        width: info.width(),
        height: info.height(),
        coding,
        components,
        has_alpha: format.has_alpha(),
    })
}
