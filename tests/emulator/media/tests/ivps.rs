// SPDX-License-Identifier: MIT OR Apache-2.0

//! The image processor against computations of this file's own: a triangle filter in floating
//! point, the equations of BT.601, and permutations of samples.

mod common;

use common::{n32, n64, record, u32_at, u64_at, Card, Client, DMADIM, IVPS};

const POOL: u32 = 0;
const COPY: u32 = 65;
const TURN: u32 = 52;
const RESIZE: [u32; 3] = [54, 66, 83];
const RESIZE_V4: u32 = 85;
const CONVERT: [u32; 3] = [53, 69, 82];
const BLEND: u32 = 56;

const GRAY: u32 = 0;
const I420: u32 = 1;
const YV12: u32 = 2;
const NV12: u32 = 3;
const NV21: u32 = 4;
const RGB: u32 = 0xa1;
const BGR: u32 = 0xa5;

const BAD_SIZE: u32 = 0x800d_010a;
const NO_ADDRESS: u32 = 0x800d_010b;
const BAD_ADDRESS: u32 = 0x800d_010c;
const UNSUPPORTED: u32 = 0x800d_0114;

/// `AX_VIDEO_FRAME_T` of an image whose planes follow each other; `stride` 0 for none.
fn frame(format: u32, width: u32, height: u32, stride: u32, phys: u64) -> Vec<u8> {
    let mut f = record(232, &[(0, width), (4, height), (8, format), (32, stride)]);
    f[56..64].copy_from_slice(&n64(phys));
    f
}

fn cropped(mut frame: Vec<u8>, crop: [i16; 4]) -> Vec<u8> {
    for (i, n) in crop.into_iter().enumerate() {
        frame[176 + 2 * i..178 + 2 * i].copy_from_slice(&n.to_le_bytes());
    }
    frame
}

fn aspect(mode: u32, colour: u32, align: [u32; 2], rect: [i16; 4]) -> Vec<u8> {
    let mut a = record(24, &[(0, mode), (4, colour), (8, align[0]), (12, align[1])]);
    for (i, n) in rect.into_iter().enumerate() {
        a[16 + 2 * i..18 + 2 * i].copy_from_slice(&n.to_le_bytes());
    }
    a
}

fn stretch() -> Vec<u8> {
    aspect(0, 0, [0; 2], [0; 4])
}

fn put(client: &Client, bytes: &[u8]) -> u64 {
    let phys = client.alloc(bytes.len());
    client.link.write(phys, bytes);
    phys
}

/// A plane.
#[derive(Clone)]
struct Plane {
    width: usize,
    height: usize,
    samples: Vec<u8>,
}

impl Plane {
    fn new(width: usize, height: usize, at: impl Fn(usize, usize) -> u8) -> Self {
        let samples = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Self {
            width,
            height,
            samples: samples.map(|(x, y)| at(x, y)).collect(),
        }
    }

    fn at(&self, x: usize, y: usize) -> u8 {
        self.samples[y * self.width + x]
    }

    fn part(&self, x: usize, y: usize, width: usize, height: usize) -> Self {
        Self::new(width, height, |i, j| self.at(x + i, y + j))
    }

    /// Scaled with a triangle filter that is as wide as one sample of the coarser raster.
    fn scaled(&self, width: usize, height: usize) -> Vec<f64> {
        let columns = weights(self.width, width);
        let rows = weights(self.height, height);
        let mut out = Vec::new();
        for row in &rows {
            for column in &columns {
                let mut sum = 0.0;
                for (y, v) in row {
                    for (x, h) in column {
                        sum += v * h * f64::from(self.at(*x, *y));
                    }
                }
                out.push(sum);
            }
        }
        out
    }
}

/// Which samples, and how much of each, make the samples of another raster.
fn weights(from: usize, to: usize) -> Vec<Vec<(usize, f64)>> {
    let step = from as f64 / to as f64;
    let reach = step.max(1.0);
    let of = |i: usize| {
        let centre = (i as f64 + 0.5) * step - 0.5;
        let (first, last) = ((centre - reach).floor(), (centre + reach).ceil());
        let near = (first as i64..=last as i64).map(|j| {
            let weight = (1.0 - (j as f64 - centre).abs() / reach).max(0.0);
            (j.clamp(0, from as i64 - 1) as usize, weight)
        });
        let near: Vec<_> = near.collect();
        let sum: f64 = near.iter().map(|n| n.1).sum();
        near.into_iter().map(|(j, w)| (j, w / sum)).collect()
    };
    (0..to).map(of).collect()
}

