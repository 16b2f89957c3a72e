//! One decoded picture and what its stream says of itself.

use super::error::Error;
use std::sync::Arc;

/// What holds for every frame of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamInfo {
    pub width: u32,
    pub height: u32,
    /// Nominal frame rate as a fraction; `None` for a still image or a stream that does not tell.
    pub fps: Option<(u32, u32)>,
    /// GStreamer colorimetry string (`bt601`, `1:4:0:0`, ...), carried unchanged into the encoder.
    pub colorimetry: String,
    /// Pixel aspect ratio.
    pub par: (u32, u32),
    /// Length that the container promises, when it does.
    pub duration_ns: Option<u64>,
}

impl StreamInfo {
    /// A stream of square bt601 pixels at a nominal rate, of unknown length.
    pub fn new(width: u32, height: u32, fps: (u32, u32)) -> Self {
        let fps = (fps.0 > 0 && fps.1 > 0).then_some(fps);
        Self { width, height, fps, colorimetry: "bt601".into(), par: (1, 1), duration_ns: None }
    }

    /// Nominal distance of two frames; 25 frames a second when the stream does not tell.
    pub fn frame_ns(&self) -> u64 {
        let (n, d) = self.fps.unwrap_or((25, 1));
        (1_000_000_000 * u64::from(d)).checked_div(u64::from(n)).unwrap_or(40_000_000).max(1)
    }

    /// When frame `index` of the nominal rate is due; free of the drift that adding `frame_ns` up would have.
    pub fn due_ns(&self, index: u64) -> u64 {
        let (n, d) = self.fps.unwrap_or((25, 1));
        let due = u128::from(index) * 1_000_000_000 * u128::from(d) / u128::from(n.max(1));
        u64::try_from(due).unwrap_or(u64::MAX)
    }

    /// Whether luma uses 0..255 rather than 16..235.
    pub fn full_range(&self) -> bool {
        self.colorimetry.starts_with("1:")
    }
}

/// One picture: I420, tightly packed (Y, then U, then V, no row padding). Cloning shares the pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    pub pts_ns: u64,
    pub duration_ns: Option<u64>,
    width: u32,
    height: u32,
    data: Arc<Vec<u8>>,
}

/// Width and height of a chroma plane.
pub(crate) fn chroma_size(width: u32, height: u32) -> (u32, u32) {
    (width.div_ceil(2), height.div_ceil(2))
}

impl Frame {
    /// A frame from packed I420; refuses data of the wrong length.
    pub fn new(
        pts_ns: u64,
        duration_ns: Option<u64>,
        width: u32,
        height: u32,
        data: Vec<u8>,
    ) -> Result<Self, Error> {
        let (cw, ch) = chroma_size(width, height);
        let needed = width as usize * height as usize + 2 * (cw as usize * ch as usize);
        if data.len() != needed {
            return Err(Error::FrameData { width, height, needed, got: data.len() });
        }
        Ok(Self { pts_ns, duration_ns, width, height, data: Arc::new(data) })
    }

    pub fn width(&self) -> u32 {
        self.width
    }

    pub fn height(&self) -> u32 {
        self.height
    }

    /// The packed I420 bytes.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The same picture at another time.
    pub fn at(&self, pts_ns: u64, duration_ns: Option<u64>) -> Self {
        Self { pts_ns, duration_ns, ..self.clone() }
    }

    /// Y, U and V, each with its width and height.
    pub fn planes(&self) -> [(&[u8], u32, u32); 3] {
        let (cw, ch) = chroma_size(self.width, self.height);
        let (y, rest) = self.data.split_at(self.width as usize * self.height as usize);
        let (u, v) = rest.split_at(cw as usize * ch as usize);
        [(y, self.width, self.height), (u, cw, ch), (v, cw, ch)]
    }

    /// The planes for writing; copies the pixels first when another frame shares them.
    pub fn planes_mut(&mut self) -> [&mut [u8]; 3] {
        let (cw, ch) = chroma_size(self.width, self.height);
        let luma = self.width as usize * self.height as usize;
        let (y, rest) = Arc::make_mut(&mut self.data).split_at_mut(luma);
        let (u, v) = rest.split_at_mut(cw as usize * ch as usize);
        [y, u, v]
    }

    /// Packed RGB, 8 bits a channel.
    pub fn to_rgb8(&self, info: &StreamInfo) -> Result<Vec<u8>, Error> {
        let [(y, w, h), (u, cw, _), (v, _, _)] = self.planes();
        let image = yuv::YuvPlanarImage {
            y_plane: y,
            y_stride: w,
            u_plane: u,
            u_stride: cw,
            v_plane: v,
            v_stride: cw,
            width: w,
            height: h,
        };
        let mut rgb = vec![0; w as usize * h as usize * 3];
        let range = if info.full_range() { yuv::YuvRange::Full } else { yuv::YuvRange::Limited };
        let matrix = match info.colorimetry.as_str() {
            "bt709" => yuv::YuvStandardMatrix::Bt709,
            _ => yuv::YuvStandardMatrix::Bt601,
        };
        yuv::yuv420_to_rgb(&image, &mut rgb, w * 3, range, matrix)
            .map_err(|e| Error::Convert(e.to_string()))?;
        Ok(rgb)
    }
}
