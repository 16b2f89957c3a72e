//! All numbers of a set of labelled clips.

use super::bootstrap::Clusters;
use super::calibration::{Reliability, reliability};
use super::clip::{Clip, clusters};
use super::intervals::{Interval, Rate, widest};
use super::roc::{Roc, auc};
use serde::Serialize;
use std::collections::BTreeMap;

/// An area under the curve with its bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Area {
    pub auc: f64,
    pub interval: Option<Interval>,
}

/// One attack instrument against all genuine clips.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kind {
    pub name: String,
    pub area: Option<Area>,
    /// Attacks without an alert.
    pub apcer: Rate,
}

/// Clips that are the same recording, genuine and attacked: every attack is compared with the genuine clips of its pair.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pairs {
    /// Comparisons.
    pub n: usize,
    pub n_genuine: usize,
    pub n_attack: usize,
    pub area: Option<Area>,
    /// The share in which the attack scored higher, ties counted half.
    pub accuracy: f64,
    pub accuracy_interval: Option<Interval>,
    pub ties: usize,
    pub apcer: Option<Rate>,
    pub bpcer: Option<Rate>,
}

/// From the onset of the attack to the alert, over the attacks whose onset is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Delays {
    pub clips: usize,
    /// Attacks with no alert at or after the onset.
    pub missed: usize,
    /// Alerted before the attack began: false alerts, whether or not another one came at the right time.
    pub too_early: usize,
    /// Of all attacks: one that is missed never has its alert, and where that decides there is none.
    pub median: Option<f64>,
    pub p95: Option<f64>,
    /// Of those that have an alert.
    pub median_alerted: Option<f64>,
    pub p95_alerted: Option<f64>,
    /// Their alerts, seconds from the onset, ascending.
    pub seconds: Vec<f64>,
}

impl Delays {
    fn of(mut seconds: Vec<f64>, clips: usize, too_early: usize) -> Self {
        seconds.sort_by(f64::total_cmp);
        let alerted = seconds.len();
        let [median, median_alerted] = [clips, alerted].map(|of| quantile(&seconds, of, 0.5));
        let [p95, p95_alerted] = [clips, alerted].map(|of| quantile(&seconds, of, 0.95));
        let missed = clips - alerted;
        Self { clips, missed, too_early, median, p95, median_alerted, p95_alerted, seconds }
    }
}

/// The least of `sorted` that a share of `of` values does not exceed (nearest rank); between two ranks, their mean. What
/// `sorted` lacks of `of` is without end.
fn quantile(sorted: &[f64], of: usize, share: f64) -> Option<f64> {
    let rank = share * of as f64;
    let at = |i: usize| sorted.get(i.checked_sub(1)?).copied();
    if rank.fract() == 0.0 {
        Some((at(rank as usize)? + at(rank as usize + 1)?) / 2.0)
    } else {
        at(rank.ceil() as usize)
    }
}

/// What [`evaluate`] finds. What cannot be computed (no attacks, say) is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    pub n_genuine: usize,
    pub n_attack: usize,
    /// Groups of clips that do not depend on each other.
    pub clusters: usize,
    /// Clips of which nothing could be judged; they count as not alerted.
    pub not_judged: usize,
    pub area: Option<Area>,
    pub eer: Option<f64>,
    /// BPCER at an APCER of at most 10 %, 5 % and 1 %.
    pub bpcer10: Option<f64>,
    pub bpcer20: Option<f64>,
    pub bpcer100: Option<f64>,
    /// At the operating point in force: alerted or not.
    pub kinds: Vec<Kind>,
    pub apcer_all: Option<Rate>,
    pub bpcer: Option<Rate>,
    /// The mean of BPCER and the APCER of the instrument that is missed most.
    pub acer: Option<f64>,
    pub pairs: Option<Pairs>,
    pub reliability: Option<Reliability>,
    pub delays: Option<Delays>,
    pub roc: Option<Roc>,
}

/// Clips at some indices.
fn area_of(clips: &[Clip], chosen: impl Iterator<Item = usize>) -> Option<f64> {
    let (mut genuine, mut attacks) = (Vec::new(), Vec::new());
    for clip in chosen.filter_map(|i| clips.get(i)) {
        if clip.attack { attacks.push(clip.score) } else { genuine.push(clip.score) }
    }
    auc(&genuine, &attacks)
}

