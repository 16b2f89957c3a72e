//! A generator of the user's own: pictures out to a program or a bin and back.

use gstdeepfake::recorded::{Frame, StreamInfo};
use gstdeepfake::redteam::run::parse;
use gstdeepfake::redteam::*;

fn pictures(count: u64) -> Frames {
    let frame =
        |n: u64| Frame::new(n * 40_000_000, None, 32, 16, vec![10 + n as u8; 32 * 16 * 3 / 2]).unwrap();
    Frames::new(StreamInfo::new(32, 16, (25, 1)), (0..count).map(frame))
}

fn all(generator: Generator, count: u64) -> std::result::Result<Vec<Frame>, String> {
    let condition = Condition { noise: 0.0, ..Condition::new(Kind::Generator(generator), 7) };
    let mut scene = scene(Box::new(pictures(count)), &condition).map_err(|e| e.to_string())?;
    let mut out = Vec::new();
    while let Some(frame) = scene.next_frame().map_err(|e| e.to_string())? {
        out.push(frame);
    }
    Ok(out)
}

fn program(command: &str) -> Generator {
    Generator { command: command.into(), patience: 20.0, ..Generator::default() }
}

#[test]
fn pictures_go_through_a_program() {
    let out = all(program("cat"), 60).unwrap();
    assert_eq!(out.len(), 60);
    assert!(
        out.iter().enumerate().all(|(n, f)| f.data()[0] == 10 + n as u8 && f.pts_ns == n as u64 * 40_000_000)
    );
    // One that changes them, and is told their size.
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("invert.sh");
    std::fs::write(&script, "test \"$1\" = 32 -a \"$2\" = 16 -a \"$3\" = 25/1 -a \"$4\" = 7 && exec tr '\\012-\\105' '\\112-\\205'").unwrap();
    let out = all(program(&format!("sh {} {{width}} {{height}} {{fps}} {{seed}}", script.display())), 5);
    assert!(out.unwrap().iter().enumerate().all(|(n, f)| f.data()[3] == 74 + n as u8));
}

#[test]
fn pictures_go_through_a_bin() {
    let generator = |bin: &str| Generator { bin: bin.into(), patience: 20.0, ..Generator::default() };
    let out = all(generator("identity ! queue"), 20).unwrap();
    assert!(out.len() == 20 && out.iter().enumerate().all(|(n, f)| f.data()[0] == 10 + n as u8));
    assert!(all(generator("no-such-element"), 2).unwrap_err().contains("the bin does not work"));
    assert!(all(generator("identity error-after=3"), 9).unwrap_err().contains("failed"));
    assert!(all(generator("identity eos-after=4"), 9).unwrap_err().contains("fewer"));
}

#[test]
fn a_program_that_misbehaves_is_told_of() {
    let says = |command: &str, text: &str| {
        let error = all(program(command), 40).unwrap_err();
        assert!(error.contains(text), "{command}: {error}");
    };
    says("/no/such/program", "does not start");
    // Whether it is still being fed when it goes is a matter of chance.
    let early = all(program("head -c 2000"), 40).unwrap_err();
    assert!(early.contains("fewer pictures") || early.contains("ended early"), "{early}");
    says("false", "program");
    let slow = Generator { patience: 0.3, ..program("sleep 60") };
    assert!(all(slow, 3).unwrap_err().contains("no picture for 0.3 s"));
    let both = Generator { bin: "identity".into(), ..program("cat") };
    assert!(all(both, 1).unwrap_err().contains("either"));
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("fail.sh");
    std::fs::write(&script, "echo no such weights >&2; exit 3").unwrap();
    says(&format!("sh {}", script.display()), "no such weights");
}

#[test]
fn a_catalogue_names_generators() {
    let text = "schema-version = 1\n[channel.clean]\n[generator.mine]\ncommand = \"cat\"\n[[family]]\nname = \"g\"\n\
                channels = [\"clean\"]\n[[family.variant]]\nname = \"mine\"\nabout = \"x\"\n\
                kind = { attack = \"generator\", name = \"mine\" }\n[[family.variant]]\nname = \"late\"\nabout = \"y\"\n\
                kind = { attack = \"gate\", onset = 1.0, of = { attack = \"generator\", name = \"mine\" } }\n";
    let all = parse("mine.toml", text).unwrap();
    let cat = |k: &Kind| matches!(k, Kind::Generator(g) if g.command == "cat");
    assert!(cat(&all[0].kind) && matches!(&all[1].kind, Kind::Partial(g) if cat(&g.of)), "{all:?}");
}
