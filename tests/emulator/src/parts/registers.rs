// SPDX-License-Identifier: MIT OR Apache-2.0

//! BAR0: the boot register block, later 8 MiB of card memory [pcie 1.2], [pcie 3.2].

use parking_lot::Mutex;

use crate::function::BAR0_SIZE;

/// Bytes of the register block.
const BLOCK: usize = 0x2c;

const COMMAND: usize = 0x04;
const STATUS: usize = 0x08;
const SOURCE: usize = 0x0c;
const DESTINATION: usize = 0x14;
const SIZE: usize = 0x1c;
const BOOT_REASON: usize = 0x24;
const FINISH: usize = 0x28;

/// What a host has posted [pcie 3.4].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Command {
    pub bits: u32,
    pub source: u64,
    pub destination: u64,
    pub size: u32,
}

enum Backing {
    Boot([u8; BLOCK]),
    Memory(Vec<u8>),
}

/// What the host reaches through BAR0.
pub struct Bar0(Mutex<Backing>);

impl Default for Bar0 {
    fn default() -> Self {
        Self(Mutex::new(Backing::Boot([0; BLOCK])))
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn name(offset: usize, boot: bool) -> &'static str {
    match (boot, offset & !3) {
        (true, 0x00) => "magic",
        (true, COMMAND) => "command",
        (true, STATUS) => "status",
        (true, SOURCE | 0x10) => "source",
        (true, DESTINATION | 0x18) => "destination",
        (true, SIZE) => "size",
        (true, 0x20) => "checksum",
        (true, BOOT_REASON) => "boot_reason",
        (true, FINISH) => "finish",
        (true, _) => "behind_boot_block",
        (false, 0x00) => "step0_flag",
        (false, 0x04) => "step0_acknowledge",
        (false, 0x10 | 0x14) => "step0_base",
        (false, 0x18 | 0x1c) => "step0_size",
        (false, _) => "memory",
    }
}

impl Bar0 {
    /// A read by the host, of any width; returns the register's name.
    pub fn read(&self, offset: u64, data: &mut [u8]) -> &'static str {
        let backing = self.0.lock();
        let (bytes, boot) = match &*backing {
            Backing::Boot(block) => (&block[..], true),
            Backing::Memory(memory) => (&memory[..], false),
        };
        let at = offset as usize;
        for (i, byte) in data.iter_mut().enumerate() {
            *byte = bytes.get(at + i).copied().unwrap_or(0);
        }
        name(at, boot)
    }

