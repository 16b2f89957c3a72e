//! Arithmetic that signals and judges share: seconds, bounded pasts, magnitudes.

use std::collections::VecDeque;

/// Takes from the front of `past`, which is sorted by time, what is more than the newest `most` or is `old`.
pub fn trim<T>(past: &mut VecDeque<T>, most: usize, old: impl Fn(&T) -> bool) {
    while past.len() > most || past.front().is_some_and(&old) {
        past.pop_front();
    }
}

/// Seconds from `a` to `b` (ns), 0 if the clock went back.
pub fn seconds(a: u64, b: u64) -> f64 {
    b.saturating_sub(a) as f64 * 1e-9
}

/// Natural logarithm with a floor, for magnitudes that may be 0.
pub fn ln(v: f64) -> f64 {
    v.max(1e-5).ln()
}
