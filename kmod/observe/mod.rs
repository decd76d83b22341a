// SPDX-License-Identifier: GPL-2.0

//! What can be seen of a card without opening it: sysfs attributes of the PCI device, a temperature
//! sensor, and debugfs.

mod attributes;
mod debug;
mod sensor;

pub(crate) use attributes::{
    control,
    show, //
};
pub(crate) use debug::{
    debug,
    Debug, //
};
pub(crate) use sensor::{
    sensor,
    Sensor, //
};
