// SPDX-License-Identifier: MIT OR Apache-2.0

//! H.264 encoder and decoder [rpc 7.1], [rpc 7.2], [rpc 7.6].

use anyhow::{bail, ensure, Result};

use super::device::Scope;
use crate::node::{get32, get64, put32, put64};
use crate::rpc::native::{self, Module, SysApi, VdecApi, VencApi};

const VENC_EMPTY: u32 = 0x8007_0220;
const VENC_TIMEOUT: u32 = 0x8007_0227;
const VDEC_EMPTY: u32 = 0x8008_0120;
const VDEC_TIMEOUT: u32 = 0x8008_0127;
const VDEC_END: u32 = 0x8008_0128;

const H264: u32 = 96;
const NV12: u32 = 3;

/// A frame info structure, 240 bytes.
const FRAME: usize = 240;
/// A stream structure of the encoder.
const STREAM: usize = 1200;

fn word(value: u32) -> Vec<u8> {
    value.to_le_bytes().to_vec()
}

impl Scope<'_> {
    /// A native call; the blobs of its answer, each as long as it must be.
    pub fn native(
        &self,
        module: Module,
        api: i32,
        data: Vec<Vec<u8>>,
        sizes: &[usize],
    ) -> Result<Vec<Vec<u8>>> {
        let blobs = native::answer(module, api, self.call(&native::call(module, api, data))?)?;
        let found: Vec<usize> = blobs.iter().map(Vec::len).collect();
        ensure!(
            found == sizes,
            "{module:?} call {api}: blobs of {found:?}, not {sizes:?}"
        );
        Ok(blobs)
    }

    fn vdec(&self, api: VdecApi, data: Vec<Vec<u8>>, sizes: &[usize]) -> Result<Vec<Vec<u8>>> {
        self.native(Module::Vdec, api as i32, data, sizes)
    }

    fn venc(&self, api: VencApi, data: Vec<Vec<u8>>, sizes: &[usize]) -> Result<Vec<Vec<u8>>> {
        self.native(Module::Venc, api as i32, data, sizes)
    }

    fn vdec_ok(&self, api: VdecApi, data: Vec<Vec<u8>>) -> Result<()> {
        let code = native::returned(&self.vdec(api, data, &[4])?)?;
        ensure!(code == 0, "{api:?}: {code:#x}");
        Ok(())
    }

    fn venc_ok(&self, api: VencApi, data: Vec<Vec<u8>>) -> Result<()> {
        let code = native::returned(&self.venc(api, data, &[4])?)?;
        ensure!(code == 0, "{api:?}: {code:#x}");
        Ok(())
    }
}

/// A picture in NV12, without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Luma columns.
    pub width: usize,
    /// Luma rows.
    pub height: usize,
    /// Luma, then chroma.
    pub bytes: Vec<u8>,
}

impl Picture {
    /// Number `n` of a soft gradient that moves.
    pub fn gradient(width: usize, height: usize, n: usize) -> Self {
        let luma = (0..height)
            .flat_map(|y| (0..width).map(move |x| ((x / 2 + y / 2 + 4 * n) % 200 + 20) as u8));
        let chroma = (0..height / 2).flat_map(|y| {
            (0..width / 2).flat_map(move |x| [(100 + y / 4) as u8, (110 + x / 8) as u8])
        });
        Self {
            width,
            height,
            bytes: luma.chain(chroma).collect(),
        }
    }

    /// Peak signal to noise ratio of the luma against another, dB.
    pub fn psnr(&self, other: &Self) -> f64 {
        let pixels = self.width * self.height;
        let sum: u64 = self.bytes[..pixels]
            .iter()
            .zip(&other.bytes[..pixels])
            .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2))
            .sum();
        if sum == 0 {
            return 100.0;
        }
        10.0 * (255.0 * 255.0 * pixels as f64 / sum as f64).log10()
    }
}

/// An encoder channel with a pool of one picture.
#[derive(Debug)]
pub struct Encoder<'a> {
    scope: Scope<'a>,
    channel: u32,
    pool: u32,
    block: u32,
    address: u64,
    width: usize,
    height: usize,
    sent: u64,
}

