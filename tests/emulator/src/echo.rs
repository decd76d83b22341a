// SPDX-License-Identifier: MIT OR Apache-2.0

//! The smallest service a card can have ([pcie 12], item 7): port groups on port 11, and an echo on
//! all user ports.  It stands in for the real one where only the hardware is tested.

use std::collections::BTreeSet;
use std::sync::mpsc::{self, Sender};
use std::sync::Arc;
use std::thread::JoinHandle;

use ax650_emu_api::{Daemon, Link};
use log::warn;
use parking_lot::Mutex;
use serde_json::{json, Value};

const NOTIFY: u32 = 11;
const FIRST_USER: u32 = 21;
const PACKET: usize = 40;
const CREATE: u32 = 1;
const DESTROY: u32 = 2;
const CREATED: u32 = 3;

/// Port and payload.
type Message = (u32, Vec<u8>);

struct Work {
    link: Arc<dyn Link>,
    groups: Mutex<BTreeSet<[u32; 4]>>,
}

/// The echo service.
pub struct Echo {
    work: Arc<Work>,
    queue: Mutex<Option<Sender<Message>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Echo {
    /// Starts the service.
    pub fn start(link: Arc<dyn Link>) -> Arc<dyn Daemon> {
        let work = Arc::new(Work {
            link,
            groups: Mutex::default(),
        });
        let (queue, messages) = mpsc::channel::<Message>();
        let worker = work.clone();
        let thread = std::thread::spawn(move || {
            for (port, payload) in messages {
                worker.message(port, payload);
            }
        });
        Arc::new(Self {
            work,
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
        })
    }
}

impl Work {
    fn message(&self, port: u32, payload: Vec<u8>) {
        let reply = match port {
            NOTIFY => self.control(payload),
            FIRST_USER.. => Some(payload),
            _ => None,
        };
        let Some(reply) = reply else { return };
        if let Err(e) = self.link.send(port, &reply) {
            warn!("echo on port {port}: {e}");
        }
    }

    fn control(&self, mut packet: Vec<u8>) -> Option<Vec<u8>> {
        if packet.len() != PACKET {
            warn!("control packet of {} bytes", packet.len());
            return None;
        }
        let word = |i: usize| {
            u32::from_le_bytes([
                packet[4 * i],
                packet[4 * i + 1],
                packet[4 * i + 2],
                packet[4 * i + 3],
            ])
        };
        let ports = [word(4), word(5), word(6), word(7)];
        match word(0) {
            CREATE => {
                self.groups.lock().insert(ports);
                packet[..4].copy_from_slice(&CREATED.to_le_bytes());
                Some(packet)
            }
            DESTROY => {
                // Found by its first port: unused places of the packet may hold anything.
                self.groups.lock().retain(|group| group[0] != ports[0]);
                None
            }
            _ => None,
        }
    }
}

impl Daemon for Echo {
    fn message(&self, port: u32, payload: Vec<u8>) {
        if let Some(queue) = &*self.queue.lock() {
            // Fails only after `stop`.
            let _ = queue.send((port, payload));
        }
    }

    fn stop(&self) {
        drop(self.queue.lock().take());
        if let Some(thread) = self.thread.lock().take() {
            if thread.join().is_err() {
                warn!("the echo service has panicked");
            }
        }
    }

    fn report(&self) -> Value {
        json!({ "service": "echo", "groups": self.work.groups.lock().iter().collect::<Vec<_>>() })
    }
}
