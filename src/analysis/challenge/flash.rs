//! Colours on the screen: the skin must take them on, in their random order, one delay later.
//!
//! Tang et al., "Face Flashing: a secure liveness detection protocol based on light reflections", NDSS 2018; Gerstner &
//! Farid, "Detecting real-time deep-fake videos using active illumination", CVPR workshops 2022. Watched is the skin's
//! hue (the ratios of red and blue to green): exposure control and shading change all three alike and drop out, white
//! balance drifts slowly and is taken out as a line.

use super::draws::Draws;
use super::report::{Reason, State};
use super::request::{Refusal, Request, within};
use super::ruling::{Judge, Ruling, millis};
use super::sample::Sample;
use super::task::Colour;
use super::trace::{correlation, delays, median, smoothed, strength, without_line};

/// Changes a second that no sequence may reach. WCAG 2.3.1 allows three flashes a second, and a flash is a pair of
/// changes; here each single change counts as one.
pub const MOST_CHANGES: f64 = 3.0;
/// How long one colour may stand and does, ms: never below a third of a second.
const STEP: std::ops::RangeInclusive<u32> = 400..=2_000;
const USUAL_STEP: u32 = 500;
/// Colours that can be asked for, and how many are.
const COUNT: std::ops::RangeInclusive<u32> = 8..=20;
const USUAL: u32 = 10;
/// The colours. No saturated red (WCAG: red / (red + green + blue) of linear light is below 0.8 in all).
pub const COLOURS: [u32; 6] = [0xff_8c_8c, 0x00_ff_00, 0x00_00_ff, 0x00_ff_ff, 0xff_00_ff, 0xff_ff_00];
/// Correlation from which the skin has taken on the colours, and what each of two thirds of the face needs.
pub(super) const REFLECTED: f64 = 0.7;
/// Change of hue (root mean square of the logarithm) below which nothing can be told.
const FAINT: f64 = 0.002;
/// Most pictures that are kept.
const MOST: usize = 1_800;

pub(super) fn draw(request: &Request, draws: &mut Draws) -> Result<Option<Vec<Colour>>, Refusal> {
    let count = within("count", request.count, COUNT)?.unwrap_or(USUAL);
    let ms = match request.step_ms {
        Some(ms) if ms < *STEP.start() => {
            let what = format!(
                "is {ms}; below {} a screen may flicker three times a second, which can bring on a seizure (WCAG 2.3.1)",
                STEP.start()
            );
            return Err(Refusal::Parameter { name: "step-ms".into(), what });
        }
        ms => within("step-ms", ms, STEP)?.unwrap_or(USUAL_STEP),
    };
    let colours = COLOURS.len() as u32;
    let Some(mut now) = draws.below(colours) else { return Ok(None) };
    let mut sequence = Vec::new();
    for _ in 0..count {
        let rgb = COLOURS.get(now as usize).copied().unwrap_or_default();
        sequence.push(Colour { rgb, ms });
        // Each of the others alike.
        let Some(step) = draws.between(1, colours - 1) else { return Ok(None) };
        now = (now + step) % colours;
    }
    Ok(Some(sequence))
}

/// Linear light of an sRGB colour.
fn linear(rgb: u32) -> [f64; 3] {
    [16, 8, 0].map(|shift| {
        let v = f64::from(rgb >> shift & 0xff) / 255.0;
        if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    })
}

/// Red and blue against green of what the screen shows, and until when, ms.
fn hues(sequence: &[Colour]) -> Vec<([f64; 2], f64)> {
    let mut end = 0.0;
    let hue = |c: &Colour| {
        let [r, g, b] = linear(c.rgb);
        end += f64::from(c.ms);
        ([r - g, b - g], end)
    };
    sequence.iter().map(hue).collect()
}

/// What the screen shows at a time; nothing before and after.
fn shown(hues: &[([f64; 2], f64)], ms: f64) -> [f64; 2] {
    hues.iter().find(|(_, end)| ms < *end).filter(|_| ms >= 0.0).map_or([0.0; 2], |(hue, _)| *hue)
}

/// See the module.
#[derive(Debug)]
pub(super) struct Flash {
    hues: Vec<([f64; 2], f64)>,
    told: u64,
    max_delay: f64,
    times: Vec<f64>,
    /// Logarithms of red and blue over green, for forehead and both cheeks.
    hue: [[Vec<f64>; 2]; 3],
}

impl Flash {
    pub(super) fn new(sequence: &[Colour], told: u64, max_delay: u32) -> Self {
        let max_delay = f64::from(max_delay);
        Self { hues: hues(sequence), told, max_delay, times: Vec::new(), hue: Default::default() }
    }

