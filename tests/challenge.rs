//! Challenges at the element: opened by the action and by events, told to the application, judged by the pictures and
//! the stream's own time, and ended by whatever ends the stream. Without ONNX Runtime the tests say so and pass.

// The lint exempts test functions only, not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::gate::Gate;
use common::{Rig, verdict};
use gst::prelude::*;
use gstdeepfake::analysis::challenge::{Kind, Reason, Report, State, Task};
use gstdeepfake::inference::Digest;
use gstdeepfake::message::{CHALLENGE, DeepfakeMessage};
use gstreamer as gst;
use std::path::Path;
use std::sync::{LazyLock, mpsc};

/// The small face networks, with a mesh that stays where the face is: the fixtures' mesh grows from frame to frame and
/// drifts with the light, so that no face of it is followed for as long as a challenge takes.
fn steady_models() -> &'static Path {
    static DIR: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let dir = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(common::face_models()).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
        steady(dir.path(), "fake_mesh_v2.onnx", 478, 256.0);
        steady(dir.path(), "fake_mesh_v1.onnx", 468, 192.0);
        dir
    });
    DIR.path()
}

/// Scales a mesh's table of points so that the region found from it is the one it was looked for in, and stops its drift.
fn steady(dir: &Path, file: &str, points: usize, side: f32) {
    let path = dir.join(file);
    let old = std::fs::read(&path).unwrap();
    let mut new = old.clone();
    let float = |b: &[u8]| f32::from_le_bytes(b.try_into().unwrap());
    let table = points * 12;
    let plausible = |at: usize| {
        let good = |v: f32| v.is_finite() && v.abs() < 1000.0 && (v == 0.0 || v.abs() > 1e-3);
        old[at..at + table].chunks_exact(4).all(|b| good(float(b)))
    };
    let at = (0..old.len() - table).find(|at| plausible(*at)).expect("no table of points");
    let range = |axis: usize| {
        let all = || old[at..at + 468 * 12].chunks_exact(12).map(|p| float(&p[4 * axis..4 * axis + 4]));
        (all().fold(f32::INFINITY, f32::min), all().fold(f32::NEG_INFINITY, f32::max))
    };
    let (x, y) = (range(0), range(1));
    // A region is half as large again as the face in it.
    let scale = side / 1.5 / (x.1 - x.0).max(y.1 - y.0);
    let centre = [(x.0 + x.1) / 2.0, (y.0 + y.1) / 2.0];
    for point in new[at..at + table].chunks_exact_mut(12) {
        for (axis, bytes) in point.chunks_exact_mut(4).enumerate() {
            let v = float(bytes);
            let moved = centre.get(axis).map_or(v * scale, |c| (v - c) * scale + side / 2.0);
            bytes.copy_from_slice(&moved.to_le_bytes());
        }
    }
    let drift: Vec<u8> = [4.0f32, 2.0, 0.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let at = old.windows(12).position(|w| w == drift).expect("no drift");
    new[at..at + 12].fill(0);
    std::fs::write(&path, &new).unwrap();
    let manifest = dir.join("manifest.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let text = text.replace(&Digest::of(&old).to_string(), &Digest::of(&new).to_string());
    std::fs::write(&manifest, text).unwrap();
}

fn element(properties: &[(&str, &str)]) -> Option<gst::Element> {
    let models = [("model-dir", steady_models().to_str().unwrap()), ("max-faces", "1")];
    common::element(&[&models[..], properties].concat())
}

const CAPS: &str = "video/x-raw,format=RGB,width=320,height=240,framerate=25/1";

fn sync(properties: &[(&str, &str)]) -> Option<Rig> {
    Some(Rig::around(element(&[&[("mode", "sync")][..], properties].concat())?, CAPS))
}

/// The next frame, grey, its red, green and blue multiplied.
fn tinted(rig: &mut Rig, tint: [f64; 3]) -> gst::Buffer {
    let mut buffer = rig.noise();
    let mut map = buffer.get_mut().unwrap().map_writable().unwrap();
    for px in map.chunks_exact_mut(3) {
        let grey = f64::from(px[0]);
        for (v, t) in px.iter_mut().zip(tint) {
            *v = (grey * t).clamp(0.0, 255.0) as u8;
        }
    }
    drop(map);
    buffer
}

/// Two seconds of a face that does nothing.
fn watch(rig: &mut Rig) {
    for _ in 0..50 {
        let frame = rig.noise();
        rig.pass(frame);
    }
}

fn ask(rig: &Rig, kind: &str, params: &str) -> String {
    let params = (!params.is_empty()).then(|| format!("p,{params}").parse::<gst::Structure>().unwrap());
    rig.element.emit_by_name("challenge", &[&kind, &params])
}

fn told(rig: &mut Rig) -> Vec<Report> {
    rig.drain();
    let all = rig.messages.iter();
    all.filter_map(|m| if let DeepfakeMessage::Challenge(c) = m { Some(c.challenge.clone()) } else { None })
        .collect()
}

/// Passes frames until the challenge has its result.
fn until_result(rig: &mut Rig, mut tint: impl FnMut(f64) -> [f64; 3]) -> Report {
    let issued = told(rig).pop().unwrap();
    assert_eq!(issued.state, State::Issued);
    for _ in 0..2_000 {
        let ms = (rig.pts(rig.made).nseconds() as f64 - issued.issued as f64) / 1e6;
        let frame = tinted(rig, tint(ms));
        rig.pass(frame);
        let last = told(rig).pop().unwrap();
        if last.state != State::Issued {
            assert_eq!((last.nonce.as_str(), last.kind), (issued.nonce.as_str(), issued.kind));
            return last;
        }
    }
    panic!("no result");
}

/// How the screen's colours tint a face, that much later.
fn screen(task: Task, delay: f64) -> impl FnMut(f64) -> [f64; 3] {
    let Task::Flash(colours) = task else { panic!("{task:?}") };
    move |ms| {
        let mut end = delay;
        for c in &colours {
            let begin = end;
            end += f64::from(c.ms);
            if ms >= begin && ms < end {
                return [16, 8, 0].map(|s| 1.0 + 0.1 * f64::from(c.rgb >> s & 0xff) / 255.0);
            }
        }
        [1.0; 3]
    }
}

#[test]
fn colours_on_the_skin_pass_and_are_told_but_do_not_count() {
    let Some(mut rig) = sync(&[("session-id", "call 7")]) else { return };
    watch(&mut rig);
    let nonce = ask(&rig, "flash", "max-delay-ms=800");
    assert_eq!(nonce.len(), 32);
    rig.drain();
    let Some(DeepfakeMessage::Challenge(m)) = rig.messages.last().cloned() else { panic!("not told") };
    assert_eq!((m.challenge.state, &m.challenge.nonce, m.challenge.track_id), (State::Issued, &nonce, 1));
    assert_eq!((m.header.session_id.as_str(), m.header.timestamp), ("call 7", Some(m.challenge.issued)));
    assert_eq!(m.header.running_time, m.header.timestamp);
    assert_eq!(m.challenge.issued, rig.pts(49).nseconds(), "the newest buffer's");
    let result = until_result(&mut rig, screen(m.challenge.task.clone(), 280.0));
    assert_eq!((result.state, result.reason), (State::Passed, Reason::Answered), "{result:?}");
    let delay = result.latency_ms.unwrap();
    assert!((220.0..=360.0).contains(&delay), "{delay}");
    assert!(result.evidence["correlation"] > 0.8, "{result:?}");
    // The next verdict tells of it.
    let mut told = None;
    for _ in 0..5 {
        let frame = rig.noise();
        told = Some(verdict(&rig.pass(frame)));
    }
    let evidence = &told.unwrap().tracks[0].evidence;
    let note = evidence.iter().find(|e| e.signal == "challenge-flash");
    let note = note.unwrap_or_else(|| panic!("{evidence:?}"));
    assert_eq!((note.llr, note.quality), (0.0, 0.0));
    assert!(note.reason.starts_with("passed"), "{}", note.reason);
    rig.eos();
    rig.drain();
    let Some(DeepfakeMessage::Summary(s)) = rig.messages.last() else { panic!("no summary") };
    assert_eq!(s.challenges, [("issued".to_owned(), 1), ("passed".to_owned(), 1)].into());
}

/// The same pictures give the same sums, whether a challenge was failed in them or not.
#[test]
fn a_failure_moves_no_risk() {
    let risks = |challenged: bool| {
        let mut rig = sync(&[("profile", "thorough")])?;
        watch(&mut rig);
        if challenged {
            assert_eq!(ask(&rig, "blink", "").len(), 32);
        }
        let mut risks = Vec::new();
        for _ in 0..400 {
            let frame = rig.noise();
            let v = verdict(&rig.pass(frame));
            risks.push((v.risk.to_bits(), v.state));
        }
        if challenged {
            let last = told(&mut rig).pop().unwrap();
            assert_eq!((last.state, last.reason), (State::Failed, Reason::NoAnswer), "{last:?}");
        }
        Some(risks)
    };
    assert_eq!(risks(true), risks(false));
}

#[test]
fn other_colours_fail() {
    let Some(mut rig) = sync(&[]) else { return };
    watch(&mut rig);
    let first = ask(&rig, "flash", "");
    rig.element.emit_by_name::<()>("reset", &[]);
    watch(&mut rig);
    assert_ne!(ask(&rig, "flash", ""), first);
    // Changes that no sequence of this challenge can have: each would last for three times as long.
    let result =
        until_result(
            &mut rig,
            |ms| {
                if (ms / 120.0).floor() as i64 % 2 == 0 { [1.1, 1.0, 0.9] } else { [1.0; 3] }
            },
        );
    assert_eq!((result.state, result.reason), (State::Failed, Reason::NoReflection), "{result:?}");
    let all = told(&mut rig);
    let cancelled: Vec<_> = all.iter().filter(|r| r.nonce == first).map(|r| (r.state, r.reason)).collect();
    assert_eq!(cancelled, [(State::Issued, Reason::Issued), (State::Cancelled, Reason::NewEpoch)]);
}

/// The warnings' texts, and what their details say.
fn refusals(rig: &mut Rig) -> Vec<(String, gst::Structure)> {
    let mut found = Vec::new();
    while let Some(popped) = rig.bus.pop() {
        if let gst::MessageView::Warning(w) = popped.view() {
            found.push((w.error().to_string(), w.details().unwrap().to_owned()));
        }
    }
    found
}

#[test]
fn what_is_refused_says_why() {
    let Some(mut rig) = sync(&[("profile", "economy")]) else { return };
    let refused = |rig: &mut Rig, kind: &str, params: &str, word: &str| {
        assert_eq!(ask(rig, kind, params), "");
        let said = refusals(rig);
        assert_eq!(said.len(), 1, "{kind}");
        let (text, details) = &said[0];
        assert!(text.contains(word), "{text}");
        assert_eq!((details.name().as_str(), details.get::<&str>("state")), (CHALLENGE, Ok("refused")));
        assert!(details.get::<&str>("text").unwrap().contains(word), "{details}");
    };
    refused(&mut rig, "blink", "", "wait for a first buffer");
    for _ in 0..50 {
        let frame = rig.black();
        rig.pass(frame);
    }
    refused(&mut rig, "blink", "", "no face");
    watch(&mut rig);
    refused(&mut rig, "dance", "", "turn-head, follow-dot, blink, hand and flash");
    refused(&mut rig, "follow-dot", "", "profile=balanced");
    refused(&mut rig, "flash", "step-ms=200", "WCAG 2.3.1");
    refused(&mut rig, "flash", "colour=(string)red", "`colour`");
    refused(&mut rig, "blink", "track-id=77", "77");
    let nonce = ask(&rig, "blink", "");
    assert_eq!(nonce.len(), 32);
    refused(&mut rig, "hand", "", &nonce);
    let null = element(&[]).unwrap();
    assert_eq!(null.emit_by_name::<String>("challenge", &[&"blink", &None::<gst::Structure>]), "");
}

#[test]
fn a_slow_stream_is_not_asked_what_it_cannot_show() {
    let caps = "video/x-raw,format=RGB,width=320,height=240,framerate=5/1";
    let Some(element) = element(&[("mode", "sync")]) else { return };
    let mut rig = Rig::around(element, caps);
    watch(&mut rig);
    assert_eq!(ask(&rig, "blink", ""), "");
    let said = refusals(&mut rig);
    assert!(said[0].0.contains("every 130 ms") && said[0].0.contains("every 200 ms"), "{said:?}");
    assert_eq!(ask(&rig, "turn-head", "").len(), 32);
}

#[test]
fn events_open_challenges_from_both_sides_and_go_no_further() {
    let Some(mut rig) = sync(&[]) else { return };
    watch(&mut rig);
    while rig.h.try_pull_event().is_some() {}
    let wish =
        |kind: &str| gst::Structure::builder(CHALLENGE).field("kind", kind).field("count", 2i32).build();
    assert!(rig.h.push_upstream_event(gst::event::CustomUpstream::new(wish("blink"))));
    let report = told(&mut rig).pop().unwrap();
    assert_eq!((report.kind, &report.task), (Kind::Blink, &Task::Blink(2)));
    // One at a time: refused.
    assert!(!rig.h.push_upstream_event(gst::event::CustomUpstream::new(wish("hand"))));
    rig.element.emit_by_name::<()>("reset", &[]);
    watch(&mut rig);
    assert!(rig.h.push_event(gst::event::CustomDownstream::new(wish("hand"))));
    let report = told(&mut rig).pop().unwrap();
    assert_eq!((report.kind, &report.task), (Kind::Hand, &Task::Hand(2)));
    let nameless = gst::Structure::new_empty(CHALLENGE);
    assert!(!rig.h.push_event(gst::event::CustomDownstreamOob::new(nameless)));
    // Others' events pass.
    rig.h.push_event(gst::event::CustomDownstream::new(gst::Structure::new_empty("somebody-elses")));
    let passed: Vec<String> = std::iter::from_fn(|| rig.h.try_pull_event())
        .filter_map(|e| e.structure().map(|s| s.name().to_string()))
        .collect();
    assert!(
        passed.contains(&"somebody-elses".to_owned()) && !passed.contains(&CHALLENGE.to_owned()),
        "{passed:?}"
    );
    while let Some(event) = rig.h.try_pull_upstream_event() {
        assert!(event.structure().is_none_or(|s| s.name() != CHALLENGE));
    }
}

#[test]
fn the_deadline_is_stream_time() {
    let Some(mut rig) = sync(&[]) else { return };
    watch(&mut rig);
    ask(&rig, "turn-head", "timeout-ms=4000");
    let issued = told(&mut rig).pop().unwrap();
    assert_eq!(issued.deadline, issued.issued + 4_000_000_000);
    let result = until_result(&mut rig, |_| [1.0; 3]);
    assert_eq!((result.state, result.reason), (State::Failed, Reason::NoAnswer), "{result:?}");
    let over = rig.pts(rig.made - 1).nseconds();
    assert!(over > issued.deadline && over <= issued.deadline + 200_000_000);
}

#[test]
fn flush_format_end_and_stop_cancel() {
    type End = fn(&mut Rig);
    let ends: [(End, Reason); 5] = [
        (
            |rig| {
                rig.h.push_event(gst::event::FlushStart::new());
                rig.h.push_event(gst::event::FlushStop::new(true));
            },
            Reason::NewEpoch,
        ),
        (|rig| rig.set_caps("video/x-raw,format=RGB,width=160,height=120,framerate=25/1"), Reason::NewEpoch),
        (|rig| rig.element.emit_by_name::<()>("reset", &[]), Reason::NewEpoch),
        (|rig| rig.eos(), Reason::EndOfStream),
        (
            |rig| {
                rig.element.set_state(gst::State::Ready).unwrap();
            },
            Reason::Stopped,
        ),
    ];
    for (end, reason) in ends {
        let Some(mut rig) = sync(&[]) else { return };
        watch(&mut rig);
        let nonce = ask(&rig, "hand", "");
        end(&mut rig);
        let results: Vec<_> = told(&mut rig).into_iter().filter(|r| r.state != State::Issued).collect();
        assert_eq!(results.len(), 1, "{reason}");
        let only = &results[0];
        assert_eq!((only.state, only.reason, &only.nonce), (State::Cancelled, reason, &nonce));
    }
}

#[test]
fn a_stuck_analysis_ends_it_by_the_buffers_times() {
    let Some(element) = element(&[("report-interval", "1")]) else { return };
    let mut rig = Rig::around(element, CAPS);
    for _ in 0..50 {
        let frame = rig.noise();
        rig.pass_settled(frame);
    }
    assert_eq!(ask(&rig, "hand", "timeout-ms=3000").len(), 32);
    let issued = told(&mut rig).pop().unwrap();
    let gate = Gate::before(&rig.bus, "deepfake-verdict");
    let mut first = true;
    while rig.pts(rig.made).nseconds() <= issued.deadline + 2_500_000_000 {
        let frame = rig.noise();
        rig.pass(frame);
        if std::mem::take(&mut first) {
            gate.wait_for_arrivals(1);
        }
    }
    let last = told(&mut rig).pop().unwrap();
    assert_eq!(
        (last.state, last.reason, last.nonce),
        (State::NotSeen, Reason::NotAnalysed, issued.nonce.clone())
    );
    gate.open();
    rig.eos();
    let results = told(&mut rig).into_iter().filter(|r| r.nonce == issued.nonce && r.state != State::Issued);
    assert_eq!(results.count(), 1);
}

#[test]
fn frames_are_looked_at_more_often_while_one_is_open() {
    let Some(mut rig) = sync(&[]) else { return };
    for _ in 0..120 {
        let frame = rig.noise();
        rig.pass(frame);
    }
    let sampled = |rig: &mut Rig| {
        let before = common::stat(&rig.element, "frames-sampled");
        for _ in 0..50 {
            let frame = rig.noise();
            rig.pass(frame);
        }
        common::stat(&rig.element, "frames-sampled") - before
    };
    let patrol = sampled(&mut rig);
    assert_eq!(ask(&rig, "hand", "timeout-ms=20000").len(), 32);
    assert!(patrol <= 30, "{patrol} of 50 frames");
    assert_eq!(sampled(&mut rig), 50);
}

/// Nothing is held while a message is posted: an application may ask from where it hears.
#[test]
fn it_may_be_opened_from_a_sync_handler() {
    for mode in ["sync", "live"] {
        let Some(element) = element(&[("mode", mode), ("report-interval", "1")]) else { return };
        let mut rig = Rig::around(element, CAPS);
        let (send, opened) = mpsc::channel();
        let element = rig.element.downgrade();
        let sent = std::sync::atomic::AtomicBool::new(false);
        rig.bus.set_sync_handler(move |_, message| {
            let verdict = message.structure().is_some_and(|s| s.name() == "deepfake-verdict");
            if verdict
                && let Some(element) = element.upgrade()
                && !sent.load(std::sync::atomic::Ordering::SeqCst)
            {
                let nonce = element.emit_by_name::<String>("challenge", &[&"hand", &None::<gst::Structure>]);
                if !nonce.is_empty() {
                    sent.store(true, std::sync::atomic::Ordering::SeqCst);
                    let _ = send.send(nonce);
                }
            }
            gst::BusSyncReply::Pass
        });
        for _ in 0..100 {
            let frame = rig.noise();
            rig.pass_settled(frame);
        }
        let nonce = opened.try_recv().expect("never opened");
        assert!(told(&mut rig).iter().any(|r| r.nonce == nonce && r.state == State::Issued));
    }
}

#[test]
fn in_a_pipeline_the_person_who_does_not_answer_fails() {
    let Some(element) = element(&[("mode", "sync")]) else { return };
    let pipeline = gst::Pipeline::new();
    let make = |name: &str| gst::ElementFactory::make(name).build().unwrap();
    let source = gst::ElementFactory::make("videotestsrc").property("num-buffers", 400i32).build().unwrap();
    source.set_property_from_str("pattern", "snow");
    let caps = gst::ElementFactory::make("capsfilter")
        .property(
            "caps",
            "video/x-raw,format=I420,width=320,height=240,framerate=25/1".parse::<gst::Caps>().unwrap(),
        )
        .build()
        .unwrap();
    let sink = make("fakesink");
    let chain = [&source, &caps, &element, &sink];
    pipeline.add_many(chain).unwrap();
    gst::Element::link_many(chain).unwrap();
    // The application downstream asks, with the twentieth buffer... and again until it is heard.
    let asked = std::sync::atomic::AtomicU64::new(0);
    sink.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
        let n = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if n == 50 {
            let wish = gst::Structure::builder(CHALLENGE).field("kind", "blink").build();
            assert!(pad.push_event(gst::event::CustomUpstream::new(wish)));
        }
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut heard = Vec::new();
    for message in pipeline.bus().unwrap().iter_timed(common::PATIENCE) {
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(e) => panic!("{e:?}"),
            _ => {}
        }
        if let Some(Ok(DeepfakeMessage::Challenge(m))) = gstdeepfake::message::parse(&message) {
            heard.push((m.challenge.state, m.challenge.reason));
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(heard, [(State::Issued, Reason::Issued), (State::Failed, Reason::NoAnswer)]);
}
