// SPDX-License-Identifier: MIT OR Apache-2.0

//! The library's frames are, byte for byte, those seen on the wire [rpc 9].
//!
//! The library talks to a fake card, which gives the same addresses and handles as the card of the examples.  What
//! differs from run to run (sequence number, ids of process and thread, time, context) is put in from the example
//! before comparing; all else must be equal.

use ax650::fake::{model_image, FakeCard};
use ax650::media::{
    Codec, Decoder, DecoderConfig, Encoder, EncoderConfig, Profile, RateControl, VdecChannel,
    VdecGroup, VencCbr, VencChannel, VideoFrame,
};
use ax650::proto::axclrpc::{self, engine, native, runtime, system, Request, Response};
use ax650::{Card, CardMemory, DataType, Header, Layout, Model, Session, TensorInfo};
use prost::Message;

/// The frame of that name in the data file.
fn example(name: &str) -> Vec<u8> {
    let text = include_str!("data/frames.txt");
    let (_, rest) = text
        .split_once(&format!("\n{name}\n"))
        .unwrap_or_else(|| panic!("no example {name}"));
    rest.lines()
        .take_while(|line| line.starts_with("  "))
        .flat_map(str::split_whitespace)
        .map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"))
        .collect()
}

fn split(frame: &[u8]) -> (Header, &[u8]) {
    let (header, message) = frame.split_first_chunk().expect("a header");
    (Header::from_bytes(header), message)
}

fn runtime_body(request: &mut Request) -> Option<&mut runtime::request_body::Kind> {
    match request.body.as_mut()?.kind.as_mut()? {
        axclrpc::request_body::Kind::Runtime(runtime) => runtime.body.as_mut()?.kind.as_mut(),
        axclrpc::request_body::Kind::Native(_) => None,
    }
}

fn control(request: &mut Request) -> Option<&mut system::ControlRequest> {
    match runtime_body(request)? {
        runtime::request_body::Kind::System(system) => match system.body.as_mut()?.kind.as_mut()? {
            system::request_body::Kind::Control(control) => Some(control),
            _ => None,
        },
        _ => None,
    }
}

/// `ours` as it would be in the run of the example.
fn in_place_of(theirs: &[u8], ours: &[u8]) -> Vec<u8> {
    let (their_header, their_message) = split(theirs);
    let (mut header, message) = split(ours);
    header.sequence = their_header.sequence;
    header.place = their_header.place;
    let mut request = Request::decode(message).expect("our message");
    let their_request = Request::decode(their_message).expect("their message");
    let head = request.head.as_mut().expect("our head");
    let their_head = their_request.head.expect("their head");
    head.seq_num = their_head.seq_num;
    head.timestamp = their_head.timestamp;
    head.env = their_head.env;
    if let Some(control) = control(&mut request) {
        (control.pid, control.tid) = (
            their_head.env.map(|env| env.pid),
            their_head.env.map(|env| env.tid),
        );
        control.context = control.context.and(Some(header.place.context));
    }
    let mut frame = header.to_bytes().to_vec();
    request.encode(&mut frame).expect("room");
    frame
}

fn assert_like(name: &str, frames: &[Vec<u8>]) {
    let theirs = example(name);
    let (header, _) = split(&theirs);
    let ours = frames
        .iter()
        .filter(|frame| {
            let (ours, _) = split(frame);
            (ours.kind, ours.command) == (header.kind, header.command)
        })
        .collect::<Vec<_>>();
    assert!(!ours.is_empty(), "{name}: no such frame was sent");
    let candidates: Vec<_> = ours
        .iter()
        .map(|frame| in_place_of(&theirs, frame))
        .collect();
    assert!(
        candidates.contains(&theirs),
        "{name}:\n {theirs:02x?}\n {candidates:02x?}"
    );
}

fn card() -> (std::sync::Arc<FakeCard>, Card, Session) {
    let fake = FakeCard::new();
    let card = fake.open();
    let session = card.session().expect("a session");
    (fake, card, session)
}

#[test]
fn contexts_and_memory() {
    let (fake, _card, session) = card();
    let context = session.new_context().unwrap();
    assert_like("create context 1", &fake.take_requests());
    let first = CardMemory::new(&context, 8 << 20).unwrap();
    let second = CardMemory::new(&context, 8 << 20).unwrap();
    second.copy_on_card(0, &first, 0, 8 << 20).unwrap();
    drop(second);
    drop(first);
    let frames = fake.take_requests();
    for name in ["memory alloc", "memory copy", "memory free"] {
        assert_like(name, &frames);
    }
}

fn meta() -> engine::IoMeta {
    let (_, message) = {
        let frame = example("GetModelIoInfo answer");
        (split(&frame).0, frame[Header::SIZE..].to_vec())
    };
    let response = Response::decode(&*message).unwrap();
    let Some(axclrpc::response_body::Kind::Runtime(runtime)) = response.body.unwrap().kind else {
        panic!("not runtime");
    };
    match runtime.body.unwrap().kind {
        Some(runtime::response_body::Kind::Engine(answer)) => answer.body.unwrap().meta.unwrap(),
        other => panic!("not engine: {other:?}"),
    }
}

