// SPDX-License-Identifier: MIT OR Apache-2.0

//! Groups of the image processor, and pictures that flow over links.

mod common;

use common::vdec::{self, Decoder};
use common::venc::{self, Encoder};
use common::{ffmpeg, n32, n64, record, u32_at, u64_at, Card, Client, IVPS, SYS};

const EMPTY: u32 = 0x800d_0120;
const TIMED_OUT: u32 = 0x800d_0127;
const NO_BUFFER: u32 = 0x800d_0119;
const UNEXIST: u32 = 0x800d_0117;
const NV12: u32 = 3;

/// Width and height that the filter of a channel makes, and a crop.
type Channel = ((u32, u32), Option<[i16; 4]>);

/// `AX_IVPS_PIPELINE_ATTR_T` for these channels.
fn pipeline(depth: u8, channels: &[Channel]) -> Vec<u8> {
    let mut attr = vec![0; 3184];
    attr[0] = channels.len() as u8;
    attr[4..9].fill(depth);
    for (i, ((width, height), crop)) in channels.iter().enumerate() {
        let start = 16 + (i + 1) * 2 * 264;
        let fields = [(0, 1), (28, *width), (32, *height), (40, NV12)];
        for (at, n) in fields {
            attr[start + at..start + at + 4].copy_from_slice(&n32(n));
        }
        if let Some(crop) = crop {
            attr[start + 16] = 1;
            for (i, n) in crop.iter().enumerate() {
                attr[start + 20 + 2 * i..][..2].copy_from_slice(&n.to_le_bytes());
            }
        }
    }
    attr
}

struct Group {
    client: Client,
    id: u32,
}

impl Group {
    fn new(client: &Client, attr: &[u8], channels: u32) -> Self {
        client.ok(IVPS, 0, &[]);
        let id = u32_at(&client.ok(IVPS, 3, &[&[0; 8]])[0], 0);
        let group = Self {
            client: client.clone(),
            id,
        };
        group.ok(5, &[attr]);
        for channel in 0..channels {
            group.ok(9, &[&n32(channel)]);
        }
        group.ok(7, &[]);
        group
    }

    fn call(&self, api: u32, args: &[&[u8]]) -> Vec<Vec<u8>> {
        let id = n32(self.id);
        let all: Vec<&[u8]> = [&id[..]].into_iter().chain(args.iter().copied()).collect();
        self.client.call(IVPS, api, &all)
    }

    fn status(&self, api: u32, args: &[&[u8]]) -> u32 {
        u32_at(&self.call(api, args)[0], 0)
    }

    #[track_caller]
    fn ok(&self, api: u32, args: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut answer = self.call(api, args);
        let code = u32_at(&answer[0], 0);
        assert_eq!(code, 0, "api {api}: {code:#x}");
        answer.remove(0);
        answer
    }

    fn get(&self, channel: u32, timeout: i32) -> Result<Vec<u8>, u32> {
        let mut answer = self.call(12, &[&n32(channel), &timeout.to_le_bytes()]);
        match u32_at(&answer[0], 0) {
            0 => Ok(answer.remove(1)),
            code => Err(code),
        }
    }
}

fn frame(width: u32, height: u32, phys: u64) -> Vec<u8> {
    let mut f = record(232, &[(0, width), (4, height), (8, NV12), (32, width)]);
    f[56..64].copy_from_slice(&n64(phys));
    f[192..200].copy_from_slice(&n64(1234));
    f
}

