//! `deepfake trace`: the features and verdicts of recorded files, one JSON object a line, for fitting calibrations
//! and for looking closely. Runs the analysis directly, as `deepfakedetect mode=sync` does.

use crate::Run;
use crate::common::ProfileName;
use clap::Args;
use gstdeepfake::analysis::engine::profile::Profile;
use gstdeepfake::analysis::engine::sampler::{Grid, Phase};
use gstdeepfake::analysis::engine::{Engine, EngineConfig};
use gstdeepfake::analysis::evidence::calibration::Calibration;
use gstdeepfake::analysis::face::models::MeshKind;
use gstdeepfake::analysis::pixels::fingerprint::Fingerprint;
use gstdeepfake::analysis::pixels::frame::{Colour, FrameView, PixelFormat, Plane};
use gstdeepfake::inference::{Config, FaceModelSet, Wanted};
use gstdeepfake::recorded::Reader;
use serde_json::json;
use std::error::Error;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Write the features and verdicts of recorded video files as JSON lines.
///
/// Exit status: 0 if all files were read, 1 if one was not, or nothing could be done.
#[derive(Debug, Args)]
pub struct Trace {
    /// Video files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where the JSON lines go; standard output by default.
    #[arg(long, short)]
    out: Option<PathBuf>,
    /// How thoroughly to analyse.
    #[arg(long, value_enum, default_value_t = ProfileName::Balanced)]
    profile: ProfileName,
    /// Calibration file to use instead of the built-in one.
    #[arg(long)]
    calibration: Option<PathBuf>,
    /// Folder with manifest.toml.
    #[arg(long, default_value = "models")]
    model_dir: PathBuf,
    /// Manifest (or directory with a manifest.toml) of further networks that watch a face; may be given again.
    #[arg(long, value_name = "PATH")]
    extra_models: Vec<PathBuf>,
    /// Stop after that many seconds of each file.
    #[arg(long, default_value_t = f64::INFINITY)]
    seconds: f64,
    /// Verdicts and alerts only, no features.
    #[arg(long)]
    verdicts: bool,
}

impl Run for Trace {
    fn run(self) -> ExitCode {
        match files(&self) {
            Ok(0) => ExitCode::SUCCESS,
            Ok(_) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        }
    }
}

/// Returns the number of files that could not be read.
fn files(arguments: &Trace) -> Result<usize, Box<dyn Error>> {
    gstdeepfake::register_static()?;
    let calibration = match &arguments.calibration {
        Some(path) => Calibration::parse(&std::fs::read_to_string(path)?)?,
        None => Calibration::built_in()?,
    };
    let chain = Profile::from(arguments.profile).chain(4, 24.0);
    let models = FaceModelSet::load(&Config {
        model_dir: Some(arguments.model_dir.clone()),
        wanted: Wanted {
            detector_short: true,
            detector_full: true,
            mesh_v1: chain.mesh == MeshKind::V1,
            mesh_v2: chain.mesh == MeshKind::V2,
            blendshapes: chain.blendshapes,
            face_signals: true,
        },
        extra_models: arguments.extra_models.clone(),
        ..Config::default()
    })?;
    let config = EngineConfig {
        chain,
        mean_time_between_false_alerts: 100.0,
        calibration: Arc::new(calibration),
        decisions: Default::default(),
        ignored: Default::default(),
    };
    let mut out: Box<dyn Write> = match &arguments.out {
        Some(path) => Box::new(BufWriter::new(std::fs::File::create(path)?)),
        None => Box::new(std::io::stdout().lock()),
    };
    let mut bad = 0;
    for (i, file) in arguments.files.iter().enumerate() {
        eprintln!("[{}/{}] {}", i + 1, arguments.files.len(), file.display());
        if let Err(error) = trace(file, arguments, &models, &config, &mut out) {
            eprintln!("error: {}: {error}", file.display());
            bad += 1;
        }
    }
    out.flush()?;
    Ok(bad)
}

fn trace(
    file: &Path,
    arguments: &Trace,
    models: &FaceModelSet,
    config: &EngineConfig,
    out: &mut dyn Write,
) -> Result<(), Box<dyn Error>> {
    let rates = Profile::from(arguments.profile).rates();
    let mut engine = Engine::new(models.clone(), config.clone(), models.blendshape_subset().copied());
    engine.enable_traces();
    engine.reset(1);
    let mut reader = Reader::open(file)?;
    let full_range = reader.info().full_range();
    let (mut grid, mut phase, mut prints) = (Grid::default(), Phase::Calibrate, Vec::new());
    let name = file.display().to_string();
    for frame in &mut reader {
        let frame = frame?;
        let pts = frame.pts_ns;
        if pts as f64 * 1e-9 > arguments.seconds {
            break;
        }
        let planes = frame.planes().map(|(data, stride, _)| Plane { data, stride: stride as usize });
        let colour = Colour { full_range, ..Colour::default() };
        let view = FrameView::new(
            PixelFormat::I420,
            frame.width() as usize,
            frame.height() as usize,
            colour,
            &planes,
        )?;
        prints.push((pts, Fingerprint::of(&view)));
        if !grid.hit(pts, rates.interval(phase)) {
            continue;
        }
        let outcome = engine.analyse(&view, pts, &prints, &mut ())?;
        prints.clear();
        phase = outcome.phase;
        let traces = engine.take_traces();
        if !arguments.verdicts {
            for t in traces {
                writeln!(out, "{}", json!({ "file": name, "trace": t }))?;
            }
        }
        writeln!(out, "{}", json!({ "file": name, "verdict": *outcome.verdict }))?;
        for alert in outcome.alerts {
            writeln!(out, "{}", json!({ "file": name, "alert": alert }))?;
        }
    }
    Ok(())
}