/// A smooth pattern with steps of a few levels.
fn pattern(x: usize, y: usize) -> u8 {
    let wave = |n: usize, len: f64| (n as f64 / len * std::f64::consts::TAU).sin();
    (128.0 + 50.0 * wave(x, 61.0) + 50.0 * wave(y, 47.0)).round() as u8
}

/// Luma and colours of an NV12 picture of which all planes are smooth.
fn nv12(width: usize, height: usize) -> [Plane; 3] {
    [
        Plane::new(width, height, pattern),
        Plane::new(width / 2, height / 2, |x, y| pattern(2 * y + 10, 2 * x)),
        Plane::new(width / 2, height / 2, |x, y| pattern(2 * x + 30, 2 * y + 5)),
    ]
}

fn pairs(u: &Plane, v: &Plane) -> Vec<u8> {
    u.samples
        .iter()
        .zip(&v.samples)
        .flat_map(|(u, v)| [*u, *v])
        .collect()
}

fn near(what: &str, got: &[u8], want: &[f64], most: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    let far = got.iter().zip(want).map(|(g, w)| (f64::from(*g) - w).abs());
    let worst = far.fold(0.0, f64::max);
    assert!(worst <= most, "{what}: {worst}");
}

#[test]
fn crop_and_resize_as_a_triangle_filter_does() {
    let card = Card::new();
    let client = card.client(21);
    let [y, u, v] = nv12(320, 240);
    let source = put(&client, &[y.samples.clone(), pairs(&u, &v)].concat());
    for (i, (crop, width, height)) in [
        ([0, 0, 0, 0], 160, 120),
        ([0, 0, 0, 0], 640, 480),
        ([40, 20, 200, 160], 300, 100),
        ([41, 21, 100, 80], 100, 80),
    ]
    .into_iter()
    .enumerate()
    {
        // A target with room between its rows.
        let stride = width + 64;
        let target = client.alloc((stride * height * 3 / 2) as usize);
        let from = cropped(frame(NV12, 320, 240, 320, source), crop);
        let to = frame(NV12, width, height, stride, target);
        let out = client.ok(IVPS, RESIZE[i % 3], &[&from, &to, &stretch()]);
        assert_eq!(u32_at(&out[0], 36), stride);
        assert_eq!(u64_at(&out[0], 64), target + u64::from(stride * height));
        assert_eq!(u32_at(&out[0], 228), stride * height * 3 / 2);
        let [x0, y0, w, h] = match crop[2] {
            0 => [0, 0, 320, 240],
            _ => crop.map(|n| n as usize),
        };
        // The corner goes to the grid of the colours.
        let (x0, y0) = (x0 & !1, y0 & !1);
        let (w2, h2) = (width as usize, height as usize);
        let rows = |at: u64, len: usize, count: usize| -> Vec<u8> {
            let row = |r: usize| client.link.read(at + r as u64 * u64::from(stride), len);
            (0..count).flat_map(row).collect()
        };
        let luma = rows(target, w2, h2);
        near("luma", &luma, &y.part(x0, y0, w, h).scaled(w2, h2), 2.0);
        let colours = rows(target + u64::from(stride * height), w2, h2 / 2);
        for (plane, name, at) in [(&u, "u", 0), (&v, "v", 1)] {
            let got: Vec<u8> = colours[at..].iter().step_by(2).copied().collect();
            let part = plane.part(x0 / 2, y0 / 2, w / 2, h / 2);
            // The position of the colours between the columns is a quarter of a sample at most.
            near(name, &got, &part.scaled(w2 / 2, h2 / 2), 4.0);
        }
        if (w, h) == (w2, h2) {
            assert_eq!(
                luma,
                y.part(x0, y0, w, h).samples,
                "not scaled: not changed"
            );
        }
    }
}

