//! What a network of time remembers of one face between two pictures.
//!
//! The network itself says what that is: numbers that it gives and gets back at its next picture. All that is known here is how
//! many there are, when they are to be forgotten, and that they must be numbers.

use crate::analysis::evidence::seconds;

/// What a manifest says of a network's memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemorySpec {
    /// How many numbers.
    pub size: usize,
    /// Seconds of watching before what it says counts.
    pub settle: f64,
    /// A face that was away for longer is a new one, seconds.
    pub hold: f64,
}

/// One network's memory of one face.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    spec: MemorySpec,
    state: Vec<f32>,
    /// When it last saw the face, and since when without a break, ns.
    seen: Option<(u64, u64)>,
}

impl Memory {
    /// Nothing is remembered yet.
    pub fn new(spec: MemorySpec) -> Self {
        Self { spec, state: vec![0.0; spec.size], seen: None }
    }

    /// For the picture at `pts` (ns): what is remembered (all zero if nothing is), and the seconds since the last picture (0 if
    /// there was none).
    pub fn recall(&mut self, pts: u64) -> (&[f32], f32) {
        let gap = self.seen.map(|(last, _)| if pts > last { seconds(last, pts) } else { f64::INFINITY });
        match gap {
            Some(gap) if gap <= self.spec.hold => (&self.state, gap as f32),
            _ => {
                self.forget();
                (&self.state, 0.0)
            }
        }
    }

    /// Takes what the network gave for the picture at `pts`; `state` is left with the numbers before. Says whether it has watched
    /// long enough to be believed.
    ///
    /// # Errors
    /// In words, if these are not as many finite numbers as were said; then all is forgotten.
    pub fn keep(&mut self, pts: u64, state: &mut Vec<f32>) -> Result<bool, String> {
        let fault = if state.len() != self.spec.size {
            let (is, said) = (state.len(), self.spec.size);
            Some(format!("gives a state of {is} numbers, its manifest says {said}"))
        } else if !state.iter().all(|v| v.is_finite()) {
            Some("gives a state that is not finite".into())
        } else {
            None
        };
        if let Some(what) = fault {
            self.forget();
            return Err(what);
        }
        std::mem::swap(&mut self.state, state);
        let since = self.seen.map_or(pts, |(_, since)| since);
        self.seen = Some((pts, since));
        Ok(seconds(since, pts) >= self.spec.settle)
    }

    /// It is another face, or another scene.
    pub fn forget(&mut self) {
        self.state.clear();
        self.state.resize(self.spec.size, 0.0);
        self.seen = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPEC: MemorySpec = MemorySpec { size: 2, settle: 1.0, hold: 0.5 };

    fn ns(s: f64) -> u64 {
        (s * 1e9) as u64
    }

    #[test]
    fn it_gives_back_what_it_was_given_and_forgets_after_a_long_loss() {
        let mut memory = Memory::new(SPEC);
        assert_eq!(memory.recall(ns(5.0)), (&[0.0, 0.0][..], 0.0));
        assert_eq!(memory.keep(ns(5.0), &mut vec![1.0, 2.0]), Ok(false));
        let (state, gap) = memory.recall(ns(5.4));
        assert!(state == [1.0, 2.0] && (gap - 0.4).abs() < 1e-6, "{state:?} {gap}");
        memory.keep(ns(5.4), &mut vec![3.0, 4.0]).unwrap();
        assert_eq!(memory.recall(ns(6.0)), (&[0.0, 0.0][..], 0.0), "away for 0.6 s");
    }

    #[test]
    fn it_is_believed_after_an_unbroken_watch() {
        let mut memory = Memory::new(SPEC);
        let mut watch = |s: f64| {
            memory.recall(ns(s));
            memory.keep(ns(s), &mut vec![1.0, 1.0]).unwrap()
        };
        let believed: Vec<_> = [0.0, 0.4, 0.8, 1.2, 1.9, 2.3, 2.7, 3.1].map(&mut watch).into();
        assert_eq!(believed, [false, false, false, true, false, false, false, true]);
    }

    #[test]
    fn spoilt_numbers_are_refused_and_nothing_is_left_of_them() {
        let mut memory = Memory::new(SPEC);
        for (bad, what) in [(vec![1.0], "1 numbers"), (vec![1.0, f32::NAN], "finite"), (vec![], "0 numbers")]
        {
            memory.keep(0, &mut vec![1.0, 1.0]).unwrap();
            let said = memory.keep(ns(0.1), &mut bad.clone()).unwrap_err();
            assert!(said.contains(what), "{said}");
            assert_eq!(memory.recall(ns(0.2)), (&[0.0, 0.0][..], 0.0));
        }
    }

    proptest! {
        #[test]
        fn any_times_leave_it_whole(times in proptest::collection::vec(0u64..5_000_000_000, 1..60)) {
            let mut memory = Memory::new(SPEC);
            let mut spare = Vec::new();
            for pts in times {
                let (state, gap) = memory.recall(pts);
                prop_assert!(state.len() == 2 && (0.0..=0.5).contains(&gap));
                spare.clear();
                spare.extend([pts as f32, gap]);
                prop_assert!(memory.keep(pts, &mut spare).is_ok() && spare.len() == 2);
            }
        }
    }
}
