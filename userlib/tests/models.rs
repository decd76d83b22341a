// SPDX-License-Identifier: MIT OR Apache-2.0

//! Models and their tensors, with a fake card: names, types, empty ones, and why a model is refused.

#![allow(non_snake_case)] // a test is named after the requirement

use ax650::fake::{model_image, FakeCard};
use ax650::proto::axclrpc::engine::{IoMeta, Meta, OneMeta};
use ax650::{
    Binding, CardMemory, DataType, Error, ErrorKind, Layout, Model, Normalize, Part, Pixels,
    Session,
};
use half::{bf16, f16};

fn session() -> (std::sync::Arc<FakeCard>, Session) {
    let fake = FakeCard::new();
    let session = fake.open().session().expect("a session");
    (fake, session)
}

fn tensor(name: &str, format: i32, size: u64, dims: &[i32]) -> Meta {
    Meta {
        name: name.into(),
        layout: 1,
        format,
        groups: vec![OneMeta {
            size,
            dims: dims.to_vec(),
            stride: Vec::new(),
        }],
    }
}

fn load(session: &Session, inputs: Vec<Meta>, outputs: Vec<Meta>) -> Result<Model, Error> {
    Model::load_bytes(session, &model_image(&IoMeta { inputs, outputs }))
}

fn bind(session: &Session, inputs: Vec<Meta>, outputs: Vec<Meta>) -> Binding {
    load(session, inputs, outputs)
        .expect("a model")
        .bind(0)
        .expect("a binding")
}

/// A card that knows only the public numbers: 15 is float32, and the layout is field 2.
#[test]
fn S1_types_and_layouts_as_a_card_sends_them() {
    let (_fake, session) = session();
    let outputs = (1..=18)
        .map(|format| tensor(&format!("t{format}"), format, 8, &[1]))
        .collect();
    let model = load(&session, vec![tensor("x", 15, 4, &[1])], outputs).unwrap();
    let input = model.input("x").unwrap();
    assert_eq!(
        (input.data_type, input.layout),
        (DataType::Fp32, Layout::Nhwc)
    );
    for (output, format) in model.outputs().iter().zip(1..) {
        assert_eq!(output.data_type.number(), format);
        assert_eq!(output.data_type.bits().is_some(), format <= 16);
    }
    assert_eq!(
        model.output("t17").unwrap().data_type,
        DataType::Unknown(17)
    );
    // Unknown ones can be run all the same, as bytes.
    model.bind(0).unwrap().run().unwrap();
}

#[test]
fn tensors_by_name() {
    let (_fake, session) = session();
    let binding = bind(
        &session,
        vec![tensor("a", 4, 2, &[2]), tensor("images", 4, 3, &[3])],
        vec![tensor("y", 4, 2, &[2])],
    );
    binding.set_input("images", &[1, 2, 3]).unwrap();
    assert_eq!(*binding.input(1).unwrap(), [1, 2, 3]);
    let name = String::from("a");
    binding.input(&name).unwrap().fill(5);
    binding.run().unwrap();
    assert_eq!(*binding.output("y").unwrap(), [6, 6]);
    let error = binding.input("image").unwrap_err();
    assert_eq!(
        error.to_string(),
        "no input is named `image`; there are: a, images"
    );
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(binding.model().output("a").is_err() && binding.model().input(2).is_err());
}

/// Two runs and a call between them, with one request.
#[test]
fn runs_in_a_job_of_ones_own() {
    let (fake, session) = session();
    let one = || vec![tensor("x", 4, 2, &[2])];
    let (a, b) = (bind(&session, one(), one()), bind(&session, one(), one()));
    a.input("x").unwrap().fill(1);
    b.input("x").unwrap().fill(5);
    let stream = session.stream();
    let submits = fake.submits();
    let (job, first) = a.add_to(stream.job());
    let job = job.along(stream.echo_call(b"between"));
    let (job, second) = b.add_to(job);
    assert_eq!(job.len(), 7);
    let mut done = job.run().unwrap();
    assert_eq!(fake.submits() - submits, 1);
    let times = first.finish(&mut done).unwrap();
    assert!(times.total >= times.run);
    second.finish(&mut done).unwrap();
    assert_eq!(*a.output("x").unwrap(), [2, 2]);
    assert_eq!(*b.output("x").unwrap(), [6, 6]);
    assert!(second.finish(&mut done).is_err());
    // Of another session it is refused.
    let other = fake.open().session().unwrap();
    let error = a.add_to(other.stream().job()).0.run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}

