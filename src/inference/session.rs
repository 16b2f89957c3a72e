//! A loaded network: ONNX Runtime sessions that were made from checked bytes, and one call to run them.

use std::io::Read as _;
use std::path::Path;

use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{TensorElementType, TensorRef, ValueType};

use super::digest::Digest;
use super::environment::Runtime;
use super::error::{Error, ErrorKind};
use super::manifest::{DType, ModelEntry, Role, TensorSpec};
use super::pool::Pool;
use super::provider::Provider;

/// More sessions of one network than this would cost memory and win little: callers queue instead.
const MAX_SESSIONS: usize = 4;

/// One input tensor: `shape` of row-major `data`.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Dimensions; their product is the length of `data`.
    pub shape: &'a [usize],
    /// The elements.
    pub data: &'a [f32],
}

/// On what, and with how many threads, a network runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Placement {
    /// A concrete provider, not `Auto`.
    pub provider: Provider,
    /// Number of the device, where the provider has several.
    pub device_id: u32,
    /// Threads that share the work of one operator, at least 1.
    pub threads: usize,
}

/// A loaded network. Runs from several threads at once, up to four; further callers wait their turn.
#[derive(Debug)]
pub struct Model {
    name: String,
    digest: Digest,
    placement: Placement,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    /// For each input of the graph, and each output of the manifest, its place in the other.
    input_order: Vec<usize>,
    output_order: Vec<usize>,
    /// Kept, so that every further session is made from the bytes that were checked.
    bytes: Vec<u8>,
    runtime: &'static Runtime,
    sessions: Pool<Session>,
}

