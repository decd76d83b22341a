// SPDX-License-Identifier: GPL-2.0

//! The native calls whose arguments are known completely [rpc 7.5], [rpc 7.6].

use super::{
    picture,
    Arguments,
    Names,
    Refusal,
    Result,
    DMADIM,
    ENGINE,
    IVPS,
    SYS,
    VDEC,
    VENC, //
};
use crate::wire::{
    bytes::{
        u32_at,
        u64_at, //
    },
    grants::{
        picture::{
            Places,
            NV12, //
        },
        Effect,
        Gift,
        Kind,
        Mark,
        Taken,
        Thing, //
    }, //
};

/// An argument.
#[derive(Clone, Copy)]
enum Is {
    /// So many bytes that name nothing, or that are looked at by themselves.
    Bytes(usize),
    /// Any number of bytes that name nothing.
    Any,
    /// The number of a thing of this kind, 4 bytes, that the call uses.
    A(Kind),
}

use Is::{
    Any,
    Bytes,
    A, //
};

const DECODER: Is = A(Kind::Decoder);
const ENCODER: Is = A(Kind::Encoder);
const POOL: Is = A(Kind::Pool);
const BLOCK: Is = A(Kind::Block);

/// Returns the arguments of a call that is known.
fn layout(module: u8, api: u8) -> Option<&'static [Is]> {
    Some(match (module, api) {
        // MemGetPartitionInfo, MemQueryStatus, GetCurPTS, GetChipType.
        (SYS, 14 | 17 | 71 | 81) => &[],
        // CreatePool, DestroyPool, GetBlock, ReleaseBlock.
        (SYS, 45) => &[Bytes(96)],
        (SYS, 46 | 48) => &[Bytes(4)],
        (SYS, 47) => &[POOL, Bytes(8), Any],
        // Handle2PhysAddr, Handle2PoolId, Handle2BlkSize.
        (SYS, 50 | 52 | 53) => &[BLOCK],

        // Init.
        (VDEC, 0) => &[Bytes(16)],
        // CreateGrpEx, DestroyGrp.
        (VDEC, 6) => &[Bytes(56)],
        (VDEC, 7) => &[Bytes(4)],
        // GetGrpAttr, StopRecvStream, QueryStatus, ResetGrp, GetGrpParam, GetDisplayMode, GetStreamBufInfo, GetVuiParam.
        (VDEC, 8 | 11..=13 | 15 | 26 | 34 | 35) => &[DECODER],
        // StartRecvStream, SetDisplayMode, EnableChn, DisableChn, GetChnAttr.
        (VDEC, 10 | 25 | 29 | 30 | 32) => &[DECODER, Bytes(4)],
        // SetGrpParam, SendStream, GetChnFrame, ReleaseChnFrame, SetChnAttr.
        (VDEC, 14) => &[DECODER, Bytes(12)],
        (VDEC, 17) => &[DECODER, Bytes(56), Bytes(4), Any],
        (VDEC, 18) => &[DECODER, Bytes(4), Bytes(4)],
        (VDEC, 19) => &[DECODER, Bytes(4), Bytes(240)],
        (VDEC, 31) => &[DECODER, Bytes(4), Bytes(68)],
        // JpegDecodeOneFrame.
        (VDEC, 33) => &[Bytes(296)],

        // Init.
        (VENC, 0) => &[Bytes(20)],
        // CreateChnEx without a table, DestroyChn.
        (VENC, 3) => &[Bytes(224), Bytes(0)],
        (VENC, 4) => &[Bytes(4)],
        // SendFrame, GetStream, ReleaseStream.
        (VENC, 5) => &[ENCODER, Bytes(240), Bytes(4)],
        (VENC, 13) => &[ENCODER, Bytes(4)],
        (VENC, 14) => &[ENCODER, Bytes(1200)],
        // GetStreamBufInfo, StopRecvFrame, ResetChn, GetRcParam, GetVuiParam, GetChnAttr, GetRateJamStrategy,
        // GetSuperFrameStrategy, GetIntraRefresh, GetSliceSplit, QueryStatus, GetJpegParam.
        (VENC, 15 | 17 | 18 | 22 | 26 | 28 | 30 | 32 | 34 | 38 | 40 | 42) => &[ENCODER],
        // StartRecvFrame, GetRoiAttr, RequestIDR.
        (VENC, 16 | 20 | 39) => &[ENCODER, Bytes(4)],
        // SetRcParam.
        (VENC, 21) => &[ENCODER, Bytes(120)],

        // Init, Csc and CropResize of the three engines.
        (IVPS, 0) => &[],
        (IVPS, 53 | 69 | 82) => &[Bytes(232), Bytes(232)],
        (IVPS, 54 | 66 | 83) => &[Bytes(232), Bytes(232), Bytes(24)],
        // CmmCopy of the three engines, DMA_MemCopy, DMA_MemSet, DMA_CheckSum.
        (IVPS, 51 | 65 | 81) | (DMADIM, 5) => &[Bytes(8), Bytes(8), Bytes(8)],
        (DMADIM, 6) => &[Bytes(8), Bytes(1), Bytes(8)],
        (DMADIM, 8) => &[Bytes(8), Bytes(8)],

        // GetVersion, GetVNPUAttr.
        (ENGINE, 0 | 3) => &[],
        _ => return None,
    })
}

