//! A generator of the user's own, plugged in: pictures go to a child process and come back, or go through a bin of
//! GStreamer elements.
//!
//! A command gets raw I420 pictures on its standard input, without headers, one after the other, and must write as many
//! of the same size to its standard output, in the same order. Placeholders `{width}`, `{height}`, `{fps}` and `{seed}`
//! in its arguments are filled in. The command is split at blanks; nothing goes through a shell.

use crate::recorded::{Frame, StreamInfo, pack};
use crate::redteam::attack::{Attack, Family};
use crate::redteam::buffers::buffer;
use crate::redteam::error::{Error, Result, within};
use crate::redteam::resources::Resources;
use crate::redteam::source::{BoxSource, FrameSource, Scene};
use gst::prelude::*;
use gstreamer as gst;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Generator {
    /// The program and its arguments.
    pub command: String,
    /// A bin of GStreamer elements instead, raw I420 in and out, as for `gst-launch-1.0`.
    pub bin: String,
    /// How long no picture may come, seconds.
    pub patience: f64,
}

impl Default for Generator {
    fn default() -> Self {
        Self { command: String::new(), bin: String::new(), patience: 30.0 }
    }
}

/// Pictures that the generator may keep before it gives one back.
const QUEUE: usize = 16;
/// What is kept of a program's complaints, bytes.
const COMPLAINTS: u64 = 4096;

impl Attack for Generator {
    fn name(&self) -> &'static str {
        "generator"
    }

    fn family(&self) -> Family {
        Family::Forgery
    }

    fn check(&self) -> Result<()> {
        within("patience", self.patience, 0.1, 3600.0, "0.1 to 3600 seconds")?;
        if self.command.trim().is_empty() == self.bin.trim().is_empty() {
            return Err(Error::Generator("give either `command` or `bin`".into()));
        }
        Ok(())
    }

    fn scene<'a>(
        &'a self,
        source: BoxSource<'a>,
        seed: u64,
        _props: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        let info = source.info().clone();
        let engine = if self.bin.trim().is_empty() {
            Engine::Program(Program::start(&self.command, &info, seed)?)
        } else {
            Engine::Bin(Pipe::start(&self.bin, &info)?)
        };
        let patience = Duration::from_secs_f64(self.patience);
        Ok(Box::new(Generated {
            source,
            info,
            engine,
            patience,
            waiting: VecDeque::new(),
            ended: false,
            onset: None,
        }))
    }
}

enum Engine {
    Program(Program),
    Bin(Pipe),
}

/// A child process with a thread at each end.
struct Program {
    child: Child,
    input: Option<SyncSender<Frame>>,
    output: Receiver<Vec<u8>>,
    complaints: Receiver<String>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn start(command: &str, info: &StreamInfo, seed: u64) -> Result<Self> {
        let fps = info.fps.map_or("25/1".into(), |(n, d)| format!("{n}/{d}"));
        let filled = |word: &str| {
            word.replace("{width}", &info.width.to_string())
                .replace("{height}", &info.height.to_string())
                .replace("{fps}", &fps)
                .replace("{seed}", &seed.to_string())
        };
        let mut words = command.split_whitespace().map(filled);
        let program = words.next().unwrap_or_default();
        let failed = |e: std::io::Error| Error::Generator(format!("`{program}` does not start: {e}"));
        let mut child = Command::new(&program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let missing = || Error::Generator("no pipe to the program".into());
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let mut stdout = child.stdout.take().ok_or_else(missing)?;
        let mut stderr = child.stderr.take().ok_or_else(missing)?;
        let (input, frames) = sync_channel::<Frame>(QUEUE);
        let (sender, output) = sync_channel(QUEUE);
        let (complainer, complaints) = sync_channel(1);
        // All three end with the process, at the latest when it is killed.
        std::thread::spawn(move || feed(stdin, &frames));
        let size = info.width as usize * info.height as usize * 3 / 2;
        std::thread::spawn(move || {
            let mut picture = vec![0; size];
            while stdout.read_exact(&mut picture).is_ok() {
                if sender.send(std::mem::replace(&mut picture, vec![0; size])).is_err() {
                    break;
                }
            }
        });
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = (&mut stderr).take(COMPLAINTS).read_to_end(&mut text);
            let _ = complainer.send(String::from_utf8_lossy(&text).trim().to_owned());
            // A full pipe would hold the program up.
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        });
        Ok(Self { child, input: Some(input), output, complaints })
    }

    fn broken(&self, what: &str) -> Error {
        let words = self.complaints.recv_timeout(Duration::from_millis(300)).unwrap_or_default();
        let last = words.lines().last().map_or_else(String::new, |l| format!(": {l}"));
        Error::Generator(format!("the program {what}{last}"))
    }
}

fn feed(mut stdin: ChildStdin, frames: &Receiver<Frame>) {
    while let Ok(frame) = frames.recv() {
        if stdin.write_all(frame.data()).and_then(|()| stdin.flush()).is_err() {
            break;
        }
    }
}