impl<'a> Encoder<'a> {
    /// Opens one.
    pub fn new(scope: Scope<'a>, width: usize, height: usize) -> Result<Self> {
        let mut init = [0; 20];
        put32(&mut init, 0, 3);
        put32(&mut init, 16, 1);
        scope.venc_ok(VencApi::AxVencInit, vec![init.to_vec()])?;
        let size = width * height * 3 / 2;
        let mut config = [0; 96];
        put64(&mut config, 0, 512);
        put64(&mut config, 8, size as u64);
        put32(&mut config, 16, 4);
        config[28..37].copy_from_slice(b"anonymous");
        let sys =
            |api: SysApi, data, sizes: &[usize]| scope.native(Module::Sys, api as i32, data, sizes);
        let pool = sys(SysApi::AxPoolCreatePool, vec![config.to_vec()], &[4])?;
        let pool = native::returned(&pool)?;
        ensure!(pool != u32::MAX, "no pool");
        let wanted = vec![word(pool), (size as u64).to_le_bytes().to_vec(), Vec::new()];
        let block = native::returned(&sys(SysApi::AxPoolGetBlock, wanted, &[4])?)?;
        ensure!(block != 0, "no block");
        let address = sys(SysApi::AxPoolHandle2PhysAddr, vec![word(block)], &[8])?;
        let address = get64(&address[0], 0);
        ensure!(address != 0, "a block without an address");
        let attributes = attributes(width, height);
        let made = scope.venc(
            VencApi::AxVencCreateChnEx,
            vec![attributes, Vec::new()],
            &[4, 4],
        )?;
        ensure!(native::returned(&made)? == 0, "CreateChnEx: {made:x?}");
        let channel = get32(&made[1], 0);
        scope.venc_ok(
            VencApi::AxVencStartRecvFrame,
            vec![word(channel), word(u32::MAX)],
        )?;
        Ok(Self {
            scope,
            channel,
            pool,
            block,
            address,
            width,
            height,
            sent: 0,
        })
    }

    /// Encodes a picture.
    pub fn encode(&mut self, picture: &Picture, pts: u64) -> Result<Vec<u8>> {
        self.scope.write(self.address, &picture.bytes)?;
        self.sent += 1;
        let mut frame = vec![0; FRAME];
        put32(&mut frame, 0, self.width as u32);
        put32(&mut frame, 4, self.height as u32);
        put32(&mut frame, 8, NV12);
        put32(&mut frame, 32, self.width as u32);
        put32(&mut frame, 36, self.width as u32);
        put64(&mut frame, 56, self.address);
        put64(&mut frame, 80, self.address);
        put32(&mut frame, 164, self.block);
        put64(&mut frame, 192, pts);
        put64(&mut frame, 200, self.sent);
        put32(&mut frame, 228, picture.bytes.len() as u32);
        let send = vec![word(self.channel), frame, word(u32::MAX)];
        self.scope.venc_ok(VencApi::AxVencSendFrame, send)?;
        loop {
            let get = vec![word(self.channel), word(2000)];
            let got = self
                .scope
                .venc(VencApi::AxVencGetStream, get, &[4, STREAM])?;
            match native::returned(&got)? {
                0 => return self.take(&got[1], pts),
                VENC_EMPTY | VENC_TIMEOUT => {}
                code => bail!("GetStream: {code:#x}"),
            }
        }
    }

    /// Number of the channel.
    pub fn number(&self) -> u32 {
        self.channel
    }

    /// Stops and resets the channel; what GetStream, without a time limit, says then.
    pub fn end_by_reset(&self) -> Result<u32> {
        let channel = || vec![word(self.channel)];
        self.scope
            .venc_ok(VencApi::AxVencStopRecvFrame, channel())?;
        self.scope.venc_ok(VencApi::AxVencResetChn, channel())?;
        let get = vec![word(self.channel), word(u32::MAX)];
        let got = self
            .scope
            .venc(VencApi::AxVencGetStream, get, &[4, STREAM])?;
        native::returned(&got)
    }