/// Returns whether the arguments of the call are known, so that everybody may make it.
pub fn is_known(module: u8, api: u8) -> bool {
    layout(module, api).is_some()
}

/// Offset in `AX_VDEC_GRP_ATTR_T` of "skip the pool for streams", and of a buffer's physical address.
const GROUP_SKIPS_POOL: usize = 24;
const GROUP_BUFFER: usize = 32;
/// Offsets in `AX_VDEC_STREAM_T` of the length and the physical address, and its own length.
const STREAM_LENGTH: usize = 28;
const STREAM_ADDRESS: usize = 40;
const STREAM_SIZE: usize = 56;
/// Offset in `AX_VDEC_DEC_ONE_FRM_T` of the format that is wanted.
const JPEG_FORMAT: usize = 292;
/// Offset in `AX_POOL_CONFIG_T` of the size of blocks.
const POOL_BLOCK: usize = 8;
/// Offsets in `AX_VENC_CHN_ATTR_T` of width and height of the pictures that come in.
const SOURCE_WIDTH: usize = 36;
const SOURCE_HEIGHT: usize = 40;
/// Offset in `AX_VENC_CHN_ATTR_T` of "crop".
const CROP_ENABLED: usize = 44;
/// Offsets in `AX_VIDEO_FRAME_T` of time stamp and user data.
const FRAME_TIME: usize = 192;
const FRAME_USER_DATA: usize = 208;

