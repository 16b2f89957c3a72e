//! Several recordings at a time.

use super::inputs::Item;
use super::play::Settings;
use super::record::Outcome;
use super::worker::Worker;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

/// What is heard while a scan goes on; `index` is that of the item.
#[derive(Clone, Debug)]
pub enum Event {
    /// Seconds of its stream are done.
    At {
        index: usize,
        seconds: f64,
    },
    Done {
        index: usize,
        outcome: Outcome,
    },
}

/// Scans `items` in `jobs` processes, each started with `start` (see [`super::serve`]), and tells `hear` of it on this
/// thread. Ends early when `stop` is set or `hear` gives an error; what is not done then is not told of.
///
/// # Errors
/// The first error of `hear`.
pub fn run<E>(
    items: &[Item],
    jobs: usize,
    start: &(dyn Fn() -> Command + Sync),
    settings: &Settings,
    stop: &AtomicBool,
    hear: &mut dyn FnMut(Event) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    // Set by an error: the threads look at one flag only.
    let halt = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (sender, events) = sync_channel(2 * jobs.max(1));
        for _ in 0..jobs.clamp(1, items.len().max(1)) {
            let (sender, next, halt) = (sender.clone(), &next, &halt);
            scope.spawn(move || {
                let mut worker = Worker::new(start);
                while !stop.load(Ordering::Relaxed) && !halt.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let settings = settings_of(item, settings);
                    let mut tell = |seconds| {
                        let _ = sender.send(Event::At { index, seconds });
                    };
                    let Some(outcome) = worker.scan(item, &settings, stop, &mut tell) else { break };
                    if sender.send(Event::Done { index, outcome }).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        // Goes on hearing after an error, so that nobody waits for room in the channel.
        let mut result = Ok(());
        for event in events {
            if result.is_ok() {
                result = hear(event);
                halt.store(result.is_err(), Ordering::Relaxed);
            }
        }
        result
    })
}

/// A stream that may never end is looked at for a minute unless told otherwise.
const URI_SECONDS: f64 = 60.0;

fn settings_of(item: &Item, settings: &Settings) -> Settings {
    let endless = matches!(item.source, super::inputs::Source::Uri(_));
    let seconds = settings.seconds.or(endless.then_some(URI_SECONDS));
    Settings { seconds, ..settings.clone() }
}