    /// Copies an encoded picture and gives it back.
    fn take(&self, stream: &[u8], pts: u64) -> Result<Vec<u8>> {
        let (address, length) = (get64(stream, 0), get32(stream, 16) as usize);
        ensure!(get64(stream, 24) == pts, "PTS {}", get64(stream, 24));
        let units = get32(stream, 60) as usize;
        ensure!((1..=64).contains(&units), "{units} NAL units");
        for unit in 0..units {
            let at = 64 + unit * 12;
            let end = u64::from(get32(stream, at + 4)) + u64::from(get32(stream, at + 8));
            ensure!(
                end <= length as u64,
                "NAL unit {unit} ends at {end} of {length}"
            );
        }
        let bytes = self.scope.read(address, length)?;
        let release = vec![word(self.channel), stream.to_vec()];
        self.scope.venc_ok(VencApi::AxVencReleaseStream, release)?;
        Ok(bytes)
    }

    /// Gives all up.
    pub fn close(self) -> Result<()> {
        let channel = vec![word(self.channel)];
        self.scope
            .venc_ok(VencApi::AxVencStopRecvFrame, channel.clone())?;
        self.scope.venc_ok(VencApi::AxVencDestroyChn, channel)?;
        for (api, number) in [
            (SysApi::AxPoolReleaseBlock, self.block),
            (SysApi::AxPoolDestroyPool, self.pool),
        ] {
            let done = self
                .scope
                .native(Module::Sys, api as i32, vec![word(number)], &[4])?;
            ensure!(native::returned(&done)? == 0, "{api:?}: {done:x?}");
        }
        self.scope.venc_ok(VencApi::AxVencDeinit, Vec::new())
    }
}

/// H.264 at a constant bit rate, as in the worked example.
pub(crate) fn attributes(width: usize, height: usize) -> Vec<u8> {
    let mut attributes = vec![0; 224];
    let mut set = |at: usize, value: u32| put32(&mut attributes, at, value);
    set(0, H264);
    set(4, width as u32);
    set(8, height as u32);
    set(20, 10);
    set(24, 51);
    set(36, width as u32);
    set(40, height as u32);
    set(64, 1);
    set(72, 0x0404);
    set(84, 1);
    set(88, u32::MAX);
    set(92, 30_f32.to_bits());
    set(96, 30_f32.to_bits());
    for (at, value) in [30, 0, 2000, 51, 16, 51, 16, 40, 10, -2_i32 as u32, 10]
        .into_iter()
        .enumerate()
    {
        set(100 + at * 4, value);
    }
    attributes
}

/// A decoder group.
#[derive(Debug)]
pub struct Decoder<'a> {
    scope: Scope<'a>,
    group: u32,
}

impl<'a> Decoder<'a> {
    /// Opens one.
    pub fn new(scope: Scope<'a>, width: usize, height: usize) -> Result<Self> {
        let mut init = [0; 16];
        put32(&mut init, 0, 32);
        put32(&mut init, 4, 1);
        scope.vdec_ok(VdecApi::AxVdecInit, vec![init.to_vec()])?;
        Self::another(scope, width, height)
    }

    /// The same when there is one already.
    pub fn another(scope: Scope<'a>, width: usize, height: usize) -> Result<Self> {
        let mut attributes = vec![0; 56];
        put32(&mut attributes, 0, H264);
        put32(&mut attributes, 4, 1);
        put32(&mut attributes, 8, width as u32);
        put32(&mut attributes, 12, height as u32);
        put32(&mut attributes, 16, (width * height * 2) as u32);
        put32(&mut attributes, 20, 1);
        let made = scope.vdec(VdecApi::AxVdecCreateGrpEx, vec![attributes], &[4, 4])?;
        ensure!(native::returned(&made)? == 0, "CreateGrpEx: {made:x?}");
        let group = get32(&made[1], 0);
        scope.vdec_ok(VdecApi::AxVdecSetGrpParam, vec![word(group), vec![0; 12]])?;
        scope.vdec_ok(VdecApi::AxVdecSetDisplayMode, vec![word(group), word(1)])?;
        let mut channel = vec![0; 68];
        put32(&mut channel, 0, width as u32);
        put32(&mut channel, 4, height as u32);
        put32(&mut channel, 8, width as u32);
        put32(&mut channel, 32, 3);
        put32(&mut channel, 36, 8);
        put32(&mut channel, 40, (width * height * 3 / 2 + 32) as u32);
        put32(&mut channel, 48, NV12);
        scope.vdec_ok(
            VdecApi::AxVdecSetChnAttr,
            vec![word(group), word(0), channel],
        )?;
        scope.vdec_ok(VdecApi::AxVdecEnableChn, vec![word(group), word(0)])?;
        scope.vdec_ok(
            VdecApi::AxVdecStartRecvStream,
            vec![word(group), word(u32::MAX)],
        )?;
        Ok(Self { scope, group })
    }