#[test]
fn proportions_and_background() {
    let card = Card::new();
    let client = card.client(21);
    let source = put(&client, &vec![200; 64 * 32]);
    let resize = |aspect: &[u8]| {
        let target = client.alloc(64 * 64);
        let from = frame(GRAY, 64, 32, 0, source);
        let to = frame(GRAY, 64, 64, 0, target);
        client.ok(IVPS, RESIZE[1], &[&from, &to, aspect]);
        let picture = client.link.read(target, 64 * 64);
        // White is 235, the picture 200: its first and last column and row.
        let is = |at: usize| picture[at] == 200;
        let row = |y: usize| (0..64).filter(|x| is(y * 64 + x)).collect::<Vec<_>>();
        let filled: Vec<_> = (0..64).filter(|y| !row(*y).is_empty()).collect();
        assert!(picture.iter().all(|p| matches!(p, 200 | 235)));
        let columns = row(filled[0]);
        (
            columns[0],
            columns[columns.len() - 1],
            filled[0],
            filled[filled.len() - 1],
        )
    };
    let white = 0xff_ffff;
    assert_eq!(resize(&stretch()), (0, 63, 0, 63));
    assert_eq!(resize(&aspect(1, white, [0, 0], [0; 4])), (0, 63, 16, 47));
    assert_eq!(resize(&aspect(1, white, [0, 1], [0; 4])), (0, 63, 0, 31));
    assert_eq!(resize(&aspect(1, white, [0, 2], [0; 4])), (0, 63, 32, 63));
    assert_eq!(
        resize(&aspect(2, white, [0, 0], [8, 4, 16, 20])),
        (8, 23, 4, 23)
    );
}

/// Several pictures of one: as single calls make them, in one blob or in one each.
#[test]
fn many_at_once() {
    const V2: [u32; 3] = [55, 67, 84];
    const V3: u32 = 68;
    let card = Card::new();
    let client = card.client(21);
    let [y, u, v] = nv12(320, 240);
    let source = put(&client, &[y.samples.clone(), pairs(&u, &v)].concat());
    let from = frame(NV12, 320, 240, 320, source);
    let boxes = [[40_i16, 20, 200, 160], [0, 0, 64, 48], [100, 100, 32, 32]];
    let sizes = [(100_u32, 80_u32), (64, 48), (160, 128)];
    let ratio = aspect(1, 0xff, [0; 2], [0; 4]);
    let bytes = |(w, h): (u32, u32)| (w * h * 3 / 2) as usize;
    let single = |crop: Option<[i16; 4]>, size: (u32, u32)| {
        let target = client.alloc(bytes(size));
        let from = crop.map_or(from.clone(), |crop| cropped(from.clone(), crop));
        let to = frame(NV12, size.0, size.1, 0, target);
        client.ok(IVPS, RESIZE[0], &[&from, &to, &ratio]);
        client.link.read(target, bytes(size))
    };
    let raw: Vec<u8> = boxes
        .iter()
        .flatten()
        .flat_map(|n| n.to_le_bytes())
        .collect();
    for (api, split) in [
        (V2[0], true),
        (V2[1], false),
        (V2[2], true),
        (V3, false),
        (V3, true),
    ] {
        let targets = sizes.map(|size| client.alloc(bytes(size)));
        let frames: Vec<_> = sizes
            .iter()
            .zip(targets)
            .map(|((w, h), at)| frame(NV12, *w, *h, 0, at))
            .collect();
        let joined = frames.concat();
        let count = n32(3);
        let mut args: Vec<&[u8]> = vec![&from];
        if api != V3 {
            args.push(&raw);
        }
        args.push(&count);
        match split {
            true => args.extend(frames.iter().map(Vec::as_slice)),
            false => args.push(&joined),
        }
        args.push(&ratio);
        let out = client.ok(IVPS, api, &args);
        assert_eq!(out.len(), if split { 3 } else { 1 }, "{api}");
        let out = out.concat();
        assert_eq!(out.len(), joined.len());
        for (i, size) in sizes.into_iter().enumerate() {
            let crop = (api != V3).then_some(boxes[i]);
            let same = client.link.read(targets[i], bytes(size)) == single(crop, size);
            assert!(same, "{api} picture {i}");
            assert_eq!(u32_at(&out[232 * i..], 32), size.0);
        }
        // A number that is not that of the frames or boxes; a box outside; no frames.
        let at = args.len() - if split { 5 } else { 3 };
        for bad in [0, 2, 4, 33, u32::MAX] {
            let bad = n32(bad);
            let mut args = args.clone();
            args[at] = &bad;
            let answer = client.call(IVPS, api, &args);
            assert_eq!(u32_at(&answer[0], 0), BAD_SIZE, "{api} {bad:?}");
            assert_eq!(answer[1..].concat(), joined);
        }
        assert_eq!(client.status(IVPS, api, &args[..at + 1]), BAD_SIZE);
    }
    let outside = [300_i16, 200, 40, 40].map(i16::to_le_bytes).concat();
    let to = frame(NV12, 64, 64, 0, client.alloc(64 * 64 * 3 / 2));
    let args: [&[u8]; 5] = [&from, &outside, &n32(1), &to, &ratio];
    assert_eq!(client.status(IVPS, V2[0], &args), BAD_SIZE);
}

