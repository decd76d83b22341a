// SPDX-License-Identifier: GPL-2.0

//! The wire's errors in kernel log lines: the kernel's formatting has a trait of its own.

use crate::wire::{
    boot::FailBits,
    bytes::Text,
    container::ContainerError,
    header::HeaderError,
    ring::RingError,
    rpc::AnswerError,
    transfer::TransferError, //
};

macro_rules! display {
    ($($ty:ty),+ $(,)?) => {
        $(
            impl kernel::fmt::Display for $ty {
                fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    core::fmt::Display::fmt(self, f)
                }
            }
        )+
    };
}

display!(
    AnswerError,
    ContainerError,
    FailBits,
    HeaderError,
    RingError,
    Text<'_>,
    TransferError,
);
