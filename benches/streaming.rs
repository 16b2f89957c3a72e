//! What `deepfakedetect` costs the streaming thread for each buffer in `mode=live`, with one face in the picture:
//! buffers that pass, buffers that are sampled, and the same pads around `identity`; and what it allocates.
//!
//! `cargo bench --bench streaming`. Needs ONNX Runtime (`make models`); prints numbers and asserts nothing.

#![allow(unsafe_code, clippy::unwrap_used, clippy::expect_used)]

use gst::prelude::*;
use gstdeepfake::{message, meta};
use gstreamer as gst;
use gstreamer_video as gst_video;
use std::time::{Duration, Instant};

#[path = "../tests/common/mod.rs"]
mod common;

/// Counts this thread's allocations, those of GLib and GStreamer too: the program's `malloc` goes before the C
/// library's for all libraries of the process.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod allocations {
    use std::cell::Cell;
    use std::ffi::c_void;

    unsafe extern "C" {
        fn __libc_malloc(size: usize) -> *mut c_void;
        fn __libc_calloc(n: usize, size: usize) -> *mut c_void;
        fn __libc_realloc(old: *mut c_void, size: usize) -> *mut c_void;
    }

    thread_local! {
        static COUNT: Cell<u64> = const { Cell::new(0) };
    }

    fn bump() {
        // Fails while a thread ends; such allocations are not counted.
        let _ = COUNT.try_with(|c| c.set(c.get() + 1));
    }

    pub fn count() -> Option<u64> {
        Some(COUNT.with(Cell::get))
    }

    // SAFETY: the C library's own functions under their usual names; what these return, its `free` takes back.
    #[unsafe(no_mangle)]
    extern "C" fn malloc(size: usize) -> *mut c_void {
        bump();
        unsafe { __libc_malloc(size) }
    }
    // SAFETY: as above.
    #[unsafe(no_mangle)]
    extern "C" fn calloc(n: usize, size: usize) -> *mut c_void {
        bump();
        unsafe { __libc_calloc(n, size) }
    }
    // SAFETY: as above.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn realloc(old: *mut c_void, size: usize) -> *mut c_void {
        bump();
        unsafe { __libc_realloc(old, size) }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod allocations {
    pub fn count() -> Option<u64> {
        None
    }
}

/// Time and allocations of single pushes.
#[derive(Default)]
struct Costs(Vec<(Duration, u64)>);

impl Costs {
    fn print(&mut self, what: &str) {
        if self.0.is_empty() {
            println!("{what:<44} none");
            return;
        }
        self.0.sort();
        let at = |q: f64| {
            let index = ((self.0.len() - 1) as f64 * q) as usize;
            self.0[index].0.as_nanos() as f64 / 1000.0
        };
        let mut allocations: Vec<_> = self.0.iter().map(|c| c.1).collect();
        allocations.sort();
        let median = allocations[allocations.len() / 2];
        println!(
            "{what:<44} p50 {:7.1} us   p99 {:7.1} us   worst {:8.1} us   {median:4} allocations   n {}",
            at(0.5),
            at(0.99),
            at(1.0),
            self.0.len()
        );
    }
}

/// An element between two bare pads.
struct Bench {
    element: gst::Element,
    bus: gst::Bus,
    src: gst::Pad,
    sink: gst::Pad,
    pictures: Vec<gst::Buffer>,
    n: u64,
}

impl Bench {
    fn new(element: gst::Element, caps: &str, pictures: &[gst::Buffer]) -> Self {
        let caps: gst::Caps = caps.parse().unwrap();
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let src = gst::Pad::builder(gst::PadDirection::Src).name("source").build();
        let sink = gst::Pad::builder(gst::PadDirection::Sink)
            .name("drain")
            .chain_function(|_, _, _| Ok(gst::FlowSuccess::Ok))
            .event_function(|_, _, _| true)
            .build();
        src.link(&element.static_pad("sink").unwrap()).unwrap();
        element.static_pad("src").unwrap().link(&sink).unwrap();
        sink.set_active(true).unwrap();
        element.set_state(gst::State::Playing).unwrap();
        src.set_active(true).unwrap();
        src.push_event(gst::event::StreamStart::new("bench"));
        src.push_event(gst::event::Caps::new(&caps));
        src.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
        Self { element, bus, src, sink, pictures: pictures.to_vec(), n: 0 }
    }

