//! The way of the pictures from the attacker to the detector: real encoders and decoders, real RTP packets of which some
//! are lost, other sizes and rates.

use crate::lock::lock;
use crate::recorded::StreamInfo;
use crate::redteam::error::{Result, within};
use crate::redteam::random::{Use, rng};
use gst::prelude::*;
use gstreamer as gst;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::sync::Mutex;

/// An encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coding {
    H264,
    Vp8,
    Vp9,
    Av1,
    Jpeg,
}

/// What happens on the way, in this order: rate, size, coding (perhaps twice), loss, size again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Channel {
    pub codec: Option<Coding>,
    /// Bit rate, kbit/s; for JPEG the quality, 1 to 100.
    pub rate: Option<u32>,
    /// Decoded and coded a second time.
    pub twice: bool,
    /// Share of RTP packets that are lost, percent.
    pub loss: f64,
    /// Height before coding, lines.
    pub lines: Option<u32>,
    /// Height after decoding, lines.
    pub shown: Option<u32>,
    /// Frames a second.
    pub fps: Option<u32>,
}

impl Channel {
    /// Refuses what makes no sense.
    pub fn check(&self) -> Result<()> {
        within("rate", f64::from(self.rate.unwrap_or(100)), 1.0, 100_000.0, "1 to 100000")?;
        within("loss", self.loss, 0.0, 90.0, "0 to 90 percent")?;
        within("lines", f64::from(self.lines.unwrap_or(100)), 16.0, 4320.0, "16 to 4320")?;
        within("shown", f64::from(self.shown.unwrap_or(100)), 16.0, 4320.0, "16 to 4320")?;
        within("fps", f64::from(self.fps.unwrap_or(25)), 1.0, 120.0, "1 to 120")?;
        let packets = matches!(self.codec, Some(Coding::H264 | Coding::Vp8 | Coding::Vp9));
        within("loss", self.loss, 0.0, if packets { 90.0 } else { 0.0 }, "0, or a codec of h264, vp8 or vp9")
    }

    fn coder(&self, number: usize) -> String {
        let rate = self.rate.unwrap_or(400);
        let bits = u64::from(rate) * 1000;
        let lost = self.loss > 0.0;
        let wire = |pay: &str, depay: &str| {
            if lost {
                format!("{pay} mtu=1200 ! identity name=wire{number} silent=true ! {depay} ! ")
            } else {
                String::new()
            }
        };
        match self.codec {
            None => String::new(),
            Some(Coding::H264) => {
                let between = wire("rtph264pay config-interval=-1", "rtph264depay");
                format!(
                    " ! x264enc tune=zerolatency speed-preset=veryfast threads=1 bitrate={rate} key-int-max=50 \
                     ! {between}h264parse ! avdec_h264 max-threads=1"
                )
            }
            Some(Coding::Vp8) => format!(
                " ! vp8enc deadline=1 cpu-used=8 threads=1 target-bitrate={bits} end-usage=cbr keyframe-max-dist=50 \
                 ! {}vp8dec threads=1",
                wire("rtpvp8pay", "rtpvp8depay")
            ),
            Some(Coding::Vp9) => format!(
                " ! vp9enc deadline=1 cpu-used=8 threads=1 lag-in-frames=0 target-bitrate={bits} end-usage=cbr \
                 keyframe-max-dist=50 ! {}vp9dec threads=1",
                wire("rtpvp9pay", "rtpvp9depay")
            ),
            Some(Coding::Av1) => format!(
                " ! av1enc usage-profile=realtime cpu-used=10 threads=1 lag-in-frames=0 target-bitrate={rate} \
                 end-usage=vbr keyframe-max-dist=50 ! av1parse ! av1dec"
            ),
            Some(Coding::Jpeg) => {
                format!(" ! jpegenc quality={} ! jpegdec", self.rate.unwrap_or(50).min(100))
            }
        }
    }

    /// The elements between the attacker and the detector, as a launch line that begins with `!` or is empty.
    pub(super) fn line(&self, info: &StreamInfo) -> String {
        let size = |lines: u32| {
            let width =
                (u64::from(info.width) * u64::from(lines) / u64::from(info.height.max(1))) as u32 & !1;
            format!(" ! videoscale ! video/x-raw,width={},height={}", width.max(16), lines & !1)
        };
        let mut line = String::new();
        if let Some(fps) = self.fps {
            let _ = write!(line, " ! videorate drop-only=true ! video/x-raw,framerate={fps}/1");
        }
        if let Some(lines) = self.lines {
            line += &size(lines);
        }
        line += &self.coder(0);
        if self.twice {
            line += " ! videoconvert";
            line += &self.coder(1);
        }
        if let Some(lines) = self.shown {
            line += " ! videoconvert";
            line += &size(lines);
        }
        line
    }

    /// Makes the network of a pipeline that was made with [`Self::line`] lose packets, by the seed.
    pub(super) fn lose(&self, pipeline: &gst::Pipeline, seed: u64) {
        for number in 0..2u64 {
            let wire = pipeline.by_name(&format!("wire{number}")).and_then(|w| w.static_pad("src"));
            let Some(pad) = wire else { continue };
            let (dice, share) = (Mutex::new(rng(seed, Use::Wire, number)), self.loss / 100.0);
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                let mut dice = lock(&dice);
                match dice.random::<f64>() < share {
                    true => gst::PadProbeReturn::Drop,
                    false => gst::PadProbeReturn::Ok,
                }
            });
        }
    }
}
