//! Every way into the process.

use super::{Heard, JPEG_RTP, pipeline, reports_of};
use crate::common::{PATIENCE, free_port, init, root};
use gst::prelude::*;
use gstdeepfake::analysis::source::provenance::{Class, Outcome};
use gstdeepfake::provenance::report::SourceReport;
use gstreamer as gst;

const RAW: &str = "video/x-raw,format=I420,width=160,height=120,framerate=25/1";
const END: &str = "cameraprovenance ! fakesink";

/// The class of the only source.
fn class_of(description: &str) -> Option<(Class, SourceReport)> {
    let reports = reports_of(description, 1)?;
    let last = reports.last().unwrap().clone();
    assert!((0.0..=1.0).contains(&last.confidence) && !last.findings.is_empty(), "{last:?}");
    Some((last.class, last))
}

#[test]
fn a_test_pattern_is_synthetic() {
    let (class, report) = class_of(&format!("videotestsrc ! {RAW} ! queue ! {END}")).unwrap();
    assert_eq!(class, Class::Synthetic, "{report:?}");
    assert_eq!(report.identity.way.last().unwrap(), "cameraprovenance");
    assert_eq!(report.injection, 0.0, "nothing was claimed that could be a lie");
}

#[test]
fn a_file_behind_decodebin_is_a_file_and_its_encoder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("call.mkv");
    let made = format!(
        "videotestsrc num-buffers=60 ! {RAW} ! x264enc tune=zerolatency ! matroskamux ! filesink location={}",
        file.display()
    );
    let Some(maker) = pipeline(&made) else { return };
    maker.set_state(gst::State::Playing).unwrap();
    assert!(Heard::listen(&maker, |_| false).eos);
    maker.set_state(gst::State::Null).unwrap();
    let end = "cameraprovenance ! fakesink";
    let played = format!("filesrc location={} ! decodebin ! video/x-raw ! {end}", file.display());
    let (class, report) = class_of(&played).unwrap();
    assert_eq!(class, Class::File, "{report:?}");
    assert_eq!(report.identity.properties["location"], file.to_str().unwrap());
    assert!(report.identity.way.iter().any(|f| f.starts_with("matroskademux")), "{:?}", report.identity.way);
}

#[test]
fn a_still_that_is_made_a_video_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("face.png");
    let maker = format!(
        "videotestsrc num-buffers=1 ! {RAW} ! videoconvert ! pngenc ! filesink location={}",
        file.display()
    );
    let Some(maker) = pipeline(&maker) else { return };
    maker.set_state(gst::State::Playing).unwrap();
    assert!(Heard::listen(&maker, |_| false).eos);
    maker.set_state(gst::State::Null).unwrap();
    let still = format!(
        "filesrc location={} ! pngdec ! imagefreeze num-buffers=50 ! identity sync=true ! {END}",
        file.display()
    );
    let (class, report) = class_of(&still).unwrap();
    assert_eq!(class, Class::File);
    assert!(report.findings.iter().any(|f| f.check == "still"), "{report:?}");
}

#[test]
fn an_application_that_pushes_frames_is_an_application() {
    let Some(pipeline) = pipeline(&format!("appsrc name=in format=time caps={RAW} ! {END}")) else { return };
    let appsrc = pipeline.by_name("in").unwrap().downcast::<gstreamer_app::AppSrc>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    for n in 0..30u64 {
        let mut buffer = gst::Buffer::with_size(160 * 120 * 3 / 2).unwrap();
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(n * 40));
        appsrc.push_buffer(buffer).unwrap();
    }
    let heard = Heard::listen(&pipeline, |h| !h.reports.is_empty());
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(heard.reports[0].class, Class::Application, "{:?}", heard.reports[0]);
}

#[test]
fn another_pipeline_of_the_process_is_an_application() {
    let Some(feeder) = pipeline(&format!("videotestsrc is-live=true ! {RAW} ! intervideosink channel=c1"))
    else {
        return;
    };
    feeder.set_state(gst::State::Playing).unwrap();
    let (class, report) = class_of(&format!("intervideosrc channel=c1 ! {RAW} ! {END}")).unwrap();
    feeder.set_state(gst::State::Null).unwrap();
    assert_eq!(class, Class::Application, "{report:?}");
    assert_eq!(report.identity.properties["channel"], "c1");
}

