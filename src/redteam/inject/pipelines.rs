//! The pipelines of an injection: what sends the feed, and what takes it for somebody's camera.

use super::attack::{Inject, Way};
use super::fake_camera;
use super::feed::Feed;
use crate::batch::RunningPipeline;
use crate::recorded::{Codec, Writer};
use crate::redteam::resources::Segment;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app::AppSrc;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

const WATCH: &str = "cameraprovenance name=watch ! fakesink name=out sync=false";
const PUSHED: &str = "appsrc name=in format=time is-live=true";
/// Between two sender reports, ns: more often than RTCP would by itself, so that a few seconds have some.
const REPORTS: u64 = 500_000_000;

/// Both ends of an injected stream. What comes first is dropped first.
#[derive(Debug)]
pub struct InjectionPipelines {
    /// With `cameraprovenance` in it.
    pub receiver: RunningPipeline,
    /// What feeds it, where that is a pipeline of its own.
    sender: Option<RunningPipeline>,
    /// Where pictures are pushed; none where the stream makes its own.
    pub input: Option<AppSrc>,
    /// Removed at the end.
    _folder: Option<tempfile::TempDir>,
}

impl InjectionPipelines {
    /// Builds both ends; `segment` is written to a file where a file is wanted.
    pub fn of(inject: &Inject, feed: Option<&Feed>, segment: Option<&Segment>) -> Result<Self, String> {
        let mut folder = None;
        let mut place = |name: &str| -> Result<PathBuf, String> {
            let made = tempfile::tempdir().map_err(|e| format!("no temporary folder: {e}"))?;
            let path = made.path().join(name);
            folder = Some(made);
            Ok(path)
        };
        let raw = |feed: &Feed| feed.caps.structure(0).is_some_and(|s| s.name() == "video/x-raw");
        let (sender, receiver) = match inject.way {
            Way::Application => (None, format!("{PUSHED} ! {WATCH}")),
            Way::Camera => {
                fake_camera::register().map_err(|e| e.to_string())?;
                let decode = if feed.is_some_and(raw) { "" } else { "h264parse ! avdec_h264 ! " };
                (None, format!("{} ! {decode}{WATCH}", fake_camera::FACTORY))
            }
            Way::Pipeline => {
                let channel = channel();
                let fit = fitting(feed);
                let sender =
                    format!("{PUSHED} ! videoscale ! {fit} ! intervideosink channel={channel} sync=false");
                (Some(sender), format!("intervideosrc channel={channel} ! {fit} ! {WATCH}"))
            }
            Way::Memory => {
                let socket = place("memory")?;
                let (socket, fit) = (socket.display(), fitting(feed));
                let sender = format!(
                    "{PUSHED} ! videoscale ! {fit} ! shmsink wait-for-connection=false sync=false shm-size=33554432 \
                     socket-path=\"{socket}\""
                );
                let source = format!("shmsrc is-live=true do-timestamp=true socket-path=\"{socket}\"");
                (Some(sender), format!("{source} ! {fit} ! {WATCH}"))
            }
            Way::File => {
                let path = place("recording.mp4")?;
                write(&path, segment)?;
                let source = format!("filesrc location=\"{}\"", path.display());
                (None, format!("{source} ! decodebin ! identity sync=true ! {WATCH}"))
            }
            Way::Pattern => {
                let raw = "video/x-raw,format=I420,width=640,height=480,framerate=30/1";
                (None, format!("videotestsrc is-live=true pattern=ball ! {raw} ! {WATCH}"))
            }
            Way::Network => {
                let (sender, receiver) = call()?;
                (Some(sender), receiver)
            }
        };
        let receiver = RunningPipeline::launch(&receiver)?;
        let sender = sender.map(|line| RunningPipeline::launch(&line)).transpose()?;
        if let Some(sender) = sender.as_ref().filter(|_| inject.way == Way::Network) {
            report(sender, inject.report_age)?;
        }
        let pushed = sender.as_ref().unwrap_or(&receiver).part("in").ok();
        let input = pushed.and_then(|e| e.downcast::<AppSrc>().ok());
        if let (Some(input), Some(feed)) = (&input, feed) {
            input.set_caps(Some(&feed.caps));
        }
        Ok(Self { receiver, sender, input, _folder: folder })
    }

