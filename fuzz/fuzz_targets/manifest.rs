//! Manifests of models, and what an entry with the role `face-signal` says of a network.
#![no_main]

use gstdeepfake::inference::face_signal::describe;
use gstdeepfake::inference::manifest::Manifest;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Manifest::parse(Path::new("/models"), text) {
        Ok(manifest) => {
            for entry in manifest.models() {
                let _ = describe(entry);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
