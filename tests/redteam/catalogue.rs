//! The catalogue that is built in, and what is wrong with bad ones.

use gstdeepfake::redteam::run::{Baseline, Trial, load, parse};
use std::collections::BTreeSet;

const HEAD: &str = "schema-version = 1\n[channel.clean]\n";

fn wrong(text: &str) -> String {
    parse("mine.toml", text).unwrap_err().to_string()
}

#[test]
fn the_built_in_catalogue_holds_what_it_promises() {
    let all = load(None).unwrap();
    let (attacks, controls): (Vec<&Trial>, Vec<&Trial>) = all.iter().partition(|t| t.is_attack());
    assert!(
        attacks.len() >= 140 && controls.len() >= 12,
        "{} attacks, {} controls",
        attacks.len(),
        controls.len()
    );
    assert_eq!(all.iter().map(|t| &t.name).collect::<BTreeSet<_>>().len(), all.len());
    assert_eq!(
        all.iter().map(Trial::digest).collect::<BTreeSet<_>>().len(),
        all.len(),
        "the same thing twice"
    );
    let named_so = |t: &Trial| t.name.starts_with("control/") || t.name.starts_with("camera/");
    assert!(controls.iter().all(|t| named_so(t)) && !attacks.iter().any(|t| named_so(t)));
    for codec in ["h264", "vp8", "vp9", "av1", "jpeg"] {
        let text = |t: &Trial| serde_json::to_string(&t.channel).unwrap();
        assert!(all.iter().any(|t| text(t).contains(&format!("\"{codec}\""))), "{codec} is not used");
    }
}

#[test]
fn products_are_expanded() {
    let text = format!(
        "{HEAD}[channel.small]\nlines = 120\n[[family]]\nname = \"a\"\nchannels = [\"clean\", \"small\"]\n\
         [[family.axes]]\nweak = {{ strength = 0.5, noise = 2.0 }}\nstrong = {{ strength = 1.0 }}\n\
         [[family.variant]]\nname = \"b\"\nabout = \"x\"\nkind = {{ attack = \"swap\" }}\n"
    );
    let all = parse("mine.toml", &text).unwrap();
    let names: Vec<&str> = all.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["a/b/strong/clean", "a/b/strong/small", "a/b/weak/clean", "a/b/weak/small"]);
    assert_eq!(all.iter().map(|t| t.noise).collect::<Vec<_>>(), [0.0, 0.0, 2.0, 2.0]);
    assert_eq!(all.iter().filter(|t| t.first).count(), 1);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let family = |kind: &str| {
        format!(
            "{HEAD}[[family]]\nname = \"a\"\nchannels = [\"clean\"]\n[[family.variant]]\nname = \"b\"\nabout = \"\"\nkind = {kind}\n"
        )
    };
    for (text, line, says) in [
        ("schema-version = 2\nfamily = []\n".to_owned(), 1, "schema-version"),
        (format!("{HEAD}[[family]]\nnam = \"a\"\n"), 4, "nam"),
        (format!("{HEAD}[channel.bad]\nloss = 300\n[[family]]\n"), 3, "missing"),
        (
            format!("{HEAD}[channel.bad]\nloss = 5\n[[family]]\nname = \"a\"\nchannels = []\nvariant = []\n"),
            3,
            "codec",
        ),
        (family("{ attack = \"swap\", edge = 7 }"), 6, "edge"),
        (family("{ attack = \"swap\", egde = 0.1 }"), 6, "egde"),
        (family("{ attack = \"teleport\" }"), 6, "teleport"),
        (family("{ attack = \"swap\" }").replace("[\"clean\"]", "[\"clean\", \"dirty\"]"), 5, "dirty"),
        (family("{ attack = \"swap\" }").replace("\"b\"", "\"B b\""), 6, "a-z"),
        (family("{ attack = \"swap\" }\nnoise = 1000"), 6, "noise"),
        (family("{ attack = \"generator\", name = \"mine\" }"), 6, "mine"),
        ("[[family".to_owned(), 1, ""),
    ] {
        let error = wrong(&text);
        let (place, _) = error.split_once(": ").unwrap();
        // A missing field is told at the beginning of the file's or the family's table.
        let told: usize = place.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(error.contains(says), "{error}\n{text}");
        assert!(says == "missing" || told == line, "{error}: line {line} is wrong\n{text}");
    }
    let missing = load(Some(std::path::Path::new("/nowhere.toml"))).unwrap_err().to_string();
    assert!(missing.contains("/nowhere.toml"), "{missing}");
}

#[test]
fn the_baseline_of_the_quick_run_is_of_this_catalogue() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/redteam/quick-baseline.json");
    let baseline = Baseline::read(&path).unwrap();
    let known: BTreeSet<String> =
        load(None).unwrap().iter().map(|t| format!("{}#{}", t.name, t.digest())).collect();
    assert!(baseline.evaluations.len() > 60);
    for key in baseline.evaluations.keys() {
        let condition = key.split(' ').next().unwrap();
        assert!(
            known.contains(condition),
            "{condition} changed: `make redteam MORE=\"--quick --save-baseline ...\"`"
        );
    }
}
