//! The font of plots: text is measured, and in bitmaps drawn, without asking the system for one.

use plotters::style::{FontStyle, register_font};
use std::sync::Once;

/// Makes "sans-serif" known to plotters; needed before anything is drawn.
pub(crate) fn register_fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The bytes are built in and sound; were they not, plots would fail with an error that says so.
        let _ = register_font("sans-serif", FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
    });
}
