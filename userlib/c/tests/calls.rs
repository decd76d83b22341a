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
fn pictures_are_scaled_and_converted_on_the_card() {
    let (card, session) = session();
    // SAFETY: as above.
    unsafe {
        let processor = made(|out| ax650_processor_new(session, 0, out));
        let source = made(|out| ax650_image_nv12(processor, 64, 32, 16, out));
        let target = made(|out| ax650_image_nv12(processor, 32, 32, 114, out));
        let pixels = made(|out| ax650_image_bgr(processor, 32, 32, out));
        let mut layout = ax650_layout::default();
        assert_eq!(ax650_image_layout(source, &mut layout), AX650_OK);
        assert_eq!((layout.width, layout.stride), (64, 128));
        let buffer = made(|out| ax650_buffer_alloc(session, layout.size, out));
        let (mut data, mut size) = (null_mut(), 0);
        assert_eq!(ax650_buffer_data(buffer, &mut data, &mut size), AX650_OK);
        data.write_bytes(77, size);
        assert_eq!(ax650_image_upload(source, buffer), AX650_OK);
        // The left half, into the lower half.
        let (left, lower) = (
            ax650_rect {
                width: 32,
                height: 32,
                ..Default::default()
            },
            ax650_rect {
                y: 16,
                width: 32,
                height: 16,
                ..Default::default()
            },
        );
        let part = made(|out| ax650_image_part(target, &lower, out));
        assert_eq!(
            ax650_processor_resize(processor, source, &left, part),
            AX650_OK
        );
        assert_eq!(ax650_processor_convert(processor, target, pixels), AX650_OK);
        assert_eq!(ax650_image_layout(pixels, &mut layout), AX650_OK);
        assert_eq!((layout.stride, layout.size), (96, 96 * 32));
        assert_eq!(ax650_image_download(pixels, buffer), AX650_OK);
        let bytes = std::slice::from_raw_parts(data, layout.size);
        let (upper, under) = bytes.split_at(96 * 16);
        assert!(upper.iter().all(|byte| *byte == 114));
        assert!(under.iter().all(|byte| *byte == 77));
        // An encoder takes what is whole.
        let config = ax650_encoder_config {
            struct_size: size_of::<ax650_encoder_config>(),
            width: 32,
            height: 32,
            ..Default::default()
        };
        let encoder = made(|out| ax650_encoder_new(session, &config, out));
        assert_eq!(ax650_encoder_send_image(encoder, target, 9), AX650_OK);
        let packet = made(|out| ax650_encoder_receive(encoder, 5000, out));
        let mut pts = 0;
        ax650_packet_get(packet, null_mut(), null_mut(), &mut pts, null_mut());
        assert_eq!(pts, 9);
        let tall = ax650_rect {
            width: 32,
            height: 33,
            ..Default::default()
        };
        for result in [
            ax650_processor_new(session, 3, &mut null_mut()),
            ax650_image_nv12(processor, 0, 1, 0, &mut null_mut()),
            ax650_image_bgr(processor, 1 << 20, 1, &mut null_mut()),
            ax650_image_part(target, &tall, &mut null_mut()),
            ax650_image_part(pixels, &lower, &mut null_mut()),
            ax650_image_upload(part, buffer),
            ax650_processor_resize(processor, source, &tall, target),
            ax650_processor_resize(processor, source, null(), pixels),
            ax650_processor_convert(processor, source, pixels),
            ax650_processor_resize(processor, source, null(), null()),
            ax650_encoder_send_image(encoder, part, 0),
        ] {
            assert_eq!(result, AX650_ERR_INVALID, "{}", last_error());
        }
        ax650_packet_free(packet);
        ax650_encoder_free(encoder);
        // Images keep what they were made from.
        ax650_processor_free(processor);
        ax650_session_free(session);
        assert_eq!(ax650_image_download(target, buffer), AX650_OK);
        for image in [source, target, part, pixels] {
            ax650_image_free(image);
        }
        ax650_buffer_free(buffer);
        ax650_card_close(card);
    }
}

/// A decoded picture is scaled where it is, and is the decoder's again when nobody has it any more.
#[test]
fn decoded_pictures_are_images() {
    let (card, session) = session();
    // SAFETY: as above.
    unsafe {
        let decoder = made(|out| ax650_decoder_new(session, 0, 64, 32, out));
        assert_eq!(ax650_decoder_send(decoder, [9].as_ptr(), 1, 5), AX650_OK);
        let frame = made(|out| ax650_decoder_receive(decoder, 5000, out));
        let image = made(|out| ax650_image_of_frame(frame, out));
        ax650_frame_free(frame);
        let processor = made(|out| ax650_processor_new(session, 1, out));
        let small = made(|out| ax650_image_nv12(processor, 16, 16, 0, out));
        assert_eq!(
            ax650_processor_resize(processor, image, null(), small),
            AX650_OK
        );
        let buffer = made(|out| ax650_buffer_alloc(session, 1 << 16, out));
        assert_eq!(ax650_image_download(small, buffer), AX650_OK);
        let (mut data, mut size) = (null_mut(), 0);
        assert_eq!(ax650_buffer_data(buffer, &mut data, &mut size), AX650_OK);
        // Pictures are filled with the sum of the packet.
        assert_eq!(*data, 9);
        assert_eq!(ax650_image_upload(image, buffer), AX650_ERR_INVALID);
        assert!(last_error().contains("decoder"), "{}", last_error());
        ax650_image_free(image);
        ax650_image_free(small);
        ax650_buffer_free(buffer);
        ax650_processor_free(processor);
        ax650_decoder_free(decoder);
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
        assert_eq!(ax650_image_layout(null(), null_mut()), AX650_ERR_INVALID);
        // As free() does.
        ax650_image_free(null_mut());
        ax650_processor_free(null_mut());
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