#[test]
fn F96_models_without_inputs_run() {
    let (fake, session) = session();
    let binding = bind(&session, Vec::new(), vec![tensor("y", 4, 3, &[3])]);
    let times = binding.run().unwrap();
    assert_eq!(*binding.output("y").unwrap(), [1, 1, 1]);
    assert!(times.copy_in.is_zero() && !times.total.is_zero());
    assert_eq!(
        binding.input(0).unwrap_err().to_string(),
        "input 0 of a model that has 0"
    );
    let outputs = binding.model().run_bytes(&[]).unwrap();
    assert_eq!(outputs, [[1, 1, 1]]);
    drop(binding);
    session.settle(std::time::Duration::from_secs(5)).unwrap();
    assert_eq!(fake.card_memory_in_use(), 0);
}

#[test]
fn F96_empty_tensors_run() {
    let (_fake, session) = session();
    let binding = bind(
        &session,
        vec![tensor("x", 15, 0, &[0, 4]), tensor("b", 4, 2, &[2])],
        vec![tensor("y", 4, 4, &[4]), tensor("none", 15, 0, &[0])],
    );
    assert!(binding.input("x").unwrap().is_empty());
    binding.set_input("x", &[]).unwrap();
    assert!(binding.set_input("x", &[1]).is_err());
    binding.run().unwrap();
    assert_eq!(*binding.output("y").unwrap(), [1; 4]);
    assert!(binding.values::<f32>("none").unwrap().is_empty());
    assert!(binding.output_as::<f32>("none").unwrap().is_empty());
    // Nothing to copy at all.
    let binding = bind(
        &session,
        vec![tensor("x", 4, 0, &[0])],
        vec![tensor("y", 4, 0, &[0])],
    );
    let times = binding.run().unwrap();
    assert!(times.copy_in.is_zero() && times.copy_out.is_zero());
}

#[test]
fn tensors_as_numbers() {
    let (_fake, session) = session();
    let binding = bind(
        &session,
        vec![
            tensor("f32", 15, 12, &[1, 3]),
            tensor("f16", 13, 4, &[2]),
            tensor("bf16", 14, 4, &[2]),
            tensor("i64", 9, 16, &[2]),
            tensor("bool", 4, 3, &[3]),
            tensor("i32", 7, 64, &[2]), // with room behind it
        ],
        vec![tensor("y", 15, 8, &[2]), tensor("short", 15, 4, &[2])],
    );
    binding.input_as::<f32>("f32").unwrap()[1] = 1.5;
    assert_eq!(binding.input("f32").unwrap()[4..8], 1.5_f32.to_le_bytes());
    let halves = [f16::from_f32(0.5), f16::from_f32(-2.0)];
    binding.set_values("f16", &halves).unwrap();
    assert_eq!(*binding.input("f16").unwrap(), [0x00, 0x38, 0x00, 0xC0]);
    let brains = [bf16::from_f32(1.0), bf16::from_f32(-2.0)];
    binding.input_as("bf16").unwrap().copy_from_slice(&brains);
    assert_eq!(*binding.input("bf16").unwrap(), [0x80, 0x3F, 0x00, 0xC0]);
    binding.set_values("i64", &[-1_i64, 2]).unwrap();
    assert_eq!(binding.input_as::<i64>("i64").unwrap()[..], [-1, 2]);
    binding.set_values("bool", &[true, false, true]).unwrap();
    assert_eq!(*binding.input("bool").unwrap(), [1, 0, 1]);
    assert_eq!(binding.input_as::<i32>("i32").unwrap().len(), 2);

    binding.input(0).unwrap().fill(0x3F);
    binding.run().unwrap();
    let expected = f32::from_le_bytes([0x40; 4]);
    assert_eq!(binding.values::<f32>("y").unwrap(), [expected; 2]);
    assert_eq!(binding.output_as::<f32>("y").unwrap()[..], [expected; 2]);

    for (error, text) in [
        (
            binding.input_as::<f64>("f32").unwrap_err(),
            "tensor `f32` has elements of type fp32, not f64",
        ),
        (
            binding.input_as::<f16>("bf16").unwrap_err(),
            "tensor `bf16` has elements of type bf16, not f16",
        ),
        (
            binding.set_values("f32", &[1.0_f32]).unwrap_err(),
            "1 elements for tensor `f32`, which has 3",
        ),
        (
            binding.values::<f32>("short").unwrap_err(),
            "tensor `short` of 2 fp32 is not in 4 bytes",
        ),
    ] {
        assert_eq!(
            (error.to_string().as_str(), error.kind()),
            (text, ErrorKind::Invalid)
        );
    }
}

