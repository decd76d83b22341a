// SPDX-License-Identifier: MIT OR Apache-2.0

//! Message signalled interrupts [pcie 1.5], [pcie 4.9].

use std::fs::File;
use std::io::Write;

use log::{debug, warn};
use parking_lot::Mutex;

use super::{ConfigSpace, VECTORS};
use crate::counters::Counters;

/// The event file descriptors that the host listens to.
#[derive(Debug, Default)]
pub struct Msi {
    armed: Mutex<[Option<File>; VECTORS]>,
}

impl Msi {
    /// Takes `file` as what signals `vector`; false if there is no such vector.
    pub fn arm(&self, vector: usize, file: Option<File>) -> bool {
        match self.armed.lock().get_mut(vector) {
            Some(slot) => {
                *slot = file;
                true
            }
            None => false,
        }
    }

    /// The host listens to nothing any more.
    pub fn disarm(&self) {
        *self.armed.lock() = Default::default();
    }

    /// Sends `vector`, as far as configuration space lets it: while the vector is masked it becomes
    /// pending; while MSI or bus mastering is off it is lost.
    pub fn raise(&self, vector: usize, config: &mut ConfigSpace, counters: &Counters) {
        let suppressed = if !config.bus_master() {
            "msi.suppressed.bus_master_off"
        } else if vector >= config.msi_vectors() {
            "msi.suppressed.disabled"
        } else if config.msi_masked(vector) {
            config.set_msi_pending(vector, true);
            "msi.suppressed.masked"
        } else {
            self.signal(vector, counters);
            return;
        };
        debug!("MSI {vector}: {suppressed}");
        counters.hit(suppressed);
    }

    /// Sends what was pending and is no longer masked; call after writes to configuration space.
    pub fn deliver_pending(&self, config: &mut ConfigSpace, counters: &Counters) {
        let ready: Vec<usize> = config.msi_deliverable().collect();
        for vector in ready {
            config.set_msi_pending(vector, false);
            self.signal(vector, counters);
        }
    }

    fn signal(&self, vector: usize, counters: &Counters) {
        let mut armed = self.armed.lock();
        match armed.get_mut(vector) {
            Some(Some(file)) => match file.write_all(&1u64.to_ne_bytes()) {
                Ok(()) => counters.hit("msi.sent"),
                Err(e) => warn!("MSI {vector}: {e}"),
            },
            _ => counters.hit("msi.suppressed.unarmed"),
        }
    }
}