/// Checks a call and returns what a good answer means.
///
/// [`Refusal::Privileged`] if it is not known completely.
pub(super) fn check(
    arguments: &Arguments<'_>,
    module: u8,
    api: u8,
    names: &mut Names<'_>,
) -> Result<'static, Effect> {
    let unknown = Refusal::Privileged(api.into());
    let layout = layout(module, api).ok_or(unknown)?;
    if layout.len() != arguments.count {
        return Err(Refusal::Malformed("native call"));
    }
    for (at, is) in layout.iter().enumerate() {
        let argument = arguments.get(at);
        let fits = match is {
            Bytes(size) => argument.len() == *size,
            A(_) => argument.len() == 4,
            Any => true,
        };
        if !fits {
            return Err(Refusal::Malformed("argument of a native call"));
        }
        if let A(kind) = is {
            names.thing(Thing::new(*kind, arguments.u32(at)))?;
        }
    }
    let thing = |kind| Thing::new(kind, arguments.u32(0));
    let whole = |kind| Effect::Takes(Taken::Whole(thing(kind)));
    let word = |argument, at| u32_at(arguments.get(argument), at).unwrap_or(0);
    let long = |argument, at| u64_at(arguments.get(argument), at).unwrap_or(0);
    Ok(match (module, api) {
        (SYS, 45) => Effect::Gives(Gift::Pool(long(0, POOL_BLOCK))),
        (SYS, 46) => whole(Kind::Pool),
        (SYS, 47) => Effect::Gives(Gift::Block(thing(Kind::Pool), arguments.u64(1))),
        (SYS, 48) => whole(Kind::Block),
        (SYS, 50) => Effect::Gives(Gift::BlockMemory(thing(Kind::Block))),

        // The decoder would write streams into memory of the client's.
        (VDEC, 6) if long(0, GROUP_BUFFER) != 0 || word(0, GROUP_SKIPS_POOL) != 0 => {
            return Err(unknown)
        }
        (VDEC, 6) => Effect::Gives(Gift::Decoder),
        (VDEC, 7) => whole(Kind::Decoder),
        // Pictures may be lost with it.
        (VDEC, 13 | 30) => Effect::Takes(Taken::Parts(thing(Kind::Decoder))),
        // When the decoder has read the bytes of a physical address is not known.
        (VDEC, 17) if long(1, STREAM_ADDRESS) != 0 => return Err(unknown),
        (VDEC, 17) => {
            let bytes = arguments.get(3).len();
            if usize::try_from(word(1, STREAM_LENGTH)) != Ok(bytes) {
                return Err(Refusal::Malformed("length of a stream"));
            }
            Effect::None
        }
        (VDEC, 18) => Effect::Gives(Gift::Picture(thing(Kind::Decoder))),
        (VDEC, 19) => {
            let places = Places::read(arguments.get(2)).ok_or(unknown)?;
            Effect::Takes(Taken::Picture(thing(Kind::Decoder), places))
        }
        // Other formats take more memory than the frame says.
        (VDEC, 33) if word(0, JPEG_FORMAT) != NV12 => return Err(unknown),
        (VDEC, 33) => {
            names.range(long(0, STREAM_ADDRESS), word(0, STREAM_LENGTH).into())?;
            let frame = arguments.get(0).get(STREAM_SIZE..).ok_or(unknown)?;
            picture::written(frame, names)?;
            Effect::None
        }

        // A part of the picture, which the card may look for outside of it.
        (VENC, 3) if word(0, CROP_ENABLED) != 0 => return Err(unknown),
        (VENC, 3) => Effect::Gives(Gift::Encoder(word(0, SOURCE_WIDTH), word(0, SOURCE_HEIGHT))),
        (VENC, 4) => whole(Kind::Encoder),
        (VENC, 5) => {
            let encoder = thing(Kind::Encoder);
            picture::encoded(arguments.get(1), encoder, names)?;
            let mark = Mark {
                user_data: long(1, FRAME_USER_DATA),
                time: long(1, FRAME_TIME),
            };
            Effect::Feeds { encoder, mark }
        }
        (VENC, 13) => Effect::Gives(Gift::Packet(thing(Kind::Encoder))),
        (VENC, 14) => Effect::Takes(Taken::Packet(thing(Kind::Encoder), long(1, 0))),

        // Where in the target the picture goes: what is inside is not known, but that without it nothing is asked for.
        (IVPS, 54 | 66 | 83) if arguments.get(2).iter().any(|byte| *byte != 0) => {
            return Err(unknown)
        }
        (IVPS, 53 | 54 | 66 | 69 | 82 | 83) => {
            picture::processed(arguments.get(0), names)?;
            picture::processed(arguments.get(1), names)?;
            Effect::None
        }
        (IVPS, 51 | 65 | 81) | (DMADIM, 5) => {
            let size = arguments.u64(2);
            names.range(arguments.u64(0), size)?;
            names.range(arguments.u64(1), size)?;
            Effect::None
        }
        (DMADIM, 6) => {
            names.range(arguments.u64(0), arguments.u64(2))?;
            Effect::None
        }
        (DMADIM, 8) => {
            names.range(arguments.u64(0), arguments.u64(1))?;
            Effect::None
        }
        _ => Effect::None,
    })
}
