//! What `pw-dump` writes, as far as a virtual camera's properties may put anything there.
#![no_main]

use gstdeepfake::provenance::pipewire::look;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for target in [None, Some("36"), Some("cam")] {
        let (facts, findings) = look(data, target);
        assert_eq!(findings.len(), 1);
        let texts = facts.values().chain(findings.iter().map(|f| &f.reason));
        for text in texts {
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
});
