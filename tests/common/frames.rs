//! Made pictures, in every format.

use gst_video::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;

/// The formats that the element takes.
pub const FORMATS: [&str; 15] = [
    "I420", "YV12", "NV12", "NV21", "YUY2", "UYVY", "RGB", "BGR", "RGBA", "BGRA", "ARGB", "ABGR", "RGBx",
    "BGRx", "GRAY8",
];

/// Bytes by chance, the same for the same seed.
pub fn random_bytes(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        // xorshift64*, see Vigna, "An experimental exploration of Marsaglia's xorshift generators".
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    };
    let mut bytes: Vec<u8> = (0..size.div_ceil(8)).flat_map(|_| next().to_le_bytes()).collect();
    bytes.truncate(size);
    bytes
}

fn timed(bytes: Vec<u8>, info: &gst_video::VideoInfo, pts: gst::ClockTime) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    let fps = info.fps();
    let inner = buffer.get_mut().unwrap();
    inner.set_pts(pts);
    if fps.numer() > 0 {
        inner.set_duration(gst::ClockTime::SECOND.mul_div_floor(fps.denom() as u64, fps.numer() as u64));
    }
    buffer
}

/// Grey noise, brighter or darker by frame; no two frames are the same. The small detector sees a face in it.
pub fn noise(info: &gst_video::VideoInfo, n: u64, pts: gst::ClockTime) -> gst::Buffer {
    let mut bytes = random_bytes(n + 1, info.size());
    let level = 70 + (n * 37 % 60) as u8;
    bytes.iter_mut().for_each(|b| *b = level + (*b >> 2));
    if let Some((chroma, packed)) = chroma(info) {
        paint_chroma(&mut bytes, chroma, packed);
    }
    timed(bytes, info, pts)
}

/// As [`noise`], but so bright that networks which overflow on bright pictures do so.
pub fn bright(info: &gst_video::VideoInfo, n: u64, pts: gst::ClockTime) -> gst::Buffer {
    let mut buffer = noise(info, n, pts);
    let mut map = buffer.get_mut().unwrap().map_writable().unwrap();
    map.iter_mut().for_each(|b| *b = if *b == 128 { 128 } else { 190 + (*b >> 3) });
    drop(map);
    buffer
}

/// Near black, a little different by frame; the small detector sees no face in it.
pub fn black(info: &gst_video::VideoInfo, n: u64, pts: gst::ClockTime) -> gst::Buffer {
    let yuv = info.is_yuv();
    let base = if yuv { 16 } else { 0 };
    // No period: a picture that comes again and again is a loop.
    let level = random_bytes(n + 1, 1).first().map_or(0, |b| b % 6);
    let mut bytes = vec![base + level; info.size()];
    if let Some((chroma, packed)) = chroma(info) {
        paint_chroma(&mut bytes, chroma, packed);
    }
    timed(bytes, info, pts)
}

/// Where the chroma bytes begin, or, for packed formats, at which of two bytes they lie.
fn chroma(info: &gst_video::VideoInfo) -> Option<(usize, bool)> {
    match info.format() {
        gst_video::VideoFormat::Yuy2 => Some((1, true)),
        gst_video::VideoFormat::Uyvy => Some((0, true)),
        _ if info.is_yuv() => Some((info.offset()[1], false)),
        _ => None,
    }
}

fn paint_chroma(bytes: &mut [u8], first: usize, packed: bool) {
    let step = if packed { 2 } else { 1 };
    bytes.iter_mut().skip(first).step_by(step).for_each(|b| *b = 128);
}
