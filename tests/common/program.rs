//! The program `deepfake` from the outside: recordings to give it, and how to run it.

use super::frames::random_bytes;
use gstdeepfake::recorded::{Codec, Frame, StreamInfo, Writer};
use std::path::Path;
use std::process::{Command, Stdio};

pub const FPS: u32 = 25;
const SIZE: (u32, u32) = (160, 120);

/// Grey noise, in which the small detector sees a face.
pub fn noise(seed: u64) -> Vec<u8> {
    random_bytes(seed, (SIZE.0 * SIZE.1) as usize).iter().map(|b| 70 + (b >> 2)).collect()
}

/// Writes a recording without colour; `luma` tells what frame n shows.
pub fn recording(path: &Path, seconds: u32, luma: impl Fn(u32) -> Vec<u8>) {
    let (width, height) = SIZE;
    let info = StreamInfo::new(width, height, (FPS, 1));
    let mut writer = Writer::create(path, &info, Codec::Lossless).unwrap();
    for n in 0..seconds * FPS {
        let mut data = luma(n);
        data.resize(data.len() * 3 / 2, 128);
        writer.push(&Frame::new(info.due_ns(u64::from(n)), None, width, height, data).unwrap()).unwrap();
    }
    writer.finish().unwrap();
}

/// The command in a folder, with the small networks.
pub fn with_models(mut command: Command, at: &Path) -> Command {
    command.current_dir(at).stdin(Stdio::null()).env("DEEPFAKE_MODEL_DIR", super::face_models());
    if let Some(library) = super::onnxruntime() {
        command.env("ORT_DYLIB_PATH", library);
    }
    command
}

/// A subcommand of `deepfake`, in a folder, with the small networks.
pub fn deepfake(subcommand: &str, at: &Path) -> Command {
    let mut command = with_models(Command::new(env!("CARGO_BIN_EXE_deepfake")), at);
    command.arg(subcommand);
    command
}

/// Exit status, and all that was written.
pub fn run(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}
