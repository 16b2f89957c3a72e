//! `deepfake redteam render`: one attack into a file, with its parameters on the command line.

use super::fail;
use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use gstdeepfake::recorded::Codec;
use gstdeepfake::redteam::{
    Condition, Freeze, Kind, Light, Motion, Page, Photo, Reencode, Rendered, Replay, Seam, Splice,
    record_path, render_file,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    /// One still of the recording (or an image file), printed and held in a moving hand.
    Photo,
    /// A few seconds of the recording again and again.
    Loop,
    /// Genuine for a while, then a photo of the last genuine frame.
    Splice,
    /// Control: the genuine recording with the same noise and encoder.
    Reencode,
    /// The picture stops while the stream goes on.
    Freeze,
}

#[derive(Debug, Args)]
pub struct Render {
    /// The attack to make.
    #[arg(long, value_enum)]
    attack: Name,
    /// The genuine recording; for `photo` a still image will do.
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// The MP4 file to write; FILE.json goes beside it.
    #[arg(long = "out", value_name = "FILE", value_parser = PathBufValueParser::new().try_map(not_the_record))]
    output: PathBuf,
    /// Name of the condition in reports [default: the attack's name].
    #[arg(long)]
    name: Option<String>,
    /// The same seed gives the same frames.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where in the recording to begin, seconds.
    #[arg(long, value_name = "S", default_value_t = 0.0)]
    start: f64,
    /// Length of the output, seconds [default: that of the recording; 10 for a still image].
    #[arg(long, value_name = "S")]
    duration: Option<f64>,
    /// When a splice or freeze begins, seconds [default: 20 for splice, 10 for freeze].
    #[arg(long, value_name = "S")]
    onset: Option<f64>,
    /// H.264 bit rate, kbit/s.
    #[arg(long, value_name = "K", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    bitrate: u32,
    /// Encode without loss instead.
    #[arg(long, conflicts_with = "bitrate")]
    lossless: bool,
    /// Sensor noise at middle grey, grey levels of 255 [default: 1.5 for photo and splice, else 0.8].
    #[arg(long, value_name = "SIGMA")]
    noise: Option<f64>,
    /// Write no progress bar.
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    photo: PhotoArgs,
    #[command(flatten)]
    replay: LoopArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Photo (and the photo of a splice)")]
struct PhotoArgs {
    /// Which instant is printed, seconds after --start [default: chosen by the seed].
    #[arg(long, value_name = "S")]
    still_at: Option<f64>,
    /// Height of the still over the height of the picture [default: fills the picture].
    #[arg(long, value_name = "F")]
    fill: Option<f64>,
    /// White paper around a still that does not fill the picture, not a blurred backdrop.
    #[arg(long)]
    paper: bool,
    /// Size of the picture [default: that of the recording].
    #[arg(long, value_name = "WxH", value_parser = size)]
    size: Option<(u32, u32)>,
    /// Blur of the print, pixels.
    #[arg(long, value_name = "PX", default_value_t = Photo::default().soften)]
    soften: f64,
    /// Slow sway of the arm, fraction of the picture's width.
    #[arg(long, value_name = "F", default_value_t = Motion::default().sway)]
    sway: f64,
    /// Tremor of the hand, fraction of the picture's width.
    #[arg(long, value_name = "F", default_value_t = Motion::default().tremor)]
    tremor: f64,
    /// Nearer and farther, fraction of the size.
    #[arg(long, value_name = "F", default_value_t = Motion::default().scale)]
    scale: f64,
    /// Turning in the picture plane, degrees.
    #[arg(long, value_name = "DEG", default_value_t = Motion::default().rotation)]
    rotation: f64,
    /// Tilting out of the picture plane, degrees.
    #[arg(long, value_name = "DEG", default_value_t = Motion::default().tilt)]
    tilt: f64,
    /// Slow change of brightness, fraction.
    #[arg(long, value_name = "F", default_value_t = Light::default().drift)]
    drift: f64,
    /// Moving gradient of brightness across the picture, fraction.
    #[arg(long, value_name = "F", default_value_t = Light::default().gradient)]
    gradient: f64,
    /// Moving reflection on the paper, fraction.
    #[arg(long, value_name = "F", default_value_t = Light::default().gloss)]
    gloss: f64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Loop")]
struct LoopArgs {
    /// Length of the piece, seconds.
    #[arg(long, value_name = "S", default_value_t = Replay::default().length)]
    length: f64,
    /// How often the piece is shown [default: until --duration].
    #[arg(long, value_name = "N")]
    repeats: Option<u32>,
    /// Forwards and backwards in turn.
    #[arg(long, conflicts_with = "cross_fade")]
    ping_pong: bool,
    /// Fade one pass into the next, seconds.
    #[arg(long, value_name = "S")]
    cross_fade: Option<f64>,
}

fn not_the_record(output: PathBuf) -> Result<PathBuf, &'static str> {
    let text = "it must not end in .json: the record goes there; name an .mp4 file";
    if record_path(&output) == output { Err(text) } else { Ok(output) }
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once(['x', 'X']).and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    parts.ok_or_else(|| format!("`{text}` is not a size; write it as 640x480"))
}

impl Render {
    fn condition(&self) -> Condition {
        let p = &self.photo;
        let photo = |at| Photo {
            at,
            fill: p.fill,
            page: if p.paper { Page::Paper } else { Page::Backdrop },
            size: p.size,
            soften: p.soften,
            motion: Motion {
                sway: p.sway,
                tremor: p.tremor,
                scale: p.scale,
                rotation: p.rotation,
                tilt: p.tilt,
            },
            light: Light { drift: p.drift, gradient: p.gradient, gloss: p.gloss },
        };
        let (kind, noise) = match self.attack {
            Name::Photo => (Kind::Photo(photo(p.still_at)), 1.5),
            Name::Splice => {
                let then = Box::new(Kind::Photo(Photo { size: None, ..photo(Some(0.0)) }));
                (
                    Kind::Splice(Splice {
                        onset: self.onset.unwrap_or(Splice::<Box<Kind>>::default().onset),
                        then,
                    }),
                    1.5,
                )
            }
            Name::Loop => {
                let l = &self.replay;
                let seam = match l.cross_fade {
                    Some(seconds) => Seam::CrossFade(seconds),
                    None if l.ping_pong => Seam::PingPong,
                    None => Seam::Cut,
                };
                (Kind::Loop(Replay { start: 0.0, length: l.length, repeats: l.repeats, seam }), 0.8)
            }
            Name::Freeze => {
                let onset = self.onset.unwrap_or(Freeze::default().onset);
                (Kind::Freeze(Freeze { onset, hold: None }), 0.8)
            }
            Name::Reencode => (Kind::Reencode(Reencode::default()), 0.8),
        };
        let mut condition = Condition::new(kind, self.seed);
        if let Some(name) = &self.name {
            condition.name.clone_from(name);
        }
        condition.start = self.start;
        condition.duration = self.duration;
        condition.noise = self.noise.unwrap_or(noise);
        condition.codec =
            if self.lossless { Codec::Lossless } else { Codec::H264 { bitrate_kbit: self.bitrate } };
        condition
    }
}

pub fn render(args: &Render) -> ExitCode {
    let bar = if args.quiet { ProgressBar::hidden() } else { ProgressBar::new(1) };
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:40}] {percent:>3}% {eta:>4}") {
        bar.set_style(style.progress_chars("=> "));
    }
    let condition = args.condition();
    bar.set_message(condition.name.clone());
    let result = render_file(&args.input, &args.output, &condition, &mut |done, all| {
        bar.set_length((all * 1000.0) as u64);
        bar.set_position((done * 1000.0) as u64);
        true
    });
    bar.finish_and_clear();
    match result {
        Ok(Rendered { record, reused }) => {
            let onset = record.onset_s.map_or("none".into(), |s| format!("{s:.3} s"));
            println!(
                "{}: {} frames {}x{}, {:.2} s, attack onset {onset}{}",
                args.output.display(),
                record.frames,
                record.width,
                record.height,
                record.duration_s,
                if reused { " (there already, left as it is)" } else { "" },
            );
            ExitCode::SUCCESS
        }
        Err(error) => fail(error, 1),
    }
}
