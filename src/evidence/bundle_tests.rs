use super::super::files::{LOG, is_plain_name};
use super::super::log;
use super::super::test_cases::{case, cleared};
use super::super::verify::verify;
use super::*;
use std::fs;
use std::io::Read;

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn intact(dir: &Path) -> Vec<String> {
    let report = verify(dir, None).unwrap();
    assert_eq!(report.findings, vec![], "{report:?}");
    report.notes
}

#[test]
fn a_bundle_is_complete_and_private() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("a/b");
    prepare(&dir).unwrap();
    let written = write(&dir, &case("call 7")).unwrap();
    let name = written.bundle.unwrap();
    assert_eq!(written.notes, Vec::<String>::new());
    assert!(name.starts_with("call-7-0000") && name.ends_with("-000001"), "{name}");
    assert_eq!(names(&dir), [LOG.to_owned(), name.clone()]);
    let bundle = dir.join(&name);
    assert_eq!(names(&bundle), [EVIDENCE, "face-1-000001000.png", TRACES, PLOT]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&bundle), mode(&dir.join(LOG))), (0o700, 0o700, 0o600));
        names(&bundle).iter().for_each(|n| assert_eq!(mode(&bundle.join(n)), 0o600, "{n}"));
    }
    for picture in [PLOT, "face-1-000001000.png"] {
        let mut reader =
            png::Decoder::new(std::io::BufReader::new(fs::File::open(bundle.join(picture)).unwrap()))
                .read_info()
                .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        if picture == PLOT {
            // Something was drawn, with text at the left of it and the mark of the alert in red.
            let is = |px: &[u8], c: [u8; 3]| px == c;
            assert!(pixels.chunks(3).filter(|p| is(p, [0xd0, 0x3b, 0x2f])).count() > 500);
            assert!(pixels.chunks(3).filter(|p| is(p, [0x2f, 0x7f, 0xc4])).count() > 100);
        }
    }
    assert_eq!(intact(&dir), Vec::<String>::new());
    // The picture depends on the case alone.
    assert_eq!(plot::draw(&case("x")).unwrap(), plot::draw(&case("x")).unwrap());
}

#[test]
fn the_chain_goes_on_and_a_cleared_alert_is_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let one = write(dir.path(), &case("one")).unwrap();
    let two = write(dir.path(), &cleared("one")).unwrap();
    assert_eq!((two.bundle, two.line), (None, 2));
    write(dir.path(), &case("two")).unwrap();
    assert_eq!(intact(dir.path()), Vec::<String>::new());
    for head in [one.digest, two.digest] {
        assert_eq!(verify(dir.path(), Some(&head)).unwrap().findings, vec![]);
    }
    let report = verify(dir.path(), Some(&"a".repeat(64))).unwrap();
    assert!(report.findings[0].what.contains("no line has the digest"), "{report:?}");
}

#[test]
fn a_line_that_a_crash_tore_is_kept_aside() {
    let dir = tempfile::tempdir().unwrap();
    for (count, torn) in ["{\"sha2", "{\"sha256\":\"00", "x"].into_iter().enumerate() {
        write(dir.path(), &case("call")).unwrap();
        let path = dir.path().join(LOG);
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(torn.as_bytes()).unwrap();
        let report = verify(dir.path(), None).unwrap();
        assert!(report.findings.iter().any(|f| f.what.contains("no whole line")), "{report:?}");
        let next = write(dir.path(), &case("call")).unwrap();
        assert_eq!(next.line, 2 * count as u64 + 2);
        assert!(next.notes[0].contains("torn-"), "{next:?}");
        assert_eq!(intact(dir.path()).len(), count + 1);
        let name = names(dir.path()).into_iter().filter(|n| n.starts_with("torn-"));
        let kept: Vec<String> = name.map(|n| fs::read_to_string(dir.path().join(n)).unwrap()).collect();
        assert!(kept.iter().any(|k| k == torn), "{kept:?}");
    }
    // The very first line may be the one.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(LOG), "{\"sha").unwrap();
    assert_eq!(write(dir.path(), &case("call")).unwrap().line, 1);
    assert_eq!(intact(dir.path()).len(), 1);
}

