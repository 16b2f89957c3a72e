//! What is done to a recording, one file an attack: what stands before the camera, tricks of time, attacks on a part,
//! disguises, and the controls that must not alarm. Forgeries are in [`super::forge`], injections in [`super::inject`].

pub(super) mod adversarial;
pub(super) mod benign;
pub(super) mod cadence;
pub(super) mod control;
pub(super) mod generator;
pub(super) mod partial;
pub(super) mod photo;
pub(super) mod presentation;
pub(super) mod replay;
pub(super) mod splice;
pub(super) mod surface;
