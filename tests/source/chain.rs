//! Frames through a chain of GStreamer elements, in memory.

use gst::prelude::*;
use gstdeepfake::recorded::{Frame, StreamInfo};
use gstreamer as gst;
use gstreamer_app::{AppSink, AppSrc};

/// Buffers of any kind out of frames; `None` after saying so when an element of the chain is missing.
pub fn buffers(frames: &[Frame], info: &StreamInfo, chain: &str) -> Option<Vec<gst::Sample>> {
    gst::init().unwrap();
    let line = format!("appsrc name=in format=time ! {chain} ! appsink name=out sync=false max-buffers=4");
    let pipeline = match gst::parse::launch(&line) {
        Ok(p) => p.downcast::<gst::Pipeline>().unwrap(),
        Err(error) => {
            println!("skipped: {error}");
            return None;
        }
    };
    let (n, d) = info.fps.unwrap();
    let source = pipeline.by_name("in").unwrap().downcast::<AppSrc>().unwrap();
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", info.width as i32)
        .field("height", info.height as i32)
        .field("framerate", gst::Fraction::new(n as i32, d as i32))
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .build();
    source.set_caps(Some(&caps));
    source.set_max_bytes(0);
    let sink = pipeline.by_name("out").unwrap().downcast::<AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    for (i, frame) in frames.iter().enumerate() {
        let data = padded(frame);
        let mut buffer = gst::Buffer::from_mut_slice(data);
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_nseconds(info.due_ns(i as u64)));
        source.push_buffer(buffer).unwrap();
    }
    source.end_of_stream().unwrap();
    let mut out = Vec::new();
    let wait = gst::ClockTime::from_seconds(30);
    while let Some(sample) = sink.try_pull_sample(wait) {
        out.push(sample);
    }
    assert!(sink.is_eos(), "{chain}: no end");
    pipeline.set_state(gst::State::Null).unwrap();
    Some(out)
}

/// GStreamer's rows are multiples of four bytes.
fn padded(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::new();
    for (plane, w, _) in frame.planes() {
        for row in plane.chunks_exact(w as usize) {
            out.extend_from_slice(row);
            out.resize(out.len().next_multiple_of(4), 0);
        }
    }
    out
}

/// Pictures out of pictures, with the times of the first.
pub fn pictures(frames: &[Frame], info: &StreamInfo, chain: &str) -> Option<Vec<Frame>> {
    let chain = format!("{chain} ! videoconvert ! video/x-raw,format=I420");
    let samples = buffers(frames, info, &chain)?;
    let unpack = |(sample, old): (&gst::Sample, &Frame)| {
        let video = gstreamer_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
        let map = sample.buffer().unwrap().map_readable().unwrap();
        let (w, h) = (video.width(), video.height());
        let mut data = Vec::new();
        for (plane, (w, h)) in
            [(w, h), (w.div_ceil(2), h.div_ceil(2)), (w.div_ceil(2), h.div_ceil(2))].iter().enumerate()
        {
            let (offset, stride) = (video.offset()[plane], video.stride()[plane] as usize);
            for y in 0..*h as usize {
                data.extend_from_slice(&map[offset + y * stride..][..*w as usize]);
            }
        }
        Frame::new(old.pts_ns, old.duration_ns, w, h, data).unwrap()
    };
    Some(samples.iter().zip(frames).map(unpack).collect())
}

/// H.264 there and back, as a call would send it.
pub fn h264(kbit: u32) -> String {
    format!(
        "x264enc bitrate={kbit} tune=zerolatency speed-preset=veryfast threads=1 ! h264parse ! avdec_h264"
    )
}

/// Motion JPEG there and back.
pub fn jpeg(quality: u32) -> String {
    format!("jpegenc quality={quality} ! jpegdec")
}
