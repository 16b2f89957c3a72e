//! Work is done in processes of their own: decoders meet damaged and hostile files, and one that crashes or hangs must
//! take nothing else along. A process does one task after the other and loads the networks once.
//!
//! It reads a request a line on standard input and writes replies a line on standard output, both JSON.

use crate::lock::lock;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A process that says nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(150);
/// What is kept of what a process complained about, bytes.
const COMPLAINTS: usize = 2048;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reply<A> {
    /// Seconds of the stream that are done.
    At(f64),
    Done(A),
    Failed(String),
}

/// Does what a request asks for, and reports how many seconds of the stream are done.
pub type Work<'a, Q, A> = dyn FnMut(Q, &mut dyn FnMut(f64)) -> Result<A, String> + 'a;

/// The process's side: does what is asked for until there is no more input. `work` gets a request, and somebody to
/// report how many seconds of a stream are done.
///
/// # Errors
/// If input or output break off.
pub fn answer<Q: DeserializeOwned, A: Serialize>(
    input: impl BufRead,
    mut output: impl Write,
    work: &mut Work<'_, Q, A>,
) -> std::io::Result<()> {
    let mut say = |reply: &Reply<A>| {
        let mut line = serde_json::to_vec(reply)?;
        line.push(b'\n');
        output.write_all(&line).and_then(|()| output.flush())
    };
    for line in input.lines() {
        let reply = match serde_json::from_str::<Q>(&line?) {
            Err(e) => Reply::Failed(format!("the request is not understood: {e}")),
            Ok(request) => {
                let mut progress = |at| {
                    // Without a reader, the answer fails too, and ends the process.
                    let _ = say(&Reply::At(at));
                };
                work(request, &mut progress).map_or_else(Reply::Failed, Reply::Done)
            }
        };
        say(&reply)?;
    }
    Ok(())
}

/// What is reported while work goes on; `index` is that of the task.
#[derive(Clone, Debug)]
pub enum Progress<A> {
    /// Seconds of its stream are done.
    At {
        index: usize,
        seconds: f64,
    },
    Done {
        index: usize,
        result: Result<A, String>,
    },
}

/// Does `count` tasks in `jobs` processes, each started with `start` (see [`answer`]), and calls `on_event` on this
/// thread. Ends early when `stop` is set or `on_event` gives an error; what is not done then is not reported.
///
/// # Errors
/// The first error of `on_event`.
pub fn each<Q: Serialize, A: DeserializeOwned + Send + 'static, E>(
    count: usize,
    jobs: usize,
    start: &(dyn Fn() -> Command + Sync),
    request: &(dyn Fn(usize) -> Q + Sync),
    stop: &AtomicBool,
    on_event: &mut dyn FnMut(Progress<A>) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    // Set by an error: the threads look at one flag only.
    let halt = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (sender, events) = sync_channel(2 * jobs.max(1));
        for _ in 0..jobs.clamp(1, count.max(1)) {
            let (sender, next, halt) = (sender.clone(), &next, &halt);
            scope.spawn(move || {
                let mut worker = Worker::new(start);
                while !stop.load(Ordering::Relaxed) && !halt.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let mut progress = |seconds| {
                        let _ = sender.send(Progress::At { index, seconds });
                    };
                    let Some(result) = worker.ask(&request(index), stop, &mut progress) else { break };
                    if sender.send(Progress::Done { index, result }).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        // Goes on reading after an error, so that nobody waits for room in the channel.
        let mut result = Ok(());
        for event in events {
            if result.is_ok() {
                result = on_event(event);
                halt.store(result.is_err(), Ordering::Relaxed);
            }
        }
        result
    })
}

/// The other side: a process, started when it is first needed and again after it has died.
struct Worker<'a, A> {
    start: &'a (dyn Fn() -> Command + Sync),
    running: Option<Process<A>>,
}

#[derive(Debug)]
struct Process<A> {
    child: Child,
    requests: ChildStdin,
    replies: Receiver<Reply<A>>,
    complaints: Arc<Mutex<Vec<u8>>>,
}

impl<A> Drop for Process<A> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl<'a, A: DeserializeOwned + Send + 'static> Worker<'a, A> {
    fn new(start: &'a (dyn Fn() -> Command + Sync)) -> Self {
        Self { start, running: None }
    }

    /// Has a task done; `progress` is called with the seconds that are done. `None` if `stop` was set meanwhile.
    fn ask(
        &mut self,
        request: &impl Serialize,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(f64),
    ) -> Option<Result<A, String>> {
        let mut process = match self.running.take().map_or_else(|| Process::start((self.start)()), Ok) {
            Ok(process) => process,
            Err(e) => return Some(Err(format!("the scanning process does not start: {e}"))),
        };
        if let Err(e) = process.ask(request) {
            let words = process.last_words();
            return Some(Err(format!("the scanning process does not listen: {e}{words}")));
        }
        let mut last_reply = Instant::now();
        loop {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            match process.replies.recv_timeout(Duration::from_millis(100)) {
                Ok(Reply::At(seconds)) => progress(seconds),
                Ok(Reply::Done(answer)) => {
                    self.running = Some(process);
                    return Some(Ok(answer));
                }
                Ok(Reply::Failed(reason)) => {
                    self.running = Some(process);
                    return Some(Err(reason));
                }
                Err(RecvTimeoutError::Timeout) if last_reply.elapsed() > SILENCE => {
                    return Some(Err(format!("the scan hangs: no sign for {} s", SILENCE.as_secs())));
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => {
                    let how = process.child.wait().map_or_else(|e| e.to_string(), |s| s.to_string());
                    let words = process.last_words();
                    return Some(Err(format!("decoding it crashed the scanning process ({how}){words}")));
                }
            }
            last_reply = Instant::now();
        }
    }
}

impl<A: DeserializeOwned + Send + 'static> Process<A> {
    fn start(mut command: Command) -> std::io::Result<Self> {
        // In a group of its own: Ctrl-C goes to the one who waits, and that one ends it.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn()?;
        let missing = || std::io::Error::other("no pipe");
        let requests = child.stdin.take().ok_or_else(missing)?;
        let output = child.stdout.take().ok_or_else(missing)?;
        let mut errors = child.stderr.take().ok_or_else(missing)?;
        let (sender, replies) = sync_channel(64);
        // Both threads end with the process.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { break };
                // A library may print something of its own.
                let Ok(reply) = serde_json::from_str(&line) else { continue };
                if sender.send(reply).is_err() {
                    break;
                }
            }
        });
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&complaints);
        std::thread::spawn(move || {
            let mut block = [0; 512];
            while let Ok(n @ 1..) = errors.read(&mut block) {
                let mut kept = lock(&kept);
                kept.extend_from_slice(block.get(..n).unwrap_or_default());
                let surplus = kept.len().saturating_sub(COMPLAINTS);
                kept.drain(..surplus);
            }
        });
        Ok(Self { child, requests, replies, complaints })
    }

    fn ask(&mut self, request: &impl Serialize) -> std::io::Result<()> {
        lock(&self.complaints).clear();
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        self.requests.write_all(&line).and_then(|()| self.requests.flush())
    }

    fn last_words(&self) -> String {
        let kept = lock(&self.complaints);
        let text = String::from_utf8_lossy(&kept);
        let last = text.lines().rev().map(str::trim).find(|l| !l.is_empty());
        last.map_or_else(String::new, |l| format!(": {l}"))
    }
}
