//! Arithmetic of traces: medians, straight lines, correlations at a delay.

/// The median, 0 of nothing. Sorts what it is given.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Takes the best straight line over time out of a trace: a drift of light or of the head is no answer.
pub(super) fn without_line(times: &[f64], values: &mut [f64]) {
    let n = times.len().min(values.len()) as f64;
    if n < 2.0 {
        return;
    }
    let mean_t = times.iter().sum::<f64>() / n;
    let mean_v = values.iter().sum::<f64>() / n;
    let (mut tv, mut tt) = (0.0, 0.0);
    for (t, v) in times.iter().zip(values.iter()) {
        tv += (t - mean_t) * (v - mean_v);
        tt += (t - mean_t).powi(2);
    }
    let slope = if tt > 0.0 { tv / tt } else { 0.0 };
    for (t, v) in times.iter().zip(values.iter_mut()) {
        *v -= mean_v + slope * (t - mean_t);
    }
}

/// Half the time over which traces are smoothed, ms.
const SMOOTH: f64 = 100.0;

/// The mean of the neighbours in time: noise from picture to picture goes, what lasts half a second stays. `times` grow.
pub(super) fn smoothed(times: &[f64], values: &[f64]) -> Vec<f64> {
    let (mut from, mut to, mut sum) = (0, 0, 0.0);
    let value = |i: usize| values.get(i).copied().unwrap_or_default();
    times
        .iter()
        .map(|t| {
            while times.get(to).is_some_and(|u| *u <= t + SMOOTH) {
                sum += value(to);
                to += 1;
            }
            while times.get(from).is_some_and(|u| *u < t - SMOOTH) {
                sum -= value(from);
                from += 1;
            }
            sum / (to - from).max(1) as f64
        })
        .collect()
}

/// Root mean square.
pub(super) fn strength(values: &[f64]) -> f64 {
    (values.iter().map(|v| v * v).sum::<f64>() / values.len().max(1) as f64).sqrt()
}

/// Correlation of two traces without means, -1 to 1; 0 where one of them stands still.
pub(super) fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let product = a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>() / a.len().max(1) as f64;
    let scale = strength(a) * strength(b);
    if scale > 1e-12 { (product / scale).clamp(-1.0, 1.0) } else { 0.0 }
}

/// Delays from before zero to `longest` ms, in steps of a camera's frame or less. Those before zero are looked at to see
/// an answer that came before its question.
pub(super) fn delays(longest: f64) -> impl Iterator<Item = f64> {
    const STEP: f64 = 20.0;
    let n = ((longest - EARLIEST) / STEP).floor().max(0.0) as usize;
    (0..=n).map(|i| EARLIEST + STEP * i as f64)
}
const EARLIEST: f64 = -400.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_no_answer() {
        let t: Vec<f64> = (0..50).map(f64::from).collect();
        let mut v: Vec<f64> = t.iter().map(|t| 3.0 + 0.2 * t).collect();
        without_line(&t, &mut v);
        assert!(strength(&v) < 1e-9);
        assert_eq!(correlation(&v, &v), 0.0);
    }

    #[test]
    fn neighbours_in_time_are_averaged() {
        let times = [0.0, 50.0, 100.0, 400.0, 450.0];
        let values = [3.0, 0.0, 0.0, 5.0, 7.0];
        let wanted = [1.0, 1.0, 1.0, 6.0, 6.0];
        for (found, wanted) in smoothed(&times, &values).iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
        }
        assert!(smoothed(&[], &[]).is_empty());
    }

    #[test]
    fn correlations_have_signs() {
        let a: Vec<f64> = (0..40).map(|i| (f64::from(i) * 0.7).sin()).collect();
        let b: Vec<f64> = a.iter().map(|v| -5.0 * v).collect();
        assert!((correlation(&a, &a) - 1.0).abs() < 1e-9 && (correlation(&a, &b) + 1.0).abs() < 1e-9);
    }

    #[test]
    fn delays_begin_before_zero() {
        let all: Vec<f64> = delays(100.0).collect();
        assert_eq!((all.first(), all.last()), (Some(&-400.0), Some(&100.0)));
    }
}