    /// Sets both ends playing, the one that must be there first first.
    pub fn start(&self) -> Result<(), String> {
        let wrong = |running: &RunningPipeline| {
            running.first_error().unwrap_or_else(|| "the pipeline does not start".into())
        };
        let play = |running: &RunningPipeline| {
            running.0.set_state(gst::State::Playing).map(drop).map_err(|_| wrong(running))
        };
        if let Some(sender) = &self.sender {
            play(sender)?;
        }
        play(&self.receiver)
    }

    /// What went wrong on the other side.
    pub fn sender_error(&self) -> Option<String> {
        self.sender.as_ref().and_then(RunningPipeline::first_error)
    }
}

/// Names that no other feed of this process has.
fn channel() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("deepfake-feed-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The feed's format with rows that need no filling up: neither way carries how long they are.
fn fitting(feed: Option<&Feed>) -> String {
    let Some(mut caps) = feed.map(|f| f.caps.clone()) else { return "video/x-raw".into() };
    if let Some(s) = caps.make_mut().structure_mut(0) {
        let width = s.get::<i32>("width").unwrap_or(320);
        s.set("width", (width & !15).max(16));
    }
    caps.to_string()
}

fn write(path: &std::path::Path, segment: Option<&Segment>) -> Result<(), String> {
    let segment = segment.ok_or("a file needs a recording")?;
    let mut writer =
        Writer::create(path, &segment.info, Codec::H264 { bitrate_kbit: 1000 }).map_err(|e| e.to_string())?;
    for frame in &segment.frames {
        writer.push(frame).map_err(|e| e.to_string())?;
    }
    writer.finish().map(drop).map_err(|e| e.to_string())
}

/// A call over two ports of the loopback interface: packets and reports.
fn call() -> Result<(String, String), String> {
    let free = || UdpSocket::bind("127.0.0.1:0").and_then(|s| s.local_addr());
    // Both are held until both are known, so that they differ.
    let (a, b) = (UdpSocket::bind("127.0.0.1:0"), free());
    let wrong = |e: std::io::Error| format!("no port of the loopback interface: {e}");
    let rtp = a.and_then(|s| s.local_addr()).map_err(wrong)?.port();
    let rtcp = b.map_err(wrong)?.port();
    let sender = format!(
        "rtpbin name=r {PUSHED} ! videoconvert ! video/x-raw,format=I420 ! jpegenc ! rtpjpegpay ! r.send_rtp_sink_0 \
         r.send_rtp_src_0 ! udpsink host=127.0.0.1 port={rtp} sync=false async=false \
         r.send_rtcp_src_0 ! identity name=reports ! udpsink host=127.0.0.1 port={rtcp} sync=false async=false"
    );
    let receiver = format!(
        "rtpbin name=r udpsrc address=127.0.0.1 port={rtp} \
         caps=\"application/x-rtp,media=video,encoding-name=JPEG,clock-rate=90000,payload=26\" ! r.recv_rtp_sink_0 \
         udpsrc address=127.0.0.1 port={rtcp} caps=application/x-rtcp ! r.recv_rtcp_sink_0 \
         r. ! rtpjpegdepay ! jpegdec ! {WATCH}"
    );
    Ok((sender, receiver))
}

/// Makes the sender report often, and each report `age` seconds old.
fn report(sender: &RunningPipeline, age: u32) -> Result<(), String> {
    let session = sender.part("r")?.emit_by_name::<glib::Object>("get-internal-session", &[&0u32]);
    session.set_property("rtcp-min-interval", REPORTS);
    let out = sender.part("reports")?.static_pad("src").ok_or("no way out for reports")?;
    out.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer_mut()
            && let Ok(mut packet) = buffer.make_mut().map_writable()
            && let [_, 200, _, _, _, _, _, _, seconds @ ..] = packet.as_mut_slice()
            && let Some(seconds) = seconds.first_chunk_mut::<4>()
        {
            // The seconds of the NTP time in a sender report.
            *seconds = u32::from_be_bytes(*seconds).wrapping_sub(age).to_be_bytes();
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}