impl Model {
    /// Reads `dir/entry.file`, checks it and makes the first session.
    ///
    /// # Errors
    /// `ModelMissing`, `ModelCorrupt`, `ModelUnsupported`, `ModelShape`, `ProviderUnavailable`.
    pub(crate) fn load(
        runtime: &'static Runtime,
        dir: &Path,
        entry: &ModelEntry,
        placement: Placement,
    ) -> Result<Self, Error> {
        let of = Subject { name: &entry.name, path: &dir.join(&entry.file) };
        if let Some(tensor) = entry.inputs.iter().chain(&entry.outputs).find(|t| t.dtype != DType::F32) {
            let what = format!("has a tensor `{}` of {:?}, only f32 can be run", tensor.name, tensor.dtype);
            return Err(of.error(ErrorKind::ModelUnsupported, &what));
        }
        let bytes = read(of, entry)?;
        let session = create(runtime, of, &bytes, placement)?;
        let interface = |outlets: &[ort::value::Outlet]| -> Vec<(String, ValueType)> {
            outlets.iter().map(|o| (o.name().to_owned(), o.dtype().clone())).collect()
        };
        let (inputs, outputs) = (interface(session.inputs()), interface(session.outputs()));
        compare(of, "input", &inputs, &entry.inputs)?;
        // Of a foreign network only the outputs that are listed matter.
        let listed = |(name, _): &&(String, ValueType)| {
            entry.role != Role::FaceSignal || entry.outputs.iter().any(|t| t.name == *name)
        };
        let relevant: Vec<_> = outputs.iter().filter(listed).cloned().collect();
        compare(of, "output", &relevant, &entry.outputs)?;
        // `compare` found every name, so that both orders are complete.
        let input_order =
            inputs.iter().filter_map(|(name, _)| entry.inputs.iter().position(|t| t.name == *name)).collect();
        let output_order = entry
            .outputs
            .iter()
            .filter_map(|t| outputs.iter().position(|(name, _)| *name == t.name))
            .collect();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            name: entry.name.clone(),
            digest: entry.sha256,
            placement,
            inputs: entry.inputs.clone(),
            outputs: entry.outputs.clone(),
            input_order,
            output_order,
            bytes,
            runtime,
            sessions: Pool::new(session, cores.min(MAX_SESSIONS)),
        })
    }

    /// Name in the manifest.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Digest of the file it was made from.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// On what it runs.
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// Inputs, in the order of [`run_into`](Self::run_into).
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    /// Outputs, in the order of [`run_into`](Self::run_into).
    pub fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    /// Runs the network on `inputs` and overwrites `outputs` (their capacity is kept), both in the manifest's
    /// order. May wait for another caller's run to end.
    ///
    /// # Errors
    /// `Inference` if the number or a shape of the tensors is wrong or ONNX Runtime fails; `NonFinite` if any
    /// output element is NaN or infinite. After an error the contents of `outputs` mean nothing.
    pub fn run_into(&self, inputs: &[Input<'_>], outputs: &mut [&mut Vec<f32>]) -> Result<(), Error> {
        self.check_request(inputs, outputs.len())?;
        let failed = |e: ort::Error| self.error(ErrorKind::Inference, "failed").caused_by(e);
        let mut values = Vec::with_capacity(inputs.len());
        for input in self.input_order.iter().filter_map(|&i| inputs.get(i)) {
            let tensor = TensorRef::from_array_view((input.shape, input.data)).map_err(failed)?;
            values.push(SessionInputValue::from(tensor));
        }
        let mut session = self.sessions.take(|| {
            let of = Subject { name: &self.name, path: Path::new("(memory)") };
            create(self.runtime, of, &self.bytes, self.placement)
        })?;
        let results = session.run(values.as_slice()).map_err(failed)?;
        for ((&at, spec), out) in self.output_order.iter().zip(&self.outputs).zip(outputs) {
            let value = results.values().nth(at);
            let value = value.ok_or_else(|| self.error(ErrorKind::Inference, "gave too few outputs"))?;
            let (_, data) = value.try_extract_tensor::<f32>().map_err(failed)?;
            out.clear();
            out.extend_from_slice(data);
            if !out.iter().all(|v| v.is_finite()) {
                let what = format!("gave a value in `{}` that is not finite", spec.name);
                return Err(self.error(ErrorKind::NonFinite, &what));
            }
        }
        Ok(())
    }

    /// [`warm_up`](Self::warm_up), with a failure on anything but the CPU reported as one of the provider.
    pub(super) fn warm_up_on(&self, placement: Placement) -> Result<Vec<Vec<f32>>, Error> {
        self.warm_up().map_err(|e| match (e.kind(), placement.provider) {
            (ErrorKind::Inference, provider) if provider != Provider::Cpu => {
                let what = format!("does not run on the provider `{provider}` here");
                self.error(ErrorKind::ProviderUnavailable, &what).caused_by(e)
            }
            _ => e,
        })
    }

    /// Runs the network once, so that the first real frame does not pay for lazy initialisation and a provider
    /// that cannot run shows now. Returns what it gave.
    ///
    /// # Errors
    /// As [`run_into`](Self::run_into).
    pub fn warm_up(&self) -> Result<Vec<Vec<f32>>, Error> {
        // Values in 0..1, none like its neighbours: a network that normalises its input (the blendshapes do)
        // divides by zero on a constant one.
        let ramp = |n: usize| (0..251_u8).cycle().take(n).map(|i| f32::from(i) / 251.0).collect::<Vec<_>>();
        let shapes: Vec<_> = self.inputs.iter().map(TensorSpec::shape_of_one).collect();
        let ramps: Vec<_> = self.inputs.iter().map(|t| ramp(t.elements_of_one())).collect();
        let inputs: Vec<_> = shapes.iter().zip(&ramps).map(|(shape, data)| Input { shape, data }).collect();
        let mut outputs = vec![Vec::new(); self.outputs.len()];
        self.run_into(&inputs, &mut outputs.iter_mut().collect::<Vec<_>>())?;
        Ok(outputs)
    }

    fn check_request(&self, inputs: &[Input<'_>], outputs: usize) -> Result<(), Error> {
        let wrong = |what: String| Err(self.error(ErrorKind::Inference, &what));
        if inputs.len() != self.inputs.len() || outputs != self.outputs.len() {
            return wrong(format!(
                "takes {} inputs and gives {} outputs, but was called with {} and {outputs}",
                self.inputs.len(),
                self.outputs.len(),
                inputs.len()
            ));
        }
        for (spec, input) in self.inputs.iter().zip(inputs) {
            if !spec.admits(input.shape) || input.shape.iter().product::<usize>() != input.data.len() {
                return wrong(format!(
                    "wants `{}` in the shape {:?}, but was given {:?} ({} elements)",
                    spec.name,
                    spec.shape,
                    input.shape,
                    input.data.len()
                ));
            }
        }
        Ok(())
    }

    fn error(&self, kind: ErrorKind, what: &str) -> Error {
        Error::new(kind, format!("the model `{}` {what}", self.name))
    }
}

/// What an error message speaks of.
#[derive(Clone, Copy)]
struct Subject<'a> {
    name: &'a str,
    path: &'a Path,
}

