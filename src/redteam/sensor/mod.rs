//! A simulated camera: light to electrons to code values to YUV, and frames to arrival times.
//!
//! Everything is *simulated*: the noise of a sensor by textbook (photon, dark and read noise, uneven pixels, Bayer
//! mosaic; EMVA 1288 names the quantities), the image processor by simple stand-ins (bilinear demosaicking, an
//! edge-keeping smoother, unsharp masking), the clock by a quartz's error and the jitter of a bus. It is there to test
//! checks of honest cameras for false alarms; it is no proof of how any product behaves.
//!
//! Deterministic: the same parameters and seed give the same frames and times.

mod clock;
mod isp;
mod pixels;
mod scene;

pub use clock::{Clock, Stamp};
pub use isp::Isp;
pub use pixels::Pixels;
pub use scene::{Linear, Room};

use super::error::{Result, within};
use super::random::{Use, rng};
use crate::recorded::{Frame, StreamInfo};

/// One camera.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensor {
    pub width: u32,
    pub height: u32,
    /// Nominal frames a second, as the caps would declare them.
    pub rate: (u32, u32),
    /// Light of the scene, against a well lit one (1).
    pub light: f64,
    pub pixels: Pixels,
    pub isp: Isp,
    pub clock: Clock,
    /// Time from the first row's exposure to the last's, in frames (rolling shutter); none when 0.
    pub shutter: f64,
    pub seed: u64,
}

impl Default for Sensor {
    fn default() -> Self {
        Self {
            width: 640,
            height: 480,
            rate: (30, 1),
            light: 1.0,
            pixels: Pixels::default(),
            isp: Isp::default(),
            clock: Clock::default(),
            shutter: 0.0,
            seed: 1,
        }
    }
}

impl Sensor {
    /// Refuses parameters that no camera has.
    pub fn check(&self) -> Result<()> {
        within("width", f64::from(self.width), 16.0, 4096.0, "16 to 4096 pixels")?;
        within("height", f64::from(self.height), 16.0, 4096.0, "16 to 4096 pixels")?;
        within("width", f64::from(self.width % 2 + self.height % 2), 0.0, 0.0, "even sizes")?;
        within("rate", f64::from(self.rate.0.min(self.rate.1)), 1.0, 1e9, "a fraction of numbers above 0")?;
        within("light", self.light, 1e-3, 100.0, "0.001 to 100")?;
        within("shutter", self.shutter, 0.0, 1.0, "0 to 1")?;
        self.pixels.check()?;
        self.isp.check()?;
        self.clock.check()
    }

    /// Switches the camera on.
    pub fn start(&self, room: Room) -> Result<Camera> {
        self.check()?;
        let fixed = pixels::Fixed::new(&self.pixels, self.width, self.height, self.seed);
        let clock = self.clock.start(self.rate, self.light, self.seed);
        Ok(Camera {
            sensor: self.clone(),
            room,
            fixed,
            clock,
            exposure: isp::Exposure::default(),
            before: Vec::new(),
            index: 0,
        })
    }

    /// What the stream says of itself.
    pub fn info(&self) -> StreamInfo {
        StreamInfo::new(self.width, self.height, self.rate)
    }
}

/// A camera that runs.
#[derive(Debug)]
pub struct Camera {
    sensor: Sensor,
    room: Room,
    fixed: pixels::Fixed,
    clock: clock::Running,
    exposure: isp::Exposure,
    before: isp::Plane,
    index: u64,
}

impl Camera {
    /// When the next frame arrives and what time it bears. Its picture is not taken: for tests of times alone.
    pub fn skip(&mut self) -> Stamp {
        self.index += 1;
        self.clock.tick()
    }

    /// The next frame, with its PTS, and its times.
    pub fn frame(&mut self) -> Result<(Frame, Stamp)> {
        let stamp = self.clock.tick();
        let seconds = stamp.exposed_ns as f64 / 1e9;
        let s = &self.sensor;
        let rolling = s.shutter * f64::from(s.rate.1) / f64::from(s.rate.0);
        let scene = self.room.linear(s.width, s.height, seconds, rolling);
        let mut noise = rng(s.seed, Use::Noise, self.index);
        let (gains, exposure) = self.exposure.step(&scene, &s.isp);
        let raw = pixels::expose(&scene, &s.pixels, &self.fixed, (s.light, exposure), &mut noise);
        let size = (s.width as usize, s.height as usize);
        let gains = s.pixels.bayer.then_some(gains);
        let data = isp::process(&raw, size, &s.isp, gains, s.light, &mut self.before);
        self.index += 1;
        let duration = s.info().frame_ns();
        Ok((Frame::new(stamp.pts_ns, Some(duration), s.width, s.height, data)?, stamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luma(sensor: &Sensor, count: usize) -> Vec<Vec<u8>> {
        let mut camera = sensor.start(Room::new(3)).unwrap();
        (0..count).map(|_| camera.frame().unwrap().0.planes()[0].0.to_vec()).collect()
    }

    /// Mean square of what differs between two frames in the room's still upper border.
    fn noise(sensor: &Sensor) -> f64 {
        let frames = luma(sensor, 2);
        let n = (sensor.width * sensor.height / 10) as usize;
        let both = frames[0].iter().zip(&frames[1]).take(n);
        both.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>() / (2 * n) as f64
    }

    #[test]
    fn same_seed_same_frames_and_less_light_more_noise() {
        let day = Sensor { width: 160, height: 120, ..Sensor::default() };
        assert_eq!(luma(&day, 2), luma(&day, 2));
        assert_ne!(luma(&day, 1), luma(&Sensor { seed: 2, ..day.clone() }, 1));
        let night = Sensor { light: 0.1, ..day.clone() };
        assert!(noise(&night) > 3.0 * noise(&day), "{} {}", noise(&night), noise(&day));
    }

    #[test]
    fn what_no_camera_has_is_refused() {
        let bad = |s: Sensor| s.start(Room::new(1)).unwrap_err().to_string();
        assert!(bad(Sensor { width: 161, ..Sensor::default() }).contains("even"));
        assert!(bad(Sensor { light: f64::NAN, ..Sensor::default() }).contains("light"));
        assert!(bad(Sensor { rate: (30, 0), ..Sensor::default() }).contains("rate"));
    }
}
