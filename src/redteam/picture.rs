//! Whole pictures changed: other sizes, two side by side, less light.

use super::error::Result;
use super::forge::tile::scale;
use crate::recorded::{Frame, StreamInfo};

/// The picture in another size, both even.
pub(crate) fn resized(frame: &Frame, width: u32, height: u32) -> Result<Frame> {
    let (width, height) = ((width & !1).max(16), (height & !1).max(16));
    if (width, height) == (frame.width(), frame.height()) {
        return Ok(frame.clone());
    }
    let sizes = [(width, height), (width / 2, height / 2), (width / 2, height / 2)];
    let mut data = Vec::with_capacity((width * height) as usize * 3 / 2);
    for ((pixels, w, h), to) in frame.planes().into_iter().zip(sizes) {
        let plane: Vec<f32> = pixels.iter().map(|p| f32::from(*p)).collect();
        let to = (to.0 as usize, to.1 as usize);
        data.extend(scale(&plane, (w as usize, h as usize), to).into_iter().map(|v| (v + 0.5) as u8));
    }
    Ok(Frame::new(frame.pts_ns, frame.duration_ns, width, height, data)?)
}

/// Two pictures beside each other, the middle half of each.
pub(crate) fn beside(left: &Frame, right: &Frame) -> Result<Frame> {
    let right = resized(right, left.width(), left.height())?;
    let (w, h) = (left.width() as usize, left.height() as usize);
    let mut data = Vec::with_capacity(w * h * 3 / 2);
    for ((a, pw, _), (b, _, _)) in left.planes().into_iter().zip(right.planes()) {
        let pw = (pw as usize).max(1);
        let (quarter, half) = (pw / 4, pw / 2);
        for (a, b) in a.chunks_exact(pw).zip(b.chunks_exact(pw)) {
            data.extend(a.iter().skip(quarter).take(half));
            data.extend(b.iter().skip(quarter).take(pw - half));
        }
    }
    Ok(Frame::new(left.pts_ns, left.duration_ns, left.width(), left.height(), data)?)
}

/// Less light, of which the camera's gain gives half back.
pub(crate) fn dim(frame: &mut Frame, level: f32) {
    let gain = level.max(0.0).sqrt();
    let [y, u, v] = frame.planes_mut();
    y.iter_mut().for_each(|p| *p = ((f32::from(*p) - 16.0).max(0.0) * gain + 16.5) as u8);
    for p in u.iter_mut().chain(v) {
        *p = ((f32::from(*p) - 128.0) * gain + 128.5) as u8;
    }
}

/// The encoder takes even sizes only; a row or column of an odd picture falls away.
pub(crate) fn even(mut info: StreamInfo) -> StreamInfo {
    info.width &= !1;
    info.height &= !1;
    info
}

pub(crate) fn crop(frame: Frame, width: u32, height: u32) -> Result<Frame> {
    if (frame.width(), frame.height()) == (width, height) {
        return Ok(frame);
    }
    let mut data = Vec::with_capacity((width * height) as usize * 3 / 2);
    let wanted = [(width, height), (width / 2, height / 2), (width / 2, height / 2)];
    for ((pixels, stride, _), (w, h)) in frame.planes().into_iter().zip(wanted) {
        for row in pixels.chunks_exact(stride as usize).take(h as usize) {
            data.extend(row.iter().take(w as usize));
        }
    }
    Ok(Frame::new(frame.pts_ns, frame.duration_ns, width, height, data)?)
}