    /// A write by the host, of any width; returns the register's name.  What lies behind the
    /// register block is the loader's own memory: such a write is not carried out.
    pub fn write(&self, offset: u64, data: &[u8]) -> &'static str {
        let mut backing = self.0.lock();
        let (bytes, boot) = match &mut *backing {
            Backing::Boot(block) => (&mut block[..], true),
            Backing::Memory(memory) => (&mut memory[..], false),
        };
        let at = offset as usize;
        for (i, &byte) in data.iter().enumerate() {
            if let Some(place) = bytes.get_mut(at + i) {
                *place = byte;
            }
        }
        name(at, boot)
    }

    /// The chip is reset: an empty register block, but for the boot reason.
    pub fn reset(&self, boot_reason: u32) {
        *self.0.lock() = Backing::Boot([0; BLOCK]);
        self.set_boot_reason(boot_reason);
    }

    /// Linux points the BAR to zeroed memory; what the host wrote before is lost.
    pub fn swap(&self) {
        *self.0.lock() = Backing::Memory(vec![0; BAR0_SIZE as usize]);
    }

    /// One word, whatever lies behind the BAR now.
    pub fn word(&self, at: usize) -> u32 {
        match &*self.0.lock() {
            Backing::Boot(block) => word(block, at),
            Backing::Memory(memory) => word(memory, at),
        }
    }

    /// Two words at once.
    pub fn double_word(&self, at: usize) -> u64 {
        let backing = self.0.lock();
        let bytes = match &*backing {
            Backing::Boot(block) => &block[..],
            Backing::Memory(memory) => &memory[..],
        };
        u64::from(word(bytes, at)) | (u64::from(word(bytes, at + 4)) << 32)
    }

    /// Sets one word from the card's side.
    pub fn set_word(&self, at: usize, value: u32) {
        let mut backing = self.0.lock();
        let bytes = match &mut *backing {
            Backing::Boot(block) => &mut block[..],
            Backing::Memory(memory) => &mut memory[..],
        };
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// Acknowledges step 0 with `value` and gives base and size as they are at that moment.
    pub fn acknowledge(&self, value: u32) -> (u64, u64) {
        let mut backing = self.0.lock();
        let bytes = match &mut *backing {
            Backing::Boot(block) => &mut block[..],
            Backing::Memory(memory) => &mut memory[..],
        };
        bytes[4..8].copy_from_slice(&value.to_le_bytes());
        let double = |at| u64::from(word(bytes, at)) | (u64::from(word(bytes, at + 4)) << 32);
        (double(0x10), double(0x18))
    }

    /// Sets the boot reason [pcie 3.7].
    pub fn set_boot_reason(&self, reason: u32) {
        self.set_word(BOOT_REASON, reason);
    }

    /// A command has been posted and not been picked up.
    pub(crate) fn has_command(&self) -> bool {
        self.word(COMMAND) != 0
    }

    /// Picks the posted command up.
    pub(crate) fn take_command(&self) -> Option<Command> {
        let mut backing = self.0.lock();
        let Backing::Boot(block) = &mut *backing else {
            return None;
        };
        let double = |at| u64::from(word(block, at)) | (u64::from(word(block, at + 4)) << 32);
        let command = Command {
            bits: word(block, COMMAND),
            source: double(SOURCE),
            destination: double(DESTINATION),
            size: word(block, SIZE),
        };
        if command.bits == 0 {
            return None;
        }
        block[COMMAND..COMMAND + 4].fill(0);
        Some(command)
    }

    /// The loader clears the status when it picks a command up; U-Boot does not.
    pub(crate) fn clear_status(&self) {
        self.set_word(STATUS, 0);
    }

    /// Sets bits of the status.
    pub(crate) fn add_status(&self, bits: u32) {
        let mut backing = self.0.lock();
        if let Backing::Boot(block) = &mut *backing {
            let status = word(block, STATUS) | bits;
            block[STATUS..STATUS + 4].copy_from_slice(&status.to_le_bytes());
        }
    }

    /// The host has set finish.
    pub(crate) fn finished(&self) -> bool {
        self.word(FINISH) & 1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accesses_of_every_width() {
        let bar = Bar0::default();
        assert_eq!(
            bar.write(0x0c, &0x1122_3344_5566_7788u64.to_le_bytes()),
            "source"
        );
        assert_eq!(bar.double_word(SOURCE), 0x1122_3344_5566_7788);
        bar.write(0x1e, &[9]);
        assert_eq!(bar.word(SIZE), 0x0009_0000);
        let mut two = [0; 2];
        bar.read(0x0e, &mut two);
        assert_eq!(two, [0x66, 0x55]);
        assert_eq!(bar.write(0x2c, &[1; 4]), "behind_boot_block");
        let mut four = [7; 4];
        assert_eq!(bar.read(0x2c, &mut four), "behind_boot_block");
        assert_eq!(four, [0; 4]);
        bar.write(BAR0_SIZE - 1, &[1; 8]);
    }

    #[test]
    fn swap_loses_earlier_writes() {
        let bar = Bar0::default();
        bar.write(0, &0x1f4bu32.to_le_bytes());
        bar.swap();
        assert_eq!(bar.word(0), 0);
        assert_eq!(bar.write(0x10, &7u64.to_le_bytes()), "step0_base");
        assert_eq!(bar.double_word(0x10), 7);
        bar.reset(1);
        assert_eq!((bar.word(0), bar.word(BOOT_REASON)), (0, 1));
    }

    #[test]
    fn a_command_is_picked_up_once() {
        let bar = Bar0::default();
        bar.write(0x1c, &5u32.to_le_bytes());
        bar.write(0x04, &8u32.to_le_bytes());
        assert!(bar.has_command());
        assert_eq!(bar.take_command().map(|c| (c.bits, c.size)), Some((8, 5)));
        assert_eq!(bar.take_command(), None);
    }
}