#[test]
fn channels_get_what_single_calls_make() {
    let card = Card::new();
    let client = card.client(21);
    let pixels = ffmpeg::pictures(320, 240, 1);
    let source = client.alloc(pixels.len());
    client.link.write(source, &pixels);
    let crop = [32, 16, 160, 120];
    let attr = pipeline(2, &[((160, 120), None), ((320, 240), Some(crop))]);
    let group = Group::new(&client, &attr, 2);
    assert_eq!(group.ok(6, &[])[0], attr);
    let input = frame(320, 240, source);
    group.ok(11, &[&input, &n32(0)]);
    for (channel, size, crop) in [(0, (160, 120), None), (1, (320, 240), Some(crop))] {
        let got = group.get(channel, 0).unwrap();
        assert_eq!((u32_at(&got, 0), u32_at(&got, 4)), size);
        assert_eq!((u64_at(&got, 192), u64_at(&got, 200)), (1234, 0));
        let len = (size.0 * size.1 * 3 / 2) as usize;
        assert_eq!((u32_at(&got, 32), u32_at(&got, 228)), (size.0, len as u32));
        let target = client.alloc(len);
        let mut single = input.clone();
        for (i, n) in crop.into_iter().flatten().enumerate() {
            single[176 + 2 * i..178 + 2 * i].copy_from_slice(&i16::to_le_bytes(n));
        }
        let to = frame(size.0, size.1, target);
        client.ok(IVPS, 66, &[&single, &to, &[0; 24]]);
        let same = client.link.read(u64_at(&got, 56), len) == client.link.read(target, len);
        assert!(same, "channel {channel}");
        group.ok(13, &[&n32(channel), &got]);
        assert_eq!(group.status(13, &[&n32(channel), &got]), UNEXIST);
    }
    assert_eq!(group.get(0, 0), Err(EMPTY));
    assert_eq!(group.get(0, 20), Err(TIMED_OUT));
    // Two wait; there is no room for a third.
    for (timeout, code) in [(0, 0), (0, 0), (0, NO_BUFFER), (20, 0x800d_0127)] {
        assert_eq!(group.status(11, &[&input, &n32(timeout)]), code);
    }
    assert_eq!(u64_at(&group.get(0, 0).unwrap(), 200), 1);
    group.ok(34, &[]);
    assert_eq!(group.get(1, 0), Err(EMPTY));

    // A group's crop, and another size by the channel's attribute.
    group.ok(
        28,
        &[&[&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 160, 0, 120, 0][..]].concat()],
    );
    let mut chn = group.ok(31, &[&n32(0), &n32(0)]).remove(0);
    assert_eq!(
        (u32_at(&chn, 8), u32_at(&chn, 12), u32_at(&chn, 20)),
        (160, 120, NV12)
    );
    chn[8..12].copy_from_slice(&n32(64));
    group.ok(30, &[&n32(0), &n32(0), &chn]);
    assert_eq!(group.ok(31, &[&n32(0), &n32(0)])[0], chn);
    group.ok(10, &[&n32(1)]);
    group.ok(11, &[&input, &n32(0)]);
    let got = group.get(0, 0).unwrap();
    assert_eq!((u32_at(&got, 0), u32_at(&got, 4)), (64, 120));
    assert_eq!(group.get(1, 0), Err(UNEXIST));
    assert!(card.media.proc_text("ivps").contains("GRP STATE"));
    assert_eq!(card.media.report()["ivps"][0]["pictures"], 4);

    // Other sessions do not see it, and it ends with its own.
    let other = card.client(25);
    assert_eq!(other.status(IVPS, 7, &[&n32(group.id)]), UNEXIST);
    assert_eq!(group.status(12, &[&n32(5), &n32(0)]), 0x800d_0104);
    card.media.session_end(21);
    assert_eq!(card.link.cmm_used(), 0);
}

/// D5: the attribute of a channel has the aspect ratio behind the format and the queue's depth behind
/// that.
#[test]
#[allow(non_snake_case)]
fn D5_attribute_of_a_channel() {
    let card = Card::new();
    let client = card.client(21);
    let source = client.alloc(64 * 64 * 3 / 2);
    client.link.write(source, &[200; 64 * 64 * 3 / 2]);
    let group = Group::new(&client, &pipeline(4, &[((32, 32), None)]), 1);
    let mut attr = record(
        56,
        &[(8, 96), (12, 80), (16, 128), (20, NV12), (24, 2), (28, 0)],
    );
    // The aspect ratio: by hand, black around, a part of 16-bit numbers.
    for (i, n) in [8_i16, 4, 40, 20].into_iter().enumerate() {
        attr[40 + 2 * i..][..2].copy_from_slice(&n.to_le_bytes());
    }
    attr[48] = 2;
    group.ok(30, &[&n32(0), &n32(0), &attr]);
    assert_eq!(group.ok(31, &[&n32(0), &n32(0)]), [attr.clone()]);
    // In the pipeline's structure the same is where it belongs.
    let whole = group.ok(6, &[]).remove(0);
    let filter = &whole[16 + 2 * 264..][..264];
    assert_eq!(filter[28..44], attr[8..24]);
    assert_eq!(
        (&filter[44..56], &filter[56..80]),
        (&[0; 12][..], &attr[24..48])
    );
    assert_eq!(whole[4], 2);
    let input = frame(64, 64, source);
    for code in [0, 0, NO_BUFFER] {
        assert_eq!(group.status(11, &[&input, &n32(0)]), code, "a queue of two");
    }
    let got = group.get(0, 0).unwrap();
    assert_eq!(
        (u32_at(&got, 0), u32_at(&got, 4), u32_at(&got, 32)),
        (96, 80, 128)
    );
    assert_eq!(u32_at(&got, 16), 0, "plain");
    let luma = client.link.read(u64_at(&got, 56), 128 * 80);
    for (y, row) in luma.chunks(128).enumerate() {
        for (x, sample) in row[..96].iter().enumerate() {
            let inside = (8..48).contains(&x) && (4..24).contains(&y);
            assert_eq!(*sample, if inside { 200 } else { 16 }, "{x} {y}");
        }
    }
    for (at, n, code) in [
        (24, 3, 0x800d_010a_u32),
        (20, 0xa3, 0x800d_0114),
        (8, 20_000, 0x800d_010a),
    ] {
        let mut bad = attr.clone();
        bad[at..at + 4].copy_from_slice(&n32(n));
        assert_eq!(group.status(30, &[&n32(0), &n32(0), &bad]), code, "{at}");
        assert_eq!(group.ok(31, &[&n32(0), &n32(0)]), [attr.clone()]);
    }
}