#[test]
fn shared_memory_of_another_program_is_an_application() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("shm");
    let feeder = format!(
        "videotestsrc is-live=true ! {RAW} ! shmsink wait-for-connection=false shm-size=4000000 socket-path={}",
        socket.display()
    );
    let Some(feeder) = pipeline(&feeder) else { return };
    feeder.set_state(gst::State::Playing).unwrap();
    let (playing, ..) = feeder.state(PATIENCE);
    playing.unwrap();
    let (class, _) = class_of(&format!(
        "shmsrc is-live=true do-timestamp=true socket-path={} ! {RAW} ! {END}",
        socket.display()
    ))
    .unwrap();
    feeder.set_state(gst::State::Null).unwrap();
    assert_eq!(class, Class::Application);
}

#[test]
fn rtp_is_a_network_and_its_numbers_are_watched() {
    let port = free_port();
    let sender = format!(
        "videotestsrc is-live=true ! {RAW} ! jpegenc ! rtpjpegpay ! udpsink host=127.0.0.1 port={port}"
    );
    let Some(sender) = pipeline(&sender) else { return };
    let receiver = format!(
        "udpsrc address=127.0.0.1 port={port} caps=\"{JPEG_RTP}\" \
         ! rtpjitterbuffer ! rtpjpegdepay ! jpegdec ! {END}"
    );
    let receiver = pipeline(&receiver).unwrap();
    receiver.set_state(gst::State::Playing).unwrap();
    sender.set_state(gst::State::Playing).unwrap();
    let continuity = |r: &SourceReport| {
        r.findings.iter().find(|f| f.check == "rtp-continuity" && f.outcome == Outcome::Found).cloned()
    };
    // The probe is placed with the first report; packets are seen from then on.
    let heard = Heard::listen(&receiver, |h| h.reports.iter().any(|r| continuity(r).is_some()));
    sender.set_state(gst::State::Null).unwrap();
    receiver.set_state(gst::State::Null).unwrap();
    assert_eq!(heard.error, None);
    let report = heard.reports.last().unwrap();
    assert_eq!(report.class, Class::Network, "{report:?}");
    let continuity = continuity(report).unwrap();
    assert!(continuity.reason.contains("one sender"), "{continuity:?}");
}

/// A call over RTP with RTCP, whose sender reports are made `age` seconds older on their way out.
fn call_with_reports(age: i32) -> Option<Vec<SourceReport>> {
    let (rtp, rtcp) = (free_port(), free_port());
    let sender = pipeline(&format!(
        "rtpbin name=r videotestsrc is-live=true ! {RAW} ! jpegenc ! rtpjpegpay ! r.send_rtp_sink_0 \
         r.send_rtp_src_0 ! udpsink host=127.0.0.1 port={rtp} \
         r.send_rtcp_src_0 ! identity name=old ! udpsink host=127.0.0.1 port={rtcp} sync=false async=false"
    ))?;
    let old = sender.by_name("old").unwrap().static_pad("src").unwrap();
    old.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let buffer = info.buffer_mut().unwrap().make_mut();
        let mut map = buffer.map_writable().unwrap();
        // The seconds of the NTP time in a sender report.
        if map.len() >= 12 && map[1] == 200 {
            let seconds = u32::from_be_bytes(map[8..12].try_into().unwrap());
            let seconds = seconds.wrapping_sub_signed(age);
            map[8..12].copy_from_slice(&seconds.to_be_bytes());
        }
        drop(map);
        gst::PadProbeReturn::Ok
    });
    let receiver = pipeline(&format!(
        "rtpbin name=r udpsrc address=127.0.0.1 port={rtp} \
         caps=\"{JPEG_RTP}\" ! r.recv_rtp_sink_0 \
         udpsrc address=127.0.0.1 port={rtcp} caps=application/x-rtcp ! r.recv_rtcp_sink_0 \
         r. ! rtpjpegdepay ! jpegdec ! {END}"
    ))
    .unwrap();
    receiver.set_state(gst::State::Playing).unwrap();
    sender.set_state(gst::State::Playing).unwrap();
    let told = |h: &Heard| {
        let findings = h.reports.iter().flat_map(|r| &r.findings);
        findings.into_iter().any(|f| f.check == "rtcp-time" && f.outcome == Outcome::Found)
    };
    let heard = Heard::listen(&receiver, told);
    sender.set_state(gst::State::Null).unwrap();
    receiver.set_state(gst::State::Null).unwrap();
    assert_eq!(heard.error, None);
    Some(heard.reports)
}

