//! What is wrong with a network of somebody else's is told at once, with the entry and what mends it; what fails later is
//! a failure, not silence.

use crate::common::{Rig, element, verdict};
use crate::{Entry, folder};
use gst::prelude::*;
use gstdeepfake::analysis::judgement::verdict::Condition;
use gstreamer as gst;
use std::path::Path;

/// Why the element does not start with that path in `extra-models`; `None` without ONNX Runtime.
fn refused(path: &Path) -> Option<glib::Error> {
    let element = element(&[("extra-models", path.to_str().unwrap())])?;
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    assert!(element.set_state(gst::State::Paused).is_err(), "it starts all the same");
    let message = bus.pop_filtered(&[gst::MessageType::Error]).expect("no error on the bus");
    let gst::MessageView::Error(e) = message.view() else { unreachable!() };
    element.set_state(gst::State::Null).unwrap();
    Some(e.error())
}

#[test]
fn what_is_wrong_is_told_with_the_entry() {
    let quadrant = Entry::quadrant;
    let changed = |from: &str, to: &str| {
        let replace = |s: String| s.replace(from, to);
        let e = quadrant();
        assert!([&e.keys, &e.crop, &e.input, &e.outputs].iter().any(|s| s.contains(from)), "{from}");
        Entry {
            keys: replace(e.keys),
            crop: replace(e.crop),
            input: replace(e.input),
            outputs: replace(e.outputs),
            ..e
        }
    };
    let cases = [
        // The graph has other sides, other names.
        (changed("[-1, 3, 32, 32]", "[-1, 3, 64, 64]"), "`quadrant`", "64"),
        (changed("name = \"logit\"", "name = \"logits\""), "`quadrant`", "no output `logits`"),
        (changed("name = \"face\"", "name = \"input\""), "`quadrant`", "no input `input`"),
        (changed("[-1, 1, 4, 4]", "[-1, 1, 5, 5]"), "`quadrant`", "`heat`"),
        (changed("dtype = \"f32\"", "dtype = \"f16\""), "`quadrant`", "must be f32"),
        // The manifest contradicts itself.
        (changed("\"attack-logit\"", "\"logits\""), "`quadrant`", "need 2 to"),
        (changed("\"forgery\"", "\"swap\""), "`quadrant`", "`family`"),
        (Entry { crop: "kind = \"native\"".into(), ..quadrant() }, "max-face", "line"),
    ];
    for (entry, first, second) in cases {
        let dir = folder(std::slice::from_ref(&entry));
        let Some(e) = refused(dir.path()) else { return };
        let text = e.to_string();
        assert!(text.contains(first) && text.contains(second), "{text}");
        assert!(text.contains("manifest") || text.contains("export the model"), "no remedy: {text}");
        assert!(!text.contains("make models"), "no command of ours mends it: {text}");
    }
}

#[test]
fn files_that_are_not_what_they_should_be() {
    let at = |change: &dyn Fn(&Path)| {
        let dir = folder(&[Entry::quadrant()]);
        // Networks are shared by their digest, so this one must be like no other test's: it says so in its description.
        let path = dir.path().join("quadrant.onnx");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(b"\x32\x04mine");
        std::fs::write(&path, &bytes).unwrap();
        std::fs::write(
            dir.path().join("manifest.toml"),
            format!("schema = 1\n{}", Entry::quadrant().text(&bytes)),
        )
        .unwrap();
        change(dir.path());
        refused(dir.path())
    };
    let file = "quadrant.onnx";
    let Some(e) = at(&|d| std::fs::remove_file(d.join(file)).unwrap()) else { return };
    assert!(e.matches(gst::ResourceError::NotFound) && e.to_string().contains(file), "{e}");
    let e = at(&|d| std::fs::write(d.join(file), b"not a network").unwrap()).unwrap();
    assert!(e.matches(gst::ResourceError::OpenRead) && e.to_string().contains("13 bytes"), "{e}");
    let e = at(&|d| {
        // Truthful about its digest, but no network.
        let text = format!("schema = 1\n{}", Entry::quadrant().text(b"not a network"));
        std::fs::write(d.join(file), b"not a network").unwrap();
        std::fs::write(d.join("manifest.toml"), text).unwrap();
    });
    let e = e.unwrap();
    assert!(e.matches(gst::ResourceError::OpenRead) && e.to_string().contains("`quadrant`"), "{e}");
    let e = at(&|d| std::fs::remove_file(d.join("manifest.toml")).unwrap()).unwrap();
    assert!(e.matches(gst::ResourceError::NotFound) && e.to_string().contains("extra-models"), "{e}");
}

#[test]
fn names_are_not_used_twice() {
    let (first, second) = (folder(&[Entry::quadrant()]), folder(&[Entry::quadrant()]));
    let both = format!("{}:{}", first.path().display(), second.path().display());
    let Some(e) = refused(Path::new(&both)) else { return };
    assert!(e.to_string().contains("two models have the name `quadrant`"), "{e}");
    let keys = format!("{}\nsignal = \"quadrant\"", Entry::quadrant().keys);
    let dir = folder(&[Entry::quadrant(), Entry { name: "other", keys, ..Entry::quadrant() }]);
    let e = refused(dir.path()).unwrap();
    assert!(e.to_string().contains("`signal` `quadrant`"), "{e}");
}

/// Passes bright pictures by; the last verdict's condition, and the texts on the bus.
fn conditions(entry: Entry) -> Option<(Condition, Condition, Vec<String>)> {
    let dir = folder(&[entry]);
    let extra = dir.path().to_str().unwrap();
    let properties = [("extra-models", extra), ("mode", "sync"), ("on-error", "pass")];
    let mut rig = Rig::with_caps(&properties, "video/x-raw,format=I420,width=320,height=240,framerate=25/1")?;
    let mut last = |bright: bool| {
        let mut condition = Condition::NotAnalysed;
        for _ in 0..20 {
            let frame = if bright { rig.bright() } else { rig.noise() };
            condition = verdict(&rig.pass(frame)).condition;
        }
        condition
    };
    let (before, after) = (last(false), last(true));
    Some((before, after, rig.drain()))
}

#[test]
fn a_network_that_gives_nan_is_a_failure() {
    let Some((before, after, texts)) = conditions(Entry::nan()) else { return };
    assert_ne!(before, Condition::Failed);
    assert_eq!(after, Condition::Failed);
    assert!(texts.len() == 1 && texts[0].contains("`nan`") && texts[0].contains("not finite"), "{texts:?}");
}

#[test]
fn a_network_that_gives_no_probabilities_where_it_should_is_a_failure() {
    let outputs = Entry::means().outputs.replace("logits", "probabilities");
    let Some((_, after, texts)) = conditions(Entry { outputs, ..Entry::means() }) else { return };
    assert_eq!(after, Condition::Failed);
    assert!(texts.len() == 1 && texts[0].contains("`means`") && texts[0].contains("softmax"), "{texts:?}");
}