/// Luma goes from and to the grey format as it is.
#[test]
fn grey_is_luma_alone() {
    let card = Card::new();
    let client = card.client(21);
    let luma: Vec<u8> = (0..64 * 64).map(|i| (i % 256) as u8).collect();
    let grey = frame(GRAY, 64, 64, 0, put(&client, &luma));
    let (colour, back) = (client.alloc(64 * 64 * 3 / 2), client.alloc(64 * 64));
    let target = frame(NV12, 64, 64, 0, colour);
    client.ok(IVPS, CONVERT[0], &[&grey, &target]);
    let want = [luma.clone(), vec![128; 64 * 32]].concat();
    assert!(client.link.read(colour, want.len()) == want);
    client.ok(IVPS, CONVERT[1], &[&target, &frame(GRAY, 64, 64, 0, back)]);
    assert!(client.link.read(back, luma.len()) == luma);
}

/// BT.601, studio range.
fn rgb_of(y: u8, u: u8, v: u8) -> [f64; 3] {
    let y = (f64::from(y) - 16.0) * 255.0 / 219.0;
    let [u, v] = [u, v].map(|c| (f64::from(c) - 128.0) * 255.0 / 224.0);
    [
        y + 1.402 * v,
        y - 0.344_136 * u - 0.714_136 * v,
        y + 1.772 * u,
    ]
    .map(|c| c.clamp(0.0, 255.0))
}

#[test]
fn colours_as_bt601_has_them() {
    let card = Card::new();
    let client = card.client(21);
    let target = client.alloc(64 * 64 * 3);
    let back = client.alloc(64 * 64 * 3 / 2);
    for (i, (y, u, v)) in [
        (16, 128, 128),
        (235, 128, 128),
        (81, 90, 240),
        (145, 54, 34),
        (41, 240, 110),
        (120, 140, 100),
    ]
    .into_iter()
    .enumerate()
    {
        let convert = CONVERT[i % 3];
        let picture = [vec![y; 64 * 64], [u, v].repeat(32 * 32)].concat();
        let source = frame(NV12, 64, 64, 0, put(&client, &picture));
        for (format, order) in [(RGB, [0, 1, 2]), (BGR, [2, 1, 0])] {
            let to = frame(format, 64, 64, 0, target);
            let out = client.ok(IVPS, convert, &[&source, &to]);
            assert_eq!((u32_at(&out[0], 32), u32_at(&out[0], 228)), (192, 12288));
            let got = client.link.read(target, 64 * 64 * 3);
            let want = order.map(|c| rgb_of(y, u, v)[c]).repeat(64 * 64);
            near("rgb", &got, &want, 2.0);
            client.ok(IVPS, convert, &[&to, &frame(NV12, 64, 64, 0, back)]);
            let got = client.link.read(back, 64 * 64 * 3 / 2);
            let want: Vec<f64> = picture.iter().map(|n| f64::from(*n)).collect();
            near("and back", &got, &want, 2.0);
        }
    }
}

#[test]
fn planes_change_places() {
    let card = Card::new();
    let client = card.client(21);
    let [y, u, v] = nv12(96, 64);
    let planes = |order: [&Plane; 3]| order.map(|p| p.samples.clone()).concat();
    let forms = [
        (I420, planes([&y, &u, &v])),
        (YV12, planes([&y, &v, &u])),
        (NV12, [y.samples.clone(), pairs(&u, &v)].concat()),
        (NV21, [y.samples.clone(), pairs(&v, &u)].concat()),
    ];
    for (from, bytes) in &forms {
        let source = frame(*from, 96, 64, 96, put(&client, bytes));
        for (to, want) in &forms {
            let target = client.alloc(want.len());
            client.ok(IVPS, CONVERT[0], &[&source, &frame(*to, 96, 64, 0, target)]);
            assert!(
                client.link.read(target, want.len()) == *want,
                "{from} to {to}"
            );
        }
    }
}

