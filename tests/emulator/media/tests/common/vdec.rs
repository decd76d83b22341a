// SPDX-License-Identifier: MIT OR Apache-2.0

//! A client's use of the decoder.

use super::{n32, record, u32_at, u64_at, Client, VDEC};

pub const H264: u32 = 96;
pub const H265: u32 = 265;
pub const JPEG: u32 = 26;
pub const EMPTY: u32 = 0x8008_0120;
pub const QUEUE_EMPTY: u32 = 0x8008_0122;
pub const TIMED_OUT: u32 = 0x8008_0127;
pub const FLOW_END: u32 = 0x8008_0128;
pub const UNEXIST: u32 = 0x8008_0117;
pub const NO_BUFFER: u32 = 0x8008_0119;

/// `enInputMode`.
pub const NAL: u32 = 0;
pub const FRAME: u32 = 1;
pub const STREAM: u32 = 3;

/// `AX_VDEC_GRP_ATTR_T` with automatic pools.
pub fn group_attr(codec: u32, input: u32, width: u32, height: u32) -> Vec<u8> {
    record(
        56,
        &[
            (0, codec),
            (4, input),
            (8, width),
            (12, height),
            (16, 1 << 20),
            (20, 1),
        ],
    )
}

/// `AX_VDEC_CHN_ATTR_T`: original size, 3 pictures waiting, 5 buffers.
pub fn channel_attr(width: u32, height: u32, stride: u32) -> Vec<u8> {
    record(
        68,
        &[
            (0, width),
            (4, height),
            (8, stride),
            (32, 3),
            (36, 5),
            (48, 3),
        ],
    )
}

/// A group with one enabled channel, started.
pub struct Decoder {
    pub client: Client,
    pub id: u32,
    pub channel: u32,
}

/// A picture as the client gets it.
pub struct Picture {
    pub info: Vec<u8>,
    /// NV12 without gaps.
    pub pixels: Vec<u8>,
}

impl Picture {
    pub fn pts(&self) -> u64 {
        u64_at(&self.info, 192)
    }
    pub fn seq(&self) -> u64 {
        u64_at(&self.info, 200)
    }
    pub fn size(&self) -> (u32, u32) {
        (u32_at(&self.info, 0), u32_at(&self.info, 4))
    }
}

impl Decoder {
    pub fn new(client: &Client, codec: u32, input: u32, width: u32, height: u32) -> Self {
        let stride = width.next_multiple_of(64);
        Self::with(
            client,
            &group_attr(codec, input, width, height),
            &channel_attr(width, height, stride),
        )
    }

    pub fn with(client: &Client, group: &[u8], channel: &[u8]) -> Self {
        client.ok(VDEC, 0, &[&record(16, &[(0, 32)])]);
        let id = u32_at(&client.ok(VDEC, 6, &[group])[0], 0);
        let this = Self {
            client: client.clone(),
            id,
            channel: 0,
        };
        this.ok(31, &[&n32(0), channel]);
        this.ok(29, &[&n32(0)]);
        this.ok(10, &[&n32(u32::MAX)]);
        this
    }

    /// A call whose first argument is the group.
    pub fn call(&self, api: u32, args: &[&[u8]]) -> Vec<Vec<u8>> {
        let id = n32(self.id);
        let all: Vec<&[u8]> = [&id[..]].into_iter().chain(args.iter().copied()).collect();
        self.client.call(VDEC, api, &all)
    }

    pub fn status(&self, api: u32, args: &[&[u8]]) -> u32 {
        u32_at(&self.call(api, args)[0], 0)
    }

    #[track_caller]
    pub fn ok(&self, api: u32, args: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut answer = self.call(api, args);
        let code = u32_at(&answer[0], 0);
        assert_eq!(code, 0, "api {api}: {code:#x}");
        answer.remove(0);
        answer
    }

    /// SendStream of bytes that end a picture.
    pub fn send(&self, bytes: &[u8], pts: u64, timeout: i32) -> u32 {
        let mut stream = record(56, &[(16, 1), (28, bytes.len() as u32)]);
        stream[..8].copy_from_slice(&pts.to_le_bytes());
        self.status(17, &[&stream, &timeout.to_le_bytes(), bytes])
    }

    /// SendStream of the end.
    pub fn send_end(&self) -> u32 {
        self.status(17, &[&record(56, &[(20, 1)]), &n32(u32::MAX), &[]])
    }

    /// GetChnFrame and a copy of the picture; the client keeps it.
    pub fn get(&self, timeout: i32) -> Result<Picture, u32> {
        let mut answer = self.call(18, &[&n32(self.channel), &timeout.to_le_bytes()]);
        match u32_at(&answer[0], 0) {
            0 => Ok(self.picture(answer.remove(1))),
            code => {
                assert!(answer[1].iter().all(|&b| b == 0));
                Err(code)
            }
        }
    }

    fn picture(&self, info: Vec<u8>) -> Picture {
        use ax650_emu_api::Link;
        let (width, height) = (u32_at(&info, 0), u32_at(&info, 4));
        let stride = u64::from(u32_at(&info, 32));
        let mut pixels = Vec::new();
        for (plane, rows, len) in [
            (56, height, width),
            (64, height.div_ceil(2), width.next_multiple_of(2)),
        ] {
            for row in 0..u64::from(rows) {
                let at = u64_at(&info, plane) + row * stride;
                let dram = self.client.link.dram();
                pixels.extend(dram.read_vec(at, len.into()).unwrap());
            }
        }
        Picture { info, pixels }
    }

    pub fn release(&self, picture: &Picture) -> u32 {
        self.status(19, &[&n32(self.channel), &picture.info])
    }

    /// All pictures until the end of the stream.
    pub fn take_all(&self) -> Vec<Picture> {
        let mut all = Vec::new();
        loop {
            match self.get(20_000) {
                Ok(picture) => {
                    assert_eq!(self.release(&picture), 0);
                    all.push(picture);
                }
                Err(code) => {
                    assert_eq!(code, FLOW_END, "{code:#x}");
                    return all;
                }
            }
        }
    }

    /// Sends `chunks` in a thread, with time stamps 0, 40000, ..., then the end.
    pub fn feed(&self, chunks: Vec<Vec<u8>>) -> std::thread::JoinHandle<()> {
        let this = Self {
            client: self.client.clone(),
            ..*self
        };
        std::thread::spawn(move || {
            for (i, chunk) in chunks.iter().enumerate() {
                assert_eq!(this.send(chunk, 40_000 * i as u64, -1), 0);
            }
            assert_eq!(this.send_end(), 0);
        })
    }
}

/// Cuts a stream of ffmpeg's into pictures: it begins each with an access unit delimiter if asked
/// (`-bsf:v h264_metadata=aud=insert`).
pub fn cut(stream: &[u8], delimiter: &[u8]) -> Vec<Vec<u8>> {
    let mut starts: Vec<_> = stream
        .windows(delimiter.len())
        .enumerate()
        .filter(|(_, w)| *w == delimiter)
        .map(|(i, _)| i)
        .collect();
    starts.push(stream.len());
    starts
        .windows(2)
        .map(|w| stream[w[0]..w[1]].to_vec())
        .collect()
}