#[test]
fn frame_rates_and_pools() {
    let card = Card::new();
    let client = card.client(21);
    let source = client.alloc(64 * 64 * 3 / 2);
    let mut attr = pipeline(4, &[((32, 32), None)]);
    // 30 to 10 pictures per second.
    let rate = 16 + 2 * 264 + 8;
    attr[rate..rate + 4].copy_from_slice(&30f32.to_le_bytes());
    attr[rate + 4..rate + 8].copy_from_slice(&10f32.to_le_bytes());
    let group = Group::new(&client, &attr, 1);
    let pool = u32_at(
        &client.call(SYS, 45, &[&record(96, &[(8, 4096), (16, 2)])])[0],
        0,
    );
    group.ok(25, &[&n32(0), &record(12, &[(0, 2), (8, pool)])]);
    let input = frame(64, 64, source);
    for _ in 0..9 {
        group.ok(11, &[&input, &n32(0)]);
    }
    // Of the three that are due the pool has room for two.
    let first = group.get(0, 0).unwrap();
    let block = u32_at(&first, 164);
    assert_eq!(u32_at(&client.call(SYS, 52, &[&n32(block)])[0], 0), pool);
    group.get(0, 0).unwrap();
    assert_eq!(group.get(0, 0), Err(EMPTY));
    assert_eq!(card.media.report()["ivps"][0]["lost"], 1);
    // Compressed or unknown pictures, attributes that make no sense.
    let mut bad = input.clone();
    bad[16] = 1;
    assert_eq!(group.status(11, &[&bad, &n32(0)]), 0x800d_0114);
    assert_eq!(group.status(5, &[&attr]), 0x800d_0115, "the group runs");
    group.ok(8, &[]);
    let mut bad = attr.clone();
    bad[0] = 6;
    assert_eq!(group.status(5, &[&bad]), 0x800d_010a);
    assert_eq!(group.status(11, &[&input, &n32(0)]), 0x800d_0115);
    group.ok(4, &[]);
    assert_eq!(group.status(7, &[]), UNEXIST);
    client.ok(IVPS, 1, &[]);
    assert_eq!(client.status(IVPS, 3, &[&[0; 8]]), 0x800d_0112);
}

