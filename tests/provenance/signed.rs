//! Files with a signed history (C2PA), signed here by a signer that lives as long as the test.

use super::{Heard, pipeline};
use crate::common::init;
use c2pa::settings::Settings;
use c2pa::{Builder, Context, EphemeralSigner, Signer};
use gst::prelude::*;
use gstdeepfake::analysis::source::provenance::{Class, Finding, Outcome};
use gstdeepfake::analysis::source::signed::{CHECK, Made, Signature, judge};
use gstdeepfake::provenance::policy::Policy;
use gstdeepfake::provenance::report::SourceReport;
use gstdeepfake::provenance::signed::{check_anchors, read};
use gstreamer as gst;
use proptest::prelude::*;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

const IPTC: &str = "http://cv.iptc.org/newscodes/digitalsourcetype";

/// A picture that is signed, and the certificate of its signer's authority.
struct Studio {
    folder: tempfile::TempDir,
    signer: EphemeralSigner,
    anchors: String,
}

impl Studio {
    fn new() -> Self {
        let signer = EphemeralSigner::new("camera.test").unwrap();
        let authority = signer.certs().unwrap().pop().unwrap();
        let base64 = glib::base64_encode(&authority);
        let lines: Vec<&str> =
            base64.as_bytes().chunks(64).map(|c| std::str::from_utf8(c).unwrap()).collect();
        let anchors =
            format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
        Self { folder: tempfile::tempdir().unwrap(), signer, anchors }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file without a history; `None` where the encoder is not installed.
    fn plain(&self, name: &str) -> Option<PathBuf> {
        let to = self.path(name);
        let encoder = if name.ends_with("jpg") { "jpegenc" } else { "x264enc ! mp4mux" };
        let maker = pipeline(&format!(
            "videotestsrc num-buffers=1 ! video/x-raw,format=I420,width=160,height=120,framerate=25/1 ! {encoder} \
             ! filesink location={}",
            to.display()
        ))?;
        maker.set_state(gst::State::Playing).unwrap();
        assert!(Heard::listen(&maker, |_| false).eos);
        maker.set_state(gst::State::Null).unwrap();
        Some(to)
    }

    /// The same file with a signed history that says how it was made.
    fn signed(&self, plain: &Path, name: &str, made: &str) -> PathBuf {
        let to = self.path(name);
        let mut settings = Settings::new();
        settings.builder.thumbnail.enabled = false;
        let context = Context::new().with_settings(settings).unwrap();
        let definition = serde_json::json!({
            "claim_generator_info": [{"name": "tests"}],
            "assertions": [{"label": "c2pa.actions", "data": {"actions": [
                {"action": "c2pa.created", "digitalSourceType": format!("{IPTC}/{made}")},
            ]}}],
        });
        let mut builder = Builder::from_context(context).with_definition(definition.to_string()).unwrap();
        let format = if name.ends_with("jpg") { "image/jpeg" } else { "video/mp4" };
        let mut source = File::open(plain).unwrap();
        let mut dest = File::options().read(true).write(true).create_new(true).open(&to).unwrap();
        builder.sign(&self.signer, format, &mut source, &mut dest).unwrap();
        to
    }
}

fn look(path: &Path, anchors: Option<&str>) -> (Signature, Option<Made>, Finding) {
    let signed = read(path, anchors, &AtomicBool::new(false)).unwrap();
    (signed.signature, signed.made, judge(&signed))
}

/// Changes a byte of the picture itself.
fn tamper(path: &Path, to: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let media = bytes.windows(4).rposition(|w| w == b"mdat");
    let at = media.map_or(bytes.len() - 40, |at| at + 24);
    bytes[at] ^= 0x15;
    std::fs::write(to, bytes).unwrap();
}

#[test]
fn signatures_are_told_by_their_signer_and_by_what_was_changed() {
    init();
    let studio = Studio::new();
    check_anchors(&studio.anchors).unwrap();
    let other = Studio::new();
    for kind in ["jpg", "mp4"] {
        let Some(plain) = studio.plain(&format!("plain.{kind}")) else { continue };
        let anchors = Some(studio.anchors.as_str());
        assert_eq!(look(&plain, anchors).0, Signature::None);

        let whole = studio.signed(&plain, &format!("whole.{kind}"), "digitalCapture");
        let (signature, made, finding) = look(&whole, anchors);
        assert_eq!((signature, made), (Signature::Trusted, Some(Made::Captured)), "{kind}: {finding:?}");
        assert!(finding.injection < 0.0);
        // Nobody is trusted unless somebody said so.
        for anchors in [None, Some(other.anchors.as_str())] {
            let (signature, _, finding) = look(&whole, anchors);
            assert_eq!((signature, finding.outcome), (Signature::Untrusted, Outcome::Nothing), "{finding:?}");
        }

        let changed = studio.path(&format!("changed.{kind}"));
        tamper(&whole, &changed);
        let (signature, _, finding) = look(&changed, anchors);
        assert!(signature == Signature::Broken && finding.injection > 0.0, "{kind}: {finding:?}");
        assert!(finding.reason.contains("Hash.mismatch"), "{finding:?}");

        for (type_, says) in [
            ("trainedAlgorithmicMedia", Made::Generated),
            ("compositeWithTrainedAlgorithmicMedia", Made::Composite),
        ] {
            let computed = studio.signed(&plain, &format!("{type_}.{kind}"), type_);
            let (signature, made, finding) = look(&computed, None);
            assert_eq!((signature, made), (Signature::Untrusted, Some(says)));
            assert!(finding.injection > 3.0 && finding.class == Some(Class::Synthetic), "{finding:?}");
        }
    }
}

/// The last report of a file's source, once its signature is known.
fn report_of(file: &Path, policy: Option<&Path>) -> Option<SourceReport> {
    let policy = policy.map_or_else(String::new, |p| format!("policy={}", p.display()));
    let line = format!(
        "filesrc location={} ! jpegdec ! imagefreeze ! video/x-raw,framerate=25/1 ! cameraprovenance {policy} ! fakesink",
        file.display()
    );
    let playing = pipeline(&line)?;
    playing.set_state(gst::State::Playing).unwrap();
    let known = |h: &Heard| h.reports.last().is_some_and(|r| !r.is_pending());
    let heard = Heard::listen(&playing, known);
    playing.set_state(gst::State::Null).unwrap();
    assert_eq!(heard.error, None);
    heard.reports.last().cloned()
}

#[test]
fn the_file_that_a_stream_comes_from_is_looked_at_beside_the_stream() {
    init();
    let studio = Studio::new();
    let Some(plain) = studio.plain("plain.jpg") else { return };
    let computed = studio.signed(&plain, "computed.jpg", "trainedAlgorithmicMedia");
    let report = report_of(&computed, None).unwrap();
    assert_eq!((report.class, report.device["declared"].as_str()), (Class::File, "generated"), "{report:?}");
    assert!(report.injection > 5.0);
    let report = report_of(&plain, None).unwrap();
    assert_eq!((report.device["signature"].as_str(), report.injection), ("none", 0.0), "{report:?}");
}

#[test]
fn a_policy_wants_files_that_a_known_signer_signed() {
    init();
    let studio = Studio::new();
    let Some(plain) = studio.plain("plain.jpg") else { return };
    std::fs::write(studio.path("anchors.pem"), &studio.anchors).unwrap();
    let policy = studio.path("policy.toml");
    let text = "schema = 1\n[signatures]\ntrust-anchors = \"anchors.pem\"\n[allow]\nsignatures = [\"trusted\"]\n\
                [deny]\nsignatures = [\"generated\"]\n";
    std::fs::write(&policy, text).unwrap();
    let violation = |file: &Path| report_of(file, Some(&policy)).unwrap().violation;

    let whole = studio.signed(&plain, "whole.jpg", "digitalCapture");
    assert_eq!(violation(&whole), None);
    assert!(violation(&plain).unwrap().contains("`none` is not among those allowed"));
    let changed = studio.path("changed.jpg");
    tamper(&whole, &changed);
    assert!(violation(&changed).unwrap().contains("`broken`"));
    let computed = studio.signed(&plain, "computed.jpg", "trainedAlgorithmicMedia");
    assert!(violation(&computed).unwrap().contains("`generated` is denied"));

    std::fs::write(studio.path("anchors.pem"), "not a certificate").unwrap();
    let error = Policy::load(&policy).unwrap_err().to_string();
    assert!(error.contains("anchors.pem") && error.contains("PEM"), "{error}");
}

#[test]
fn the_program_tells_of_a_files_history() {
    init();
    let studio = Studio::new();
    let Some(plain) = studio.plain("plain.mp4") else { return };
    let computed = studio.signed(&plain, "computed.mp4", "trainedAlgorithmicMedia");
    let output = Command::new(env!("CARGO_BIN_EXE_deepfake"))
        .args(["source", "--json", "--seconds", "60"])
        .arg(&computed)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let report: SourceReport = serde_json::from_str(said.lines().last().expect("no report")).unwrap();
    assert_eq!(report.class, Class::Synthetic, "{report:?}");
    let finding = report.findings.iter().find(|f| f.check == CHECK).unwrap();
    assert!(finding.reason.contains("computed"), "{finding:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_file_with_a_damaged_picture_passes_for_whole(damage in prop::collection::vec((any::<u32>(), 1u8..), 1..20)) {
        let whole = WHOLE.with(Clone::clone);
        let Some((bytes, anchors)) = whole else { return Ok(()) };
        // Where the picture itself begins; before it lies the history, which has room that means nothing.
        let picture = bytes.windows(2).rposition(|w| w == [0xff, 0xda]).unwrap();
        let mut damaged = bytes.clone();
        for (at, by) in damage {
            let at = at as usize % damaged.len();
            damaged[at] ^= by;
        }
        let harmed = damaged[picture..] != bytes[picture..];
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("damaged.jpg");
        std::fs::write(&file, damaged).unwrap();
        // An error is as good an answer as any other but one.
        if let Ok(signed) = read(&file, Some(&anchors), &AtomicBool::new(false)) {
            prop_assert!(!harmed || signed.signature != Signature::Trusted);
        }
    }
}

thread_local! {
    /// A signed picture and the certificate of its signer's authority.
    static WHOLE: Option<(Vec<u8>, String)> = {
        init();
        let studio = Studio::new();
        studio.plain("plain.jpg").map(|plain| {
            let whole = studio.signed(&plain, "whole.jpg", "digitalCapture");
            (std::fs::read(whole).unwrap(), studio.anchors.clone())
        })
    };
}