/// The evidence of injection in reports of that age.
fn by_reports(age: i32) -> Option<f64> {
    let reports = call_with_reports(age)?;
    let last = reports.last().unwrap();
    assert_eq!(last.class, Class::Network, "{last:?}");
    Some(last.findings.iter().find(|f| f.check == "rtcp-time").unwrap().injection)
}

#[test]
fn a_call_with_reports_of_yesterday_is_suspected_and_a_fresh_one_is_not() {
    let Some(fresh) = by_reports(0) else { return };
    assert!(fresh < 0.0, "{fresh}");
    assert!(by_reports(86_400).unwrap() > 2.0);
}

#[test]
#[ignore = "takes a quarter of a minute: a sender reports every few seconds"]
fn reports_of_any_other_time_are_suspected() {
    // Ten minutes ago, a year ago; and a recording of a machine whose clock was an hour ahead.
    for age in [600, 31_536_000, -3600] {
        let Some(injection) = by_reports(age) else { return };
        assert!(injection > 2.0, "{age} s: {injection}");
    }
}

#[test]
fn both_sources_of_a_mixed_picture_are_told() {
    let description = format!(
        "compositor name=mix ! {RAW} ! {END} videotestsrc name=a ! {RAW} ! mix. \
         videotestsrc name=b pattern=ball ! {RAW} ! queue ! mix."
    );
    let Some(reports) = reports_of(&description, 2) else { return };
    assert!(reports.iter().all(|r| r.class == Class::Synthetic));
}

#[test]
fn a_source_that_is_exchanged_while_playing_is_told_of() {
    let Some(pipeline) = pipeline(&format!(
        "input-selector name=s ! {END} videotestsrc name=a is-live=true ! {RAW} ! s.sink_0"
    )) else {
        return;
    };
    pipeline.set_state(gst::State::Playing).unwrap();
    let first = Heard::listen(&pipeline, |h| !h.reports.is_empty());
    assert_eq!(first.reports[0].identity.element, "a");
    let bin = gst::parse::bin_from_description(
        &format!("fakesrc ! fakesink  videotestsrc name=b is-live=true ! {RAW} ! identity"),
        true,
    );
    let bin = bin.unwrap();
    pipeline.add(&bin).unwrap();
    let selector = pipeline.by_name("s").unwrap();
    let pad = selector.request_pad_simple("sink_%u").unwrap();
    bin.static_pad("src").unwrap().link(&pad).unwrap();
    selector.set_property("active-pad", &pad);
    bin.sync_state_with_parent().unwrap();
    let second = Heard::listen(&pipeline, |h| h.reports.iter().any(|r| r.identity.element == "b"));
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(second.error, None);
}

#[test]
fn recordings_of_real_calls_are_files_without_a_suspicion() {
    init();
    let clip = root().join("models/fetched/clips/cap13_edit2.mp4");
    if !clip.is_file() {
        eprintln!("SKIPPED: no demonstration clips; run `make clips`");
        return;
    }
    let played = format!("filesrc location={} ! decodebin ! video/x-raw ! {END}", clip.display());
    let Some(pipeline) = pipeline(&played) else { return };
    pipeline.set_state(gst::State::Playing).unwrap();
    let heard = Heard::listen(&pipeline, |_| false);
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(heard.eos && !heard.reports.is_empty());
    for report in &heard.reports {
        assert_eq!(
            (report.class, report.injection, &report.violation),
            (Class::File, 0.0, &None),
            "{report:?}"
        );
    }
    assert!(heard.alerts.is_empty());
}