/// A pipeline around the user's bin.
struct Pipe {
    pipeline: gst::Pipeline,
    source: gstreamer_app::AppSrc,
    sink: gstreamer_app::AppSink,
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Pipe {
    fn start(bin: &str, info: &StreamInfo) -> Result<Self> {
        let wrong = |e: String| Error::Generator(format!("the bin does not work: {e}"));
        gst::init().map_err(|e| wrong(e.to_string()))?;
        let (n, d) = info.fps.unwrap_or((25, 1));
        let caps =
            format!("video/x-raw,format=I420,width={},height={},framerate={n}/{d}", info.width, info.height);
        let size = format!("video/x-raw,format=I420,width={},height={}", info.width, info.height);
        let line = format!(
            "appsrc name=in format=time caps={caps} ! videoconvert ! {bin} ! videoconvert ! {size} ! appsink name=out sync=false"
        );
        let made = gst::parse::launch(&line).map_err(|e| wrong(e.to_string()))?;
        let pipeline = made.downcast::<gst::Pipeline>().map_err(|_| wrong("it is no pipeline".into()))?;
        let part = |name: &str| pipeline.by_name(name).ok_or_else(|| wrong(format!("no element `{name}`")));
        let source = part("in")?.downcast().map_err(|_| wrong("no way in".into()))?;
        let sink = part("out")?.downcast().map_err(|_| wrong("no way out".into()))?;
        let pipe = Self { pipeline, source, sink };
        pipe.pipeline.set_state(gst::State::Playing).map_err(|e| wrong(e.to_string()))?;
        Ok(pipe)
    }

    fn picture(&self, wait: Duration) -> Result<Option<Vec<u8>>> {
        let wait = gst::ClockTime::from_nseconds(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
        let Some(sample) = self.sink.try_pull_sample(wait) else { return Ok(None) };
        let wrong = || Error::Generator("the bin gives something that is no I420 picture".into());
        let caps = sample.caps().ok_or_else(wrong)?;
        let info = gstreamer_video::VideoInfo::from_caps(caps).map_err(|_| wrong())?;
        let buffer = sample.buffer().ok_or_else(wrong)?;
        let frame =
            gstreamer_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info).map_err(|_| wrong())?;
        if info.format() != gstreamer_video::VideoFormat::I420 {
            return Err(wrong());
        }
        pack(&frame).map(Some).ok_or_else(wrong)
    }
}

struct Generated<'a> {
    source: BoxSource<'a>,
    info: StreamInfo,
    engine: Engine,
    patience: Duration,
    /// Times of the pictures that are with the generator.
    waiting: VecDeque<(u64, Option<u64>)>,
    ended: bool,
    onset: Option<u64>,
}

impl Generated<'_> {
    /// Gives the generator pictures until it has enough to do.
    fn fill(&mut self) -> Result<()> {
        while !self.ended && self.waiting.len() < QUEUE {
            let Some(frame) = self.source.next_frame()? else {
                self.ended = true;
                match &mut self.engine {
                    Engine::Program(p) => p.input = None,
                    Engine::Bin(p) => drop(p.source.end_of_stream()),
                }
                break;
            };
            self.waiting.push_back((frame.pts_ns, frame.duration_ns));
            match &self.engine {
                Engine::Program(p) => match p.input.as_ref().map(|i| i.try_send(frame)) {
                    Some(Ok(())) => {}
                    // No more wait than there is room for.
                    Some(Err(TrySendError::Full(_))) | None => return Err(p.broken("takes no more pictures")),
                    Some(Err(TrySendError::Disconnected(_))) => return Err(p.broken("ended early")),
                },
                Engine::Bin(p) => {
                    let mut buffer = buffer(&frame);
                    if let Some(b) = buffer.get_mut() {
                        b.set_duration(gst::ClockTime::from_nseconds(self.info.frame_ns()));
                    }
                    p.source
                        .push_buffer(buffer)
                        .map_err(|e| Error::Generator(format!("the bin stopped: {e}")))?;
                }
            }
        }
        Ok(())
    }

    fn wait(&self) -> Result<Vec<u8>> {
        let silent = format!("gave no picture for {} s", self.patience.as_secs_f64());
        match &self.engine {
            Engine::Program(p) => match p.output.recv_timeout(self.patience) {
                Ok(picture) => Ok(picture),
                Err(RecvTimeoutError::Timeout) => Err(p.broken(&silent)),
                Err(RecvTimeoutError::Disconnected) => {
                    Err(p.broken("ended with fewer pictures than it was given"))
                }
            },
            Engine::Bin(p) => {
                let begun = Instant::now();
                loop {
                    if let Some(picture) = p.picture(Duration::from_millis(50))? {
                        return Ok(picture);
                    }
                    let error = p.pipeline.bus().and_then(|b| b.pop_filtered(&[gst::MessageType::Error]));
                    if let Some(gst::MessageView::Error(e)) = error.as_ref().map(|m| m.view()) {
                        return Err(Error::Generator(format!("the bin failed: {}", e.error())));
                    }
                    if p.sink.is_eos() {
                        return Err(Error::Generator(
                            "the bin ended with fewer pictures than it was given".into(),
                        ));
                    }
                    if begun.elapsed() > self.patience {
                        return Err(Error::Generator(format!("the bin {silent}")));
                    }
                }
            }
        }
    }
}

impl FrameSource for Generated<'_> {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        self.fill()?;
        let Some((pts, duration)) = self.waiting.front().copied() else { return Ok(None) };
        let data = self.wait()?;
        self.waiting.pop_front();
        self.onset.get_or_insert(pts);
        Ok(Some(Frame::new(pts, duration, self.info.width, self.info.height, data)?))
    }
}

impl Scene for Generated<'_> {
    fn onset_pts(&self) -> Option<u64> {
        self.onset
    }
}
