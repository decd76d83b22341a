// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which sessions there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::calls::process::Process;

/// The sessions that are alive, by each of their ports.
#[derive(Default)]
pub(super) struct Sessions {
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    by_port: BTreeMap<u32, Arc<Process>>,
    closed: bool,
}

impl Sessions {
    /// Adds a session; false if the card is stopping.
    pub(super) fn insert(&self, process: Arc<Process>) -> bool {
        let mut table = self.table.write();
        if !table.closed {
            for port in process.session.ports {
                table.by_port.insert(port, process.clone());
            }
        }
        !table.closed
    }

    /// Takes out the session whose first port is `id`.
    pub(super) fn remove(&self, id: u32) -> Option<Arc<Process>> {
        let mut table = self.table.write();
        let process = table
            .by_port
            .get(&id)
            .filter(|p| p.session.id == id)?
            .clone();
        table.by_port.retain(|_, p| p.session.id != id);
        Some(process)
    }

    /// Takes out all sessions that have one of `ports`.
    pub(super) fn remove_any(&self, ports: &[u32]) -> Vec<Arc<Process>> {
        let ids: Vec<u32> = {
            let table = self.table.read();
            ports
                .iter()
                .filter_map(|p| table.by_port.get(p))
                .map(|p| p.session.id)
                .collect()
        };
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Takes out all, for good.
    pub(super) fn close(&self) -> Vec<Arc<Process>> {
        let mut table = self.table.write();
        table.closed = true;
        let all = std::mem::take(&mut table.by_port);
        all.into_iter()
            .filter(|(port, p)| *port == p.session.id)
            .map(|(_, p)| p)
            .collect()
    }

    /// The session that has the port, or whose worker has it.
    pub(super) fn get(&self, port: u32) -> Option<Arc<Process>> {
        let own = self.table.read().by_port.get(&port).cloned();
        own.or_else(|| self.all().into_iter().find(|p| p.lends(port)))
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Process>> {
        let table = self.table.read();
        let first = table
            .by_port
            .iter()
            .filter(|(port, p)| **port == p.session.id);
        first.map(|(_, p)| p.clone()).collect()
    }
}
