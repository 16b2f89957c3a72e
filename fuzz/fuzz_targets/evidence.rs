//! The log of alerts and the traces of a bundle, which somebody may have changed.
#![no_main]

use gstdeepfake::analysis::bundle::replay;
use gstdeepfake::evidence::hash_chain::{Chain, open};
use gstdeepfake::evidence::traces::read_traces;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    let mut chain = Chain::default();
    for line in data.split(|b| *b == b'\n') {
        let (record, faults) = chain.follow(line);
        assert!(record.is_some() || !faults.is_empty());
        let _ = open(line);
    }
    match read_traces(data, Path::new("bundle")) {
        Ok(recording) => drop(replay(&recording)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
