//! Seeded randomness. Every use has its own stream, so that a new use never shifts the numbers of another.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// What the numbers are for.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub(crate) enum Use {
    Motion = 1,
    Light = 2,
    Choice = 4,
    Pattern = 5,
    Times = 6,
    Forgery = 7,
    Adversarial = 8,
    Wire = 9,
    Search = 10,
    /// One stream a frame.
    Jitter = 1 << 33,
    /// One stream a frame.
    Grain = 1 << 34,
    /// One stream a frame: the noise of frame n does not depend on how many came before.
    Noise = 1 << 32,
}

pub(crate) fn rng(seed: u64, purpose: Use, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((purpose as u64).wrapping_add(index));
    rng
}

/// A smooth random function of time with unit variance whose spectrum lies within a band (a sum of many
/// sines of random frequency, phase and strength: any instant can be asked for, in any order).
#[derive(Clone, Debug)]
pub(crate) struct Band {
    sines: Vec<(f64, f64, f64)>,
}

impl Band {
    const SINES: usize = 14;

    pub fn new(rng: &mut ChaCha8Rng, low_hz: f64, high_hz: f64) -> Self {
        let mut sines: Vec<(f64, f64, f64)> = (0..Self::SINES)
            .map(|i| {
                // One sine in each part of the band, so that no draw leaves half of it empty.
                let part = (i as f64 + rng.random::<f64>()) / Self::SINES as f64;
                let strength: f64 = StandardNormal.sample(rng);
                let phase = rng.random::<f64>() * std::f64::consts::TAU;
                ((low_hz + part * (high_hz - low_hz)) * std::f64::consts::TAU, phase, strength)
            })
            .collect();
        let power: f64 = sines.iter().map(|(_, _, s)| s * s / 2.0).sum();
        let scale = 1.0 / power.sqrt().max(1e-6);
        sines.iter_mut().for_each(|(_, _, s)| *s *= scale);
        Self { sines }
    }

    pub fn at(&self, seconds: f64) -> f64 {
        self.sines.iter().map(|(omega, phase, s)| s * (omega * seconds + phase).sin()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn band_has_unit_variance() {
        let band = Band::new(&mut rng(7, Use::Motion, 0), 0.3, 1.5);
        let n = 200_000;
        let power: f64 = (0..n).map(|i| band.at(f64::from(i) * 0.01).powi(2)).sum::<f64>() / f64::from(n);
        assert!((power - 1.0).abs() < 0.05, "{power}");
    }
}