    /// Buffers made beforehand, so that only the push is measured.
    fn buffers(&mut self, count: u64) -> Vec<gst::Buffer> {
        // A few pictures are enough; what differs from buffer to buffer is their time.
        let make = |n: u64| {
            let mut buffer = self.pictures[n as usize % self.pictures.len()].copy();
            buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(n * 1000 / 30));
            buffer
        };
        let all = (self.n..self.n + count).map(make).collect();
        self.n += count;
        all
    }

    fn sampled(&self) -> u64 {
        if self.element.has_property("verdict") { common::stat(&self.element, "frames-sampled") } else { 0 }
    }

    /// Passing and sampled buffers apart.
    fn run(&mut self, count: u64) -> (Costs, Costs) {
        let (mut passing, mut sampled) = (Costs::default(), Costs::default());
        let mut before = self.sampled();
        for buffer in self.buffers(count) {
            let pts = buffer.pts().map(|p| p.nseconds());
            // A decoder or a camera driver has just written the picture: it is in some cache.
            std::hint::black_box(buffer.map_readable().unwrap().iter().map(|b| u64::from(*b)).sum::<u64>());
            let (allocated, start) = (allocations::count(), Instant::now());
            self.src.push(buffer).unwrap();
            let took = start.elapsed();
            let allocated = allocations::count().zip(allocated).map_or(0, |(b, a)| b - a);
            let now = self.sampled();
            let costs = if now > before { &mut sampled } else { &mut passing };
            costs.0.push((took, allocated));
            if now > before {
                // The worker finishes before the next buffer comes, as it would at 30 a second.
                self.wait_for_verdict(pts);
            }
            before = now;
        }
        (passing, sampled)
    }

    fn wait_for_verdict(&self, pts: Option<u64>) {
        while let Some(popped) = self.bus.timed_pop(gst::ClockTime::from_seconds(10)) {
            if let Some(Ok(message)) = message::parse(&popped)
                && message.header().timestamp == pts
            {
                return;
            }
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.element.set_state(gst::State::Null).unwrap();
        let _ = self.sink.set_active(false);
    }
}

fn main() {
    let Some(_) = common::onnxruntime() else { return };
    common::init();
    for (name, width, height) in [("1280x720", 1280, 720), ("3840x2160", 3840, 2160)] {
        let caps = format!("video/x-raw,format=I420,width={width},height={height},framerate=30/1");
        println!("I420 {name}, 30 a second");
        let real = common::clip::pictures(&caps, 8);
        let noise = || {
            let info = gst_video::VideoInfo::from_caps(&caps.parse::<gst::Caps>().unwrap()).unwrap();
            (0..8).map(|n| common::frames::noise(&info, n, gst::ClockTime::ZERO)).collect()
        };
        let models = if real.is_some() { common::root().join("models") } else { common::face_models() };
        let pictures: Vec<_> = real.unwrap_or_else(noise);
        let identity = gst::ElementFactory::make("identity").build().unwrap();
        let mut bench = Bench::new(identity, &caps, &pictures);
        bench.run(300);
        bench.run(1500).0.print("  identity");
        let models = models.to_str().unwrap();
        let detect = common::element(&[("report-interval", "1"), ("model-dir", models)]).unwrap();
        let mut bench = Bench::new(detect, &caps, &pictures);
        bench.run(300);
        let (mut passing, mut sampled) = bench.run(1500);
        passing.print("  deepfakedetect, buffers that pass");
        sampled.print("  deepfakedetect, sampled buffers");
        let verdict: gst::Structure = bench.element.property("verdict");
        let faces = verdict.get::<gst::ArrayRef>("tracks").unwrap().len();
        drop(bench);
        let watch = gst::ElementFactory::make("cameraprovenance").build().unwrap();
        let mut bench = Bench::new(watch, &caps, &pictures);
        bench.run(300);
        bench.run(1500).0.print("  cameraprovenance");
        drop(bench);
        let info = gst_video::VideoInfo::from_caps(&caps.parse::<gst::Caps>().unwrap()).unwrap();
        fingerprint_alone(&pictures, &info);
        println!("  with {faces} face(s); a verdict of {} bytes as text", verdict.to_string().len());
    }
    attach_alone();
}

/// The dearest part by itself.
fn attach_alone() {
    let Some(mut rig) = common::Rig::new(&[("mode", "sync")]) else { return };
    let frame = rig.noise();
    let out = rig.pass(frame);
    let prepared = meta::Prepared::new(std::sync::Arc::new(common::verdict(&out)));
    let mut costs = Costs::default();
    for _ in 0..3000 {
        let mut buffer = gst::Buffer::new();
        let (allocated, start) = (allocations::count(), Instant::now());
        prepared.attach(buffer.get_mut().unwrap(), Some(1)).unwrap();
        let took = start.elapsed();
        costs.0.push((took, allocations::count().zip(allocated).map_or(0, |(b, a)| b - a)));
    }
    costs.print("attaching the metadata alone");
}

/// Where the rest goes: reading the picture, when it is in a cache and when it is not.
fn fingerprint_alone(pictures: &[gst::Buffer], info: &gst_video::VideoInfo) {
    use gstdeepfake::analysis::pixels::fingerprint::Fingerprint;
    use gstdeepfake::analysis::pixels::frame::{Colour, FrameView, PixelFormat, Plane};
    let (mut cold, mut hot, mut maps) = (Costs::default(), Costs::default(), Costs::default());
    let time = |costs: &mut Costs, work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        costs.0.push((start.elapsed(), 0));
    };
    for n in 0..400 {
        let buffer = &pictures[n % pictures.len()];
        time(&mut maps, &mut || {
            std::hint::black_box(gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).unwrap());
        });
        let map = buffer.map_readable().unwrap();
        let planes: Vec<_> = (0..3)
            .map(|i| Plane { data: &map[info.offset()[i]..], stride: info.stride()[i] as usize })
            .collect();
        let (w, h) = (info.width() as usize, info.height() as usize);
        let view = FrameView::new(PixelFormat::I420, w, h, Colour::default(), &planes).unwrap();
        for costs in [&mut cold, &mut hot] {
            time(costs, &mut || {
                std::hint::black_box(Fingerprint::of(&view));
            });
        }
    }
    maps.print("  mapping the picture alone");
    cold.print("  the fingerprint alone, not in a cache");
    hot.print("  the fingerprint alone, in a cache");
}
