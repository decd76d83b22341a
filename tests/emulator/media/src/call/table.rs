// SPDX-License-Identifier: MIT OR Apache-2.0

//! The calls of the native service that this crate serves, with the sizes of their blobs
//! [rpc 7.5].

/// In place of a size: any length, also 0.
pub const VAR: usize = usize::MAX;
/// In place of the last size: any number of blobs of any length.
pub const REST: usize = usize::MAX - 1;

/// Module SYS, which also carries the pools.
pub const SYS: u32 = 0;
/// Module VDEC.
pub const VDEC: u32 = 1;
/// Module VENC.
pub const VENC: u32 = 2;
/// Module IVPS, the image processor.
pub const IVPS: u32 = 3;
/// Module IVE, image analysis.
pub const IVE: u32 = 4;
/// Module DMADIM, copies within the card.
pub const DMADIM: u32 = 6;

/// One call.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// The module's number.
    pub module: u32,
    /// The call's number within the module.
    pub api: u32,
    /// The public name of the call.
    pub name: &'static str,
    /// Sizes of the request's blobs in bytes.
    pub request: &'static [usize],
    /// Sizes of the answer's blobs in bytes; the first is the return value.
    pub answer: &'static [usize],
    /// What a failed call returns when that is not an error code.
    pub failure: Option<u64>,
}

/// The call `api` of `module`, if this card has it.
pub fn find(module: u32, api: u32) -> Option<Call> {
    calls().find(|c| c.module == module && c.api == api)
}

/// Sizes with `None` for any length.
pub fn sizes(sizes: &[usize]) -> Vec<Option<usize>> {
    let size = |&n: &usize| (!matches!(n, VAR | REST)).then_some(n);
    sizes.iter().map(size).collect()
}

/// All calls.
pub fn calls() -> impl Iterator<Item = Call> {
    CALLS
        .iter()
        .map(|&(module, api, name, request, answer, failure)| Call {
            module,
            api,
            name,
            request,
            answer,
            failure,
        })
}

type Row = (
    u32,
    u32,
    &'static str,
    &'static [usize],
    &'static [usize],
    Option<u64>,
);

