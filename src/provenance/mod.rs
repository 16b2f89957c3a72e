//! Who made this stream: what the machine knows of the source behind it.

pub mod device;
pub mod known;
pub mod sysfs;
pub mod v4l2;
