//! On what the networks run: ONNX Runtime's execution providers.

use std::fmt;
use std::str::FromStr;

use ort::ep::{self, ExecutionProvider as _, ExecutionProviderDispatch};

use super::environment::Runtime;
use super::error::{Error, ErrorKind};

/// An execution provider, or `Auto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// CUDA if this ONNX Runtime has it and it starts here, else the CPU. Which one is reported.
    #[default]
    Auto,
    /// The processor: always there.
    Cpu,
    /// NVIDIA, through CUDA.
    Cuda,
    /// NVIDIA, through TensorRT (what it cannot do, CUDA does).
    TensorRt,
    /// Intel, through OpenVINO, on OpenVINO's own choice of device.
    OpenVino,
    /// AMD, through ROCm (ONNX Runtime up to 1.22).
    Rocm,
    /// AMD, through MIGraphX.
    MiGraphX,
}

impl Provider {
    /// All of them, in the order in which they are listed to users.
    pub const ALL: [Self; 7] =
        [Self::Auto, Self::Cpu, Self::Cuda, Self::TensorRt, Self::OpenVino, Self::Rocm, Self::MiGraphX];

    /// The name in settings and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
            Self::OpenVino => "openvino",
            Self::Rocm => "rocm",
            Self::MiGraphX => "migraphx",
        }
    }

    /// Whether this ONNX Runtime was built with the provider. It may still fail to start.
    pub(crate) fn is_listed(self, _loaded: &Runtime) -> bool {
        // An error here means that the list cannot be had: nothing but the CPU can be promised then.
        match self {
            Self::Auto | Self::Cpu => true,
            Self::Cuda => ep::CUDA::is_available().unwrap_or(false),
            Self::TensorRt => ep::TensorRT::is_available().unwrap_or(false),
            Self::OpenVino => ep::OpenVINO::is_available().unwrap_or(false),
            Self::Rocm => ep::ROCm::is_available().unwrap_or(false),
            Self::MiGraphX => ep::MIGraphX::is_available().unwrap_or(false),
        }
    }

    /// The concrete providers to try, in order, when this one is asked for.
    ///
    /// # Errors
    /// `ProviderUnavailable` if ONNX Runtime does not have it and `allow_fallback` is false.
    pub(crate) fn candidates(self, runtime: &Runtime, allow_fallback: bool) -> Result<Vec<Self>, Error> {
        let listed = self.is_listed(runtime);
        match self {
            Self::Auto if Self::Cuda.is_listed(runtime) => Ok(vec![Self::Cuda, Self::Cpu]),
            Self::Auto | Self::Cpu => Ok(vec![Self::Cpu]),
            _ if listed && allow_fallback => Ok(vec![self, Self::Cpu]),
            _ if listed => Ok(vec![self]),
            _ if allow_fallback => Ok(vec![Self::Cpu]),
            _ => {
                let info = runtime.info();
                let what = format!(
                    "the provider `{self}` is not in ONNX Runtime {} (`{}`)",
                    info.version,
                    info.path.display()
                );
                Err(Error::new(ErrorKind::ProviderUnavailable, what))
            }
        }
    }

    /// What ort registers for this provider. The CPU is always appended by ONNX Runtime itself.
    pub(crate) fn dispatch(self, device: u32) -> Vec<ExecutionProviderDispatch> {
        let id = i32::try_from(device).unwrap_or(i32::MAX);
        // Without TF32 a GPU gives the CPU's numbers: a verdict must not depend on the machine. Memory grows by
        // what is asked for, so that it stays flat and other programs keep theirs.
        let cuda = || {
            ep::CUDA::default()
                .with_device_id(id)
                .with_tf32(false)
                .with_arena_extend_strategy(ep::ArenaExtendStrategy::SameAsRequested)
                .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic)
                .build()
                .error_on_failure()
        };
        match self {
            Self::Auto | Self::Cpu => vec![ep::CPU::default().with_arena_allocator(true).build()],
            Self::Cuda => vec![cuda()],
            Self::TensorRt => {
                vec![ep::TensorRT::default().with_device_id(id).build().error_on_failure(), cuda()]
            }
            Self::OpenVino => vec![ep::OpenVINO::default().build().error_on_failure()],
            Self::Rocm => vec![ep::ROCm::default().with_device_id(id).build().error_on_failure()],
            Self::MiGraphX => vec![ep::MIGraphX::default().with_device_id(id).build().error_on_failure()],
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No provider has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no provider: choose one of auto, cpu, cuda, tensorrt, openvino, rocm, migraphx")]
pub struct UnknownProvider(String);

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|p| p.as_str().eq_ignore_ascii_case(name));
        found.ok_or_else(|| UnknownProvider(name.to_owned()))
    }
}

/// What the networks really run on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActiveProvider {
    /// Never `Auto`.
    pub provider: Provider,
    /// Number of the device, where the provider has several.
    pub device_id: u32,
    /// Why it is not the one asked for, if it is not.
    pub fallback_reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for provider in Provider::ALL {
            assert_eq!(provider.as_str().parse(), Ok(provider));
        }
        assert_eq!("CUDA".parse(), Ok(Provider::Cuda));
        let e = "gpu".parse::<Provider>().unwrap_err().to_string();
        assert!(Provider::ALL.iter().all(|p| e.contains(p.as_str())), "{e}");
    }
}
