#![allow(clippy::unwrap_used)]

use super::super::controls::Range;
use super::*;
use crate::analysis::source::provenance::{Class, Outcome};
use crate::analysis::source::response::Sample;
use crate::lock::lock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

const SECOND: u64 = 1_000_000_000;
const TIMEOUT: Duration = Duration::from_secs(20);
const EXPOSURE: u32 = 0x009a_0902;
const EXPOSURE_AUTO: u32 = 0x009a_0901;
const BRIGHTNESS: u32 = 0x0098_0900;

/// A camera of the test's: numbers of controls, values, and whether it takes them.
#[derive(Debug, Default)]
struct State {
    values: Vec<(u32, i32)>,
    /// Every value that was set, in order.
    history: Vec<(u32, i32)>,
    /// Calls of `set` that are left before it refuses.
    calls_left: Option<usize>,
    /// Takes values and drops them.
    forgetful: bool,
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<State>>);

impl Fake {
    fn with(values: &[(u32, i32)]) -> Self {
        let fake = Self::default();
        lock(&fake.0).values = values.to_vec();
        fake
    }

    fn value(&self, id: u32) -> i32 {
        lock(&self.0).values.iter().find(|(known, _)| *known == id).unwrap().1
    }

    fn experiment(&self) -> Experiment {
        let camera = self.clone();
        Experiment::new(TIMEOUT, 0x5a_c3_69_96, move || Ok(Box::new(camera)))
    }
}

impl Controls for Fake {
    fn range(&mut self, id: u32) -> Option<Range> {
        let state = lock(&self.0);
        let there = state.values.iter().any(|(known, _)| *known == id);
        there.then_some(Range { minimum: 0, maximum: 1000, step: 1 })
    }

    fn get(&mut self, id: u32) -> io::Result<i32> {
        lock(&self.0)
            .values
            .iter()
            .find(|(known, _)| *known == id)
            .map(|(_, v)| *v)
            .ok_or(io::ErrorKind::NotFound.into())
    }

