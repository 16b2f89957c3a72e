//! Whatever comes, in whatever order: faces, losses, exchanges, duplicates, gaps, new epochs, networks that fail.

use super::{Rig, Scene, forgery};
use gstdeepfake::analysis::engine::Outcome;
use gstdeepfake::analysis::face::tracker::REUNION_NS;
use gstdeepfake::analysis::judgement::verdict::{Alert, AlertKind, Condition, State};
use gstdeepfake::analysis::source::provenance::Source;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use std::collections::BTreeSet;

/// What the network of [`forgery`] adds in half a second at its most, nats.
const ONE_STEP: f64 = 3.0;

/// What happens next, and for how many frames.
#[derive(Clone, Debug)]
enum Event {
    /// Faces at these places.
    Faces(Vec<f32>, u8),
    /// The two that are there change places between two frames.
    Exchange(u8),
    /// The detector still sees faces, the mesh does not.
    Lost(u8),
    Nobody(u8),
    /// The same picture again.
    Frozen(u8),
    /// No frame comes for so long, ms.
    Gap(u64),
    NewEpoch,
    /// The network's attack logit; one that is no number fails.
    Score(f32),
    /// The mesh network fails.
    Broken(u8),
    /// Somebody speaks, or stands still.
    Mouth(bool),
    /// Where the stream comes from is suspicious, or no longer known.
    Source(bool),
}

fn event() -> impl Strategy<Value = Event> {
    let some = 1u8..30;
    let places = prop_oneof![Just(0.25f32), Just(0.5), Just(0.75), 0.1f32..0.9];
    prop_oneof![
        4 => (prop::collection::vec(places, 1..3), some.clone()).prop_map(|(p, n)| Event::Faces(p, n)),
        2 => some.clone().prop_map(Event::Exchange),
        2 => some.clone().prop_map(Event::Lost),
        2 => some.clone().prop_map(Event::Nobody),
        2 => some.clone().prop_map(Event::Frozen),
        1 => (1u64..8000).prop_map(Event::Gap),
        1 => Just(Event::NewEpoch),
        2 => prop_oneof![Just(6.0f32), Just(-6.0), Just(f32::NAN)].prop_map(Event::Score),
        1 => some.prop_map(Event::Broken),
        1 => any::<bool>().prop_map(Event::Mouth),
        1 => any::<bool>().prop_map(Event::Source),
    ]
}

fn suspicious() -> Source {
    Source { injection: 30.0, confidence: 0.9, ..Source::default() }
}

/// What an application knows that hears everything, and holds against it.
#[derive(Default)]
struct Heard {
    epoch: u64,
    /// Alerts that stand.
    standing: BTreeSet<Option<u32>>,
    /// Faces that were shown in this epoch, and those that may not come back.
    known: BTreeSet<u32>,
    gone: BTreeSet<u32>,
    /// Since when no face was seen, PTS.
    alone: Option<u64>,
    /// A frame that failed, PTS: a face may have come in it that was not shown yet.
    failed: Option<u64>,
}

impl Heard {
    fn alerts(&mut self, alerts: &[Alert], epoch: u64) -> Result<(), TestCaseError> {
        for a in alerts {
            prop_assert_eq!(a.epoch, epoch);
            let changed = match a.kind {
                AlertKind::Raised => self.standing.insert(a.track_id),
                AlertKind::Cleared => self.standing.remove(&a.track_id),
            };
            prop_assert!(changed, "raised twice, or cleared and not standing: {:?}", a);
        }
        Ok(())
    }

    fn reset(&mut self, alerts: &[Alert]) -> Result<(), TestCaseError> {
        self.alerts(alerts, self.epoch)?;
        prop_assert!(self.standing.is_empty(), "an alert outlives its epoch");
        *self = Self { epoch: self.epoch + 1, ..Self::default() };
        Ok(())
    }

    fn frame(&mut self, outcome: &Outcome, pts: u64) -> Result<(), TestCaseError> {
        self.alerts(&outcome.alerts, self.epoch)?;
        let v = &outcome.verdict;
        prop_assert_eq!((v.epoch, v.analysed_pts), (self.epoch, Some(pts)));
        prop_assert!((0.0..=1.0).contains(&v.risk));
        prop_assert_eq!(v.alert, !self.standing.is_empty(), "{:?}", v);
        prop_assert_eq!(v.alert, v.state == State::Attack);
        prop_assert!(v.tracks.len() <= 4 && v.tracks.is_sorted_by_key(|t| t.track_id));
        prop_assert_eq!(v.tracks.is_empty(), v.condition == Condition::NoFace);
        let now: BTreeSet<u32> = v.tracks.iter().map(|t| t.track_id).collect();
        if self.alone.is_some_and(|since| pts.saturating_sub(since) > REUNION_NS) {
            self.gone.extend(&self.known);
            let about_faces = self.standing.iter().flatten().count();
            prop_assert!(about_faces == 0 || !now.is_empty(), "an alert outlives the face that it was about");
        }
        prop_assert!(now.is_disjoint(&self.gone), "an id came back: {:?}", v);
        // What came in a frame that failed is weighed from then on, whenever it is shown.
        let most = if self.failed.is_some() { ONE_STEP } else { 0.0 };
        // A picture that stays keeps whoever came in it.
        self.failed = self.failed.map(|at| if outcome.duplicate { pts } else { at });
        self.failed = self.failed.filter(|at| pts.saturating_sub(*at) <= REUNION_NS);
        for t in &v.tracks {
            prop_assert!(t.condition != Condition::NotAnalysed && t.rect.w > 0.0, "{:?}", t);
            prop_assert!(t.statistic.is_finite() && t.statistic >= 0.0);
            if self.known.insert(t.track_id) {
                let fresh = t.statistic <= most && t.state != State::Attack;
                prop_assert!(fresh, "somebody else's evidence: {:?}", t);
            }
        }
        self.alone = if now.is_empty() { self.alone.or(Some(pts)) } else { None };
        Ok(())
    }
}

