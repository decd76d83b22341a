// SPDX-License-Identifier: MIT OR Apache-2.0

//! Entry points for fuzzers: each takes any bytes and panics if a promise is broken. The property
//! tests feed them too.

use crate::wire::{
    container::Container,
    control::Packet,
    frame,
    header::Header,
    pb, policy, proctext, ring, rpc,
    transfer::{self, Transfer},
};
use md5::{Digest, Md5};

/// An entry point.
pub type Target = fn(&[u8]);

/// Name and function of every entry point.
pub const TARGETS: [(&str, Target); 8] = [
    ("container", container),
    ("header", header),
    ("ring", ring_pointers),
    ("control", control),
    ("transfer", transfer_message),
    ("policy", policy_frame),
    ("answer", answer),
    ("proctext", property),
];

/// MD5 as the kernel's container check wants it.
pub fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

/// An accepted container has its images inside, apart, and in order.
pub fn container(bytes: &[u8]) {
    let container = match Container::parse(bytes) {
        Ok(container) => container,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(container.records().count(), container.record_count as usize);
    for record in container.records() {
        assert!(!record.image.is_empty());
        let end = record.offset + record.image.len() as u64;
        assert!(end <= bytes.len() as u64);
        assert!(record
            .destination
            .checked_add(record.image.len() as u64)
            .is_some());
        for text in [record.id, record.kind, record.name] {
            assert!(text.to_string().chars().all(|c| (' '..='~').contains(&c)));
        }
    }
    assert!(container.image_bytes() < bytes.len() as u64);
    if let Err(error) = container.verify(md5) {
        assert!(!error.to_string().is_empty());
    }
}

/// An accepted header describes a message that was written; a refused one is skipped within it.
pub fn header(bytes: &[u8]) {
    let Some((raw, rest)) = bytes.split_first_chunk::<24>() else {
        return;
    };
    let available = rest
        .first_chunk()
        .map_or(4096, |word| u32::from_le_bytes(*word));
    match Header::parse(raw, available) {
        Ok(header) => {
            assert!(header.port < 128);
            assert!(header.length > 0 && header.length < 0x60000);
            assert!(ring::padded(header.length) <= available);
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(Header::skip(raw, available) <= available);
        }
    }
}

/// Any two pointers give a sane distance or an error.
pub fn ring_pointers(bytes: &[u8]) {
    let Some((rp, rest)) = bytes.split_first_chunk::<8>() else {
        return;
    };
    let Some(wp) = rest.first_chunk::<8>() else {
        return;
    };
    let size = 0x1F_FE40;
    match ring::pending(u64::from_le_bytes(*rp), u64::from_le_bytes(*wp), size) {
        Ok(pending) => assert!(pending <= size && pending % 32 == 0),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Only 40 bytes are a packet, and they are read as they were written.
pub fn control(bytes: &[u8]) {
    match Packet::parse(bytes) {
        Some(packet) => {
            assert_eq!(packet.encode(), bytes);
            assert!(packet
                .ports()
                .is_none_or(|p| p.len() <= 4 && p.iter().all(|&p| p < 128)));
        }
        None => assert_ne!(bytes.len(), 40),
    }
}

/// An accepted list is a list; encoding it gives the same bytes.
pub fn transfer_message(bytes: &[u8]) {
    match Transfer::parse(bytes) {
        Ok(Transfer::List(list)) => {
            let entries: Vec<_> = list.entries().collect();
            assert!((1..=64).contains(&entries.len()));
            assert!(entries
                .iter()
                .all(|&(address, length)| address != 0 && length != 0));
            let mut out = [0; transfer::MAX_LIST];
            let length = transfer::encode_list(list.kind, &entries, &mut out).expect("valid");
            assert_eq!(&out[..length], bytes);
        }
        Ok(message) => {
            let encoded = message.encode().expect("not a list");
            assert_eq!(Transfer::parse(&encoded), Ok(message));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// What an unprivileged client may send is of an allowed type, and a privileged one may send it too.
pub fn policy_frame(bytes: &[u8]) {
    match policy::check(bytes, false) {
        Ok(verdict) => {
            assert_eq!(policy::check(bytes, true), Ok(verdict));
            let kind = verdict.header.kind;
            assert!(kind != frame::MEMORY_WRITE && kind != frame::MEMORY_READ);
            assert!(kind >> 24 == 0);
            assert!(!matches!(kind & 0xFFFF, 0x0300 | 0x0400));
        }
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
}

/// Answers of any content are read or refused.
pub fn answer(bytes: &[u8]) {
    if let Err(error) = rpc::control_answer(bytes) {
        assert!(!error.to_string().is_empty());
    }
    if let Ok(data) = rpc::latency_answer(bytes) {
        assert!(data.len() < bytes.len());
    }
    let mut reader = pb::Reader::new(bytes);
    while let Ok(Some((number, _))) = reader.field() {
        assert_ne!(number, 0);
    }
}

/// Properties of any content are in range.
pub fn property(bytes: &[u8]) {
    proctext::chip_name(bytes);
    proctext::version(bytes);
    proctext::uid(bytes);
    for memory in [proctext::meminfo(bytes), proctext::cmm(bytes)] {
        assert!(memory.is_none_or(|memory| memory.part <= memory.total));
    }
    assert!(proctext::temperature(bytes).is_none_or(|t| t.abs() <= 300_000));
    for load in [proctext::cpu_load(bytes), proctext::npu_load(bytes)] {
        assert!(load.is_none_or(|load| load <= 10_000));
    }
}