    fn judge(&self) -> Ruling {
        if self.times.len() < 20 {
            return Ruling::new(State::NotSeen, Reason::TooFewFrames);
        }
        let mut seen = self.hue.clone();
        for trace in seen.iter_mut().flatten() {
            *trace = smoothed(&self.times, trace);
            without_line(&self.times, trace);
        }
        let mut strengths = [0.0; 3];
        for (slot, [red, blue]) in strengths.iter_mut().zip(&seen) {
            *slot = strength(red).hypot(strength(blue));
        }
        let change = median(&mut strengths);
        // Delay, score, and the scores of the parts of the face.
        let mut best = (0.0, -1.0, [-1.0; 3]);
        for delay in delays(self.max_delay) {
            let mut wanted: [Vec<f64>; 2] = Default::default();
            for t in &self.times {
                let [red, blue] = shown(&self.hues, t - delay);
                wanted[0].push(red);
                wanted[1].push(blue);
            }
            for trace in &mut wanted {
                *trace = smoothed(&self.times, trace);
                without_line(&self.times, trace);
            }
            let mut parts = [0.0; 3];
            for (part, [red, blue]) in parts.iter_mut().zip(&seen) {
                *part = (correlation(&wanted[0], red) + correlation(&wanted[1], blue)) / 2.0;
            }
            let score = median(&mut parts);
            if score > best.1 {
                best = (delay, score, parts);
            }
        }
        let (delay, score, parts) = best;
        let reflected = score >= REFLECTED && change >= FAINT;
        let ruling = if reflected && delay < 0.0 {
            Ruling::failed(Reason::TooFast)
        } else if reflected {
            Ruling::passed()
        } else if change < FAINT {
            Ruling::new(State::NotSeen, Reason::NoReflection)
        } else {
            // Hues changed, but by no light of this screen.
            Ruling::failed(Reason::NoReflection)
        };
        ruling.after(reflected.then_some(delay)).with([
            ("correlation", score),
            ("correlation-least", parts[0]),
            ("hue-change", change),
            ("best-delay-ms", delay),
        ])
    }
}

impl Judge for Flash {
    fn see(&mut self, sample: &Sample) -> Option<Ruling> {
        let now = millis(self.told, sample.pts);
        if self.times.len() < MOST {
            self.times.push(now);
            for (trace, colour) in self.hue.iter_mut().zip(&sample.skin) {
                let [r, g, b] = colour.map(|v| f64::from(v).max(1e-4).ln());
                trace[0].push(r - g);
                trace[1].push(b - g);
            }
        }
        let shown = self.hues.last().map_or(0.0, |h| h.1);
        (now >= shown + self.max_delay).then(|| self.judge())
    }

    fn finish(&mut self) -> Ruling {
        self.judge()
    }
}

#[cfg(test)]
mod tests {
    use super::super::draws::Draws;
    use super::super::draws::ENOUGH;
    use super::super::report::Kind;
    use super::super::task::Task;
    use super::*;
    use proptest::prelude::*;

    /// WCAG's relative luminance.
    fn luminance(rgb: u32) -> f64 {
        let [r, g, b] = linear(rgb);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    #[test]
    fn no_colour_is_a_saturated_red() {
        for rgb in COLOURS {
            let [r, g, b] = linear(rgb);
            assert!(r / (r + g + b) < 0.8, "{rgb:06x}");
            assert!(luminance(rgb) > 0.0);
        }
    }

    #[test]
    fn what_is_shown_begins_and_ends() {
        let hues = hues(&[Colour { rgb: 0xff, ms: 500 }, Colour { rgb: 0xff00, ms: 400 }]);
        assert_eq!(shown(&hues, -1.0), [0.0; 2]);
        assert_eq!(shown(&hues, 0.0), [0.0, 1.0]);
        assert_eq!(shown(&hues, 500.0), [-1.0, -1.0]);
        assert_eq!(shown(&hues, 900.0), [0.0; 2]);
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_no_screen_flickers(
            bytes in proptest::collection::vec(any::<u8>(), 4 * ENOUGH),
            count in proptest::option::of(0u32..40), step_ms in proptest::option::of(0u32..3_000),
        ) {
            let mut draws = Draws::new(bytes.as_slice().try_into().unwrap());
            let request = Request { count, step_ms, ..Request::new(Kind::Flash) };
            match super::super::controller::draw(&request, &mut draws) {
                Ok(Task::Flash(colours)) => {
                    prop_assert!(colours.windows(2).all(|w| w[0].rgb != w[1].rgb));
                    // In any second that begins with a change: this one and those that follow it.
                    for (from, first) in colours.iter().enumerate() {
                        let mut at = 0;
                        let second = colours.iter().skip(from).take_while(|c| {
                            let early = at < 1_000;
                            at += c.ms;
                            early
                        });
                        prop_assert!(second.count() as f64 <= MOST_CHANGES);
                        prop_assert!(1_000.0 / f64::from(first.ms) < MOST_CHANGES);
                    }
                }
                Ok(other) => prop_assert!(false, "{other:?}"),
                Err(e) => prop_assert!(count.is_some_and(|c| !COUNT.contains(&c)) || step_ms.is_some_and(|s| !STEP.contains(&s)), "{e}"),
            }
        }
    }
}
