// SPDX-License-Identifier: GPL-2.0

//! What can be seen of a card without opening it: sysfs attributes of the PCI device and a
//! temperature sensor.  `attributes.c` is the C side, as the kernel crate has neither.

mod attributes;
mod sensor;

pub(crate) use attributes::groups;
pub(crate) use sensor::Sensor;
