//! Random numbers from outside. Nothing in the analysis makes any.

use std::fmt::Write;

/// Numbers that are enough for every challenge.
pub const ENOUGH: usize = 64;

/// Uniform random numbers, used one after the other and never twice.
#[derive(Debug)]
pub struct Draws {
    numbers: [u32; ENOUGH],
    next: usize,
}

impl Draws {
    /// From random bytes.
    pub fn new(bytes: &[u8; 4 * ENOUGH]) -> Self {
        let mut numbers = [0; ENOUGH];
        for (number, bytes) in numbers.iter_mut().zip(bytes.chunks_exact(4)) {
            *number = bytes.iter().fold(0, |n, b| n << 8 | u32::from(*b));
        }
        Self { numbers, next: 0 }
    }

    fn take(&mut self) -> Option<u32> {
        let number = self.numbers.get(self.next).copied();
        self.next += 1;
        number
    }

    /// A number below `n`; `None` when all are used up. Some come up more often than others by one in 2^32 / n, which
    /// does not help anybody to guess.
    pub fn below(&mut self, n: u32) -> Option<u32> {
        self.take().map(|d| ((u64::from(d) * u64::from(n)) >> 32) as u32)
    }

    /// A number of `from..=to`.
    pub fn between(&mut self, from: u32, to: u32) -> Option<u32> {
        self.below(to.saturating_sub(from).saturating_add(1)).map(|d| from + d)
    }

    /// 128 bits in hexadecimal.
    pub fn nonce(&mut self) -> Option<String> {
        let mut text = String::with_capacity(32);
        for _ in 0..4 {
            // Writing into a string does not fail.
            let _ = write!(text, "{:08x}", self.take()?);
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_used_once() {
        let mut bytes = [0u8; 4 * ENOUGH];
        bytes[..8].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0]);
        let mut draws = Draws::new(&bytes);
        assert_eq!((draws.below(6), draws.between(10, 19), draws.below(6)), (Some(5), Some(15), Some(0)));
        assert_eq!(draws.nonce().unwrap().len(), 32);
        let left = std::iter::from_fn(|| draws.below(2)).count();
        assert_eq!(left, ENOUGH - 7);
        assert_eq!((draws.below(2), draws.nonce()), (None, None));
    }
}