    fn set(&mut self, id: u32, value: i32) -> io::Result<()> {
        let mut state = lock(&self.0);
        match &mut state.calls_left {
            Some(0) => {
                // Refuses once: what must be put back can be.
                state.calls_left = None;
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            Some(left) => *left -= 1,
            None => {}
        }
        state.history.push((id, value));
        let forgetful = state.forgetful;
        let entry = state.values.iter_mut().find(|(known, _)| *known == id);
        let entry = entry.ok_or(io::ErrorKind::NotFound)?;
        if !forgetful {
            entry.1 = value;
        }
        Ok(())
    }
}

/// Runs an experiment on pictures whose brightness is what `luma` makes of the camera, for as long as it lasts.
fn play(fake: &Fake, experiment: &mut Experiment, luma: impl Fn(&Fake) -> f64) -> Finding {
    let mut trace = Trace::default();
    let mut pts = 0;
    for second in 0..60u64 {
        if experiment.is_over() {
            break;
        }
        experiment.advance(pts, || trace.clone());
        for n in 1..=5u64 {
            pts = second * SECOND + n * SECOND / 5;
            let grain =
                f64::from(u32::try_from((pts / 1000).wrapping_mul(2_654_435_761) % 100).unwrap()) / 500.0;
            trace.push(Sample { pts, luma: luma(fake) + grain, sharpness: 3.0 });
        }
    }
    assert!(experiment.is_over(), "it goes on for ever");
    experiment.finding()
}

#[test]
fn a_camera_that_answers_is_physical_and_stands_as_before() {
    let fake = Fake::with(&[(EXPOSURE_AUTO, 3), (EXPOSURE, 200), (BRIGHTNESS, 500)]);
    let finding = play(&fake, &mut fake.experiment(), |f| {
        60.0 + f64::from(f.value(EXPOSURE)) / 10.0 + f64::from(f.value(BRIGHTNESS)) / 50.0
    });
    assert_eq!(finding.class, Some(Class::Physical), "{finding:?}");
    assert!(finding.reason.contains("exposure") && finding.injection < 0.0, "{finding:?}");
    assert_eq!([EXPOSURE_AUTO, EXPOSURE, BRIGHTNESS].map(|id| fake.value(id)), [3, 200, 500]);
    let history = lock(&fake.0).history.clone();
    assert_eq!(history.first(), Some(&(EXPOSURE_AUTO, 1)), "the automatic goes first");
    assert!(history.contains(&(EXPOSURE, 300)) && history.contains(&(BRIGHTNESS, 625)), "{history:?}");
    let back: Vec<_> = history.iter().filter(|(id, _)| *id != BRIGHTNESS).collect();
    assert_eq!(back[back.len() - 2..], [&(EXPOSURE, 200), &(EXPOSURE_AUTO, 3)], "and comes back last");
}

#[test]
fn a_device_that_shows_its_own_film_is_virtual() {
    let fake = Fake::with(&[(EXPOSURE, 200), (BRIGHTNESS, 500)]);
    let finding = play(&fake, &mut fake.experiment(), |_| 110.0);
    assert_eq!(finding.class, Some(Class::Virtual), "{finding:?}");
    assert!(finding.injection > 1.0 && finding.reason.contains("exposure and brightness"), "{finding:?}");
    assert_eq!((fake.value(EXPOSURE), fake.value(BRIGHTNESS)), (200, 500));
}

#[test]
fn values_that_are_not_kept_are_refused() {
    let fake = Fake::with(&[(BRIGHTNESS, 500)]);
    lock(&fake.0).forgetful = true;
    let finding = play(&fake, &mut fake.experiment(), |_| 110.0);
    assert!(finding.injection > 0.0 && finding.reason.contains("takes no value"), "{finding:?}");
}

#[test]
fn without_controls_nothing_is_said() {
    let fake = Fake::with(&[]);
    let finding = play(&fake, &mut fake.experiment(), |_| 110.0);
    assert_eq!((finding.outcome, finding.injection), (Outcome::Nothing, 0.0), "{finding:?}");
}

#[test]
fn an_error_on_the_way_puts_everything_back() {
    for calls in 1..12 {
        let fake = Fake::with(&[(EXPOSURE_AUTO, 3), (EXPOSURE, 200)]);
        lock(&fake.0).calls_left = Some(calls);
        let _ = play(&fake, &mut fake.experiment(), |_| 110.0);
        assert_eq!((fake.value(EXPOSURE_AUTO), fake.value(EXPOSURE)), (3, 200), "after {calls} calls");
    }
}

#[test]
fn a_stop_and_an_interruption_put_everything_back() {
    for interrupted in [false, true] {
        let fake = Fake::with(&[(EXPOSURE_AUTO, 3), (EXPOSURE, 200)]);
        let mut experiment = fake.experiment();
        let mut second = 10;
        while fake.value(EXPOSURE) == 200 {
            experiment.advance(second * SECOND, Trace::default);
            second += 1;
        }
        if interrupted {
            // The stream's times went back.
            experiment.advance(0, Trace::default);
            assert!(experiment.is_over() && experiment.finding().reason.contains("interrupted"));
        }
        drop(experiment);
        assert_eq!((fake.value(EXPOSURE_AUTO), fake.value(EXPOSURE)), (3, 200));
    }
}

/// A camera whose driver hangs at the second value until it is let go.
struct Hanging {
    inner: Fake,
    calls: usize,
    hold: Receiver<()>,
    _gone: SyncSender<()>,
}

impl Controls for Hanging {
    fn range(&mut self, id: u32) -> Option<Range> {
        self.inner.range(id)
    }

    fn get(&mut self, id: u32) -> io::Result<i32> {
        self.inner.get(id)
    }

    fn set(&mut self, id: u32, value: i32) -> io::Result<()> {
        self.calls += 1;
        if self.calls == 2 {
            let _ = self.hold.recv();
        }
        self.inner.set(id, value)
    }
}

#[test]
fn a_driver_that_hangs_is_left_and_still_puts_everything_back() {
    let fake = Fake::with(&[(BRIGHTNESS, 500)]);
    let (let_go, hold) = sync_channel(0);
    let (gone, ended) = sync_channel(0);
    let camera = Hanging { inner: fake.clone(), calls: 0, hold, _gone: gone };
    let mut experiment = Experiment::new(Duration::from_millis(50), 0, move || Ok(Box::new(camera)));
    for second in 0..3 {
        experiment.advance(second * SECOND, Trace::default);
    }
    assert!(experiment.is_over());
    let finding = experiment.finding();
    assert_eq!(finding.outcome, Outcome::NotReadable, "{finding:?}");
    drop(experiment);
    drop(let_go);
    // Ends when the camera is dropped, which is after it was put back.
    assert!(ended.recv().is_err());
    assert_eq!(fake.value(BRIGHTNESS), 500);
}

#[test]
fn a_node_that_cannot_be_opened_is_said_so() {
    let experiment = Experiment::new(TIMEOUT, 0, || Err(io::ErrorKind::PermissionDenied.into()));
    assert!(experiment.is_over());
    assert_eq!(experiment.finding().outcome, Outcome::NotReadable);
}
