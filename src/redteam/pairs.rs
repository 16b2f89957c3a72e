//! Which recordings of a labelled set are the same scene, genuine and attacked, and where the one can go over into the
//! other. Nothing here opens a file.

use super::error::Error;
use crate::batch::{Item, Label, Source};
use crate::recorded::StreamInfo;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The part of the shorter recording that stays genuine when nobody says how much.
const GENUINE_SHARE: f64 = 0.4;
/// Then this at least, seconds: the detector gets to know the face first.
const LEAST_GENUINE: f64 = 3.0;
/// What must be left of the attack, seconds: in less no detector can be late.
const LEAST_ATTACK: f64 = 2.0;
/// Rates that differ by less are the same, differently rounded.
const SAME_RATE: f64 = 0.001;

/// A file of a labelled set.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// As the manifest names it.
    pub name: String,
    pub path: PathBuf,
    pub label: Label,
}

/// The same scene, genuine and attacked.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    pub id: String,
    pub genuine: Labelled,
    pub attack: Labelled,
}

/// Why a pair cannot be spliced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    #[error("there is no genuine recording in it")]
    NoGenuine,
    #[error("there is no attack in it")]
    NoAttack,
    #[error("it has {0} genuine recordings, and nothing tells which of them the attack was made from")]
    ManyGenuine(usize),
    #[error("{0} is not a file")]
    NotAFile(String),
    #[error("one is {}x{}, the other {}x{}", .0.0, .0.1, .1.0, .1.1)]
    Size((u32, u32), (u32, u32)),
    #[error("one has {0}, the other {1}")]
    Rate(String, String),
    #[error("{0} does not tell how long it is; re-mux it")]
    NoLength(String),
    #[error(
        "the shorter one lasts {length:.2} s: too short for an attack of {LEAST_ATTACK} s from {onset:.2} s on"
    )]
    TooShort { length: f64, onset: f64 },
    #[error("the attack begins only at {0:.2} s; choose a later --onset")]
    BeginsLater(f64),
    #[error(
        "frame {index} is at {genuine:.3} s in one and at {attack:.3} s in the other: they do not run in step"
    )]
    OutOfStep { index: u64, genuine: f64, attack: f64 },
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<crate::recorded::Error> for Unfit {
    fn from(error: crate::recorded::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// A pair that cannot be spliced.
#[derive(Debug)]
pub struct LeftOut {
    pub pair: String,
    pub why: Unfit,
}

/// The pairs that the labels name, by their names: the genuine recording with each attack on it. Recordings without
/// `pair_id` or label are in none.
pub fn pairs(items: &[Item]) -> (Vec<Pair>, Vec<LeftOut>) {
    let mut by_id: BTreeMap<&str, (Vec<&Item>, Vec<&Item>)> = BTreeMap::new();
    for item in items {
        let Some(label) = &item.label else { continue };
        let (Some(id), Some(attack)) = (&label.pair_id, label.attack) else { continue };
        let (genuine, attacks) = by_id.entry(id).or_default();
        if attack { attacks.push(item) } else { genuine.push(item) }
    }
    let (mut pairs, mut left_out) = (Vec::new(), Vec::new());
    for (id, (genuine, attacks)) in by_id {
        let made = match (genuine.as_slice(), attacks.as_slice()) {
            ([], _) => Err(Unfit::NoGenuine),
            (_, []) => Err(Unfit::NoAttack),
            ([one], attacks) => attacks.iter().map(|a| pair(id, one, a)).collect(),
            (many, _) => Err(Unfit::ManyGenuine(many.len())),
        };
        match made {
            Ok(made) => pairs.extend::<Vec<Pair>>(made),
            Err(why) => left_out.push(LeftOut { pair: id.to_owned(), why }),
        }
    }
    (pairs, left_out)
}

fn pair(id: &str, genuine: &Item, attack: &Item) -> Result<Pair, Unfit> {
    Ok(Pair { id: id.to_owned(), genuine: file(genuine)?, attack: file(attack)? })
}

fn file(item: &Item) -> Result<Labelled, Unfit> {
    let Source::File(path) = &item.source else { return Err(Unfit::NotAFile(item.name.clone())) };
    let label = item.label.clone().unwrap_or_default();
    Ok(Labelled { name: item.name.clone(), path: path.clone(), label })
}

impl Pair {
    /// Where the attack takes over, seconds: `asked`, or else a part of the shorter recording.
    ///
    /// # Errors
    /// If the two do not fit each other, or are too short.
    pub fn onset(&self, genuine: &StreamInfo, attack: &StreamInfo, asked: Option<f64>) -> Result<f64, Unfit> {
        let size = |i: &StreamInfo| (i.width, i.height);
        if size(genuine) != size(attack) {
            return Err(Unfit::Size(size(genuine), size(attack)));
        }
        let rate = |i: &StreamInfo| i.fps.map(|(n, d)| f64::from(n) / f64::from(d));
        let same = match (rate(genuine), rate(attack)) {
            (Some(a), Some(b)) => (a - b).abs() <= SAME_RATE * a,
            (a, b) => a == b,
        };
        if !same {
            let text = |r: Option<f64>| {
                r.map_or_else(|| "no fixed frame rate".into(), |r| format!("{r:.2} frames a second"))
            };
            return Err(Unfit::Rate(text(rate(genuine)), text(rate(attack))));
        }
        let length = |i: &StreamInfo, of: &Labelled| {
            let seconds = i.duration_ns.map(|ns| ns as f64 / 1e9);
            seconds.ok_or_else(|| Unfit::NoLength(of.name.clone()))
        };
        let length = length(genuine, &self.genuine)?.min(length(attack, &self.attack)?);
        let onset = asked.unwrap_or_else(|| (GENUINE_SHARE * length).max(LEAST_GENUINE));
        enough(length, onset)?;
        match self.attack.label.onset_s {
            Some(begins) if begins > onset => Err(Unfit::BeginsLater(begins)),
            _ => Ok(onset),
        }
    }

    /// Who is in the genuine recording and in the spliced one, as a manifest says: the two depend on each other
    /// whether or not anybody has a name.
    pub fn people(&self) -> (String, String) {
        let names = |l: &Labelled| l.label.identity_group.clone();
        let tie = Some(format!("pair {}", self.id));
        let join = |parts: &[Option<String>]| {
            let mut names: Vec<&str> = parts.iter().flatten().flat_map(|p| p.split('|')).collect();
            let mut known = std::collections::BTreeSet::new();
            names.retain(|n| !n.trim().is_empty() && known.insert(*n));
            names.join("|")
        };
        let genuine = names(&self.genuine);
        (join(&[genuine.clone(), tie.clone()]), join(&[genuine, names(&self.attack), tie]))
    }
}

/// Refuses a splice that leaves too little of the attack.
pub(super) fn enough(length: f64, onset: f64) -> Result<(), Unfit> {
    if length < onset + LEAST_ATTACK { Err(Unfit::TooShort { length, onset }) } else { Ok(()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn item(name: &str, pair: &str, attack: Option<bool>) -> Item {
        let text = |t: &str| (!t.is_empty()).then(|| t.to_owned());
        let label = Label { attack, pair_id: text(pair), ..Label::default() };
        Item { name: name.into(), source: Source::File(name.into()), label: Some(label) }
    }

    fn info(seconds: f64) -> StreamInfo {
        let duration_ns = Some((seconds * 1e9) as u64);
        StreamInfo { duration_ns, ..StreamInfo::new(320, 240, (25, 1)) }
    }

    fn one_pair() -> Pair {
        let items = [item("g", "a", Some(false)), item("f", "a", Some(true))];
        pairs(&items).0.remove(0)
    }

    #[test]
    fn every_attack_goes_with_the_genuine_recording_of_its_pair() {
        let uri = Item { source: Source::Uri("rtsp://x/y".into()), ..item("u", "e", Some(true)) };
        let items = [
            item("a2", "a", Some(true)),
            item("a0", "a", Some(false)),
            item("a1", "a", Some(true)),
            item("b0", "b", Some(false)),
            item("c1", "c", Some(true)),
            item("d0", "d", Some(false)),
            item("d0'", "d", Some(false)),
            item("d1", "d", Some(true)),
            item("e0", "e", Some(false)),
            uri,
            item("alone", "", Some(true)),
            item("unlabelled", "a", None),
            Item { label: None, ..item("bare", "a", None) },
        ];
        let (made, left_out) = pairs(&items);
        let names: Vec<_> = made.iter().map(|p| (p.genuine.name.as_str(), p.attack.name.as_str())).collect();
        assert_eq!(names, [("a0", "a2"), ("a0", "a1")]);
        let reasons: Vec<String> = left_out.iter().map(|l| format!("{}: {}", l.pair, l.why)).collect();
        let says = ["b: there is no attack", "c: there is no genuine", "d: it has 2 genuine", "e: u is not"];
        assert_eq!(reasons.len(), says.len(), "{reasons:?}");
        assert!(reasons.iter().zip(says).all(|(r, s)| r.starts_with(s)), "{reasons:?}");
    }

    #[test]
    fn the_attack_takes_over_where_there_is_enough_of_both() {
        let pair = one_pair();
        let onset = |seconds: f64, asked| pair.onset(&info(seconds), &info(20.0), asked);
        assert_eq!(onset(10.0, None).unwrap(), 4.0);
        assert_eq!(onset(5.5, None).unwrap(), 3.0);
        assert_eq!(onset(30.0, None).unwrap(), 8.0, "the shorter one counts");
        assert_eq!(onset(3.0, Some(1.0)).unwrap(), 1.0);
        assert!(matches!(onset(4.9, None), Err(Unfit::TooShort { .. })));
        assert!(matches!(onset(10.0, Some(8.1)), Err(Unfit::TooShort { .. })));
        let mut late = pair.clone();
        late.attack.label.onset_s = Some(5.0);
        assert!(matches!(late.onset(&info(10.0), &info(10.0), None), Err(Unfit::BeginsLater(_))));
        assert_eq!(late.onset(&info(10.0), &info(10.0), Some(6.0)).unwrap(), 6.0);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_told() {
        let pair = one_pair();
        let refused = |other: StreamInfo| pair.onset(&info(10.0), &other, None).unwrap_err().to_string();
        assert!(refused(StreamInfo { width: 322, ..info(10.0) }).contains("320x240, the other 322x240"));
        assert!(refused(StreamInfo { fps: Some((30, 1)), ..info(10.0) }).contains("30.00 frames"));
        assert!(refused(StreamInfo { fps: None, ..info(10.0) }).contains("no fixed"));
        assert!(refused(StreamInfo { duration_ns: None, ..info(10.0) }).starts_with("f does not tell"));
        let ntsc = |fps| StreamInfo { fps: Some(fps), ..info(10.0) };
        assert!(pair.onset(&ntsc((30_000, 1001)), &ntsc((2997, 100)), None).is_ok());
    }

    #[test]
    fn control_and_splice_depend_on_each_other() {
        let mut pair = one_pair();
        assert_eq!(pair.people(), ("pair a".into(), "pair a".into()));
        pair.genuine.label.identity_group = Some("ann|".into());
        pair.attack.label.identity_group = Some("ann|bob".into());
        assert_eq!(pair.people(), ("ann|pair a".into(), "ann|bob|pair a".into()));
    }
}
