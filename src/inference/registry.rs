//! The networks of this process, each loaded once and shared by all who use it in the same way.
//!
//! The registry does not keep a network alive: it goes with its last user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::digest::Digest;
use super::environment::Runtime;
use super::error::Error;
use super::manifest::{Manifest, ModelEntry, TensorSpec};
use super::session::Model;

pub use super::session::Placement;

/// What makes two requests mean the same network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct SessionKey {
    digest: Digest,
    placement: Placement,
    /// Two manifests may describe one file differently (order, fixed or open dimensions).
    interface: (Vec<TensorSpec>, Vec<TensorSpec>),
}

/// Locked while its network is being loaded, so that others who want the same one wait and then share it.
type Slot = Arc<Mutex<Weak<Model>>>;

static SLOTS: Mutex<Option<HashMap<SessionKey, Slot>>> = Mutex::new(None);

/// The network of `entry` in `manifest`'s directory, loaded if nobody uses it yet.
///
/// Its file is read only when it is loaded. A failure is not remembered: the next call tries again.
///
/// # Errors
/// `ModelMissing`, `ModelCorrupt`, `ModelUnsupported`, `ModelShape`, `ProviderUnavailable`.
pub fn get(
    runtime: &'static Runtime,
    manifest: &Manifest,
    entry: &ModelEntry,
    placement: Placement,
) -> Result<Arc<Model>, Error> {
    let key = SessionKey {
        digest: entry.sha256,
        placement,
        interface: (entry.inputs.clone(), entry.outputs.clone()),
    };
    let slot = slot(key);
    // A panic while loading leaves the old, dead reference: the slot is as good as before.
    let mut model = slot.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(model) = model.upgrade() {
        return Ok(model);
    }
    let loaded = Arc::new(Model::load(runtime, manifest.dir(), entry, placement)?);
    *model = Arc::downgrade(&loaded);
    Ok(loaded)
}

fn slot(key: SessionKey) -> Slot {
    let mut slots = SLOTS.lock().unwrap_or_else(PoisonError::into_inner);
    let slots = slots.get_or_insert_default();
    // Forget what was dropped. A slot that another thread holds is about to be filled; a locked one is being filled.
    slots.retain(|_, slot| {
        Arc::strong_count(slot) > 1 || slot.try_lock().map_or(true, |model| model.strong_count() > 0)
    });
    slots.entry(key).or_default().clone()
}