/// A picture, in the orders and types that models want.
#[test]
fn pictures_as_inputs() {
    let (_fake, session) = session();
    let image = |name: &str, layout: i32, format: i32, size: u64, dims: &[i32]| Meta {
        layout,
        ..tensor(name, format, size, dims)
    };
    let binding = bind(
        &session,
        vec![
            image("nhwc", 1, 4, 18, &[1, 2, 3, 3]),
            image("nchw", 2, 15, 72, &[1, 3, 2, 3]),
            image("any", 0, 13, 36, &[3, 2, 3]),
            image("signed", 2, 3, 18, &[3, 3, 2]),
            image("last", 0, 14, 24, &[1, 2, 2, 3]),
            image("two", 0, 4, 8, &[1, 2, 2, 2]),
            image("long", 1, 9, 144, &[1, 2, 3, 3]),
        ],
        vec![tensor("y", 4, 1, &[1])],
    );
    // Two rows of three pixels: pixel n is red n, green 10 n, blue 40 n.
    let rgb: Vec<u8> = (0..6).flat_map(|n| [n, 10 * n, 40 * n]).collect();
    let pixels = Pixels::new(3, 2, &rgb).unwrap();
    let plain = Normalize::default();
    binding.set_pixels("nhwc", &pixels, &plain).unwrap();
    assert_eq!(*binding.input("nhwc").unwrap(), *rgb);
    binding
        .set_pixels("nhwc", &pixels, &plain.blue_first())
        .unwrap();
    assert_eq!(binding.input("nhwc").unwrap()[3..6], [40, 10, 1]);
    let normalize = Normalize::default()
        .mean([1.0, 2.0, 3.0])
        .scale([0.5, 2.0, 10.0]);
    binding.set_pixels("nchw", &pixels, &normalize).unwrap();
    let expected: Vec<f32> = (0..6)
        .map(|n| (n as f32 - 1.0) * 0.5)
        .chain((0..6).map(|n| (10.0 * n as f32 - 2.0) * 2.0))
        .chain((0..6).map(|n| (40.0 * n as f32 - 3.0) * 10.0))
        .collect();
    assert_eq!(binding.input_as::<f32>("nchw").unwrap()[..], expected);
    // Rounded, and no further than the type goes.
    let turned = Pixels::new(2, 3, &rgb).unwrap();
    binding
        .set_pixels("signed", &turned, &plain.mean([2.6, 0.0, 0.0]))
        .unwrap();
    let signed = binding.input_as::<i8>("signed").unwrap();
    assert_eq!(signed[..6], [-3, -2, -1, 0, 1, 2]);
    assert_eq!(signed[12..], [0, 40, 80, 120, 127, 127]);
    drop(signed);
    let four = Pixels::new(2, 2, &rgb[..12]).unwrap();
    binding
        .set_pixels("last", &four, &Normalize::unit())
        .unwrap();
    let last = binding.input_as::<bf16>("last").unwrap();
    assert_eq!(last[5], bf16::from_f32(40.0 / 255.0));
    drop(last);

    assert!(Pixels::new(3, 3, &rgb).is_err() && Pixels::new(usize::MAX, 2, &rgb).is_err());
    for (name, picture, problem) in [
        ("nhwc", &turned, "it has 2x3, but 3x2 are wanted"),
        (
            "any",
            &pixels,
            "which dimension has the channels is not said",
        ),
        ("two", &four, "not three channels"),
        ("long", &pixels, "a type that pictures do not have"),
    ] {
        let error = binding.set_pixels(name, picture, &plain).unwrap_err();
        assert!(error.to_string().ends_with(problem), "{error}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

/// The reason is in the card's log, if there is one, and in the line of this session's process there.
#[test]
fn F96_why_a_model_is_refused() {
    let (fake, session) = session();
    let number = "load model: engine: execution failed (0x8030070c)";
    let text = || {
        let error = Model::load_bytes(&session, b"no model").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Card);
        assert_eq!(error.card_code().unwrap().0, 0x8030_070C);
        error.to_string()
    };
    // The fake card knows no logs until there is one.
    assert_eq!(text(), number);
    fake.set_log(
        b"[ 1.0] ERROR axcl_daemon[1000]: model refused: no operator `Foo`\n\
          [ 2.0] ERROR axcl_daemon[2000]: model refused: of someone else\n\
          [ 3.0] INFO  axcl_daemon[1000]: context destroyed\n",
    );
    assert_eq!(
        text(),
        format!("{number}: model refused: no operator `Foo`")
    );
    for rubbish in [&b""[..], &[0xFF; 5000], b"[1000]", &[b'x'; 5 << 20]] {
        fake.set_log(rubbish);
        assert_eq!(text(), number);
    }
}

/// Models of a chain hand each other what stays on the card; only the first input and the last output cross the link.
#[test]
fn tensors_stay_on_the_card_between_models() {
    let (fake, session) = session();
    let layer = || {
        let (x, y) = (tensor("x", 1, 64, &[64]), tensor("y", 1, 64, &[64]));
        load(&session, vec![x], vec![y]).unwrap()
    };
    let (first, second) = (layer(), layer());
    let (first, mut second) = (
        first.bind_on_card(0).unwrap(),
        second.bind_on_card(0).unwrap(),
    );
    second.set_input("x", first.output("y").unwrap()).unwrap();
    let host = session.buffer(128).unwrap();
    host.write().unwrap()[..64].fill(40);
    fake.take_requests();
    let stream = session.stream();
    let job = stream.job();
    let job = job.then(Part::to_card(&host, 0..64, first.input(0).unwrap()));
    let (job, one) = first.add_to(job);
    let (job, two) = second.add_to(job);
    let job = job.then(Part::from_card(&host, 64..128, second.output(0).unwrap()));
    let before = fake.submits();
    let mut done = job.run().unwrap();
    one.finish(&mut done).unwrap();
    two.finish(&mut done).unwrap();
    assert_eq!(fake.submits(), before + 1);
    assert_eq!(fake.take_requests().len(), 2, "one call a model");
    assert_eq!(host.read().unwrap()[64..], [42; 64]);
    // A state that goes from run to run.
    second.swap("x", "y").unwrap();
    second.run().unwrap();
    second.swap(0, 0).unwrap();
    second.start().unwrap().wait().unwrap();
    let state = second.output("y").unwrap();
    state.fetch(0, &host, 0..64).unwrap();
    assert_eq!(host.read().unwrap()[..64], [44; 64]);
    // A part of something larger.
    let cache = CardMemory::new(&stream, 4096).unwrap();
    cache.set(1).unwrap();
    second
        .set_output("y", &cache.part(1000, 64).unwrap())
        .unwrap();
    second.run().unwrap();
    cache.fetch(990, &host, 0..84).unwrap();
    assert_eq!(host.read().unwrap()[..10], [1; 10]);
    assert_eq!(host.read().unwrap()[10..74], [44; 64]);
    assert_eq!(host.read().unwrap()[74..84], [1; 10]);
    // Too little, and what is not there.
    for error in [
        second.set_input("x", &cache.part(0, 63).unwrap()),
        second.set_output("z", &cache),
        second.set_input(1, &cache),
    ] {
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Invalid);
    }
    let other = fake.open().session().unwrap();
    let theirs = CardMemory::new(&other.stream(), 64).unwrap();
    assert!(second.set_input("x", &theirs).is_err());
    assert!(first.model().bind_on_card(1).is_err());
    assert_eq!(fake.failed_runs(), 0);
}
