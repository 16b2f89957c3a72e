//! Recordings are decoded in processes of their own: decoders meet damaged and hostile files, and one that crashes or
//! hangs must take nothing else along. A process scans one recording after the other and loads the networks once.
//!
//! It reads a request a line on standard input and writes replies a line on standard output, both JSON.

use super::inputs::{Item, Source};
use super::play::{Settings, play};
use super::record::{Outcome, Scanned};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A process that says nothing for so long hangs; it tells how far it is twice a second.
const SILENCE: Duration = Duration::from_secs(150);
/// What is kept of what a process complained about, bytes.
const COMPLAINTS: usize = 2048;

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    name: String,
    source: Source,
    settings: Settings,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reply {
    /// Seconds of the stream that are done.
    At(f64),
    Scanned(Box<Scanned>),
    Failed(String),
}

/// The process's side: scans what is asked for until there is no more input.
///
/// # Errors
/// If input or output break off.
pub fn serve(input: impl BufRead, mut output: impl Write) -> std::io::Result<()> {
    let mut say = |reply: &Reply| {
        let mut line = serde_json::to_vec(reply)?;
        line.push(b'\n');
        output.write_all(&line).and_then(|()| output.flush())
    };
    for line in input.lines() {
        let reply = match serde_json::from_str::<Request>(&line?) {
            Err(e) => Reply::Failed(format!("the request is not understood: {e}")),
            Ok(r) => {
                let mut tell = |at| {
                    // Without anybody to tell, the answer fails too, and ends the process.
                    let _ = say(&Reply::At(at));
                };
                match play(&r.name, &r.source, &r.settings, &mut tell) {
                    Ok(scanned) => Reply::Scanned(Box::new(scanned)),
                    Err(reason) => Reply::Failed(reason),
                }
            }
        };
        say(&reply)?;
    }
    Ok(())
}

/// The other side: a process, started when it is first needed and again after it has died.
pub struct Worker<'a> {
    start: &'a (dyn Fn() -> Command + Sync),
    running: Option<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    requests: ChildStdin,
    replies: Receiver<Reply>,
    complaints: Arc<Mutex<Vec<u8>>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl<'a> Worker<'a> {
    /// `start` makes the command that calls [`serve`].
    pub fn new(start: &'a (dyn Fn() -> Command + Sync)) -> Self {
        Self { start, running: None }
    }

    /// Scans `item`; `tell` hears the seconds that are done. `None` if `stop` was set meanwhile.
    pub fn scan(
        &mut self,
        item: &Item,
        settings: &Settings,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(f64),
    ) -> Option<Outcome> {
        let mut process = match self.running.take().map_or_else(|| Process::start((self.start)()), Ok) {
            Ok(process) => process,
            Err(e) => return Some(failed(format!("the scanning process does not start: {e}"))),
        };
        let request =
            Request { name: item.name.clone(), source: item.source.clone(), settings: settings.clone() };
        if let Err(e) = process.ask(&request) {
            return Some(failed(format!(
                "the scanning process does not listen: {e}{}",
                process.last_words()
            )));
        }
        let mut heard = Instant::now();
        loop {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            match process.replies.recv_timeout(Duration::from_millis(100)) {
                Ok(Reply::At(seconds)) => tell(seconds),
                Ok(reply) => {
                    self.running = Some(process);
                    return Some(match reply {
                        Reply::Scanned(scanned) => Outcome::Scanned(scanned),
                        Reply::Failed(reason) => failed(reason),
                        Reply::At(_) => failed("no answer".into()),
                    });
                }
                Err(RecvTimeoutError::Timeout) if heard.elapsed() > SILENCE => {
                    return Some(failed(format!("the scan hangs: no sign for {} s", SILENCE.as_secs())));
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => {
                    let how = process.child.wait().map_or_else(|e| e.to_string(), |s| s.to_string());
                    let words = process.last_words();
                    return Some(failed(format!("decoding it crashed the scanning process ({how}){words}")));
                }
            }
            heard = Instant::now();
        }
    }
}

fn failed(reason: String) -> Outcome {
    Outcome::Failed { reason }
}

impl Process {
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
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(block.get(..n).unwrap_or_default());
                let surplus = kept.len().saturating_sub(COMPLAINTS);
                kept.drain(..surplus);
            }
        });
        Ok(Self { child, requests, replies, complaints })
    }

    fn ask(&mut self, request: &Request) -> std::io::Result<()> {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        self.requests.write_all(&line).and_then(|()| self.requests.flush())
    }

    fn last_words(&self) -> String {
        let kept = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept);
        let last = text.lines().rev().map(str::trim).find(|l| !l.is_empty());
        last.map_or_else(String::new, |l| format!(": {l}"))
    }
}