    /// Number of the group.
    pub fn number(&self) -> u32 {
        self.group
    }

    /// Stops, and starts for so many pictures; what that returns.
    pub fn start_again(&self, pictures: u32) -> Result<u32> {
        let group = vec![word(self.group)];
        self.scope.vdec_ok(VdecApi::AxVdecStopRecvStream, group)?;
        let start = vec![word(self.group), word(pictures)];
        let done = self
            .scope
            .vdec(VdecApi::AxVdecStartRecvStream, start, &[4])?;
        native::returned(&done)
    }

    /// Sends one picture's bytes; none are the end of the stream.
    pub fn send(&self, bytes: &[u8], pts: u64) -> Result<()> {
        let mut stream = vec![0; 56];
        put64(&mut stream, 0, pts);
        put32(&mut stream, 16, 1);
        put32(&mut stream, 20, bytes.is_empty().into());
        put32(&mut stream, 28, bytes.len() as u32);
        let data = vec![word(self.group), stream, word(u32::MAX), bytes.to_vec()];
        self.scope.vdec_ok(VdecApi::AxVdecSendStream, data)
    }

    /// The next picture with its time; `None` at the end of the stream.
    pub fn receive(&self) -> Result<Option<(u64, Picture)>> {
        loop {
            let get = vec![word(self.group), word(0), word(2000)];
            let got = self
                .scope
                .vdec(VdecApi::AxVdecGetChnFrame, get, &[4, FRAME])?;
            match native::returned(&got)? {
                0 => return self.take(&got[1]).map(Some),
                VDEC_EMPTY | VDEC_TIMEOUT => {}
                VDEC_END => return Ok(None),
                code => bail!("GetChnFrame: {code:#x}"),
            }
        }
    }

    fn take(&self, frame: &[u8]) -> Result<(u64, Picture)> {
        let (width, height) = (get32(frame, 0) as usize, get32(frame, 4) as usize);
        ensure!(get32(frame, 8) == NV12, "format {}", get32(frame, 8));
        let mut bytes = Vec::new();
        for (plane, rows) in [(0, height), (1, height / 2)] {
            let stride = get32(frame, 32 + 4 * plane) as usize;
            ensure!(stride >= width, "a stride of {stride}");
            let whole = self
                .scope
                .read(get64(frame, 56 + 8 * plane), stride * rows)?;
            for row in whole.chunks_exact(stride) {
                bytes.extend_from_slice(&row[..width]);
            }
        }
        let release = vec![word(self.group), word(0), frame.to_vec()];
        self.scope
            .vdec_ok(VdecApi::AxVdecReleaseChnFrame, release)?;
        let picture = Picture {
            width,
            height,
            bytes,
        };
        Ok((get64(frame, 192), picture))
    }

    /// Gives all up.
    pub fn close(self) -> Result<()> {
        let scope = self.scope;
        self.give_up()?;
        scope.vdec_ok(VdecApi::AxVdecDeinit, Vec::new())
    }

    /// Gives the group up, when there are others.
    pub fn give_up(self) -> Result<()> {
        let group = vec![word(self.group)];
        self.scope
            .vdec_ok(VdecApi::AxVdecStopRecvStream, group.clone())?;
        self.scope
            .vdec_ok(VdecApi::AxVdecDisableChn, vec![word(self.group), word(0)])?;
        self.scope.vdec_ok(VdecApi::AxVdecDestroyGrp, group)
    }
}
