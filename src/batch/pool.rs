//! Several recordings at a time.

use super::item::Item;
use super::process::{Progress, each};
use super::record::Outcome;
use super::settings::Settings;
use super::worker::Request;
use std::process::Command;
use std::sync::atomic::AtomicBool;

/// What is reported while a scan goes on; `index` is that of the item.
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

/// Scans `items` in `jobs` processes, each started with `start` (see [`super::serve`]), and calls `on_event` on this
/// thread. Ends early when `stop` is set or `on_event` gives an error; what is not done then is not reported.
///
/// # Errors
/// The first error of `on_event`.
pub fn run<E>(
    items: &[Item],
    jobs: usize,
    start: &(dyn Fn() -> Command + Sync),
    settings: &Settings,
    stop: &AtomicBool,
    on_event: &mut dyn FnMut(Event) -> Result<(), E>,
) -> Result<(), E> {
    let request = |index: usize| {
        // No index is asked for beyond the last.
        items.get(index).map(|item| Request::new(item, settings_of(item, settings)))
    };
    each(items.len(), jobs, start, &request, stop, &mut |progress: Progress<Outcome>| {
        on_event(match progress {
            Progress::At { index, seconds } => Event::At { index, seconds },
            Progress::Done { index, result } => {
                let outcome = result.unwrap_or_else(|reason| Outcome::Failed { reason });
                Event::Done { index, outcome }
            }
        })
    })
}

/// A stream that may never end is looked at for a minute unless told otherwise.
const URI_SECONDS: f64 = 60.0;

fn settings_of(item: &Item, settings: &Settings) -> Settings {
    let endless = matches!(item.source, super::item::Source::Uri(_));
    let seconds = settings.seconds.or(endless.then_some(URI_SECONDS));
    Settings { seconds, ..settings.clone() }
}
