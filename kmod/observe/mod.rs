// SPDX-License-Identifier: GPL-2.0

//! What can be seen of a card without opening it: sysfs attributes of the PCI device, a temperature
//! sensor, and debugfs.  `attributes.c` and `debug.c` are the C side.

mod attributes;
mod debug;
mod sensor;

pub(crate) use attributes::groups;
pub(crate) use debug::Debug;
pub(crate) use sensor::Sensor;
