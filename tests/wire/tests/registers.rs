// SPDX-License-Identifier: MIT OR Apache-2.0

//! Registers against the numbers of `docs/protocol/pcie.md`, which stand here once more.

use std::cell::RefCell;

use ax650_wire_tests::wire::{
    boot::{
        Bar0, BLOCK_SIZE, CHECKSUM, COMMAND, DESTINATION_HIGH, DESTINATION_LOW, FINISH, MAGIC,
        REASON, SIZE, SOURCE_HIGH, SOURCE_LOW, STATUS,
    },
    handshake::{
        ControlPage, ACK, FLAG, PAGE_ACK, PAGE_FLAG, PAGE_HANDLED, PAGE_NANOSECONDS, PAGE_RUNG,
        PAGE_SECONDS, REGION_BASE_HIGH, REGION_BASE_LOW, REGION_SIZE_HIGH, REGION_SIZE_LOW,
    },
    heartbeat::{ACCEPTED, DEVICE, INTERVAL, STAMP},
    mailbox::{
        Bar1, Slot, SlotRequest, INTERRUPT_CLEAR, INTERRUPT_STATUS, SLOT_DATA, SLOT_INFO,
        SLOT_REQUEST, SLOT_UNLOCK,
    },
    register::{Bar, Field, FieldType, FixedRegister, Io, Register, RegisterArray},
    reset::{Bar4, RESET, RESET_LARGE, SMALL_WINDOW},
};

/// The offset of a register of block `B`.
fn at<B, R: FixedRegister<Block = B>>() -> usize {
    R::OFFSET
}

/// The bits of a field, as its setter writes them and its getter reads them.
fn bits<R: Register<Raw = u32>, T: FieldType>(field: Field<R, T>) -> u32 {
    let all = R::zeroed().with(field, T::from_bits(u32::MAX));
    let written: u32 = all.into();
    let ones: u32 = R::from(u32::MAX).with(field, T::from_bits(0)).into();
    assert_eq!(!ones, field.mask(), "clearing touches other bits");
    assert_eq!(
        R::from(field.mask()).get(field).bits(),
        all.get(field).bits()
    );
    assert_eq!(R::from(!field.mask()).get(field).bits(), 0);
    written
}

/// [pcie 3.2]
#[test]
fn boot_registers() {
    assert_eq!(Bar0::BAR, 0);
    let offsets = [
        at::<Bar0, MAGIC>(),
        at::<Bar0, COMMAND>(),
        at::<Bar0, STATUS>(),
        at::<Bar0, SOURCE_LOW>(),
        at::<Bar0, SOURCE_HIGH>(),
        at::<Bar0, DESTINATION_LOW>(),
        at::<Bar0, DESTINATION_HIGH>(),
        at::<Bar0, SIZE>(),
        at::<Bar0, CHECKSUM>(),
        at::<Bar0, REASON>(),
        at::<Bar0, FINISH>(),
    ];
    let documented = [
        0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18, 0x1C, 0x20, 0x24, 0x28,
    ];
    assert_eq!(offsets, documented);
    assert_eq!(BLOCK_SIZE, 0x2C, "nothing is behind the last one");
    assert_eq!(bits(COMMAND::READ), 0x08);
    assert_eq!(bits(COMMAND::WRITE), 0x10);
    assert_eq!(bits(FINISH::START), 1);
}

/// [pcie 3.3], [pcie 3.7]
#[test]
fn bits_of_status_and_reason() {
    assert_eq!(bits(STATUS::READ_DONE), 0x0001);
    assert_eq!(bits(STATUS::READ_FAILED), 0x0002);
    assert_eq!(bits(STATUS::SECURE_BOOT), 0x1FFC);
    assert_eq!(bits(STATUS::WRITE_DONE), 0x2000);
    assert_eq!(bits(STATUS::WRITE_FAILED), 0x4000);
    assert_eq!(bits(REASON::SOFTWARE), 1);
    assert_eq!(bits(REASON::THERMAL), 1 << 1);
    assert_eq!(bits(REASON::WATCHDOG0), 1 << 3);
    assert_eq!(bits(REASON::WATCHDOG4), 1 << 4);
    assert!(!REASON::from(0).is_unexpected());
    assert!(!REASON::from(1).is_unexpected());
    assert!(REASON::from(0b11).is_unexpected());
}

/// [pcie 2.4]
#[test]
fn handshake_registers() {
    let offsets = [
        at::<Bar0, FLAG>(),
        at::<Bar0, ACK>(),
        at::<Bar0, REGION_BASE_LOW>(),
        at::<Bar0, REGION_BASE_HIGH>(),
        at::<Bar0, REGION_SIZE_LOW>(),
        at::<Bar0, REGION_SIZE_HIGH>(),
    ];
    assert_eq!(offsets, [0x00, 0x04, 0x10, 0x14, 0x18, 0x1C]);
}

