// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the elements have in common that make one buffer of another.

use gst::prelude::*;
use gst_base::subclass::base_transform::{InputBuffer, PrepareOutputBufferSuccess};

use crate::card::{message, Seat};

/// Makes a buffer for what becomes of `input`: with its times, and nothing in it.
pub fn empty_like(input: InputBuffer<'_>) -> Result<PrepareOutputBufferSuccess, gst::FlowError> {
    let input: &gst::BufferRef = match &input {
        InputBuffer::Readable(input) => input,
        InputBuffer::Writable(input) => input,
    };
    let mut output = gst::Buffer::new();
    input
        .copy_into(output.make_mut(), gst::BufferCopyFlags::TIMESTAMPS, ..)
        .map_err(|_| gst::FlowError::Error)?;
    Ok(PrepareOutputBufferSuccess::Buffer(output))
}

/// Leaves of `caps` what goes through `filter`, in the filter's order.
pub fn filtered(caps: gst::Caps, filter: Option<&gst::Caps>) -> gst::Caps {
    match filter {
        Some(filter) => filter.intersect_with_mode(&caps, gst::CapsIntersectMode::First),
        None => caps,
    }
}

/// Notes an error and tells the application, and returns what a chain function ends with then.
pub fn failed(
    element: &impl IsA<gst::Element>,
    seat: Option<&Seat>,
    error: &ax650::Error,
) -> gst::FlowError {
    if let Some(seat) = seat {
        seat.note(error);
    }
    element.post_error_message(message(error));
    gst::FlowError::Error
}
