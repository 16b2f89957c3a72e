//! Forgeries: pictures changed where the face is, by its landmarks.

mod animate;
mod blend;
pub(crate) mod edit;
pub(crate) mod parts;
mod restore;
mod swap;
pub(crate) mod tile;
pub(crate) mod triangles;

pub use animate::{Animate, Drive};
pub use blend::Blend;
pub use parts::Part;
pub use restore::Restore;
pub use swap::{Donor, Geometry, Swap};