#[rustfmt::skip]
const CALLS: &[Row] = &[
    (SYS, 2, "AX_SYS_MemAlloc", &[8, 4, 4, VAR], &[4, 8, 8], None),
    (SYS, 3, "AX_SYS_MemAllocCached", &[4, 4, VAR], &[4, 8, 8], None),
    (SYS, 4, "AX_SYS_MemFree", &[8, 8], &[4], None),
    (SYS, 5, "AX_SYS_Mmap", &[8, 4], &[8], Some(0)),
    (SYS, 6, "AX_SYS_MmapCache", &[8, 4], &[8], Some(0)),
    (SYS, 7, "AX_SYS_MmapFast", &[8, 4], &[8], Some(0)),
    (SYS, 8, "AX_SYS_MmapCacheFast", &[8, 4], &[8], Some(0)),
    (SYS, 9, "AX_SYS_Munmap", &[8, 4], &[4], None),
    (SYS, 10, "AX_SYS_MflushCache", &[8, 8, 4], &[4], None),
    (SYS, 11, "AX_SYS_MinvalidateCache", &[8, 8, 4], &[4], None),
    (SYS, 12, "AX_SYS_MemGetBlockInfoByPhy", &[8], &[4, 4, 8, 4], None),
    (SYS, 13, "AX_SYS_MemGetBlockInfoByVirt", &[8], &[4, 8, 4], None),
    (SYS, 14, "AX_SYS_MemGetPartitionInfo", &[], &[4, 776], None),
    (SYS, 15, "AX_SYS_MemSetConfig", &[12, VAR], &[4], None),
    (SYS, 16, "AX_SYS_MemGetConfig", &[12], &[4, VAR], None),
    (SYS, 17, "AX_SYS_MemQueryStatus", &[], &[4, 792], None),
    (SYS, 31, "AX_SYS_Link", &[12, 12], &[4], None),
    (SYS, 32, "AX_SYS_UnLink", &[12, 12], &[4], None),
    (SYS, 33, "AX_SYS_GetLinkByDest", &[12], &[4, 12], None),
    (SYS, 34, "AX_SYS_GetLinkBySrc", &[12], &[4, 76], None),
    (SYS, 41, "AX_POOL_SetConfig", &[6144], &[4], None),
    (SYS, 42, "AX_POOL_GetConfig", &[], &[4, 6144], None),
    (SYS, 43, "AX_POOL_Init", &[], &[4], None),
    (SYS, 44, "AX_POOL_Exit", &[], &[4], None),
    (SYS, 45, "AX_POOL_CreatePool", &[96], &[4], Some(0xffff_ffff)),
    (SYS, 46, "AX_POOL_DestroyPool", &[4], &[4], None),
    (SYS, 47, "AX_POOL_GetBlock", &[4, 8, VAR], &[4], Some(0)),
    (SYS, 48, "AX_POOL_ReleaseBlock", &[4], &[4], None),
    (SYS, 49, "AX_POOL_PhysAddr2Handle", &[8], &[4], Some(0)),
    (SYS, 50, "AX_POOL_Handle2PhysAddr", &[4], &[8], Some(0)),
    (SYS, 51, "AX_POOL_Handle2MetaPhysAddr", &[4], &[8], Some(0)),
    (SYS, 52, "AX_POOL_Handle2PoolId", &[4], &[4], Some(0xffff_ffff)),
    (SYS, 53, "AX_POOL_Handle2BlkSize", &[4], &[8], Some(0)),
    (SYS, 54, "AX_POOL_MmapPool", &[4], &[4], None),
    (SYS, 55, "AX_POOL_MunmapPool", &[4], &[4], None),
    (SYS, 56, "AX_POOL_GetBlockVirAddr", &[4], &[8], Some(0)),
    (SYS, 57, "AX_POOL_GetMetaVirAddr", &[4], &[8], Some(0)),
    (SYS, 58, "AX_POOL_IncreaseRefCnt", &[4], &[4], None),
    (SYS, 59, "AX_POOL_DecreaseRefCnt", &[4], &[4], None),
    (SYS, 71, "AX_SYS_GetCurPTS", &[], &[4, 8], None),
    (SYS, 72, "AX_SYS_InitPTSBase", &[8], &[4], None),
    (SYS, 73, "AX_SYS_SyncPTS", &[8], &[4], None),
    (SYS, 81, "AX_SYS_GetChipType", &[], &[4], Some(0)),
    (SYS, 91, "AX_SYS_SetLogLevel", &[4], &[4], None),
    (SYS, 92, "AX_SYS_SetLogTarget", &[4], &[4], None),
    (VDEC, 0, "AX_VDEC_Init", &[16], &[4], None),
    (VDEC, 1, "AX_VDEC_Deinit", &[], &[4], None),
    (VDEC, 4, "AX_VDEC_ExtractStreamHeaderInfo", &[56, 4], &[4, 20], None),
    (VDEC, 5, "AX_VDEC_CreateGrp", &[4, 56], &[4], None),
    (VDEC, 6, "AX_VDEC_CreateGrpEx", &[56], &[4, 4], None),
    (VDEC, 7, "AX_VDEC_DestroyGrp", &[4], &[4], None),
    (VDEC, 8, "AX_VDEC_GetGrpAttr", &[4], &[4, 56], None),
    (VDEC, 9, "AX_VDEC_SetGrpAttr", &[4, 56], &[4], None),
    (VDEC, 10, "AX_VDEC_StartRecvStream", &[4, 4], &[4], None),
    (VDEC, 11, "AX_VDEC_StopRecvStream", &[4], &[4], None),
    (VDEC, 12, "AX_VDEC_QueryStatus", &[4], &[4, 80], None),
    (VDEC, 13, "AX_VDEC_ResetGrp", &[4], &[4], None),
    (VDEC, 14, "AX_VDEC_SetGrpParam", &[4, 12], &[4], None),
    (VDEC, 15, "AX_VDEC_GetGrpParam", &[4], &[4, 12], None),
    (VDEC, 16, "AX_VDEC_SelectGrp", &[4], &[4, 7880], None),
    (VDEC, 17, "AX_VDEC_SendStream", &[4, 56, 4, VAR], &[4], None),
    (VDEC, 18, "AX_VDEC_GetChnFrame", &[4, 4, 4], &[4, 240], None),
    (VDEC, 19, "AX_VDEC_ReleaseChnFrame", &[4, 4, 240], &[4], None),
    (VDEC, 20, "AX_VDEC_GetUserData", &[4], &[4, 112, VAR], None),
    (VDEC, 21, "AX_VDEC_ReleaseUserData", &[4, 112], &[4], None),
    (VDEC, 22, "AX_VDEC_SetUserPic", &[4, 736], &[4], None),
    (VDEC, 23, "AX_VDEC_EnableUserPic", &[4], &[4], None),
    (VDEC, 24, "AX_VDEC_DisableUserPic", &[4], &[4], None),
    (VDEC, 25, "AX_VDEC_SetDisplayMode", &[4, 4], &[4], None),
    (VDEC, 26, "AX_VDEC_GetDisplayMode", &[4], &[4, 4], None),
    (VDEC, 27, "AX_VDEC_AttachPool", &[4, 4, 4], &[4], None),
    (VDEC, 28, "AX_VDEC_DetachPool", &[4, 4], &[4], None),
    (VDEC, 29, "AX_VDEC_EnableChn", &[4, 4], &[4], None),
    (VDEC, 30, "AX_VDEC_DisableChn", &[4, 4], &[4], None),
    (VDEC, 31, "AX_VDEC_SetChnAttr", &[4, 4, 68], &[4], None),
    (VDEC, 32, "AX_VDEC_GetChnAttr", &[4, 4], &[4, 68], None),
    (VDEC, 33, "AX_VDEC_JpegDecodeOneFrame", &[296], &[4, 296], None),
    (VDEC, 34, "AX_VDEC_GetStreamBufInfo", &[4], &[4, 40], None),
    (VDEC, 35, "AX_VDEC_GetVuiParam", &[4], &[4, 36], None),
    (VENC, 0, "AX_VENC_Init", &[20], &[4], None),
    (VENC, 1, "AX_VENC_Deinit", &[], &[4], None),
    (VENC, 2, "AX_VENC_CreateChn", &[4, 224, VAR], &[4], None),
    (VENC, 3, "AX_VENC_CreateChnEx", &[224, VAR], &[4, 4], None),
    (VENC, 4, "AX_VENC_DestroyChn", &[4], &[4], None),
    (VENC, 5, "AX_VENC_SendFrame", &[4, 240, 4], &[4], None),
    (VENC, 6, "AX_VENC_SendFrameEx", &[4, 1176, 4], &[4], None),
    (VENC, 7, "AX_VENC_SelectGrp", &[4, 4], &[4, 516], None),
    (VENC, 8, "AX_VENC_SelectClearGrp", &[4], &[4], None),
    (VENC, 9, "AX_VENC_SelectGrpAddChn", &[4, 4], &[4], None),
    (VENC, 10, "AX_VENC_SelectGrpDeleteChn", &[4, 4], &[4], None),
    (VENC, 11, "AX_VENC_SelectGrpQuery", &[4], &[4, 130], None),
    (VENC, 13, "AX_VENC_GetStream", &[4, 4], &[4, 1200], None),
    (VENC, 14, "AX_VENC_ReleaseStream", &[4, 1200], &[4], None),
    (VENC, 15, "AX_VENC_GetStreamBufInfo", &[4], &[4, 24], None),
    (VENC, 16, "AX_VENC_StartRecvFrame", &[4, 4], &[4], None),
    (VENC, 17, "AX_VENC_StopRecvFrame", &[4], &[4], None),
    (VENC, 18, "AX_VENC_ResetChn", &[4], &[4], None),
    (VENC, 19, "AX_VENC_SetRoiAttr", &[4, 32], &[4], None),
    (VENC, 20, "AX_VENC_GetRoiAttr", &[4, 4], &[4, 32], None),
    (VENC, 21, "AX_VENC_SetRcParam", &[4, 120], &[4], None),
    (VENC, 22, "AX_VENC_GetRcParam", &[4], &[4, 120], None),
    (VENC, 23, "AX_VENC_SetModParam", &[4, 4], &[4], None),
    (VENC, 24, "AX_VENC_GetModParam", &[4], &[4, 4], None),
    (VENC, 25, "AX_VENC_SetVuiParam", &[4, 36], &[4], None),
    (VENC, 26, "AX_VENC_GetVuiParam", &[4], &[4, 36], None),
    (VENC, 27, "AX_VENC_SetChnAttr", &[4, 224, VAR], &[4], None),
    (VENC, 28, "AX_VENC_GetChnAttr", &[4], &[4, 224, VAR], None),
    (VENC, 29, "AX_VENC_SetRateJamStrategy", &[4, 16], &[4], None),
    (VENC, 30, "AX_VENC_GetRateJamStrategy", &[4], &[4, 16], None),
    (VENC, 31, "AX_VENC_SetSuperFrameStrategy", &[4, 20], &[4], None),
    (VENC, 32, "AX_VENC_GetSuperFrameStrategy", &[4], &[4, 20], None),
    (VENC, 33, "AX_VENC_SetIntraRefresh", &[4, 16], &[4], None),
    (VENC, 34, "AX_VENC_GetIntraRefresh", &[4], &[4, 16], None),
    (VENC, 35, "AX_VENC_SetUsrData", &[4, 24, VAR], &[4], None),
    (VENC, 37, "AX_VENC_SetSliceSplit", &[4, 8], &[4], None),
    (VENC, 38, "AX_VENC_GetSliceSplit", &[4], &[4, 8], None),
    (VENC, 39, "AX_VENC_RequestIDR", &[4, 4], &[4], None),
    (VENC, 40, "AX_VENC_QueryStatus", &[4], &[4, 28], None),
    (VENC, 41, "AX_VENC_SetJpegParam", &[4, 440], &[4], None),
    (VENC, 42, "AX_VENC_GetJpegParam", &[4], &[4, 440], None),
    (VENC, 43, "AX_VENC_JpegEncodeOneFrame", &[584], &[4, 584], None),
    (IVPS, 0, "AX_IVPS_Init", &[], &[4], None),
    (IVPS, 1, "AX_IVPS_Deinit", &[], &[4], None),
    (IVPS, 2, "AX_IVPS_CreateGrp", &[4, 8], &[4], None),
    (IVPS, 3, "AX_IVPS_CreateGrpEx", &[8], &[4, 4], None),
    (IVPS, 4, "AX_IVPS_DestoryGrp", &[4], &[4], None),
    (IVPS, 5, "AX_IVPS_SetPipelineAttr", &[4, 3184], &[4], None),
    (IVPS, 6, "AX_IVPS_GetPipelineAttr", &[4], &[4, 3184], None),
    (IVPS, 7, "AX_IVPS_StartGrp", &[4], &[4], None),
    (IVPS, 8, "AX_IVPS_StopGrp", &[4], &[4], None),
    (IVPS, 9, "AX_IVPS_EnableChn", &[4, 4], &[4], None),
    (IVPS, 10, "AX_IVPS_DisableChn", &[4, 4], &[4], None),
    (IVPS, 11, "AX_IVPS_SendFrame", &[4, 232, 4], &[4], None),
    (IVPS, 12, "AX_IVPS_GetChnFrame", &[4, 4, 4], &[4, 232], None),
    (IVPS, 13, "AX_IVPS_ReleaseChnFrame", &[4, 4, 232], &[4], None),
    (IVPS, 24, "AX_IVPS_SetGrpPoolAttr", &[4, 12], &[4], None),
    (IVPS, 25, "AX_IVPS_SetChnPoolAttr", &[4, 4, 12], &[4], None),
    (IVPS, 28, "AX_IVPS_SetGrpCrop", &[4, 16], &[4], None),
    (IVPS, 29, "AX_IVPS_GetGrpCrop", &[4], &[4, 16], None),
    (IVPS, 30, "AX_IVPS_SetChnAttr", &[4, 4, 4, 56], &[4], None),
    (IVPS, 31, "AX_IVPS_GetChnAttr", &[4, 4, 4], &[4, 56], None),
    (IVPS, 34, "AX_IVPS_ResetGrp", &[4], &[4], None),
    (IVPS, 51, "AX_IVPS_CmmCopyTdp", &[8, 8, 8], &[4], None),
    (IVPS, 52, "AX_IVPS_FlipAndRotationTdp", &[232, 4, 4, 232], &[4, 232], None),
    (IVPS, 53, "AX_IVPS_CscTdp", &[232, 232], &[4, 232], None),
    (IVPS, 54, "AX_IVPS_CropResizeTdp", &[232, 232, 24], &[4, 232], None),
    (IVPS, 55, "AX_IVPS_CropResizeV2Tdp", &[232, VAR, 4, REST], &[4, REST], None),
    (IVPS, 56, "AX_IVPS_AlphaBlendingTdp", &[232, 232, 4, 1, 232], &[4, 232], None),
    (IVPS, 65, "AX_IVPS_CmmCopyVpp", &[8, 8, 8], &[4], None),
    (IVPS, 66, "AX_IVPS_CropResizeVpp", &[232, 232, 24], &[4, 232], None),
    (IVPS, 67, "AX_IVPS_CropResizeV2Vpp", &[232, VAR, 4, REST], &[4, REST], None),
    (IVPS, 68, "AX_IVPS_CropResizeV3Vpp", &[232, 4, REST], &[4, REST], None),
    (IVPS, 69, "AX_IVPS_CscVpp", &[232, 232], &[4, 232], None),
    (IVPS, 71, "AX_IVPS_SetScaleCoefLevelVpp", &[8, 16], &[4], None),
    (IVPS, 72, "AX_IVPS_GetScaleCoefLevelVpp", &[8], &[4, 16], None),
    (IVPS, 81, "AX_IVPS_CmmCopyVgp", &[8, 8, 8], &[4], None),
    (IVPS, 82, "AX_IVPS_CscVgp", &[232, 232], &[4, 232], None),
    (IVPS, 83, "AX_IVPS_CropResizeVgp", &[232, 232, 24], &[4, 232], None),
    (IVPS, 84, "AX_IVPS_CropResizeV2Vgp", &[232, VAR, 4, REST], &[4, REST], None),
    (IVPS, 85, "AX_IVPS_CropResizeV4Vgp", &[232, 232, 24, 8], &[4, 232], None),
    (IVPS, 86, "AX_IVPS_AlphaBlendingVgp", &[232, 232, 4, 1, 232], &[4, 232], None),
    (IVPS, 91, "AX_IVPS_SetScaleCoefLevelVgp", &[8, 16], &[4], None),
    (IVPS, 92, "AX_IVPS_GetScaleCoefLevelVgp", &[8], &[4, 16], None),
    (IVE, 0, "AX_IVE_Init", &[], &[4], None),
    (IVE, 1, "AX_IVE_Exit", &[], &[4], None),
    (DMADIM, 5, "AX_DMA_MemCopy", &[8, 8, 8], &[4], None),
    (DMADIM, 6, "AX_DMA_MemSet", &[8, 1, 8], &[4], None),
    (DMADIM, 8, "AX_DMA_CheckSum", &[8, 8], &[4, 4], None),
];
