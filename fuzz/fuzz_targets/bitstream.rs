//! Marks of encoders in access units of H.264 and H.265, and in tags.
#![no_main]

use gstdeepfake::analysis::source::bitstream::{findings, mark_of_tag, marks_in_access_unit};
use gstdeepfake::analysis::source::provenance::Class;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut marks = marks_in_access_unit(data);
    marks.extend(mark_of_tag(&String::from_utf8_lossy(data)));
    for class in Class::ALL {
        for finding in findings(&marks, *class) {
            assert!(finding.weight.is_finite() && finding.injection.is_finite());
            assert!(!finding.reason.chars().any(char::is_control), "{:?}", finding.reason);
        }
    }
});