fn area(clips: &[Clip], all: &Clusters, keep: impl Fn(&Clip) -> bool) -> Option<Area> {
    let kept = |i: usize| clips.get(i).is_some_and(&keep);
    let auc = area_of(clips, (0..clips.len()).filter(|i| kept(*i)))?;
    let side = |attack| all.only(|i| clips.get(i).is_some_and(|c| c.attack == attack && keep(c))).len();
    let drawn = all.only(kept).interval(|draw| area_of(clips, draw.iter().copied()));
    Some(Area { auc, interval: honest(auc, drawn, side(true).min(side(false))) })
}

/// Below so many groups the bootstrap draws hardly anything but the sample itself.
const FEW: usize = 5;

/// The bootstrap's interval where it means something; the widest possible one where there are too few groups for it,
/// or where all draws gave the same.
fn honest(share: f64, drawn: Option<Interval>, groups: usize) -> Option<Interval> {
    drawn.filter(|i| groups >= FEW && i.high > i.low).or_else(|| widest(share, groups))
}

fn count<'a>(clips: impl Iterator<Item = &'a Clip>, which: impl Fn(&Clip) -> bool) -> (usize, usize) {
    clips.fold((0, 0), |(count, of), c| (count + usize::from(which(c)), of + 1))
}

fn missed<'a>(clips: impl Iterator<Item = &'a Clip>) -> Option<Rate> {
    let (count, of) = count(clips, |c| !c.caught());
    Rate::new(count, of)
}

fn wronged<'a>(clips: impl Iterator<Item = &'a Clip>) -> Option<Rate> {
    let (count, of) = count(clips, |c| c.alerted);
    Rate::new(count, of)
}

