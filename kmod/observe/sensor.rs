// SPDX-License-Identifier: GPL-2.0

//! The junction temperature as a hwmon sensor, so that the host's fan control can use it.

use kernel::{
    device::{
        Bound,
        Device, //
    },
    sync::Arc, //
};

use crate::{
    card::{
        telemetry::MAX_AGE,
        Card, //
    },
    glue::{
        hwmon,
        prelude::*, //
    },
    uapi::TELEMETRY_TEMPERATURE, //
};

/// A registered sensor.
pub(crate) type Sensor = hwmon::Sensor<Card>;

/// Registers the sensor of `card`.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn sensor(parent: &Device<Bound>, card: &Arc<Card>) -> Result<Sensor> {
    Sensor::new(parent, card.clone(), temperature)
}

fn temperature(card: &Card) -> Result<i32> {
    let telemetry = card.telemetry(MAX_AGE)?;
    if telemetry.valid & TELEMETRY_TEMPERATURE == 0 {
        return Err(ENODATA);
    }
    Ok(telemetry.temperature_mc)
}
