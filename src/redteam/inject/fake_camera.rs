//! A fake camera interface: a bin that is called like the source element of a system that is not this one, so
//! that the walker takes what comes out of it for a camera's.
//!
//! Used by the red team alone, in its own processes; it is no part of the plugin.

use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;
use std::sync::OnceLock;

/// The camera source of Android, which no other system has.
pub const FACTORY: &str = "ahcsrc";

mod imp {
    use super::*;
    use std::sync::LazyLock;

    #[derive(Debug, Default)]
    pub struct FakeCamera;

    #[glib::object_subclass]
    impl ObjectSubclass for FakeCamera {
        const NAME: &'static str = "DeepfakeRedteamFakeCamera";
        type Type = super::FakeCamera;
        type ParentType = gst::Bin;
    }

    impl ObjectImpl for FakeCamera {
        fn constructed(&self) {
            self.parent_constructed();
            let bin = self.obj();
            // Without its pad the pipeline does not link, and says so.
            let Ok(source) = gst::ElementFactory::make("appsrc")
                .name("in")
                .property_from_str("format", "time")
                .property("is-live", true)
                .build()
            else {
                return;
            };
            if bin.add(&source).is_ok()
                && let Some(pad) = source.static_pad("src")
                && let Ok(ghost) = gst::GhostPad::builder_with_target(&pad).map(|b| b.name("src").build())
            {
                let _ = bin.add_pad(&ghost);
            }
        }
    }

    impl GstObjectImpl for FakeCamera {}

    impl ElementImpl for FakeCamera {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                gst::subclass::ElementMetadata::new(
                    "Fake camera",
                    "Source/Video",
                    "Takes the place of a camera's driver in tests",
                    "The gst-plugin-deepfake developers",
                )
            });
            Some(&METADATA)
        }
    }

    impl BinImpl for FakeCamera {}
}

glib::wrapper! {
    pub struct FakeCamera(ObjectSubclass<imp::FakeCamera>) @extends gst::Bin, gst::Element, gst::Object, @implements gst::ChildProxy;
}

/// Makes the fake camera available in this process.
pub fn register() -> Result<(), glib::BoolError> {
    static DONE: OnceLock<Result<(), glib::BoolError>> = OnceLock::new();
    let register = || gst::Element::register(None, FACTORY, gst::Rank::NONE, FakeCamera::static_type());
    DONE.get_or_init(register).clone()
}
