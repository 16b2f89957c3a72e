//! The properties of `deepfakedetect`: their descriptions, and how values come in and go out.

use super::settings::{
    DEFAULT_ATTACK_PRIOR, DEFAULT_EVIDENCE_SECONDS, DEFAULT_MAX_FACES, DEFAULT_MIN_FACE_SIZE,
    DEFAULT_MIN_GOOD_FACE, DEFAULT_REPORT_INTERVAL, MAX_EVIDENCE_SECONDS, MAX_MAX_FACES, Mode, OnError,
    ProfileSetting, ProviderSetting, Purpose, Settings,
};
use crate::provenance;
use glib::{ParamSpec, Value};
use gst::prelude::*;
use gstreamer as gst;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// All properties. Those that are not "changeable in PLAYING" are read when the element starts.
pub fn all() -> Vec<ParamSpec> {
    let [policy, probe_environment, probe_controls, session_id] = provenance::properties::all();
    vec![
        glib::ParamSpecEnum::builder_with_default::<Mode>("mode", Mode::default())
            .nick("Mode")
            .blurb("Analyse beside the stream (live, never waits) or in it (sync, same result every run)")
            .mutable_ready()
            .build(),
        glib::ParamSpecEnum::builder_with_default::<ProfileSetting>("profile", ProfileSetting::default())
            .nick("Profile")
            .blurb("How thoroughly to analyse: networks and frames a second")
            .mutable_ready()
            .build(),
        glib::ParamSpecUInt::builder("cpu-budget")
            .nick("CPU budget")
            .blurb("Milliseconds of analysis a second of stream; 0 = no bound; no effect in mode=sync")
            .maximum(100_000)
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("max-faces")
            .nick("Most faces")
            .blurb("Number of faces that are followed at the same time")
            .minimum(1)
            .maximum(MAX_MAX_FACES)
            .default_value(DEFAULT_MAX_FACES)
            .mutable_ready()
            .build(),
        glib::ParamSpecUInt::builder("min-face-size")
            .nick("Least face size")
            .blurb("Width in pixels below which a face is not followed")
            .minimum(16)
            .maximum(4096)
            .default_value(DEFAULT_MIN_FACE_SIZE)
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("model-dir")
            .nick("Model directory")
            .blurb("Directory with manifest.toml; unset: DEEPFAKE_MODEL_DIR, beside the plugin, the data directories")
            .mutable_ready()
            .build(),
        glib::ParamSpecBoolean::builder("face-models")
            .nick("Face models")
            .blurb("Run the model directory's networks that watch a face (role face-signal)")
            .default_value(true)
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("extra-models")
            .nick("Extra models")
            .blurb("Manifests (or directories with a manifest.toml) of further networks that watch a face, separated by colons")
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("skip-models")
            .nick("Skipped models")
            .blurb("Names of networks of the model directory that watch a face and are not to run, separated by commas")
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("ignore-signals")
            .nick("Ignored signals")
            .blurb("For measuring only: names of signals, separated by commas, that are computed and count for nothing")
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("onnxruntime-library")
            .nick("ONNX Runtime library")
            .blurb("File of libonnxruntime.so; unset: ORT_DYLIB_PATH, the model directory, the system")
            .mutable_ready()
            .build(),
        glib::ParamSpecEnum::builder_with_default::<ProviderSetting>("provider", ProviderSetting::default())
            .nick("Execution provider")
            .blurb("What runs the networks; one that is not there is an error unless allow-fallback is set")
            .mutable_ready()
            .build(),
        glib::ParamSpecUInt::builder("device-id")
            .nick("Device")
            .blurb("Number of the provider's device")
            .maximum(255)
            .mutable_ready()
            .build(),
        glib::ParamSpecBoolean::builder("allow-fallback")
            .nick("Allow fallback")
            .blurb("Run on the CPU if the provider is not there (the summary and stats tell)")
            .mutable_ready()
            .build(),
        glib::ParamSpecDouble::builder("mean-time-between-false-alerts")
            .nick("Mean time between false alerts")
            .blurb("Hours of genuine video of one stream per false alert: sets the alert threshold")
            .minimum(0.01)
            .maximum(1e6)
            .default_value(Purpose::Call.mtbfa())
            .mutable_ready()
            .build(),
        glib::ParamSpecEnum::builder_with_default::<Purpose>("purpose", Purpose::default())
            .nick("Purpose")
            .blurb("Presets of mean-time-between-false-alerts, max-false-refer, max-false-reject and session-length; what is set by itself goes first")
            .mutable_ready()
            .build(),
        share("max-false-refer", "Most false refers", "Share of genuine sessions that may be referred to a person", Purpose::Call.max_false_refer()),
        share("max-false-reject", "Most false rejects", "Share of genuine sessions that may be rejected", Purpose::Call.max_false_reject()),
        glib::ParamSpecDouble::builder("session-length")
            .nick("Session length")
            .blurb("Expected seconds of a session; a longer one is held to its own length")
            .minimum(1.0)
            .maximum(86_400.0)
            .default_value(Purpose::Call.session_length())
            .mutable_ready()
            .build(),
        share("attack-prior", "Attack prior", "Probability that a session is an attack, before anything is seen", DEFAULT_ATTACK_PRIOR),
        glib::ParamSpecDouble::builder("min-good-face")
            .nick("Least good face")
            .blurb("Seconds of a face good enough to judge, below which no session is accepted")
            .minimum(0.5)
            .maximum(3600.0)
            .default_value(DEFAULT_MIN_GOOD_FACE)
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("calibration")
            .nick("Calibration")
            .blurb("File of what genuine sessions amount to, made by `deepfake calibrate`; unset: the built-in one")
            .mutable_ready()
            .build(),
        glib::ParamSpecUInt::builder("require-challenges")
            .nick("Required challenges")
            .blurb("So many of the last challenges must be passed, all of them, or the session is referred; 0 asks for none")
            .maximum(16)
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("require-source")
            .nick("Required source")
            .blurb("Class of source (physical, network, ...) without which the session is referred; unset: any")
            .mutable_ready()
            .build(),
        glib::ParamSpecUInt64::builder("report-interval")
            .nick("Report interval")
            .blurb("Nanoseconds of stream between two verdict messages without change; 0 = on change only")
            .default_value(DEFAULT_REPORT_INTERVAL)
            .mutable_playing()
            .build(),
        session_id,
        glib::ParamSpecEnum::builder_with_default::<OnError>("on-error", OnError::default())
            .nick("On error")
            .blurb("Whether a failing analysis stops the stream (fail) or lets it pass with a warning (pass)")
            .mutable_playing()
            .build(),
        glib::ParamSpecBoolean::builder("provenance")
            .nick("Provenance")
            .blurb("Find out upstream where the stream comes from (camera, virtual camera, file, network, ...); no effect in mode=sync")
            .default_value(true)
            .mutable_ready()
            .build(),
        policy,
        probe_environment,
        probe_controls,
        glib::ParamSpecString::builder("evidence-dir")
            .nick("Evidence directory")
            .blurb("Directory for a bundle of evidence of every alert, with a log that shows changes; unset: nothing is written")
            .mutable_ready()
            .build(),
        glib::ParamSpecUInt::builder("evidence-seconds")
            .nick("Evidence seconds")
            .blurb("Seconds of analysis before an alert that its bundle tells of")
            .minimum(5)
            .maximum(MAX_EVIDENCE_SECONDS)
            .default_value(DEFAULT_EVIDENCE_SECONDS)
            .mutable_ready()
            .build(),
        glib::ParamSpecBoolean::builder("evidence-thumbnails")
            .nick("Evidence thumbnails")
            .blurb("Put small pictures of the faces into the bundles as well")
            .mutable_ready()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .nick("Statistics")
            .blurb("Frames seen, sampled, analysed, skipped; microseconds by stage; models, their scores, provider, memory")
            .read_only()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("verdict")
            .nick("Verdict")
            .blurb("The newest verdict, with the fields of the deepfake-verdict metadata")
            .read_only()
            .build(),
    ]
}

