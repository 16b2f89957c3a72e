//! Every way in that needs no device, each fed with a computed picture, a recording that goes round, and a recording that
//! is played once under the names of a webcam: what feeds a way must not change what it is.

use super::{Heard, JPEG_RTP, pipeline};
use crate::common::{PATIENCE, free_port, root};
use gst::prelude::*;
use gstdeepfake::analysis::source::provenance::Class;
use gstreamer as gst;
use gstreamer_app as gst_app;
use std::path::Path;

const RAW: &str = "video/x-raw,format=I420,width=160,height=120,framerate=25/1";
/// The names of a webcam, as tags.
const FORGED: &str =
    "taginject tags=\"device-manufacturer=Logitech,device-model=\\\"HD Pro Webcam C920\\\"\"";

/// What a way is fed with, and what its source element is called then. The genuine recording is there only where the clips are.
pub fn feeds(folder: &Path) -> Option<Vec<(&'static str, String, &'static str)>> {
    let maker = pipeline(&format!(
        "videotestsrc num-buffers=10 pattern=ball ! {RAW} ! jpegenc ! multifilesink location={}/%02d.jpg",
        folder.display()
    ))?;
    maker.set_state(gst::State::Playing).unwrap();
    assert!(Heard::listen(&maker, |_| false).eos);
    maker.set_state(gst::State::Null).unwrap();
    let fit = format!("videoconvert ! videoscale ! videorate ! {RAW}");
    let looped = format!(
        "multifilesrc location={}/%02d.jpg loop=true caps=image/jpeg,framerate=25/1 ! jpegdec ! {fit}",
        folder.display()
    );
    let mut feeds = vec![
        ("computed", format!("videotestsrc is-live=true pattern=ball ! {RAW}"), "source"),
        ("looped, with a webcam's names", format!("{looped} ! {FORGED}"), "v4l2src0"),
        ("coded twice", format!("{looped} ! jpegenc quality=30 ! jpegdec ! {fit}"), "HD-Pro-Webcam-C920"),
    ];
    let clip = root().join("models/fetched/clips/cap13_edit2.mp4");
    if clip.is_file() {
        let replayed = format!("filesrc location={} ! decodebin ! {fit} ! {FORGED}", clip.display());
        feeds.push(("genuine, replayed, with a webcam's names", replayed, "v4l2src1"));
    } else {
        eprintln!("SKIPPED in part: no demonstration clips; run `make clips`");
    }
    Some(feeds)
}

/// Plays both ends and returns nothing; panics unless the receiver's source is of that class with that name.
fn expect(class: Class, what: &str, name: &str, receiver: &gst::Pipeline) {
    let told = |h: &Heard| h.reports.iter().any(|r| r.identity.element == name);
    let heard = Heard::listen(receiver, told);
    receiver.set_state(gst::State::Null).unwrap();
    assert_eq!(heard.error, None, "{what}");
    assert!(told(&heard), "{what}: {:?}", heard.reports);
    assert!(heard.reports.iter().all(|r| r.class == class), "{what}: {:?}", heard.reports);
}

