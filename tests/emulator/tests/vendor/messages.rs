// SPDX-License-Identifier: MIT OR Apache-2.0

//! Rings, doorbells and the control packet [pcie 4], [pcie 5].

use std::time::Duration;

use super::{Vendor, FAILED, TIMEOUT};

/// One ring as [pcie 4.3] lays it out.
#[derive(Debug, Clone, Copy)]
pub struct Ring {
    pub start: u64,
    pub size: u64,
}

/// A port group: what the packet had in its four places.
pub type Ports = [u32; 4];

impl Vendor {
    /// Host to card.
    pub fn h2c(&self) -> Ring {
        Ring {
            start: 0x80,
            size: self.n / 2 - 0x140,
        }
    }

    /// Card to host.
    pub fn c2h(&self) -> Ring {
        Ring {
            start: self.n / 2 + 0x80,
            size: self.n / 2 - 0x1c0,
        }
    }

    pub fn pointers(&self, ring: Ring) -> (u64, u64) {
        let memory = &self.host.memory;
        (
            memory.get64(self.region, ring.start - 0x40),
            memory.get64(self.region, ring.start - 0x20),
        )
    }

    /// Doorbells rung and handled.
    pub fn doorbells(&self) -> (u64, u64) {
        let memory = &self.host.memory;
        (
            memory.get64(self.region, 0x20),
            memory.get64(self.region, 0x28),
        )
    }

    pub fn open(&mut self, port: u32) {
        self.queues.entry(port).or_default();
    }

