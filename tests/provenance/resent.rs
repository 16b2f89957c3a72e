//! RTP that was recorded and is sent again: by new sockets, under new names, looped, or at another pace.

use super::{Heard, JPEG_RTP, pipeline};
use crate::common::{PATIENCE, free_port};
use gst::prelude::*;
use gstdeepfake::analysis::source::provenance::{Class, Finding, Outcome};
use gstreamer as gst;
use gstreamer_app as gst_app;

/// Time between two pictures of the recorded call.
const FRAME: u64 = 40_000_000;

/// The packets of two seconds of a call, each with its time.
fn recorded() -> Option<Vec<(u64, Vec<u8>)>> {
    let call = pipeline(
        "videotestsrc num-buffers=50 ! video/x-raw,format=I420,width=160,height=120,framerate=25/1 ! jpegenc \
         ! rtpjpegpay ! appsink name=out sync=false",
    )?;
    let out = call.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    call.set_state(gst::State::Playing).unwrap();
    let mut packets = Vec::new();
    while let Some(sample) = out.try_pull_sample(PATIENCE) {
        let buffer = sample.buffer().unwrap();
        packets.push((buffer.pts().unwrap().nseconds(), buffer.map_readable().unwrap().to_vec()));
    }
    call.set_state(gst::State::Null).unwrap();
    assert!(packets.len() >= 50, "{}", packets.len());
    Some(packets)
}

/// How a recording is sent.
#[derive(Clone, Copy)]
struct Way {
    /// The recording again and again, without hiding where it begins anew.
    looped: bool,
    /// Numbers and stamps go on over the loops.
    renumbered: bool,
    /// A new SSRC with every loop.
    renamed: bool,
    /// Sent that much faster than it was recorded, millionths.
    hurry_ppm: u64,
    /// Seconds that it goes on.
    seconds: u64,
}

const ONCE: Way = Way { looped: false, renumbered: true, renamed: false, hurry_ppm: 0, seconds: 8 };

/// The packets as they are sent, with their times.
fn resent(recorded: &[(u64, Vec<u8>)], way: Way) -> Vec<(u64, Vec<u8>)> {
    let span = 50 * FRAME;
    let loops = way.seconds * 1_000_000_000 / span;
    let count = u16::try_from(recorded.len()).unwrap();
    let mut all = Vec::new();
    for n in 0..loops {
        for (pts, packet) in recorded {
            let mut packet = packet.clone();
            let turn = u16::try_from(n).unwrap();
            if way.renumbered && !way.looped {
                let number = u16::from_be_bytes([packet[2], packet[3]]);
                packet[2..4].copy_from_slice(&number.wrapping_add(count.wrapping_mul(turn)).to_be_bytes());
                let stamp = u32::from_be_bytes(packet[4..8].try_into().unwrap());
                let stamp = stamp.wrapping_add(50 * 3600 * u32::from(turn));
                packet[4..8].copy_from_slice(&stamp.to_be_bytes());
            }
            // Never the name that it was recorded under.
            let ssrc = 0x1234_0000 + if way.renamed { u32::from(turn) } else { 0 };
            packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
            let time = n * span + pts;
            all.push((time - time / 1_000_000 * way.hurry_ppm, packet));
        }
    }
    all
}

/// What is said of a recording that is sent that way, by `check`, as soon as `enough` says so or it is over.
fn judged(way: Way, check: &str, enough: impl Fn(&Finding) -> bool) -> Option<Finding> {
    let packets = resent(&recorded()?, way);
    let port = free_port();
    let receiver = pipeline(&format!(
        "udpsrc address=127.0.0.1 port={port} \
         caps=\"{JPEG_RTP}\" \
         ! rtpjpegdepay ! jpegdec ! cameraprovenance ! fakesink"
    ))?;
    let sender = pipeline(&format!("appsrc name=in format=time ! udpsink host=127.0.0.1 port={port}"))?;
    receiver.set_state(gst::State::Playing).unwrap();
    let source = sender.by_name("in").unwrap().downcast::<gst_app::AppSrc>().unwrap();
    source.set_max_bytes(u64::MAX);
    for (time, packet) in packets {
        let mut buffer = gst::Buffer::from_slice(packet);
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_nseconds(time));
        source.push_buffer(buffer).unwrap();
    }
    sender.set_state(gst::State::Playing).unwrap();
    let found = |h: &Heard| {
        let last = h.reports.last()?;
        assert_eq!(last.class, Class::Network, "{last:?}");
        last.findings.iter().find(|f| f.check == check && f.outcome == Outcome::Found).cloned()
    };
    let heard = Heard::listen(&receiver, |h| found(h).is_some_and(|f| enough(&f)));
    sender.set_state(gst::State::Null).unwrap();
    receiver.set_state(gst::State::Null).unwrap();
    assert_eq!(heard.error, None);
    found(&heard)
}

#[test]
fn one_pass_under_a_new_name_is_a_network_like_any_other() {
    // An honest limit: nothing in the packets themselves is old.
    let Some(found) = judged(ONCE, "rtp-continuity", |_| true) else { return };
    assert!(found.reason.contains("one sender") && found.injection < 0.0, "{found:?}");
}

#[test]
fn a_loop_jumps_in_its_numbers() {
    let way = Way { looped: true, ..ONCE };
    let Some(found) = judged(way, "rtp-continuity", |f| f.injection > 0.0) else { return };
    assert!(found.reason.contains("jumped") && found.injection > 2.0, "{found:?}");
}

#[test]
fn a_loop_that_is_renamed_each_time_changes_its_sender() {
    let way = Way { looped: true, renamed: true, ..ONCE };
    let Some(found) = judged(way, "rtp-continuity", |f| f.injection > 0.0) else { return };
    assert!(found.reason.contains("sender (SSRC) changed"), "{found:?}");
}

#[test]
#[ignore = "takes half a minute: a clock is not judged over less than 20 seconds"]
fn a_recording_at_another_pace_has_no_live_clock() {
    let way = Way { hurry_ppm: 20_000, seconds: 30, ..ONCE };
    let Some(found) = judged(way, "rtp-clock", |_| true) else { return };
    assert!(found.injection > 1.0 && found.reason.contains("not a live clock"), "{found:?}");
}

#[test]
#[ignore = "takes half a minute: a clock is not judged over less than 20 seconds"]
fn a_call_at_its_own_pace_has_a_live_clock() {
    let way = Way { seconds: 30, ..ONCE };
    let Some(found) = judged(way, "rtp-clock", |_| true) else { return };
    assert!(found.injection < 0.0, "{found:?}");
}