#[test]
fn engine_calls() {
    let (fake, _card, session) = card();
    // As large as the image of the example.
    let mut image = model_image(&meta());
    image.resize(65536, 0);
    let model = Model::load_bytes(&session, &image).unwrap();
    assert_eq!(model.cores().unwrap(), 1);
    model.memory_usage().unwrap();
    assert_eq!(model.inputs()[0].shapes[0].dims, [1, 224, 224, 3]);
    let kinds = |tensor: &TensorInfo| (tensor.data_type, tensor.layout);
    assert_eq!(kinds(&model.inputs()[0]), (DataType::Uint8, Layout::Nhwc));
    assert_eq!(kinds(&model.outputs()[0]), (DataType::Fp32, Layout::None));
    assert_eq!(model.outputs()[0].shapes[0].size, 4000);
    model.run_bytes(&[&vec![7; 150_528]]).unwrap();
    drop(model);
    let frames = fake.take_requests();
    for name in [
        "InitNpu",
        "LoadModel",
        "CreateContext",
        "GetModelIoInfo",
        "GetModelType",
        "GetMemoryUsage",
        "UnloadModel",
    ] {
        assert_like(name, &frames);
    }
    // The tensors of the example lie at odd places, so put ours there.
    let theirs = example("RunModel");
    let run = frames
        .iter()
        .find(|frame| split(frame).0.kind == split(&theirs).0.kind)
        .unwrap();
    let mut ours = in_place_of(&theirs, run);
    let mut request = Request::decode(&ours[Header::SIZE..]).unwrap();
    match runtime_body(&mut request) {
        Some(runtime::request_body::Kind::Engine(engine)) => {
            let io = engine.body.as_mut().unwrap().io.as_mut().unwrap();
            io.inputs[0].address = 5_385_551_872;
            io.outputs[0].address = 5_385_703_424;
        }
        other => panic!("not engine: {other:?}"),
    }
    ours.truncate(Header::SIZE);
    request.encode(&mut ours).unwrap();
    assert_eq!(ours, theirs);
}

#[test]
fn decoder_calls() {
    let (fake, _card, session) = card();
    let decoder = Decoder::new(&session, &DecoderConfig::new(Codec::H264, 1920, 1080)).unwrap();
    drop(decoder);
    let frames = fake.take_requests();
    for name in [
        "AX_VDEC_Init",
        "AX_VDEC_EnableChn",
        "AX_VDEC_StartRecvStream",
    ] {
        assert_like(name, &frames);
    }
}

#[test]
fn encoder_calls() {
    let (fake, _card, session) = card();
    let mut config = EncoderConfig::new(Codec::H264, 640, 480);
    config = config
        .gop(30)
        .profile(Profile::Main)
        .level("5.1".parse().unwrap());
    config = config.rate(RateControl::Constant { bit_rate: 2000 });
    drop(Encoder::new(&session, &config).unwrap());
    let frames = fake.take_requests();
    for name in ["AX_VENC_Init", "AX_VENC_StartRecvFrame"] {
        assert_like(name, &frames);
    }
    // The library lets the card choose the number of the channel (CreateChnEx), the example does not.
    let theirs = blobs(&example("AX_VENC_CreateChn"));
    let create = frames
        .iter()
        .find(|frame| split(frame).0.kind.0 == 0x0003_0201)
        .unwrap();
    assert_eq!(blobs(create), theirs[1..]);
}

/// The blobs of a native request.
fn blobs(frame: &[u8]) -> Vec<Vec<u8>> {
    let request = Request::decode(&frame[Header::SIZE..]).unwrap();
    let Some(axclrpc::request_body::Kind::Native(native)) = request.body.unwrap().kind else {
        panic!("not native");
    };
    match native.body.unwrap().kind.unwrap() {
        native::request_body::Kind::Vdec(vdec) => vdec.data,
        native::request_body::Kind::Venc(venc) => venc.data,
        other => panic!("of another module: {other:?}"),
    }
}

#[test]
fn structures_of_the_examples() {
    let group = VdecGroup::new()
        .with_codec(96)
        .with_input_mode(1)
        .with_max_width(1920)
        .with_max_height(1088)
        .with_stream_buffer(0x3F_C000)
        .with_auto_pool(1);
    assert_eq!(blobs(&example("AX_VDEC_CreateGrp"))[1], group.as_bytes());
    let channel = VdecChannel::new()
        .with_width(1920)
        .with_height(1080)
        .with_stride(2048)
        .with_fifo_depth(3)
        .with_buffers(8)
        .with_buffer_size(0x32_A020)
        .with_format(3);
    assert_eq!(blobs(&example("AX_VDEC_SetChnAttr"))[2], channel.as_bytes());
    let channel = VencChannel::from_bytes(&blobs(&example("AX_VENC_CreateChn"))[1]).unwrap();
    let rate = VencCbr::from_bytes(&channel.rate()[..VencCbr::SIZE]).unwrap();
    assert_eq!(
        (channel.codec(), rate.bit_rate(), rate.gop()),
        (96, 2000, 30)
    );
    assert_eq!(
        (
            channel.first_qp(),
            rate.intra_qp_delta(),
            channel.source_rate()
        ),
        (-1, -2, 30.0)
    );

    let answer = example("AX_VDEC_GetChnFrame answer");
    let Some(axclrpc::response_body::Kind::Native(native)) =
        Response::decode(&answer[Header::SIZE..])
            .unwrap()
            .body
            .unwrap()
            .kind
    else {
        panic!("not native");
    };
    let Some(native::response_body::Kind::Vdec(vdec)) = native.body.unwrap().kind else {
        panic!("not vdec");
    };
    let frame = VideoFrame::from_bytes(&vdec.data[1]).unwrap();
    assert_eq!(
        (frame.width(), frame.height(), frame.format()),
        (1920, 1080, 3)
    );
    assert_eq!((frame.luma_stride(), frame.chroma_stride()), (2048, 2048));
    assert_eq!(
        (frame.luma(), frame.chroma()),
        (0x1_4100_0000, 0x1_4121_C000)
    );
    assert_eq!(
        (frame.block(), frame.pts(), frame.frame_size()),
        (0x5E00_0001, 40_000, 2048 * 1080 * 3 / 2)
    );
}
