// SPDX-License-Identifier: MIT OR Apache-2.0

//! The reset image of configuration space [pcie 1.4] with its write masks.

use super::config::{Bar4, Subsystem};

pub(super) const CONFIG_SIZE: usize = 4096;

pub(super) const COMMAND: usize = 0x04;
pub(super) const BAR0: usize = 0x10;
pub(super) const BAR1: usize = 0x14;
pub(super) const BAR4: usize = 0x20;
pub(super) const BAR5: usize = 0x24;
pub(super) const PM: usize = 0x40;
pub(super) const MSI: usize = 0x50;
pub(super) const EXPRESS: usize = 0x70;
pub(super) const REBAR: usize = 0x278;

const AER: usize = 0x100;
const LTR: usize = 0x148;
const L1SS: usize = 0x150;
const VSEC_RAS: usize = 0x160;
const VSEC_6: usize = 0x260;
const VF_REBAR: usize = 0x2b8;

/// Reset values, bits that software can set and clear, bits that it clears by writing 1.
pub(super) struct Image {
    pub bytes: [u8; CONFIG_SIZE],
    pub writable: [u8; CONFIG_SIZE],
    pub clearable: [u8; CONFIG_SIZE],
}

fn put(to: &mut [u8; CONFIG_SIZE], at: usize, bytes: &[u8]) {
    to[at..at + bytes.len()].copy_from_slice(bytes);
}

impl Image {
    fn u16(&mut self, at: usize, value: u16, writable: u16) {
        put(&mut self.bytes, at, &value.to_le_bytes());
        put(&mut self.writable, at, &writable.to_le_bytes());
    }

    fn u32(&mut self, at: usize, value: u32, writable: u32) {
        put(&mut self.bytes, at, &value.to_le_bytes());
        put(&mut self.writable, at, &writable.to_le_bytes());
    }

    fn clear_on_1(&mut self, at: usize, mask: u32) {
        put(&mut self.clearable, at, &mask.to_le_bytes());
    }

    fn extended(&mut self, at: usize, id: u32, version: u32, next: usize) {
        self.u32(at, id | (version << 16) | ((next as u32) << 20), 0);
    }

    /// The function after reset; BAR sizes are handled apart, as they can change.
    pub fn new(subsystem: Subsystem, bar4: Bar4) -> Box<Self> {
        let mut image = Box::new(Self {
            bytes: [0; CONFIG_SIZE],
            writable: [0; CONFIG_SIZE],
            clearable: [0; CONFIG_SIZE],
        });
        image.header(subsystem);
        image.standard();
        image.extended_capabilities(bar4);
        image
    }

    fn header(&mut self, subsystem: Subsystem) {
        self.u16(0x00, 0x1f4b, 0);
        self.u16(0x02, 0x0650, 0);
        // I/O space does not exist; memory, master, parity, SERR, INTx disable.
        self.u16(COMMAND, 0, 0x0546);
        self.u16(0x06, 0x0010, 0);
        self.clear_on_1(COMMAND, 0xf900_0000);
        self.u32(0x08, 0x0400_0001, 0);
        self.u32(0x0c, 0, 0x0000_00ff); // cache line size
        self.u32(BAR0, 0x8, 0);
        self.u32(BAR1, 0x8, 0);
        self.u32(BAR4, 0xc, 0);
        self.u16(0x2c, subsystem.vendor, 0);
        self.u16(0x2e, subsystem.device, 0);
        self.u32(0x34, PM as u32, 0);
        self.u32(0x3c, 0x0000_0100, 0x0000_00ff); // INTA, line
    }

    fn standard(&mut self) {
        self.u32(PM, 0x5bd3_0001 | ((MSI as u32) << 8), 0);
        self.u32(PM + 4, 0x0000_0008, 0x0000_0103); // power state, PME enable
        self.clear_on_1(PM + 4, 0x0000_8000);

        // 64-bit, per-vector masking, extended data capable, 4 messages capable.
        self.u32(MSI, 0x0384_0005 | ((EXPRESS as u32) << 8), 0x0471_0000);
        self.u32(MSI + 4, 0, 0xffff_fffc);
        self.u32(MSI + 8, 0, 0xffff_ffff);
        self.u32(MSI + 12, 0, 0xffff_ffff);
        self.u32(MSI + 16, 0, 0x0000_000f);

        self.u32(EXPRESS, 0x0002_0010, 0);
        self.u32(EXPRESS + 0x04, 0x0000_8fc0, 0);
        self.u32(EXPRESS + 0x08, 0x0000_2010, 0x0000_7eff);
        self.clear_on_1(EXPRESS + 0x08, 0x000f_0000);
        self.u32(EXPRESS + 0x0c, 0x0040_c022, 0);
        self.u32(EXPRESS + 0x10, 0x1012_0000, 0x0000_00c8);
        self.u32(EXPRESS + 0x24, 0x0000_0810, 0);
        self.u32(EXPRESS + 0x28, 0, 0x0000_0410); // completion timeout disable, LTR enable
        self.u32(EXPRESS + 0x2c, 0x0000_0006, 0);
        self.u32(EXPRESS + 0x30, 0x0000_0002, 0x0000_000f);
    }

    fn extended_capabilities(&mut self, bar4: Bar4) {
        self.extended(AER, 0x0001, 2, LTR);
        self.clear_on_1(AER + 0x04, 0x007f_f030); // uncorrectable status
        self.u32(AER + 0x08, 0x0040_0000, 0x007f_f030);
        self.u32(AER + 0x0c, 0x0046_2030, 0x007f_f030);
        self.clear_on_1(AER + 0x10, 0x0000_f1c1); // correctable status
        self.u32(AER + 0x14, 0x0000_e000, 0x0000_f1c1);
        self.u32(AER + 0x18, 0x0000_00a0, 0x0000_0140);

        self.extended(LTR, 0x0018, 1, L1SS);
        self.u32(LTR + 4, 0, 0x1fff_1fff);

        self.extended(L1SS, 0x001e, 1, VSEC_RAS);
        self.u32(L1SS + 4, 0x0028_0a1f, 0);
        self.u32(L1SS + 8, 0, 0xe3ff_ff0f);
        self.u32(L1SS + 12, 0x0000_0028, 0x0000_00fb);

        self.extended(VSEC_RAS, 0x000b, 1, VSEC_6);
        self.u32(VSEC_RAS + 4, 0x0002 | (4 << 16) | (0x100 << 20), 0);
        self.extended(VSEC_6, 0x000b, 1, REBAR);
        self.u32(VSEC_6 + 4, 0x0006 | (0x018 << 20), 0);

        // Two entries, BAR4 and BAR5.  Sizes: bit 4 is 1 MiB, bit 8 is 16 MiB.
        let sizes = match bar4 {
            Bar4::Small => 1 << 4,
            Bar4::Large => (1 << 4) | (1 << 8),
        };
        self.extended(REBAR, 0x0015, 1, VF_REBAR);
        self.u32(REBAR + 0x04, sizes, 0);
        self.u32(
            REBAR + 0x08,
            4 | (2 << 5) | (bar4.log2_mib() << 8),
            0x0000_3f00,
        );
        self.u32(REBAR + 0x0c, 1 << 4, 0);
        self.u32(REBAR + 0x10, 5, 0x0000_3f00);

        self.extended(VF_REBAR, 0x0024, 1, 0);
        self.u32(VF_REBAR + 4, 0x0000_00f0, 0);
        self.u32(VF_REBAR + 8, 4 | (1 << 5) | (3 << 8), 0x0000_3f00);
    }
}
