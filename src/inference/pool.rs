//! A pool of equal values, made when first needed and lent to one user at a time.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Lends up to `max` values of `T`.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    state: Mutex<State<T>>,
    returned: Condvar,
    max: usize,
}

#[derive(Debug)]
struct State<T> {
    idle: Vec<T>,
    /// Idle, lent, or being made.
    live: usize,
}

impl<T> Pool<T> {
    /// Starts with `first`; `max` counts it.
    pub(crate) fn new(first: T, max: usize) -> Self {
        Self {
            state: Mutex::new(State { idle: vec![first], live: 1 }),
            returned: Condvar::new(),
            max: max.max(1),
        }
    }

    /// Takes an idle value, or makes one, or waits for one if `max` are out. No lock is held while `make` runs.
    pub(crate) fn take<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<Lent<'_, T>, E> {
        let mut state = self.lock();
        loop {
            if let Some(value) = state.idle.pop() {
                return Ok(Lent { pool: self, value: Some(value) });
            }
            if state.live < self.max {
                break;
            }
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.live += 1;
        drop(state);
        // If `make` fails or panics, dropping the empty loan gives the place back.
        let mut lent = Lent { pool: self, value: None };
        lent.value = Some(make()?);
        Ok(lent)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing can panic while the lock is held, so the state is sound even if the mutex says otherwise.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A value on loan; dropping it gives it back, in a panic too.
#[derive(Debug)]
pub(crate) struct Lent<'a, T> {
    pool: &'a Pool<T>,
    value: Option<T>,
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        match self.value.take() {
            Some(value) => state.idle.push(value),
            None => state.live -= 1,
        }
        drop(state);
        self.pool.returned.notify_one();
    }
}

#[allow(clippy::expect_used)] // the value is there from `take`'s return to `drop`
impl<T> Deref for Lent<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("a loan holds its value")
    }
}

#[allow(clippy::expect_used)] // as above
impl<T> DerefMut for Lent<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("a loan holds its value")
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn never_more_than_max_and_all_are_served() {
        let pool = Pool::new(0_usize, 3);
        let (made, out, most) = (AtomicUsize::new(1), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let lent = pool.take(|| Ok::<_, ()>(made.fetch_add(1, Ordering::Relaxed))).unwrap();
                        most.fetch_max(out.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        out.fetch_sub(1, Ordering::SeqCst);
                        drop(lent);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 3);
        assert!(made.into_inner() <= 3);
    }

    #[test]
    fn failures_and_panics_give_the_place_back() {
        let pool = Pool::new(7, 2);
        let first = pool.take(|| Ok::<_, ()>(0)).unwrap();
        assert_eq!(*first, 7);
        for _ in 0..5 {
            assert_eq!(pool.take(|| Err("no")).err(), Some("no"));
            let panicked =
                catch_unwind(AssertUnwindSafe(|| drop(pool.take(|| -> Result<i32, ()> { panic!() }))));
            assert!(panicked.is_err());
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let _lent = pool.take(|| Ok::<_, ()>(8));
                panic!()
            }));
            assert!(panicked.is_err());
            // The panicking user's value came back; take it out so that the next round must make one.
            assert_eq!(pool.lock().idle.pop(), Some(8));
            pool.lock().live -= 1;
        }
    }
}
