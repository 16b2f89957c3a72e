//! Injected feeds: no attack before a camera, but a stream put where one is expected. Each really enters this process, in
//! real time, and `cameraprovenance` judges it; faces are not looked at.
//!
//! What no process can make for itself is a device: where a feed pretends to be a camera, a [`fake_camera`] takes the place
//! of a driver that lies perfectly, so that only times and pictures are left to tell. `make camera-lab` has real drivers.

pub(super) mod attack;
mod fake_camera;
mod feed;
pub(super) mod judge;
mod pipelines;
