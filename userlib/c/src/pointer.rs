// SPDX-License-Identifier: MIT OR Apache-2.0

//! What callers give: pointers.

use std::ffi::{c_char, CStr};

use crate::result::Failure;

/// Returns the object behind a pointer.
///
/// # Safety
///
/// It is null, or is an object of this library that has not been ended, for the time of the call.
pub(crate) unsafe fn object<'a, T>(pointer: *const T) -> Result<&'a T, Failure> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or(Failure::Argument("an object is NULL"))
}

/// Returns where a result goes.
///
/// # Safety
///
/// It is null, or may be written to for the time of the call.
pub(crate) unsafe fn place<'a, T>(pointer: *mut T) -> Result<&'a mut T, Failure> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_mut() }.ok_or(Failure::Argument("a place for a result is NULL"))
}

/// Returns a string.
///
/// # Safety
///
/// It is null, or ends with a zero and stays as it is for the time of the call.
pub(crate) unsafe fn text<'a>(pointer: *const c_char) -> Result<&'a str, Failure> {
    if pointer.is_null() {
        return Err(Failure::Argument("a string is NULL"));
    }
    // SAFETY: it is not null; the rest is the caller's promise.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str()
        .map_err(|_| Failure::Argument("a string is not UTF-8"))
}

/// Returns `len` bytes; null is fine for none.
///
/// # Safety
///
/// It is null, or has `len` bytes that stay as they are for the time of the call.
pub(crate) unsafe fn bytes<'a>(pointer: *const u8, len: usize) -> Result<&'a [u8], Failure> {
    match (pointer.is_null(), len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(Failure::Argument("the bytes are NULL")),
        (_, len) if isize::try_from(len).is_err() => Err(Failure::Argument("too many bytes")),
        // SAFETY: it is not null, there are not too many; the rest is the caller's promise.
        (false, len) => Ok(unsafe { std::slice::from_raw_parts(pointer, len) }),
    }
}

/// Makes an object the caller's.
pub(crate) fn give<T>(object: T) -> *mut T {
    Box::into_raw(Box::new(object))
}

/// Takes an object back that was the caller's.
///
/// # Safety
///
/// It is null, or came from [`give`] and was not taken back.
pub(crate) unsafe fn take<T>(pointer: *mut T) -> Option<T> {
    // SAFETY: the caller's promise.
    (!pointer.is_null()).then(|| *unsafe { Box::from_raw(pointer) })
}

/// Ends an object that was the caller's.
///
/// # Safety
///
/// As [`take`].
pub(crate) unsafe fn end<T>(pointer: *mut T) {
    // SAFETY: the caller's promise.
    let object = unsafe { take(pointer) };
    // A panic must not unwind into C.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(object)));
}
