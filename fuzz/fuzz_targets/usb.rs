//! What a USB device says of itself: raw descriptors, and names.
#![no_main]

use gstdeepfake::provenance::sysfs::{UsbId, clean, inputs};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = inputs(data);
    let text = clean(data, 128);
    assert!(text.chars().count() <= 128 && !text.chars().any(char::is_control), "{text:?}");
    if let Ok(id) = UsbId::try_from(String::from_utf8_lossy(data).into_owned()) {
        assert_eq!(UsbId::try_from(id.to_string()).ok(), Some(id));
    }
});