    /// Sends as the driver does: a doorbell that fails is no failure.
    pub fn send(&mut self, port: u32, payload: &[u8]) -> i32 {
        let mut result = FAILED;
        for _ in 0..10 {
            result = self.publish(port, payload);
            if result > 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        if result < 0 {
            return result;
        }
        for _ in 0..10 {
            if self.ring() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        result
    }

    fn publish(&mut self, port: u32, payload: &[u8]) -> i32 {
        if payload.len() >= 0x6_0000 {
            return FAILED;
        }
        let ring = self.h2c();
        let (rp, wp) = self.pointers(ring);
        let length = payload.len() as u64;
        let used = length + 24;
        let total = used + 64 - used % 32;
        if wp - rp >= ring.size {
            return FAILED;
        }
        if total > ring.size - (wp - rp) {
            return TIMEOUT;
        }
        let offset = wp % ring.size;
        let tail = ring.size - offset;
        let header = [self.bus, 0, port, 0, length as u32, 0xa65];
        let (at, first, moves) = match tail {
            24.. => (offset, used.min(tail) - 24, total),
            _ => (0, length, total + tail),
        };
        let memory = &self.host.memory;
        let (head, rest) = payload.split_at(first as usize);
        memory.write(self.region, ring.start + at + 24, head);
        memory.write(self.region, ring.start, rest);
        for (i, word) in header.into_iter().enumerate() {
            memory.set(self.region, ring.start + at + 4 * i as u64, word);
        }
        memory.set64(self.region, ring.start - 0x20, wp + moves);
        length as i32
    }

    /// The doorbell of [pcie 4.8] with its flow control, one try.
    fn ring(&mut self) -> bool {
        let (rung, handled) = self.doorbells();
        if rung.wrapping_sub(handled) as u32 > 8 {
            return false;
        }
        let Some(slot) = (0..10)
            .map(|_| self.host.read(1, 0xc358))
            .find(|&slot| slot != u32::MAX)
        else {
            return false;
        };
        let slot = u64::from(slot);
        self.host.write(1, 0xc000 + 4 * slot, 1);
        self.host.write(1, 0xc000 + 4 * slot, 1);
        self.host.write(1, 0xc100 + 4 * slot, 0x0500_0008);
        self.host.memory.set64(self.region, 0x20, rung + 1);
        true
    }

    /// The receive thread, which only an interrupt wakes.
    pub fn interrupt(&mut self) -> bool {
        let woken = self.host.interrupts() > 0;
        if woken {
            self.drain();
        }
        woken
    }

    /// Empties the c2h ring, believing all that is in it.
    fn drain(&mut self) {
        let ring = self.c2h();
        loop {
            let (rp, wp) = self.pointers(ring);
            if rp > wp {
                self.runaway = true;
                return;
            }
            if rp == wp {
                return;
            }
            let offset = rp % ring.size;
            let tail = ring.size - offset;
            let at = if tail < 24 { 0 } else { offset };
            let memory = &self.host.memory;
            let word = |i: u64| memory.get(self.region, ring.start + at + 4 * i);
            let (sender, port, check) = (word(1), word(2), word(5));
            // A wrong check word: goes on by a length that it does not know, by luck 0.
            let length = if check == 0xa65 {
                u64::from(word(4))
            } else {
                0
            };
            let mut moves = (length + 24) / 32 * 32 + 64;
            if tail < 24 {
                moves += tail;
            }
            if check == 0xa65 {
                let length = if length + 24 > wp - rp {
                    wp - rp
                } else {
                    length
                };
                let room = ring.size - at - 24;
                let mut payload = memory.read(self.region, ring.start + at + 24, length.min(room));
                payload.extend(memory.read(self.region, ring.start, length - length.min(room)));
                match self.queues.get_mut(&port) {
                    _ if sender != self.bus => self.unknown_sender += 1,
                    Some(queue) => queue.push_back(payload),
                    None => {}
                }
            }
            memory.set64(self.region, ring.start - 0x40, rp + moves);
        }
    }

    /// The next message on `port` within the limit.
    pub fn receive(&mut self, port: u32) -> Option<Vec<u8>> {
        self.poll(Duration::from_millis(1), |v| {
            v.interrupt();
            v.queues.get_mut(&port)?.pop_front()
        })
    }

    /// Sends on a port and compares the echo.
    pub fn echo(&mut self, port: u32, payload: &[u8]) {
        self.open(port);
        assert_eq!(self.send(port, payload), payload.len() as i32);
        let answer = self.receive(port);
        assert!(
            answer.as_deref() == Some(payload),
            "echo of {} bytes",
            payload.len()
        );
    }

    /// The create ioctl: lowest free ports, any message is the reply.
    pub fn create(&mut self, pid: u32) -> Result<(u32, u32, Ports), i32> {
        let free: Vec<u32> = (21..128)
            .filter(|port| !self.used_ports.contains(port))
            .take(4)
            .collect();
        self.used_ports.extend(&free);
        let mut ports = [0; 4];
        ports[..free.len()].copy_from_slice(&free);
        let packet = packet(1, self.bus, pid, free.len() as u32, ports, 0x40_0000, 4);
        if self.send(11, &packet) < 0 {
            return Err(FAILED);
        }
        // On a time-out the ports stay used.
        let reply = self.receive(11).ok_or(FAILED)?;
        let command = u32::from_le_bytes(reply[..4].try_into().unwrap());
        if command == 5 {
            self.used_ports.retain(|port| !free.contains(port));
            return Err(FAILED);
        }
        for port in free.iter() {
            self.open(*port);
        }
        Ok((command, free.len() as u32, ports))
    }

    /// What the driver sends when a process ends without having said so: pid, DMA size, log level
    /// and unused places are whatever was on the stack.
    pub fn exit(&mut self, count: u32, mut ports: Ports) {
        for place in ports.iter_mut().skip(count as usize) {
            *place = 0x16;
        }
        let packet = packet(2, self.bus, 0xdead_beef, count, ports, 0xffff_fff3, 0x7fff);
        assert_eq!(self.send(11, &packet), 40);
        for port in &ports[..count as usize] {
            self.used_ports.remove(port);
            self.queues.remove(port);
        }
    }
}

fn packet(
    command: u32,
    device: u32,
    pid: u32,
    count: u32,
    ports: Ports,
    dma: u32,
    log: u32,
) -> Vec<u8> {
    let [a, b, c, d] = ports;
    [command, device, pid, count, a, b, c, d, dma, log]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect()
}
