//! Forgeries: pictures changed where the face is, by its landmarks.

pub(super) mod animate;
pub(super) mod blend;
pub(super) mod edit;
pub(super) mod parts;
pub(super) mod restore;
pub(super) mod swap;
pub(super) mod tile;
pub(super) mod triangles;
