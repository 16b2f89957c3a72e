//! A call between two `webrtcbin`s of this process, over the loopback interface.

use super::{Heard, pipeline};
use crate::common::{PATIENCE, init};
use glib::Value;
use gst::prelude::*;
use gstdeepfake::analysis::source::provenance::{Class, Outcome};
use gstdeepfake::provenance::report::SourceReport;
use gstreamer as gst;

/// Asks one side for its description (`create-offer` or `create-answer`) and gives it to both.
fn describe(ask: &'static str, from: &gst::Element, to: &gst::Element, then: impl FnOnce() + Send + 'static) {
    let (here, there) = (from.clone(), to.clone());
    let answered = gst::Promise::with_change_func(move |reply| {
        let Ok(Some(reply)) = reply else { return };
        let what = ask.trim_start_matches("create-");
        let description: Value = (**reply.value(what).unwrap()).clone();
        let none = || None::<gst::Promise>.to_value();
        here.emit_by_name_with_values("set-local-description", &[description.clone(), none()]);
        let taken = gst::Promise::with_change_func(move |_| then());
        there.emit_by_name_with_values("set-remote-description", &[description, taken.to_value()]);
    });
    from.emit_by_name_with_values(ask, &[None::<gst::Structure>.to_value(), answered.to_value()]);
}

fn candidates(from: &gst::Element, to: &gst::Element) {
    let to = to.downgrade();
    from.connect("on-ice-candidate", false, move |values| {
        let to = to.upgrade()?;
        to.emit_by_name_with_values("add-ice-candidate", &[values[1].clone(), values[2].clone()]);
        None
    });
}

#[test]
fn a_webrtc_call_is_a_network() {
    init();
    if gst::ElementFactory::find("nicesrc").is_none() {
        eprintln!("SKIPPED: no nicesrc (Debian package gstreamer1.0-nice)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (what, feed, _) in super::variants::feeds(folder.path()).unwrap_or_default() {
        println!("{what}");
        call(&feed);
    }
}

/// A call of one who sends that.
fn call(feed: &str) {
    let sender = pipeline(&format!(
        "webrtcbin name=rtc bundle-policy=max-bundle {feed} ! vp8enc deadline=1 ! rtpvp8pay \
         ! application/x-rtp,media=video,encoding-name=VP8,payload=96 ! rtc.",
    ));
    let receiver =
        pipeline("webrtcbin name=rtc bundle-policy=max-bundle fakesrc num-buffers=1 ! fakesink async=false");
    let (Some(sender), Some(receiver)) = (sender, receiver) else { return };
    let (from, to) = (sender.by_name("rtc").unwrap(), receiver.by_name("rtc").unwrap());
    candidates(&from, &to);
    candidates(&to, &from);
    let into = receiver.downgrade();
    to.connect_pad_added(move |_, pad| {
        let Some(into) = into.upgrade().filter(|_| pad.direction() == gst::PadDirection::Src) else { return };
        let text = "rtpvp8depay ! vp8dec ! cameraprovenance ! fakesink";
        let bin = gst::parse::bin_from_description(text, true).unwrap();
        into.add(&bin).unwrap();
        bin.sync_state_with_parent().unwrap();
        pad.link(&bin.static_pad("sink").unwrap()).unwrap();
    });
    let other = to.clone();
    from.connect("on-negotiation-needed", false, move |values| {
        let from = values[0].get::<gst::Element>().unwrap();
        let (offerer, answerer) = (from.clone(), other.clone());
        describe("create-offer", &from, &other, move || {
            describe("create-answer", &answerer, &offerer, || {});
        });
        None
    });
    receiver.set_state(gst::State::Playing).unwrap();
    sender.set_state(gst::State::Playing).unwrap();
    let told = |r: &SourceReport| {
        r.findings.iter().find(|f| f.check == "webrtc-stats" && f.outcome == Outcome::Found).cloned()
    };
    let heard = Heard::listen(&receiver, |h| {
        h.reports.last().is_some_and(|r| told(r).is_some() && r.device.contains_key("path"))
    });
    sender.set_state(gst::State::Null).unwrap();
    receiver.set_state(gst::State::Null).unwrap();
    let _ = receiver.state(PATIENCE);
    assert_eq!(heard.error, None);
    let report = heard.reports.last().unwrap();
    assert_eq!(report.class, Class::Network, "{report:?}");
    assert!(report.identity.inside.iter().any(|f| f == "webrtcbin"), "{:?}", report.identity);
    let told = told(report).unwrap();
    assert!(told.reason.contains(" packets, ") && told.injection == 0.0, "{told:?}");
    // Kinds of paths, no addresses.
    assert!(report.device["path"].split(' ').all(|p| ["host", "srflx", "prflx", "relay"].contains(&p)));
    println!("{}", told.reason);
}