/// Decoder, image processor and encoder, joined by links, as in a transcoder: the host only sends
/// one stream and takes the other.
#[test]
fn a_transcoder() {
    const FRAMES: u32 = 20;
    let card = Card::new();
    let client = card.client(21);
    let clip = ffmpeg::h264(320, 240, FRAMES);
    let link = |api: u32, from: [u32; 3], to: [u32; 3]| {
        let info = |m: [u32; 3]| m.map(n32).concat();
        client.ok(SYS, api, &[&info(from), &info(to)]);
    };
    let attr = pipeline(2, &[((160, 120), None)]);
    let group = Group::new(&client, &attr, 1);
    // One link before its source is there, one after its target.
    let into = [0x0d, group.id, 0];
    link(31, [8, 0, 0], into);
    let decoder = Decoder::new(&client, vdec::H264, vdec::STREAM, 320, 240);
    assert_eq!(decoder.id, 0);
    let encoder = Encoder::new(&client, &venc::cbr(venc::H265, 160, 120, 10, 1000));
    let out = [7, 0, encoder.id];
    link(31, into, out);
    let feeder = decoder.feed(vec![clip.clone()]);
    let packets = encoder.take_all();
    feeder.join().unwrap();
    assert_eq!(packets.len(), FRAMES as usize);
    assert!(packets.windows(2).all(|w| w[0].pts() <= w[1].pts()));
    let got = ffmpeg::nv12(&venc::join(&packets), "hevc");
    let want = ffmpeg::run(
        "-f h264 -i - -fps_mode passthrough -vf scale=160:120:flags=bilinear -f rawvideo -pix_fmt nv12 -",
        &clip,
    );
    let psnr = ffmpeg::psnr(&got, &want);
    assert!(psnr > 30.0, "{psnr}");
    assert_eq!(card.link.counter("link_pictures"), u64::from(2 * FRAMES));
    assert_eq!(card.link.counter("link_lost"), 0);
    link(32, into, out);
    link(32, [8, 0, 0], into);
    // A link that is still there when the session ends.
    link(31, [8, 0, 0], into);
    card.media.session_end(21);
    assert_eq!(card.link.cmm_used(), 0);
}

#[test]
fn straight_from_decoder_to_encoder() {
    let card = Card::new();
    let client = card.client(21);
    let clip = ffmpeg::h264(320, 240, 12);
    let decoder = Decoder::new(&client, vdec::H264, vdec::STREAM, 320, 240);
    let encoder = Encoder::new(&client, &venc::cbr(venc::H264, 320, 240, 10, 2000));
    let ends = [[8, decoder.id, 0], [7, 0, encoder.id]].map(|m| m.map(n32).concat());
    client.ok(SYS, 31, &[&ends[0], &ends[1]]);
    let feeder = decoder.feed(vec![clip.clone()]);
    let packets = encoder.take_all();
    feeder.join().unwrap();
    assert_eq!(packets.len(), 12);
    let want = ffmpeg::nv12(&clip, "h264");
    let got = ffmpeg::nv12(&venc::join(&packets), "h264");
    assert!(ffmpeg::psnr(&got, &want) > 30.0);
}

/// D2: a transcoder that is stopped in the middle, its encoder first: one who waits for packets gets the
/// end, and all can be taken apart in order.
#[test]
#[allow(non_snake_case)]
fn D2_a_transcoder_is_stopped() {
    let clip = ffmpeg::h264(320, 240, 60);
    for codec in [venc::H264, venc::H265] {
        let card = Card::new();
        let client = card.client(21);
        let decoder = Decoder::new(&client, vdec::H264, vdec::STREAM, 320, 240);
        let encoder = Encoder::new(&client, &venc::cbr(codec, 320, 240, 10, 2000));
        let ends = [[8, decoder.id, 0], [7, 0, encoder.id]].map(|m| m.map(n32).concat());
        client.ok(SYS, 31, &[&ends[0], &ends[1]]);
        assert_eq!(decoder.send(&clip, 0, -1), 0);
        for _ in 0..5 {
            let packet = encoder.get(10_000).unwrap();
            assert_eq!(encoder.release(&packet), 0);
        }
        let (tell, told) = std::sync::mpsc::channel();
        let taking = encoder.clone();
        std::thread::spawn(move || {
            encoder.ok(17, &[]);
            encoder.ok(18, &[]);
            let end = loop {
                match taking.get(-1) {
                    Ok(packet) => drop(taking.release(&packet)),
                    Err(code) => break code,
                }
            };
            client.ok(SYS, 32, &[&ends[0], &ends[1]]);
            decoder.ok(11, &[]);
            decoder.ok(13, &[]);
            let last = decoder.get(-1).err();
            encoder.ok(4, &[]);
            decoder.ok(7, &[]);
            client.ok(common::VENC, 1, &[]);
            client.ok(common::VDEC, 1, &[]);
            tell.send((end, last)).unwrap();
        });
        let got = told.recv_timeout(std::time::Duration::from_secs(20));
        assert_eq!(
            got,
            Ok((venc::FLOW_END, Some(vdec::FLOW_END))),
            "codec {codec}"
        );
        card.media.session_end(21);
        assert_eq!(card.link.cmm_used(), 0);
    }
}
