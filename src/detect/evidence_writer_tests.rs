use super::*;
use crate::evidence::test_cases;
use crate::evidence::verify::verify;
use std::sync::atomic::Ordering;

#[test]
fn a_full_queue_drops_counts_and_warns() {
    crate::register_static().unwrap();
    let element = gst::ElementFactory::make("deepfakedetect").build().unwrap();
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { evidence_dir: Some(dir.path().to_path_buf()), ..Settings::default() };
    let shared = Arc::new(Shared::new(settings.clone(), 1));
    let case = test_cases::case("call");
    let writer =
        EvidenceWriter::start(&element, &settings, &shared, RunInfo::clone(&case.ran)).unwrap().unwrap();
    let recorder = writer.recorder();
    // Whoever holds the log's lock keeps the thread waiting.
    let log = std::fs::File::open(dir.path().join(evidence::LOG)).unwrap();
    log.lock().unwrap();
    let all = QUEUE as u64 + 4;
    let cleared = Alert { kind: AlertKind::Cleared, ..case.alert };
    for _ in 0..all {
        recorder.alert(&cleared, Ground::Statistic, Moment::default(), Header::default());
    }
    let dropped = shared.counters.evidence_dropped.load(Ordering::Relaxed);
    assert!((3..=4).contains(&dropped), "{dropped}: one may be in work");
    log.unlock().unwrap();
    drop(writer);
    assert_eq!(shared.counters.evidence_written.load(Ordering::Relaxed), all - dropped);
    assert_eq!(verify(dir.path(), None).unwrap().lines, all - dropped);
    let warnings = bus.iter_filtered(&[gst::MessageType::Warning]).count() as u64;
    assert_eq!(warnings, dropped);
    // After the end there is nobody to write.
    recorder.alert(&cleared, Ground::Statistic, Moment::default(), Header::default());
    assert_eq!(shared.counters.evidence_dropped.load(Ordering::Relaxed), dropped + 1);
}
