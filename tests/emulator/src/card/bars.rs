// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the host does to the registers behind the BARs.

use super::Card;
use crate::parts::MailboxFault;

impl Card {
    /// A write to BAR0; returns the register's name.
    pub(crate) fn bar0_write(&self, offset: u64, data: &[u8]) -> &'static str {
        if self.switches.take("bar0.lost_write") {
            return "lost";
        }
        let register = self.bar0.write(offset, data);
        if register == "behind_boot_block" {
            self.refuse(
                "behind_boot_block",
                format_args!("write to BAR0 at {offset:#x}: boot code"),
            );
        }
        self.event.notify();
        register
    }

    /// A read of BAR1; returns the register's name.
    pub(crate) fn bar1_read(&self, offset: u64, data: &mut [u8]) -> &'static str {
        let fault = if self.switches.flag("mailbox.empty") {
            Some(MailboxFault::Empty)
        } else {
            let slot = self.switches.number("mailbox.bad_slot");
            slot.map(|slot| MailboxFault::BadSlot(slot as u32))
        };
        if data.len() != 4 || offset % 4 != 0 {
            self.refuse(
                "bar1_width",
                format_args!("{}-byte read of BAR1 at {offset:#x}", data.len()),
            );
            data.fill(0);
            return "other";
        }
        let (value, register) = self.mailbox.read(offset, fault);
        data.copy_from_slice(&value.to_le_bytes());
        register
    }

    /// A write to BAR1; returns the register's name.
    pub(crate) fn bar1_write(&self, offset: u64, data: &[u8]) -> &'static str {
        let Ok(word) = <[u8; 4]>::try_from(data) else {
            self.refuse(
                "bar1_width",
                format_args!("{}-byte write to BAR1 at {offset:#x}", data.len()),
            );
            return "other";
        };
        match self.mailbox.write(offset, u32::from_le_bytes(word)) {
            Ok(register) => register,
            Err((register, what)) => {
                self.refuse("mailbox", format_args!("{what}"));
                register
            }
        }
    }

    /// Name of a register of BAR4 [pcie 1.3].
    pub(crate) fn bar4_register(&self, offset: u64) -> &'static str {
        let reset = match self.config.lock().bar4_size() {
            0x10_0000 => 0x50,
            _ => 0x20_0050,
        };
        if offset == reset {
            "reset"
        } else {
            "other"
        }
    }

    /// A write to BAR4.
    pub(crate) fn bar4_write(&self, offset: u64, data: &[u8]) {
        if self.bar4_register(offset) == "reset" && data == 1u32.to_le_bytes() {
            self.chip_reset();
        } else {
            self.refuse(
                "bar4",
                format_args!("write {data:02x?} to BAR4 at {offset:#x}"),
            );
        }
    }
}