#[test]
fn a_changed_last_line_is_told_of_and_does_not_stop_the_log() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &case("call")).unwrap();
    let path = dir.path().join(LOG);
    let text = fs::read_to_string(&path).unwrap().replace("\"epoch\":1", "\"epoch\":2");
    fs::write(&path, text).unwrap();
    let next = write(dir.path(), &case("call")).unwrap();
    assert_eq!(next.line, 2);
    assert!(next.notes[0].contains("changed by somebody"), "{next:?}");
    let report = verify(dir.path(), None).unwrap();
    assert!(report.findings[0].place.contains("line 1"), "{report:?}");
}

#[test]
fn what_is_no_log_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(LOG);
    fs::write(&path, vec![b'x'; 300_000]).unwrap();
    let error = write(dir.path(), &case("call")).unwrap_err().to_string();
    assert!(error.contains("no log of alerts"), "{error}");
    assert_eq!(fs::metadata(&path).unwrap().len(), 300_000);
    assert_eq!(names(dir.path()), [LOG]);
}

#[test]
fn many_writers_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for session in ["a", "b", "c"] {
            let dir = dir.path();
            scope.spawn(move || {
                for _ in 0..4 {
                    write(dir, &case(session)).unwrap();
                }
            });
        }
    });
    let report = verify(dir.path(), None).unwrap();
    assert_eq!((report.lines, report.bundles, report.findings), (12, 12, vec![]));
}

#[test]
fn names_from_outside_stay_in_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    for session in ["../../etc", "", ".", "a/b\\c:d\0e", &"é".repeat(500), "PARTIAL.partial"] {
        let name = write(dir.path(), &case(session)).unwrap().bundle.unwrap();
        assert!(is_plain_name(&name) && !name.ends_with(PARTIAL), "{name}");
    }
    assert_eq!(intact(dir.path()), Vec::<String>::new());
    // A folder that is in the way: of a log that was removed, or of a crash.
    let dir = tempfile::tempdir().unwrap();
    let first = write(dir.path(), &case("x")).unwrap().bundle.unwrap();
    fs::remove_file(dir.path().join(LOG)).unwrap();
    fs::create_dir(dir.path().join(format!("{first}-2{PARTIAL}"))).unwrap();
    assert_eq!(write(dir.path(), &case("x")).unwrap().bundle.unwrap(), format!("{first}-3"));
}

#[test]
fn nothing_half_written_stays_behind() {
    let dir = tempfile::tempdir().unwrap();
    let files = vec![("a".to_owned(), vec![1]), ("a".to_owned(), vec![2])];
    assert!(place(dir.path(), "x", &files).is_err());
    assert_eq!(names(dir.path()), Vec::<String>::new());
    assert!(prepare(Path::new("/dev/null/x")).is_err());
}

#[test]
fn the_log_is_locked_while_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let held = Log::lock(dir.path()).unwrap();
    let file = log::open_file(dir.path()).unwrap();
    assert!(file.try_lock().is_err());
    drop(held);
    file.try_lock().unwrap();
    let mut text = String::new();
    (&file).read_to_string(&mut text).unwrap();
    assert_eq!(text, "");
}

/// `docs/evidence.png` and the fuzzer's seeds are of this directory.
#[test]
#[ignore = "writes the documentation's example into the directory that EVIDENCE_EXAMPLE names"]
fn example_of_the_documentation() {
    let dir = std::env::var_os("EVIDENCE_EXAMPLE").unwrap();
    prepare(Path::new(&dir)).unwrap();
    let case = case("call-17");
    write(Path::new(&dir), &Case { faces: Vec::new(), ..case }).unwrap();
}
