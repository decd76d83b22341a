// SPDX-License-Identifier: MIT OR Apache-2.0

//! The C interface with a card in the same process: what it gives, and what bad arguments get.

use std::ffi::{CStr, CString};
use std::ptr::{null, null_mut};

use ax650::fake::model_image;
use ax650::proto::axclrpc::engine::{IoMeta, Meta, OneMeta};
use ax650_c::ax650_result::*;
use ax650_c::*;

fn last_error() -> String {
    // SAFETY: the text lives until the next error of this thread.
    let text = unsafe { CStr::from_ptr(ax650_last_error()) };
    text.to_str().expect("UTF-8").to_owned()
}

/// Makes an object with a function of the interface.
fn made<T>(make: impl FnOnce(*mut *mut T) -> ax650_result) -> *mut T {
    let mut out = null_mut();
    assert_eq!(make(&mut out), AX650_OK, "{}", last_error());
    assert!(!out.is_null());
    out
}

fn session() -> (*mut ax650_card, *mut ax650_session) {
    // SAFETY: what is given are places, and objects that were made.
    unsafe {
        let card = made(|out| ax650_card_open_fake(out));
        (card, made(|out| ax650_session_open(card, out)))
    }
}

fn model(session: *const ax650_session) -> *mut ax650_model {
    let tensor = |name: &str| Meta {
        name: name.into(),
        layout: 1,
        format: 15,
        groups: vec![OneMeta {
            size: 16,
            dims: vec![1, 4],
            stride: Vec::new(),
        }],
    };
    let image = model_image(&IoMeta {
        inputs: vec![tensor("x")],
        outputs: vec![tensor("y")],
    });
    // SAFETY: the bytes are there for the call.
    made(|out| unsafe { ax650_model_load(session, image.as_ptr(), image.len(), out) })
}

#[test]
fn a_model_runs_in_place() {
    let (card, session) = session();
    let model = model(session);
    // SAFETY: objects are used until they are ended, bytes as long as the binding is there.
    unsafe {
        assert_eq!(
            (ax650_model_inputs(model), ax650_model_outputs(model)),
            (1, 1)
        );
        assert_eq!(ax650_model_groups(model), 1);
        let mut tensor = std::mem::zeroed();
        assert_eq!(ax650_model_input(model, 0, 0, &mut tensor), AX650_OK);
        assert_eq!(CStr::from_ptr(tensor.name), c"x");
        assert_eq!(CStr::from_ptr(tensor.data_type), c"float32");
        let dims = std::slice::from_raw_parts(tensor.dims, tensor.rank);
        assert_eq!((dims, tensor.size), (&[1, 4][..], 16));
        assert_eq!(
            ax650_model_output(model, 1, 0, &mut tensor),
            AX650_ERR_INVALID
        );
        assert_eq!(
            ax650_model_output(model, 0, 1, &mut tensor),
            AX650_ERR_INVALID
        );
        let binding = made(|out| ax650_binding_new(model, 0, out));
        let (mut data, mut size) = (null_mut(), 0);
        assert_eq!(
            ax650_binding_input(binding, 0, &mut data, &mut size),
            AX650_OK
        );
        assert_eq!(size, 16);
        data.write_bytes(7, size);
        let mut times = ax650_run_times::default();
        assert_eq!(
            ax650_binding_run(binding, &mut times),
            AX650_OK,
            "{}",
            last_error()
        );
        assert!(times.total > 0);
        let (mut out, mut size) = (null(), 0);
        assert_eq!(
            ax650_binding_output(binding, 0, &mut out, &mut size),
            AX650_OK
        );
        assert_eq!(size, 16);
        // Objects keep what they were made from.
        ax650_model_free(model);
        let run = made(|out| ax650_run_start(binding, out));
        assert!(ax650_run_fd(run) >= 0);
        assert_eq!(ax650_run_wait(run, 10_000, null_mut()), AX650_OK);
        assert_eq!(ax650_run_wait(run, 0, null_mut()), AX650_ERR_INVALID);
        ax650_run_free(run);
        assert_eq!(ax650_session_close(session, 1000), AX650_ERR_BUSY);
        ax650_binding_free(binding);
        ax650_card_close(card);
    }
}

