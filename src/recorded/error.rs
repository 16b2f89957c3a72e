//! What can go wrong with a recorded file, said so that the reader knows what to do.

use std::path::PathBuf;

/// A failure of [`Reader`](super::Reader) or [`Writer`](super::Writer).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("GStreamer does not start: {0}; check that GStreamer 1.20 or newer is installed")]
    Init(#[from] gstreamer::glib::Error),
    #[error("the GStreamer element `{element}` is missing; install the plugin set that has it ({package})")]
    MissingElement { element: &'static str, package: &'static str },
    #[error("cannot open {path}: {source}; check the path and its permissions")]
    Open { path: PathBuf, source: std::io::Error },
    #[error("{path} is not a file; give the path of one recording or still image")]
    NotAFile { path: PathBuf },
    #[error("{path} has no video stream; give a recording with a picture in it")]
    NoVideo { path: PathBuf },
    #[error("{path} cannot be decoded: {message}; check with another player that the file is whole")]
    Decode { path: PathBuf, message: String },
    #[error(
        "{path} ends after {got:.2} s of video although its header promises {promised:.2} s; \
         the file is cut off: fetch or record it again"
    )]
    Truncated { path: PathBuf, got: f64, promised: f64 },
    #[error("{path} gave no frame for {seconds} s; the decoder hangs on it: re-mux or re-record the file")]
    Stalled { path: PathBuf, seconds: u64 },
    #[error("{path} changes from {from} to {to} in mid-stream; split the recording at the change")]
    FormatChange { path: PathBuf, from: String, to: String },
    #[error("{path}: frames of {width}x{height} cannot be used; the limit is 1x1 to 8192x8192")]
    FrameSize { path: PathBuf, width: u32, height: u32 },
    #[error("cannot write {path}: {source}; check that its folder exists and has room")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("cannot encode {path}: {message}")]
    Encode { path: PathBuf, message: String },
    #[error(
        "cannot encode {path}: the frame at {pts_ns} ns does not follow {previous_ns} ns; give frames in rising PTS order"
    )]
    NotMonotonic { path: PathBuf, pts_ns: u64, previous_ns: u64 },
    #[error("a frame of {width}x{height} needs {needed} bytes of I420, but {got} were given")]
    FrameData { width: u32, height: u32, needed: usize, got: usize },
    #[error("H.264 4:2:0 needs an even frame size, but {path} is {width}x{height}; scale or crop it first")]
    OddSize { path: PathBuf, width: u32, height: u32 },
    #[error("the picture cannot be resized or converted: {0}")]
    Convert(String),
}