/// [pcie 2.6], [pcie 2.7], [pcie 2.10]
#[test]
fn words_of_the_control_page() {
    let offsets = [
        at::<ControlPage, PAGE_FLAG>(),
        at::<ControlPage, PAGE_ACK>(),
        at::<ControlPage, PAGE_SECONDS>(),
        at::<ControlPage, PAGE_NANOSECONDS>(),
        at::<ControlPage, PAGE_RUNG>(),
        at::<ControlPage, PAGE_HANDLED>(),
    ];
    assert_eq!(offsets, [0x00, 0x04, 0x10, 0x18, 0x20, 0x28]);
    let heartbeat = [
        at::<ControlPage, DEVICE>(),
        at::<ControlPage, INTERVAL>(),
        at::<ControlPage, STAMP>(),
        at::<ControlPage, ACCEPTED>(),
    ];
    assert_eq!(heartbeat, [0x00, 0x04, 0x08, 0x0C]);
    assert_eq!(u64::from(PAGE_RUNG::from(1 << 40)), 1 << 40);
}

fn slot(number: u32) -> Slot {
    match SlotRequest::interpret(number.into()) {
        SlotRequest::Slot(slot) => slot,
        other => panic!("{number} is {other:?}"),
    }
}

/// [pcie 4.8]
#[test]
fn mailbox_registers() {
    assert_eq!((Bar1::BAR, Bar1::BYTES), (1, 0x1_0000));
    assert_eq!(at::<Bar1, INTERRUPT_STATUS>(), 0xC350);
    assert_eq!(at::<Bar1, INTERRUPT_CLEAR>(), 0xC354);
    assert_eq!(at::<Bar1, SLOT_REQUEST>(), 0xC358);
    assert_eq!(at::<Bar1, SLOT_UNLOCK>(), 0xC35C);
    for number in 0..64 {
        let four = 4 * number as usize;
        assert_eq!(SLOT_DATA::offset(slot(number)), 0xC000 + four);
        assert_eq!(SLOT_INFO::offset(slot(number)), 0xC100 + four);
    }
    assert_eq!(bits(SLOT_INFO::CPU), 0xF000_0000);
    assert_eq!(bits(SLOT_INFO::MASTER), 0x0F00_0000);
    assert_eq!(bits(SLOT_INFO::BYTES), 0x00FF_FFFF);
    assert_eq!(u32::from(SLOT_INFO::doorbell()), 0x0500_0008);
}

/// [pcie 1.3]
#[test]
fn reset_registers() {
    assert_eq!((Bar4::BAR, SMALL_WINDOW), (4, 0x10_0000));
    assert_eq!(at::<Bar4, RESET>(), 0x50);
    assert_eq!(at::<Bar4, RESET_LARGE>(), 0x20_0050);
    assert_eq!(bits(RESET::CHIP), 1);
    assert_eq!(bits(RESET_LARGE::CHIP), 1);
}

/// A block that notes what is done to it, and reads as the offset.
#[derive(Default)]
struct Noting(RefCell<Vec<(char, usize, u32)>>);

impl<B> Io<B> for Noting {
    type Error = ();

    fn load(&self, offset: usize) -> Result<u32, ()> {
        self.0.borrow_mut().push(('r', offset, 0));
        Ok(offset as u32)
    }

    fn store(&self, offset: usize, value: u32) -> Result<(), ()> {
        self.0.borrow_mut().push(('w', offset, value));
        Ok(())
    }
}

/// The counters of `costs/` are of accesses.
#[test]
fn each_method_makes_one_access() {
    let io = Noting::default();
    assert_eq!(REASON::read(&io), Ok(REASON::from(0x24)));
    assert_eq!(SLOT_REQUEST::read(&io), Ok(SLOT_REQUEST::from(0xC358)));
    COMMAND::zeroed()
        .with(COMMAND::READ, true)
        .write(&io)
        .unwrap();
    SLOT_INFO::doorbell().write_at(&io, slot(3)).unwrap();
    let documented = [
        ('r', 0x24, 0),
        ('r', 0xC358, 0),
        ('w', 0x04, 0x08),
        ('w', 0xC10C, 0x0500_0008),
    ];
    assert_eq!(*io.0.borrow(), documented);
}

/// Surplus bits of a value stay out of its neighbours.
#[test]
fn fields_keep_to_their_bits() {
    let info = SLOT_INFO::zeroed().with(SLOT_INFO::MASTER, 0x15);
    assert_eq!(u32::from(info), 0x0500_0000);
    assert_eq!(info.get(SLOT_INFO::MASTER), 5);
}