#[test]
fn bytes_go_to_the_card_and_back() {
    let (card, session) = session();
    // SAFETY: as above.
    unsafe {
        let buffer = made(|out| ax650_buffer_alloc(session, 8192, out));
        let memory = made(|out| ax650_memory_alloc(session, 4096, out));
        let (mut data, mut size) = (null_mut(), 0);
        assert_eq!(ax650_buffer_data(buffer, &mut data, &mut size), AX650_OK);
        assert_eq!(size, 8192);
        data.write_bytes(0x5A, 4096);
        assert_eq!(ax650_memory_write(memory, 0, buffer, 0, 4096), AX650_OK);
        assert_eq!(ax650_memory_read(memory, 0, buffer, 4096, 4096), AX650_OK);
        let bytes = std::slice::from_raw_parts(data, size);
        assert!(bytes[4096..].iter().all(|byte| *byte == 0x5A));
        for (from, len) in [(8192, 1), (usize::MAX, 1), (0, 4097)] {
            let result = ax650_memory_write(memory, 0, buffer, from, len);
            assert_eq!(result, AX650_ERR_INVALID, "{from} {len}");
        }
        ax650_memory_free(memory);
        ax650_buffer_free(buffer);
        ax650_session_free(session);
        ax650_card_close(card);
    }
}

#[test]
fn bad_arguments_are_told() {
    // SAFETY: null is what is tried; the rest as above.
    unsafe {
        assert_eq!(ax650_card_open_fake(null_mut()), AX650_ERR_INVALID);
        assert!(last_error().contains("NULL"), "{}", last_error());
        let mut out = null_mut();
        assert_eq!(ax650_session_open(null(), &mut out), AX650_ERR_INVALID);
        assert!(out.is_null());
        assert_eq!(
            ax650_model_load(null(), null(), 1, null_mut()),
            AX650_ERR_INVALID
        );
        assert_eq!(ax650_decoder_send(null(), null(), 0, 0), AX650_ERR_INVALID);
        assert_eq!(ax650_model_inputs(null()), 0);
        assert_eq!(ax650_run_fd(null()), -1);
        // As free() does.
        ax650_session_free(null_mut());
        ax650_frame_free(null_mut());
        let name = CString::new("no card").expect("a string");
        let mut card = null_mut();
        assert_eq!(ax650_card_open(name.as_ptr(), &mut card), AX650_ERR_INVALID);
        assert!(last_error().contains("no card"), "{}", last_error());
        let (card, session) = session();
        let mut decoder = null_mut();
        let result = ax650_decoder_new(session, 3, 64, 64, &mut decoder);
        assert_eq!(result, AX650_ERR_INVALID);
        let config = ax650_encoder_config {
            width: 64,
            height: 64,
            ..Default::default()
        };
        let mut encoder = null_mut();
        let result = ax650_encoder_new(session, &config, &mut encoder);
        assert_eq!(result, AX650_ERR_INVALID);
        assert!(last_error().contains("struct_size"), "{}", last_error());
        let mut model = null_mut();
        let result = ax650_model_load(session, b"junk".as_ptr(), 4, &mut model);
        assert!((result as i32) < 0 && !last_error().is_empty());
        ax650_session_free(session);
        ax650_card_close(card);
    }
}

#[test]
fn errors_are_each_threads_own() {
    // SAFETY: null is what is tried.
    unsafe { ax650_session_open(null(), null_mut()) };
    assert!(!last_error().is_empty());
    std::thread::spawn(|| assert!(last_error().is_empty()))
        .join()
        .expect("nothing is wrong there");
}