impl Subject<'_> {
    fn error(self, kind: ErrorKind, what: &str) -> Error {
        Error::new(kind, format!("the model `{}` (`{}`) {what}", self.name, self.path.display()))
    }
}

fn read(of: Subject<'_>, entry: &ModelEntry) -> Result<Vec<u8>, Error> {
    let unreadable =
        |e: std::io::Error| of.error(ErrorKind::ModelMissing, &format!("cannot be read: {e}")).caused_by(e);
    let file = std::fs::File::open(of.path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    if length != entry.size {
        let what = format!("has {length} bytes, its manifest says {}", entry.size);
        return Err(of.error(ErrorKind::ModelCorrupt, &what));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(entry.size).unwrap_or(0));
    file.take(entry.size).read_to_end(&mut bytes).map_err(unreadable)?;
    let digest = Digest::of(&bytes);
    if digest != entry.sha256 {
        let what = format!("has the digest {digest}, its manifest says {}", entry.sha256);
        return Err(of.error(ErrorKind::ModelCorrupt, &what));
    }
    Ok(bytes)
}

fn create(runtime: &Runtime, of: Subject<'_>, bytes: &[u8], placement: Placement) -> Result<Session, Error> {
    let e = match build(runtime, bytes, placement) {
        Ok(session) => return Ok(session),
        Err(e) => e,
    };
    // ONNX Runtime's codes do not distinguish a bad model from a provider that does not start. The CPU does: it takes
    // every sound model.
    let on_cpu = Placement { provider: Provider::Cpu, device_id: 0, ..placement };
    if placement.provider != Provider::Cpu && build(runtime, bytes, on_cpu).is_ok() {
        let what = format!("does not run on the provider `{}` here: {e}", placement.provider);
        return Err(of.error(ErrorKind::ProviderUnavailable, &what).caused_by(e));
    }
    let text = e.message().to_ascii_lowercase();
    let unsupported = ["opset", "ir version", "not implemented", "not a registered function"];
    let kind = if e.code() == ort::ErrorCode::NotImplemented || unsupported.iter().any(|s| text.contains(s)) {
        ErrorKind::ModelUnsupported
    } else {
        ErrorKind::ModelCorrupt
    };
    Err(of.error(kind, &format!("is refused by ONNX Runtime {}: {e}", runtime.info().version)).caused_by(e))
}

fn build(runtime: &Runtime, bytes: &[u8], placement: Placement) -> Result<Session, ort::Error> {
    Session::builder(runtime.environment())?
        .with_intra_threads(placement.threads.max(1))?
        .with_inter_threads(1)?
        // Idle threads must cost nothing: a call centre runs many streams on one machine.
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_memory_pattern(true)?
        .with_execution_providers(placement.provider.dispatch(placement.device_id))?
        .commit_from_memory(bytes)
}

fn compare(
    of: Subject<'_>,
    what: &str,
    graph: &[(String, ValueType)],
    manifest: &[TensorSpec],
) -> Result<(), Error> {
    let wrong = |text: String| Err(of.error(ErrorKind::ModelShape, &text));
    for spec in manifest {
        let Some((name, is)) = graph.iter().find(|(name, _)| *name == spec.name) else {
            return wrong(format!("has no {what} `{}`", spec.name));
        };
        let ValueType::Tensor { ty, shape, .. } = is else {
            return wrong(format!("has an {what} `{name}` that is no tensor"));
        };
        // A dimension that the graph leaves open serves any size that the manifest states.
        let fits =
            shape.len() == spec.shape.len() && shape.iter().zip(&spec.shape).all(|(g, m)| *g < 0 || g == m);
        if *ty != TensorElementType::Float32 || !fits {
            return wrong(format!(
                "has an {what} `{name}` of {ty:?} {shape}, its manifest says {:?} {:?}",
                spec.dtype, spec.shape
            ));
        }
    }
    if graph.len() != manifest.len() {
        return wrong(format!("has {} {what}s, its manifest says {}", graph.len(), manifest.len()));
    }
    Ok(())
}
