//! Policy files. One that is refused is refused with a message; one that is taken judges any report.
#![no_main]

use gstdeepfake::provenance::policy::Policy;
use gstdeepfake::provenance::report::SourceReport;
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Policy::parse(text, "policy.toml") {
        Ok(policy) => {
            let device =
                ["driver", "card", "usb-id", "node-name"].map(|k| (k.to_owned(), "046d:082d".to_owned()));
            let report = SourceReport::new(Default::default(), BTreeMap::from(device), Vec::new());
            let _ = policy.violation(&report);
        }
        Err(error) => assert!(error.to_string().starts_with("policy.toml"), "{error}"),
    }
});
