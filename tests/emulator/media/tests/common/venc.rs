// SPDX-License-Identifier: MIT OR Apache-2.0

//! A client's use of the encoder.

use ax650_emu_api::Link;

use super::{n32, n64, record, u32_at, u64_at, Client, VENC};

pub const H264: u32 = 96;
pub const H265: u32 = 265;
pub const JPEG: u32 = 26;
pub const MJPEG: u32 = 1002;
pub const EMPTY: u32 = 0x8007_0220;
pub const QUEUE_EMPTY: u32 = 0x8007_0222;
pub const TIMED_OUT: u32 = 0x8007_0227;
pub const FLOW_END: u32 = 0x8007_0228;
pub const UNEXIST: u32 = 0x8007_0217;
pub const NO_BUFFER: u32 = 0x8007_0219;

/// `AX_VENC_CHN_ATTR_T`; `rc` are the numbers of the rate control from `enRcMode`'s union on.
pub fn attr(codec: u32, width: u32, height: u32, mode: u32, rc: &[u32]) -> Vec<u8> {
    let profile = if codec == H264 { 11 } else { 0 };
    let fps = 25f32.to_bits();
    let mut bytes = record(
        224,
        &[
            (0, codec),
            (4, width),
            (8, height),
            (20, profile),
            (36, width),
            (40, height),
            (64, 1),
            (72, 0x0404),
            (84, mode),
            (92, fps),
            (96, fps),
        ],
    );
    for (i, n) in rc.iter().enumerate() {
        bytes[100 + 4 * i..][..4].copy_from_slice(&n32(*n));
    }
    bytes
}

/// CBR of `kbps` with an intra picture every `gop` pictures.
pub fn cbr(codec: u32, width: u32, height: u32, gop: u32, kbps: u32) -> Vec<u8> {
    let mode = if codec == H265 { 11 } else { 1 };
    let rc = [gop, 1, kbps, 51, 10, 51, 10, 40, 10];
    attr(codec, width, height, mode, &rc)
}

/// A channel, started.
#[derive(Clone)]
pub struct Encoder {
    pub client: Client,
    pub id: u32,
    pub width: u32,
    pub height: u32,
    /// Card memory for one picture.
    pub picture: u64,
}

/// A packet as the client gets it.
pub struct Packet {
    pub stream: Vec<u8>,
    pub bytes: Vec<u8>,
}

impl Packet {
    pub fn pts(&self) -> u64 {
        u64_at(&self.stream, 24)
    }
    pub fn seq(&self) -> u64 {
        u64_at(&self.stream, 32)
    }
    /// 0 intra, 1 predicted.
    pub fn kind(&self) -> u32 {
        u32_at(&self.stream, 52)
    }
    /// Type, offset and length of each NAL unit.
    pub fn nals(&self) -> Vec<[u32; 3]> {
        (0..u32_at(&self.stream, 60) as usize)
            .map(|i| [0, 4, 8].map(|f| u32_at(&self.stream, 64 + 12 * i + f)))
            .collect()
    }
}

impl Encoder {
    pub fn new(client: &Client, attr: &[u8]) -> Self {
        client.ok(VENC, 0, &[&record(20, &[(0, 3)])]);
        let id = u32_at(&client.ok(VENC, 3, &[attr, &[]])[0], 0);
        let (width, height) = (u32_at(attr, 36), u32_at(attr, 40));
        let this = Self {
            client: client.clone(),
            id,
            width,
            height,
            picture: client.alloc((width * height * 3 / 2) as usize),
        };
        this.ok(16, &[&n32(u32::MAX)]);
        this
    }

    /// A call whose first argument is the channel.
    pub fn call(&self, api: u32, args: &[&[u8]]) -> Vec<Vec<u8>> {
        let id = n32(self.id);
        let all: Vec<&[u8]> = [&id[..]].into_iter().chain(args.iter().copied()).collect();
        self.client.call(VENC, api, &all)
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

    /// `AX_VIDEO_FRAME_INFO_T` of the channel's picture memory; chroma address 0 as in the worked
    /// example.
    pub fn frame(&self, pts: u64) -> Vec<u8> {
        let mut frame = record(
            240,
            &[
                (0, self.width),
                (4, self.height),
                (8, 3),
                (32, self.width),
                (36, self.width),
                (228, self.width * self.height * 3 / 2),
            ],
        );
        frame[56..64].copy_from_slice(&n64(self.picture));
        frame[192..200].copy_from_slice(&n64(pts));
        frame
    }

    /// Writes a picture to card memory and sends it.
    pub fn send(&self, pixels: &[u8], pts: u64, timeout: i32) -> u32 {
        self.client.link.dram().write(self.picture, pixels).unwrap();
        self.status(5, &[&self.frame(pts), &timeout.to_le_bytes()])
    }

    /// Sends the end of the stream.
    pub fn send_end(&self) -> u32 {
        self.status(5, &[&record(240, &[(236, 1)]), &n32(u32::MAX)])
    }

    /// GetStream and a copy of the packet; the client keeps it.
    pub fn get(&self, timeout: i32) -> Result<Packet, u32> {
        let mut answer = self.call(13, &[&timeout.to_le_bytes()]);
        match u32_at(&answer[0], 0) {
            0 => {
                let stream = answer.remove(1);
                let len = u32_at(&stream, 16).into();
                let dram = self.client.link.dram();
                let bytes = dram.read_vec(u64_at(&stream, 0), len).unwrap();
                Ok(Packet { stream, bytes })
            }
            code => Err(code),
        }
    }

    pub fn release(&self, packet: &Packet) -> u32 {
        self.status(14, &[&packet.stream])
    }

    /// All packets until the end of the stream.
    pub fn take_all(&self) -> Vec<Packet> {
        let mut all = Vec::new();
        loop {
            match self.get(20_000) {
                Ok(packet) => {
                    assert_eq!(self.release(&packet), 0);
                    all.push(packet);
                }
                Err(code) => {
                    assert_eq!(code, FLOW_END, "{code:#x}");
                    return all;
                }
            }
        }
    }

    /// Encodes all pictures, with time stamps 0, 40000, ...
    pub fn encode(&self, pixels: &[u8]) -> Vec<Packet> {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let size = (self.width * self.height * 3 / 2) as usize;
                for (i, picture) in pixels.chunks(size).enumerate() {
                    assert_eq!(self.send(picture, 40_000 * i as u64, -1), 0);
                }
                assert_eq!(self.send_end(), 0);
            });
            self.take_all()
        })
    }
}

/// The bytes of all packets.
pub fn join(packets: &[Packet]) -> Vec<u8> {
    packets.iter().flat_map(|p| p.bytes.clone()).collect()
}
