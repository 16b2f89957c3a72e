#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

fn packet(sequence: u16, timestamp: u32, ssrc: u32) -> Vec<u8> {
    let mut p = vec![0x80, 96];
    p.extend(sequence.to_be_bytes());
    p.extend(timestamp.to_be_bytes());
    p.extend(ssrc.to_be_bytes());
    p
}

fn report(ssrc: u32, unix_s: u64) -> Vec<u8> {
    let mut p = vec![0x80, 200, 0, 6];
    p.extend(ssrc.to_be_bytes());
    p.extend(((unix_s + NTP_TO_UNIX) as u32).to_be_bytes());
    p.extend([0x80, 0, 0, 0]);
    p.extend([0; 12]);
    p
}

/// 30 frames a second by a clock that is `ppm` off, and how it was found.
fn watch(seconds: u64, ppm: f64, start: u16) -> RtpWatch {
    let mut watch = RtpWatch::new(90_000);
    for i in 0..seconds * 30 {
        let arrival = i * 33_333_333 + (i * 7919 % 5) * 1_000_000;
        let stamp = (i as f64 * 3000.0 * (1.0 + ppm * 1e-6)) as u64;
        watch.packet(&packet(start.wrapping_add(i as u16), stamp as u32, 7), arrival);
    }
    watch
}

fn injection(watch: &RtpWatch, check: &str) -> f64 {
    watch.findings().iter().find(|f| f.check == check).unwrap().injection
}

#[test]
fn a_live_sender_is_not_suspected() {
    // Across the wrap of the sequence numbers.
    let mut watch = watch(60, 40.0, 65_000);
    watch.report(&report(7, 1_700_000_000), 1_700_000_002 * 1_000_000_000);
    assert!((watch.skew_ppm().unwrap() - 40.0).abs() < 20.0, "{:?}", watch.skew_ppm());
    assert!(watch.findings().iter().all(|f| f.injection <= 0.0), "{:?}", watch.findings());
}

#[test]
fn a_capture_that_is_sent_again_is_told_by_its_reports() {
    let mut watch = watch(60, 40.0, 0);
    watch.report(&report(7, 1_700_000_000), 1_700_086_400 * 1_000_000_000);
    assert!(injection(&watch, "rtcp-time") > 2.0);
    // Another stream's report says nothing.
    let mut other = self::watch(60, 40.0, 0);
    other.report(&report(8, 1_700_000_000), 1_700_086_400 * 1_000_000_000);
    assert_eq!(injection(&other, "rtcp-time"), 0.0);
}

#[test]
fn a_loop_jumps_and_another_pace_drifts() {
    let mut looped = watch(30, 0.0, 0);
    for i in 0..30u64 {
        looped.packet(&packet(i as u16, i as u32 * 3000, 7), 30_000_000_000 + i * 33_333_333);
    }
    assert_eq!(looped.restarts, 1);
    assert!(injection(&looped, "rtp-continuity") >= 3.0);
    assert!(injection(&watch(60, 900.0, 0), "rtp-clock") >= 2.0);
    assert!(watch(10, 900.0, 0).skew_ppm().is_none(), "too short");
}

#[test]
fn what_the_network_does_is_no_attack() {
    let mut watch = RtpWatch::new(90_000);
    let order = [0u16, 1, 3, 2, 2, 4, 9, 10];
    for (i, sequence) in order.into_iter().enumerate() {
        watch.packet(&packet(sequence, u32::from(sequence) * 3000, 7), i as u64 * 33_333_333);
    }
    assert_eq!((watch.restarts, watch.senders), (0, 1));
    assert_eq!(watch.lost, 1 + 4);
}

#[test]
fn times_before_1970_and_cut_packets_are_no_reports() {
    let good = report(7, 1_700_000_000);
    assert_eq!(sender_report(&good), Some((7, 1_700_000_000_500_000_000)));
    for length in 0..16 {
        assert_eq!(sender_report(&good[..length]), None);
    }
    let mut uptime = good;
    uptime[8..12].copy_from_slice(&1234u32.to_be_bytes());
    assert_eq!(sender_report(&uptime), None);
}

proptest! {
    #[test]
    fn any_packets_are_taken(
        packets in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..60), any::<u64>()), 0..60)
    ) {
        let mut watch = RtpWatch::new(90_000);
        for (p, time) in &packets {
            let mut p = p.clone();
            if let Some(first) = p.first_mut() {
                *first = 0x80 | (*first & 0x3f);
            }
            watch.packet(&p, *time);
            watch.report(&p, *time);
        }
        for finding in watch.findings() {
            prop_assert!(finding.injection.is_finite() && finding.weight.is_finite());
        }
    }
}