#[test]
fn turned_and_mirrored() {
    let card = Card::new();
    let client = card.client(21);
    let [y, u, v] = nv12(48, 32);
    let source = put(&client, &[y.samples.clone(), pairs(&u, &v)].concat());
    // The sample at (x, y) of the result, by arguments; from a plane of the given size.
    type From = fn(usize, usize, usize, usize) -> (usize, usize);
    let turns: [((u32, u32), From); 7] = [
        ((0, 0), |x, y, _, _| (x, y)),
        ((1, 0), |x, y, _, h| (x, h - 1 - y)),
        ((2, 0), |x, y, w, _| (w - 1 - x, y)),
        ((0, 2), |x, y, w, h| (w - 1 - x, h - 1 - y)),
        ((0, 1), |x, y, _, h| (y, h - 1 - x)),
        ((0, 3), |x, y, w, _| (w - 1 - y, x)),
        ((2, 1), |x, y, w, h| (w - 1 - y, h - 1 - x)),
    ];
    for ((mirror, quarters), from) in turns {
        let (w, h) = if quarters % 2 == 1 {
            (32, 48)
        } else {
            (48, 32)
        };
        let turned = |plane: &Plane, w, h| {
            Plane::new(w, h, |x, y| {
                let (x, y) = from(x, y, plane.width, plane.height);
                plane.at(x, y)
            })
        };
        let want = [
            turned(&y, w, h).samples,
            pairs(&turned(&u, w / 2, h / 2), &turned(&v, w / 2, h / 2)),
        ]
        .concat();
        let target = client.alloc(want.len());
        let from = frame(NV12, 48, 32, 0, source);
        let to = frame(NV12, w as u32, h as u32, 0, target);
        client.ok(IVPS, TURN, &[&from, &n32(mirror), &n32(quarters), &to]);
        assert!(
            client.link.read(target, want.len()) == want,
            "{mirror} {quarters}"
        );
    }
    // A target of the wrong size.
    let (from, to) = (
        frame(NV12, 48, 32, 0, source),
        frame(NV12, 48, 32, 0, source),
    );
    let args: [&[u8]; 4] = [&from, &n32(0), &n32(1), &to];
    assert_eq!(client.status(IVPS, TURN, &args), BAD_SIZE);
    assert_eq!(
        client.status(IVPS, TURN, &[&from, &n32(0), &n32(4), &to]),
        BAD_SIZE
    );
}

#[test]
fn blended_and_copied() {
    let card = Card::new();
    let client = card.client(21);
    let under = put(&client, &vec![100; 64 * 64 * 3]);
    let over = put(&client, &vec![200; 16 * 16 * 3]);
    let target = client.alloc(64 * 64 * 3);
    let [from, overlay] = [(64, under), (16, over)].map(|(side, at)| frame(RGB, side, side, 0, at));
    let to = frame(RGB, 64, 64, 0, target);
    let place = [8_i16.to_le_bytes(), 4_i16.to_le_bytes()].concat();
    client.ok(IVPS, BLEND, &[&from, &overlay, &place, &[64], &to]);
    let picture = client.link.read(target, 64 * 64 * 3);
    for (i, got) in picture.iter().enumerate() {
        let (x, y) = (i / 3 % 64, i / 192);
        let inside = (8..24).contains(&x) && (4..20).contains(&y);
        // 100 + 100 * 64 / 255.
        assert_eq!(*got, if inside { 125 } else { 100 }, "{x} {y}");
    }
    let outside = [60_i16.to_le_bytes(), 0_i16.to_le_bytes()].concat();
    let args: [&[u8]; 5] = [&from, &overlay, &outside, &[64], &to];
    assert_eq!(client.status(IVPS, BLEND, &args), BAD_SIZE);

    let copy = client.alloc(4096);
    client.ok(IVPS, COPY, &[&n64(target), &n64(copy), &n64(4096)]);
    assert!(client.link.read(copy, 4096) == picture[..4096]);
    let args = [n64(target), n64(1), n64(4096)];
    assert_eq!(
        client.status(IVPS, COPY, &[&args[0], &args[1], &args[2]]),
        BAD_ADDRESS
    );
}