/// Frames with what `change` makes of the scene.
fn frames(
    rig: &mut Rig,
    heard: &mut Heard,
    (count, frozen): (u8, bool),
    change: impl FnOnce(&mut Scene),
) -> Result<(), TestCaseError> {
    rig.set(change);
    for _ in 0..count {
        let speaks = rig.scene.0.lock().unwrap().mouth != 0.0;
        let mouth = if speaks { 20.0 + 14.0 * (rig.pts as f32 * 1e-7).sin() } else { 0.0 };
        rig.set(|s| s.mouth = mouth);
        // A frame that fails says nothing; what it has to tell comes with the next one.
        if let Ok(outcome) = rig.try_step(frozen) {
            heard.frame(&outcome, rig.pts)?;
        } else {
            (heard.alone, heard.failed) = (None, Some(rig.pts));
        }
        // Four faces are followed at most, and twice as many that are away are remembered.
        prop_assert!(rig.engine.watched() <= 12, "{} faces are watched", rig.engine.watched());
    }
    Ok(())
}

fn run(events: &[Event]) -> Result<(), TestCaseError> {
    let mut rig = Rig::with(vec![forgery(true)]);
    let mut heard = Heard { epoch: 1, ..Heard::default() };
    rig.set(|s| s.present = true);
    for event in events {
        let (rig, heard) = (&mut rig, &mut heard);
        match event.clone() {
            Event::Faces(places, n) => {
                frames(rig, heard, (n, false), |s| (s.faces, s.present) = (places, true))?
            }
            Event::Exchange(n) => frames(rig, heard, (n, false), |s| s.faces.reverse())?,
            Event::Lost(n) => frames(rig, heard, (n, false), |s| s.present = false)?,
            Event::Nobody(n) => {
                frames(rig, heard, (n, false), |s| (s.faces, s.present) = (Vec::new(), false))?
            }
            Event::Frozen(n) => frames(rig, heard, (n, true), |_| {})?,
            Event::Broken(n) => {
                frames(rig, heard, (n, false), |s| s.broken = true)?;
                rig.set(|s| s.broken = false);
            }
            Event::Gap(ms) => rig.pts += ms * 1_000_000,
            Event::NewEpoch => {
                let told = rig.engine.reset(heard.epoch + 1);
                heard.reset(&told)?;
            }
            Event::Source(known) => rig.engine.set_source(known.then(suspicious)),
            Event::Score(score) => rig.set(|s| s.score = score),
            Event::Mouth(speaks) => rig.set(|s| s.mouth = f32::from(u8::from(speaks))),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn nothing_passes_from_one_person_epoch_or_alert_to_another(events in prop::collection::vec(event(), 1..40)) {
        run(&events)?;
    }
}

fn one_face(n: u8) -> Event {
    Event::Faces(vec![0.5], n)
}

/// The machine is driven where it is meant to be: otherwise the test above would hold against nothing.
#[test]
fn the_events_raise_and_clear_alerts() {
    let mut rig = Rig::with(vec![forgery(true)]);
    rig.set(|s| (s.faces, s.present, s.score) = (vec![0.5], true, 6.0));
    assert!((0..60).any(|_| !rig.step(false).alerts.is_empty()));
    rig.set(|s| s.present = false);
    assert!((0..60).any(|_| rig.step(false).alerts.iter().any(|a| a.kind == AlertKind::Cleared)));
}

#[test]
fn a_face_that_is_away_is_not_shown_in_a_picture_that_stays() {
    let mut rig = Rig::new();
    rig.set(|s| (s.faces, s.present) = (vec![0.5], true));
    assert_eq!(rig.step(false).verdict.tracks.len(), 1);
    rig.set(|s| s.present = false);
    assert_eq!(rig.step(false).verdict.tracks.len(), 0);
    for _ in 0..30 {
        assert_eq!(rig.step(true).verdict.condition, Condition::NoFace);
    }
    assert_eq!(
        rig.engine.watched(),
        0,
        "a face that is away for so long is gone, whether or not the picture moves"
    );
}

#[test]
fn what_a_failing_frame_could_not_tell_is_told_before_the_epoch_ends() {
    let mut rig = Rig::new();
    rig.set(|s| (s.faces, s.present) = (vec![0.5], true));
    rig.step(false);
    rig.engine.set_source(Some(suspicious()));
    rig.set(|s| s.broken = true);
    assert!(rig.try_step(false).is_err(), "the alert about the source is raised in a frame that fails");
    rig.engine.set_source(None);
    let told: Vec<_> = rig.engine.reset(2).iter().map(|a| (a.kind, a.epoch)).collect();
    assert_eq!(told, [(AlertKind::Raised, 1), (AlertKind::Cleared, 1)]);
    rig.set(|s| s.broken = false);
    assert!(rig.step(false).alerts.is_empty());
}

#[test]
fn faces_that_flicker_while_the_mesh_fails_do_not_pile_up() {
    let places = |i: u8| f32::from(i % 9) / 10.0 + 0.1;
    let events: Vec<Event> = (0..80)
        .flat_map(|i| [Event::Faces(vec![places(i), places(i + 4)], 1), Event::Lost(1), Event::Broken(1)])
        .chain([one_face(2)])
        .collect();
    run(&events).unwrap();
}