/// All numbers of these clips. Scores must be numbers: where one is not, curves and areas are none.
pub fn evaluate(clips: &[Clip]) -> Evaluation {
    let (genuine, attacks) = (|| clips.iter().filter(|c| !c.attack), || clips.iter().filter(|c| c.attack));
    let scores = |clips: &mut dyn Iterator<Item = &Clip>| clips.map(|c| c.score).collect::<Vec<_>>();
    let roc = Roc::of(&scores(&mut genuine()), &scores(&mut attacks()));
    let all = clusters(clips);
    let mut names: Vec<&str> = attacks().map(|c| c.kind.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let kinds: Vec<Kind> = names
        .into_iter()
        .filter_map(|name| {
            let area = area(clips, &all, |c| !c.attack || c.kind == name);
            let apcer = missed(attacks().filter(|c| c.kind == name))?;
            Some(Kind { name: name.into(), area, apcer })
        })
        .collect();
    let bpcer = wronged(genuine());
    let worst = kinds.iter().map(|k| k.apcer.rate).reduce(f64::max);
    let claims: Vec<(f64, bool)> = clips.iter().filter_map(|c| Some((c.risk?, c.attack))).collect();
    Evaluation {
        n_genuine: genuine().count(),
        n_attack: attacks().count(),
        clusters: all.len(),
        not_judged: clips.iter().filter(|c| c.risk.is_none()).count(),
        area: area(clips, &all, |_| true),
        eer: roc.as_ref().map(Roc::eer),
        bpcer10: roc.as_ref().map(|r| r.bpcer_at(0.10)),
        bpcer20: roc.as_ref().map(|r| r.bpcer_at(0.05)),
        bpcer100: roc.as_ref().map(|r| r.bpcer_at(0.01)),
        kinds,
        apcer_all: missed(attacks()),
        bpcer,
        acer: worst.zip(bpcer).map(|(a, b)| (a + b.rate) / 2.0),
        pairs: pairs(clips, &all),
        reliability: reliability(&claims),
        delays: delays(clips),
        roc,
    }
}

fn pairs(clips: &[Clip], all: &Clusters) -> Option<Pairs> {
    let mut by_pair: BTreeMap<&str, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (i, clip) in clips.iter().enumerate() {
        let Some(pair) = &clip.pair else { continue };
        let (genuine, attacks) = by_pair.entry(pair).or_default();
        if clip.attack { attacks.push(i) } else { genuine.push(i) }
    }
    by_pair.retain(|_, (genuine, attacks)| !genuine.is_empty() && !attacks.is_empty());
    let paired: std::collections::BTreeSet<usize> =
        by_pair.values().flat_map(|(g, a)| g.iter().chain(a)).copied().collect();
    // By attack: comparisons won, made, tied.
    let mut wins: BTreeMap<usize, (f64, usize, usize)> = BTreeMap::new();
    for (genuine, attacks) in by_pair.values() {
        for &a in attacks {
            let own = clips.get(a)?.score;
            for other in genuine.iter().filter_map(|g| clips.get(*g)) {
                let tied = own == other.score;
                let win = if tied { 0.5 } else { f64::from(u8::from(own > other.score)) };
                let so_far = wins.entry(a).or_default();
                *so_far = (so_far.0 + win, so_far.1 + 1, so_far.2 + usize::from(tied));
            }
        }
    }
    let accuracy = |chosen: &mut dyn Iterator<Item = usize>| {
        let (won, n) = chosen.filter_map(|i| wins.get(&i)).fold((0.0, 0), |s, w| (s.0 + w.0, s.1 + w.1));
        (n > 0).then(|| won / n as f64)
    };
    let within = all.only(|i| paired.contains(&i));
    let chosen = || paired.iter().filter_map(|i| clips.get(*i));
    let share = accuracy(&mut (0..clips.len()))?;
    let auc = area_of(clips, paired.iter().copied());
    let drawn = within.interval(|draw| area_of(clips, draw.iter().copied()));
    let drawn_share = within.interval(|draw| accuracy(&mut draw.iter().copied()));
    Some(Pairs {
        n: wins.values().map(|w| w.1).sum(),
        n_genuine: chosen().filter(|c| !c.attack).count(),
        n_attack: chosen().filter(|c| c.attack).count(),
        // Every group has both sides.
        area: auc.map(|auc| Area { auc, interval: honest(auc, drawn, within.len()) }),
        accuracy: share,
        accuracy_interval: honest(share, drawn_share, within.len()),
        ties: wins.values().map(|w| w.2).sum(),
        apcer: missed(chosen().filter(|c| c.attack)),
        bpcer: wronged(chosen().filter(|c| !c.attack)),
    })
}

fn delays(clips: &[Clip]) -> Option<Delays> {
    let known = || clips.iter().filter(|c| c.attack && c.onset.is_some());
    let seconds: Vec<f64> = known().filter_map(Clip::delay).collect();
    let (clips, too_early) = (known().count(), known().filter(|c| c.too_early()).count());
    (clips > 0).then(|| Delays::of(seconds, clips, too_early))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(kind: &str, score: f64, alerted: bool) -> Clip {
        let attack = !kind.is_empty();
        Clip { attack, kind: kind.into(), score, alerted, risk: Some(score / 10.0), ..Clip::default() }
    }

    #[test]
    fn error_rates_are_counted_by_instrument() {
        let clips = [
            clip("", 0.0, false),
            clip("", 9.0, true),
            clip("", 1.0, false),
            clip("", 2.0, false),
            clip("print", 9.5, true),
            clip("print", 8.0, true),
            clip("swap", 1.0, false),
            clip("swap", 9.0, true),
        ];
        let e = evaluate(&clips);
        assert_eq!((e.n_genuine, e.n_attack, e.clusters, e.not_judged), (4, 4, 8, 0));
        let apcer: Vec<(&str, f64)> = e.kinds.iter().map(|k| (k.name.as_str(), k.apcer.rate)).collect();
        assert_eq!(apcer, [("print", 0.0), ("swap", 0.5)]);
        assert_eq!((e.bpcer.unwrap().rate, e.apcer_all.unwrap().rate), (0.25, 0.25));
        // ISO/IEC 30107-3: the worst instrument counts, not the mean.
        assert_eq!(e.acer, Some(0.375));
        assert_eq!(e.kinds[0].area.unwrap().auc, 7.0 / 8.0);
        assert!(e.area.unwrap().interval.is_some() && e.pairs.is_none() && e.delays.is_none());
    }

    #[test]
    fn a_single_attack_has_a_wide_interval() {
        let mut clips: Vec<Clip> = (0..20).map(|i| clip("", f64::from(i) / 10.0, false)).collect();
        clips.push(clip("print", 9.0, true));
        let area = evaluate(&clips).area.unwrap();
        let i = area.interval.unwrap();
        assert!(area.auc == 1.0 && i.low < 0.03 && i.high == 1.0, "{area:?}");
        clips.extend((0..30).map(|_| clip("print", 9.0, true)));
        let i = evaluate(&clips).area.unwrap().interval.unwrap();
        assert!((0.8..0.9).contains(&i.low), "no draw differs, and still it is not certain: {i:?}");
    }

    #[test]
    fn without_attacks_there_are_still_false_alerts() {
        let e = evaluate(&[clip("", 0.0, false), clip("", 9.0, true)]);
        assert_eq!((e.bpcer.unwrap().rate, e.acer, e.area, e.roc), (0.5, None, None, None));
        assert_eq!(evaluate(&[]).bpcer, None);
    }

    #[test]
    fn clips_that_were_not_judged_count_as_not_alerted() {
        let unseen = Clip { risk: None, ..clip("print", 0.0, false) };
        let e = evaluate(&[clip("", 0.0, false), unseen, clip("print", 9.0, true)]);
        assert_eq!((e.not_judged, e.kinds[0].apcer.rate), (1, 0.5));
        assert_eq!(e.reliability.unwrap().clips, 2, "nothing was claimed of it");
    }

    #[test]
    fn pairs_compare_like_with_like() {
        let in_pair = |pair: &str, c: Clip| Clip { pair: Some(pair.into()), ..c };
        let clips = [
            in_pair("a", clip("", 5.0, false)),
            in_pair("a", clip("swap", 6.0, false)),
            in_pair("b", clip("", 1.0, false)),
            in_pair("b", clip("swap", 1.0, false)),
            in_pair("b", clip("swap", 0.0, false)),
            in_pair("c", clip("swap", 9.0, true)),
            clip("", 9.0, true),
        ];
        let p = evaluate(&clips).pairs.unwrap();
        assert_eq!((p.n, p.n_genuine, p.n_attack, p.ties), (3, 2, 3, 1));
        assert_eq!(p.accuracy, 0.5);
        assert!((p.area.unwrap().auc - 2.5 / 6.0).abs() < 1e-12);
        assert_eq!(p.bpcer.unwrap().rate, 0.0, "the alerted genuine clip is in no pair");
    }

    fn spliced(onset: f64, alerts: &[f64]) -> Clip {
        let (onset, alerts) = (Some(onset), alerts.to_vec());
        Clip { onset, alerted: !alerts.is_empty(), alerts, ..clip("splice", 1.0, false) }
    }

    #[test]
    fn an_alert_before_the_attack_is_not_a_quick_one() {
        let clips = [
            spliced(5.0, &[7.0, 9.0]),
            spliced(5.0, &[4.0]),
            spliced(0.0, &[]),
            spliced(1.0, &[2.0]),
            spliced(5.0, &[1.0, 8.0]),
        ];
        let e = evaluate(&clips);
        let d = e.delays.unwrap();
        assert_eq!((d.clips, d.missed, d.too_early), (5, 2, 2));
        assert_eq!(d.seconds, [1.0, 2.0, 3.0]);
        assert_eq!((d.median, d.median_alerted), (Some(3.0), Some(2.0)));
        assert_eq!((d.p95, d.p95_alerted), (None, Some(3.0)), "two of five never have their alert");
        assert_eq!(e.kinds[0].apcer.count, 2, "the alert that came too early was not for the attack");
        assert_eq!(evaluate(&[clip("splice", 1.0, true)]).delays, None);
    }

    #[test]
    fn delays_are_those_of_all_attacks() {
        let of = |alerted: usize, missed: usize| {
            let mut clips: Vec<Clip> = (0..alerted).map(|i| spliced(1.0, &[1.0 + i as f64])).collect();
            clips.extend((0..missed).map(|_| spliced(1.0, &[])));
            let d = evaluate(&clips).delays.unwrap();
            (d.median, d.p95, d.median_alerted, d.p95_alerted)
        };
        assert_eq!(of(0, 3), (None, None, None, None));
        assert_eq!(of(1, 0), (Some(0.0), Some(0.0), Some(0.0), Some(0.0)));
        assert_eq!(of(4, 0), (Some(1.5), Some(3.0), Some(1.5), Some(3.0)));
        // Half of them missed: the median lies between the last alert and never.
        assert_eq!(of(2, 2), (None, None, Some(0.5), Some(1.0)));
        assert_eq!(of(3, 2), (Some(2.0), None, Some(1.0), Some(2.0)));
        assert_eq!(of(39, 1), (Some(19.5), Some(37.5), Some(19.0), Some(37.0)));
    }

    #[test]
    fn people_and_recordings_tie_clips_together() {
        let who = |who: &str, pair: Option<&str>| Clip {
            identities: Some(who.into()),
            pair: pair.map(Into::into),
            ..clip("", 0.0, false)
        };
        let clips = [
            who("b", Some("p")),
            who("b|target", Some("p")),
            who("target", None),
            who("p", None),
            who("", Some("q")),
        ];
        assert_eq!(clusters(&clips).len(), 3);
    }
}
