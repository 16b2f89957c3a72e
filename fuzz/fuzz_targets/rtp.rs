//! Packets of RTP and RTCP, in any order: the first byte of each says which, the second how long it is.
#![no_main]

use gstdeepfake::analysis::source::rtp::{RtpHeader, RtpWatch, sender_report};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut watch = RtpWatch::new(data.first().map_or(0, |b| u32::from(*b) * 1000));
    let mut rest = data;
    let mut time = 0u64;
    while let [kind, length, after @ ..] = rest {
        let (packet, next) = after.split_at(usize::from(*length).min(after.len()));
        time = time.wrapping_add(u64::from(*kind) << 26);
        if kind % 2 == 0 {
            let _ = RtpHeader::parse(packet);
            watch.packet(packet, time);
        } else {
            let _ = sender_report(packet);
            watch.report(packet, time);
        }
        rest = next;
    }
    let findings = watch.findings();
    assert!(findings.iter().all(|f| f.weight.is_finite() && f.injection.is_finite()), "{findings:?}");
});