#[test]
fn pool_blocks_and_mistakes() {
    let card = Card::new();
    let client = card.client(21);
    let mut config = record(96, &[(8, 65536), (16, 2)]);
    config[28..37].copy_from_slice(b"anonymous");
    let pool = u32_at(&client.call(POOL, 45, &[&config])[0], 0);
    let block = u32_at(&client.call(POOL, 47, &[&n32(pool), &n64(4096), b""])[0], 0);
    let phys = u64_at(&client.call(POOL, 50, &[&n32(block)])[0], 0);
    let source = put(&client, &vec![7; 64 * 64]);
    let from = frame(GRAY, 64, 64, 0, source);
    // The block instead of an address.
    let mut to = frame(GRAY, 32, 32, 0, 0);
    assert_eq!(
        client.status(IVPS, RESIZE[0], &[&from, &to, &stretch()]),
        NO_ADDRESS
    );
    to[164..168].copy_from_slice(&n32(block));
    let out = client.ok(IVPS, RESIZE[0], &[&from, &to, &stretch()]);
    assert_eq!(u64_at(&out[0], 56), phys);
    assert_eq!(client.link.read(phys, 32 * 32), vec![7; 32 * 32]);
    client.ok(IVPS, RESIZE_V4, &[&from, &to, &stretch(), &n64(0)]);

    // What cannot be: the structure comes back as it was.
    let good = frame(GRAY, 32, 32, 0, phys);
    for (bad, code) in [
        (frame(0x77, 32, 32, 0, phys), UNSUPPORTED),
        (frame(GRAY, 0, 32, 0, phys), BAD_SIZE),
        (frame(GRAY, 32, 20000, 0, phys), BAD_SIZE),
        (frame(GRAY, 32, 32, 31, phys), BAD_SIZE),
        (frame(GRAY, 32, 32, u32::MAX, phys), BAD_SIZE),
        (frame(GRAY, 32, 32, 0, 4096), BAD_ADDRESS),
        (frame(GRAY, 32, 32, 0, u64::MAX), BAD_ADDRESS),
        (cropped(good.clone(), [0, 0, 33, 1]), BAD_SIZE),
        (cropped(good.clone(), [-2, 0, 8, 8]), BAD_SIZE),
    ] {
        let answer = client.call(IVPS, RESIZE[0], &[&bad, &good, &stretch()]);
        assert_eq!(u32_at(&answer[0], 0), code);
        assert_eq!(answer[1], good);
    }
    let three = aspect(3, 0, [0; 2], [0; 4]);
    assert_eq!(
        client.status(IVPS, RESIZE[0], &[&from, &to, &three]),
        BAD_SIZE
    );
    assert_eq!(client.status(IVPS, CONVERT[0], &[&from, &good]), BAD_SIZE);
    assert_eq!(card.link.counter("ivps_pictures"), 2);

    // Coefficient levels are kept.
    let (range, level) = ([1; 8], [2; 16]);
    assert_eq!(client.status(IVPS, 72, &[&range]), 0x800d_0113);
    client.ok(IVPS, 71, &[&range, &level]);
    assert_eq!(client.ok(IVPS, 72, &[&range]), [level]);
    assert_eq!(client.status(IVPS, 92, &[&range]), 0x800d_0113);
}

#[test]
fn plain_dma() {
    let card = Card::new();
    let client = card.client(21);
    let bytes: Vec<u8> = (0..2_500_001_u32).map(|n| (n * 7 % 251) as u8).collect();
    let source = put(&client, &bytes);
    let target = client.alloc(bytes.len());
    let len = n64(bytes.len() as u64);
    client.ok(DMADIM, 5, &[&n64(target), &n64(source), &len]);
    assert!(client.link.read(target, bytes.len()) == bytes);
    let mut sum = 0_u32;
    for (i, byte) in bytes.iter().enumerate() {
        sum = sum.wrapping_add(u32::from(*byte) << (8 * (i % 4)));
    }
    assert_eq!(client.ok(DMADIM, 8, &[&n64(source), &len]), [n32(sum)]);
    client.ok(DMADIM, 6, &[&n64(target), &[0x5a], &n64(100)]);
    assert_eq!(
        client.link.read(target, 101)[98..],
        [0x5a, 0x5a, bytes[100]]
    );
    assert_eq!(client.status(DMADIM, 8, &[&n64(0), &len]), 0x8010_010c);
    assert_eq!(
        client.status(DMADIM, 6, &[&n64(target), &[0], &n64(0)]),
        0x8010_010a
    );
}