/// One way: `sink` takes what is fed, `source` begins with the element that is named after the feed.
fn all_variants(class: Class, sink: &str, source: impl Fn(&str) -> String) {
    let folder = tempfile::tempdir().unwrap();
    let Some(feeds) = feeds(folder.path()) else { return };
    for (what, feed, name) in feeds {
        let Some(feeder) = pipeline(&format!("{feed} ! {sink}")) else { return };
        let Some(receiver) = pipeline(&format!("{} ! cameraprovenance ! fakesink", source(name))) else {
            return;
        };
        feeder.set_state(gst::State::Playing).unwrap();
        feeder.state(PATIENCE).0.unwrap();
        receiver.set_state(gst::State::Playing).unwrap();
        expect(class, what, name, &receiver);
        feeder.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn another_pipeline_stays_an_application() {
    all_variants(Class::Application, "intervideosink channel=variants", |name| {
        format!("intervideosrc channel=variants name={name} ! {RAW}")
    });
}

#[test]
fn shared_memory_stays_an_application() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("video0");
    let sink = format!("shmsink wait-for-connection=false shm-size=4000000 socket-path={}", socket.display());
    all_variants(Class::Application, &sink, |name| {
        format!("shmsrc is-live=true do-timestamp=true socket-path={} name={name} ! {RAW}", socket.display())
    });
}

#[test]
fn packets_stay_a_network() {
    let port = free_port();
    let sink = format!("jpegenc ! rtpjpegpay ! udpsink host=127.0.0.1 port={port}");
    all_variants(Class::Network, &sink, |name| {
        format!(
            "udpsrc address=127.0.0.1 port={port} name={name} \
             caps=\"{JPEG_RTP}\" \
             ! rtpjpegdepay ! jpegdec"
        )
    });
}

/// An application that hands on what another pipeline gives it, with times that jitter like a camera's.
#[test]
fn an_application_stays_an_application() {
    let folder = tempfile::tempdir().unwrap();
    let Some(feeds) = feeds(folder.path()) else { return };
    for (what, feed, name) in feeds {
        let feeder = pipeline(&format!("{feed} ! appsink name=out sync=false max-buffers=2")).unwrap();
        let receiver =
            pipeline(&format!("appsrc name={name} format=time caps={RAW} ! cameraprovenance ! fakesink"))
                .unwrap();
        let out = feeder.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
        let source = receiver.by_name(name).unwrap().downcast::<gst_app::AppSrc>().unwrap();
        feeder.set_state(gst::State::Playing).unwrap();
        receiver.set_state(gst::State::Playing).unwrap();
        for n in 0..60u64 {
            let sample = out.try_pull_sample(PATIENCE).unwrap();
            let mut buffer = sample.buffer_owned().unwrap();
            let jitter = n.wrapping_mul(2_654_435_761) % 4_000_000;
            buffer.make_mut().set_pts(gst::ClockTime::from_nseconds(n * 40_001_200 + jitter));
            source.push_buffer(buffer).unwrap();
        }
        expect(Class::Application, what, name, &receiver);
        feeder.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn files_stay_files_and_patterns_patterns() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_) = feeds(folder.path()) else { return };
    let at = folder.path().display();
    let images =
        format!("multifilesrc location={at}/%02d.jpg name=NAME loop=true caps=image/jpeg,framerate=25/1");
    let variants = [
        (Class::File, format!("{images} ! jpegdec")),
        (Class::File, format!("{images} ! jpegdec ! {FORGED} ! videorate ! video/x-raw,framerate=30/1")),
        (Class::File, format!("{images} ! decodebin ! videoconvert ! videoscale ! {RAW}")),
        (Class::File, format!("filesrc location={at}/03.jpg name=NAME ! jpegdec ! imagefreeze")),
        (
            Class::File,
            format!("filesrc location={at}/03.jpg name=NAME ! jpegdec ! {FORGED} ! imagefreeze is-live=true"),
        ),
        (
            Class::File,
            format!("filesrc location={at}/03.jpg name=NAME ! decodebin ! imagefreeze ! videorate ! {RAW}"),
        ),
        (Class::Synthetic, format!("videotestsrc name=NAME pattern=snow ! {RAW}")),
        (Class::Synthetic, format!("videotestsrc name=NAME is-live=true ! {RAW} ! {FORGED}")),
        (Class::Synthetic, format!("videotestsrc name=NAME pattern=smpte ! {RAW} ! jpegenc ! jpegdec")),
    ];
    for (n, (class, text)) in variants.into_iter().enumerate() {
        let name = format!("v4l2src{n}");
        let text = format!("{} ! cameraprovenance ! fakesink", text.replace("NAME", &name));
        let Some(receiver) = pipeline(&text) else { return };
        receiver.set_state(gst::State::Playing).unwrap();
        expect(class, &text, &name, &receiver);
    }
}