/// A share of sessions, above 0 and below 1.
fn share(name: &'static str, nick: &'static str, blurb: &'static str, default: f64) -> ParamSpec {
    glib::ParamSpecDouble::builder(name)
        .nick(nick)
        .blurb(blurb)
        .minimum(1e-6)
        .maximum(0.5)
        .default_value(default)
        .mutable_ready()
        .build()
}

fn path(value: &Value) -> Option<PathBuf> {
    value.get::<Option<String>>().ok().flatten().filter(|s| !s.is_empty()).map(PathBuf::from)
}

fn path_value(path: Option<&PathBuf>) -> Value {
    path.map(|p| p.to_string_lossy().into_owned()).to_value()
}

/// Takes a value over. GObject has checked type and range against the description.
pub fn set(settings: &mut Settings, name: &str, value: &Value) {
    fn take<'v, T: glib::value::FromValue<'v>>(slot: &mut T, value: &'v Value)
    where
        <<T as glib::value::FromValue<'v>>::Checker as glib::value::ValueTypeChecker>::Error: std::fmt::Debug,
    {
        if let Ok(v) = value.get::<T>() {
            *slot = v;
        }
    }
    match name {
        "mode" => take(&mut settings.mode, value),
        "profile" => take(&mut settings.profile, value),
        "cpu-budget" => take(&mut settings.cpu_budget, value),
        "max-faces" => take(&mut settings.max_faces, value),
        "min-face-size" => take(&mut settings.min_face_size, value),
        "model-dir" => settings.model_dir = path(value),
        "face-models" => take(&mut settings.face_models, value),
        "extra-models" => {
            settings.extra_models = value.get::<Option<String>>().ok().flatten().unwrap_or_default()
        }
        "skip-models" => {
            settings.skip_models = value.get::<Option<String>>().ok().flatten().unwrap_or_default()
        }
        "ignore-signals" => {
            settings.ignore_signals = value.get::<Option<String>>().ok().flatten().unwrap_or_default()
        }
        "onnxruntime-library" => settings.library = path(value),
        "provider" => take(&mut settings.provider, value),
        "device-id" => take(&mut settings.device_id, value),
        "allow-fallback" => take(&mut settings.allow_fallback, value),
        "mean-time-between-false-alerts" => settings.mtbfa = value.get().ok(),
        "purpose" => take(&mut settings.purpose, value),
        "max-false-refer" => settings.max_false_refer = value.get().ok(),
        "max-false-reject" => settings.max_false_reject = value.get().ok(),
        "session-length" => settings.session_length = value.get().ok(),
        "attack-prior" => take(&mut settings.attack_prior, value),
        "calibration" => settings.calibration = path(value),
        "min-good-face" => take(&mut settings.min_good_face, value),
        "require-challenges" => take(&mut settings.require_challenges, value),
        "require-source" => {
            settings.require_source = value.get::<Option<String>>().ok().flatten().unwrap_or_default()
        }
        "report-interval" => take(&mut settings.report_interval, value),
        "session-id" => {
            settings.session_id = value.get::<Option<String>>().ok().flatten().unwrap_or_default()
        }
        "on-error" => take(&mut settings.on_error, value),
        "provenance" => take(&mut settings.provenance, value),
        "policy" => settings.policy = path(value),
        "probe-environment" => take(&mut settings.probe_environment, value),
        "probe-controls" => take(&mut settings.probe_controls, value),
        "evidence-dir" => settings.evidence_dir = path(value),
        "evidence-seconds" => take(&mut settings.evidence_seconds, value),
        "evidence-thumbnails" => take(&mut settings.evidence_thumbnails, value),
        _ => {}
    }
}

/// A setting's value; `None` for the read-only ones.
pub fn get(settings: &Settings, name: &str) -> Option<Value> {
    Some(match name {
        "mode" => settings.mode.to_value(),
        "profile" => settings.profile.to_value(),
        "cpu-budget" => settings.cpu_budget.to_value(),
        "max-faces" => settings.max_faces.to_value(),
        "min-face-size" => settings.min_face_size.to_value(),
        "model-dir" => path_value(settings.model_dir.as_ref()),
        "face-models" => settings.face_models.to_value(),
        "extra-models" => Some(&settings.extra_models).filter(|s| !s.is_empty()).to_value(),
        "skip-models" => Some(&settings.skip_models).filter(|s| !s.is_empty()).to_value(),
        "ignore-signals" => Some(&settings.ignore_signals).filter(|s| !s.is_empty()).to_value(),
        "onnxruntime-library" => path_value(settings.library.as_ref()),
        "provider" => settings.provider.to_value(),
        "device-id" => settings.device_id.to_value(),
        "allow-fallback" => settings.allow_fallback.to_value(),
        "mean-time-between-false-alerts" => settings.mtbfa().to_value(),
        "purpose" => settings.purpose.to_value(),
        "max-false-refer" => settings.operating_point().max_false_refer.to_value(),
        "max-false-reject" => settings.operating_point().max_false_reject.to_value(),
        "session-length" => settings.operating_point().session_length.to_value(),
        "attack-prior" => settings.attack_prior.to_value(),
        "calibration" => path_value(settings.calibration.as_ref()),
        "min-good-face" => settings.min_good_face.to_value(),
        "require-challenges" => settings.require_challenges.to_value(),
        "require-source" => settings.operating_point().require_source.to_value(),
        "report-interval" => settings.report_interval.to_value(),
        "session-id" => settings.session_id.to_value(),
        "on-error" => settings.on_error.to_value(),
        "provenance" => settings.provenance.to_value(),
        "policy" => path_value(settings.policy.as_ref()),
        "probe-environment" => settings.probe_environment.to_value(),
        "probe-controls" => settings.probe_controls.to_value(),
        "evidence-dir" => path_value(settings.evidence_dir.as_ref()),
        "evidence-seconds" => settings.evidence_seconds.to_value(),
        "evidence-thumbnails" => settings.evidence_thumbnails.to_value(),
        _ => return None,
    })
}

/// The values of the properties that are wanted, as JSON.
pub fn config(
    settings: &Settings,
    wanted: impl Fn(&ParamSpec) -> bool,
) -> BTreeMap<String, serde_json::Value> {
    fn json(value: &Value) -> serde_json::Value {
        let number = value.get::<u32>().map(u64::from).or_else(|_| value.get::<u64>());
        match (value.get::<bool>(), number, value.get::<f64>(), value.get::<Option<String>>()) {
            (Ok(v), ..) => v.into(),
            (_, Ok(v), ..) => v.into(),
            (_, _, Ok(v), _) => v.into(),
            (_, _, _, Ok(v)) => v.into(),
            // An enum, by its nick.
            _ => value.serialize().map(|s| s.to_string()).ok().into(),
        }
    }
    let specs = all().into_iter().filter(|spec| wanted(spec));
    specs.filter_map(|s| Some((s.name().to_owned(), json(&get(settings, s.name())?)))).collect()
}
