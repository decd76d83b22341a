// SPDX-License-Identifier: MIT OR Apache-2.0

//! The native ENGINE module [rpc 7.5]: the same NPU by the calls of the card's SDK.  Its handles are not
//! those of the runtime's engine service.
//!
//! Calls whose arguments or answers are descriptions of a layout that the notes do not give are not
//! here: GetIOInfo, GetGroupIOInfo and the three runs.  Whoever adds them: this module numbers types
//! otherwise than the runtime does (1 u8, 2 u16, 3 f32, 4 s16, 5 s8, 6 s32, 7 u32, 8 f64, 9 bf16).

use std::sync::atomic::Ordering;
use std::sync::Arc;

use parking_lot::Mutex;

use super::model::Model;
use super::models::{create_context, load, unload, unload_all};
use super::refused::{self, Refused, DECODE, NO_MEMORY, UNSUPPORTED};
use super::state::Engine;
use super::VERSION;
use crate::ports::session::Session;
use crate::protocol::messages::u32_at;
use crate::wire::native::EngineApi;

/// Bytes of the attributes of the NPU, of which nothing is known but that the mode comes first.
const ATTRIBUTES: usize = 36;

/// Modes of the NPU: off, and its divisions.
const MODES: std::ops::Range<u32> = 0..4;

/// The notes do not give the errors of this module: the module's number here is that of the gap
/// between those they give, the ids are those of the other modules.
const fn code(id: u32) -> u32 {
    0x8006_0100 | id
}

const PARAMETER: u32 = code(0x0a);
const NOT_INITIALISED: u32 = code(0x12);
const NOT_SUPPORTED: u32 = code(0x14);
const NO_ROOM: u32 = code(0x18);
const NO_HANDLE: u32 = code(0x17);
const FAILED: u32 = code(0x30);

/// What a session has of the module.
#[derive(Default)]
pub(crate) struct NativeEngine {
    attributes: Mutex<Option<[u8; ATTRIBUTES]>>,
    /// The models.
    pub(crate) engine: Engine,
}

/// The arguments of a call, whose sizes are those of the table.
struct Args<'a>(&'a [Vec<u8>]);

impl Args<'_> {
    fn u32(&self, index: usize) -> Result<u32, Refused> {
        let blob = self.0.get(index).and_then(|blob| blob[..].try_into().ok());
        blob.map(u32::from_le_bytes).ok_or(refused(PARAMETER))
    }

    fn u64(&self, index: usize) -> Result<u64, Refused> {
        let blob = self.0.get(index).and_then(|blob| blob[..].try_into().ok());
        blob.map(u64::from_le_bytes).ok_or(refused(PARAMETER))
    }
}

/// Whether the card has the call.
pub(crate) fn implemented(api: u32) -> bool {
    let api = i32::try_from(api)
        .ok()
        .and_then(|api| EngineApi::try_from(api).ok());
    use EngineApi as Api;
    matches!(
        api,
        Some(
            Api::AxEngineGetVersion
                | Api::AxEngineInit
                | Api::AxEngineGetVnpuAttr
                | Api::AxEngineDeinit
                | Api::AxEngineGetModelType
                | Api::AxEngineCreateHandle
                | Api::AxEngineCreateHandleV2
                | Api::AxEngineDestroyHandle
                | Api::AxEngineGetGroupIoInfoCount
                | Api::AxEngineGetHandleModelType
                | Api::AxEngineCreateContext
                | Api::AxEngineCreateContextV2
                | Api::AxEngineSetAffinity
                | Api::AxEngineGetAffinity
                | Api::AxEngineGetCmmUsage
                | Api::AxEngineGetModelToolsVersion
        )
    )
}

/// Runs a call; the answer is what follows the return value, or the error.  Calls that return a text
/// have it as all there is.
pub(crate) fn call(
    session: &Session,
    native: &NativeEngine,
    api: u32,
    args: &[Vec<u8>],
) -> Result<Vec<Vec<u8>>, Refused> {
    session.card.link.count("engine.calls", 1);
    let args = Args(args);
    let number = |n: u32| vec![n.to_le_bytes().to_vec()];
    let handle = |n: u64| vec![n.to_le_bytes().to_vec()];
    let api = EngineApi::try_from(api as i32).map_err(|_| refused(NOT_SUPPORTED))?;
    use EngineApi as Api;
    Ok(match api {
        Api::AxEngineGetVersion => vec![text(VERSION)],
        Api::AxEngineInit => {
            native.init(args.0)?;
            vec![]
        }
        Api::AxEngineGetVnpuAttr => {
            let attributes = *native.attributes.lock();
            vec![attributes.ok_or(refused(NOT_INITIALISED))?.to_vec()]
        }
        Api::AxEngineDeinit => {
            native.deinit(session);
            vec![]
        }
        Api::AxEngineGetModelType => {
            // Of an image: the model is looked at and forgotten.
            let loaded = native.load(session, &args)?;
            let model = native.model(loaded);
            unload(session, &native.engine, loaded).map_err(native_error)?;
            number(model?.network.cores - 1)
        }
        Api::AxEngineCreateHandle | Api::AxEngineCreateHandleV2 => {
            handle(native.load(session, &args)?)
        }
        Api::AxEngineDestroyHandle => {
            native.model(args.u64(0)?)?;
            unload(session, &native.engine, args.u64(0)?).map_err(native_error)?;
            vec![]
        }
        Api::AxEngineGetGroupIoInfoCount => {
            number(native.model(args.u64(0)?)?.network.groups as u32)
        }
        Api::AxEngineGetHandleModelType => number(native.model(args.u64(0)?)?.network.cores - 1),
        Api::AxEngineCreateContext | Api::AxEngineCreateContextV2 => {
            native.model(args.u64(0)?)?;
            let context = create_context(session, &native.engine, args.u64(0)?);
            let context = context.map_err(native_error)?;
            match api {
                Api::AxEngineCreateContext => vec![],
                _ => handle(context),
            }
        }
        Api::AxEngineSetAffinity => {
            let model = native.model(args.u64(0)?)?;
            model.set_affinity(args.u32(1)?).map_err(native_error)?;
            vec![]
        }
        Api::AxEngineGetAffinity => {
            number(native.model(args.u64(0)?)?.affinity.load(Ordering::Relaxed))
        }
        Api::AxEngineGetCmmUsage => {
            let bytes = native.model(args.u64(0)?)?.card_bytes();
            number(u32::try_from(bytes).unwrap_or(u32::MAX))
        }
        Api::AxEngineGetModelToolsVersion => {
            vec![text(&native.model(args.u64(0)?)?.network.version)]
        }
        _ => return Err(refused(NOT_SUPPORTED)),
    })
}

/// A text as a C program has it: the notes do not say whether its end is sent, and one that is does
/// no harm.
fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

/// An error of this module, in words.
fn refused(status: u32) -> Refused {
    let why = match status {
        PARAMETER => "an argument of the wrong size, or out of range",
        NOT_INITIALISED => "AX_ENGINE_Init has not been called",
        NO_HANDLE => "there is no such handle",
        _ => "not supported",
    };
    Refused {
        status,
        why: why.into(),
    }
}

/// The number that this module has for an error of the runtime's.
fn native_error(refused: Refused) -> Refused {
    let status = match refused.status {
        NO_MEMORY => NO_ROOM,
        UNSUPPORTED => NOT_SUPPORTED,
        refused::FAILED => FAILED,
        refused::ILLEGAL | DECODE => PARAMETER,
        other => other,
    };
    Refused { status, ..refused }
}

impl NativeEngine {
    /// Switches the NPU on.  Again with the same mode is fine: each part of a program may do it.
    fn init(&self, args: &[Vec<u8>]) -> Result<(), Refused> {
        let given = args.first().and_then(|blob| blob[..].try_into().ok());
        let given: [u8; ATTRIBUTES] = given.ok_or(refused(PARAMETER))?;
        let mode = |attributes: &[u8; ATTRIBUTES]| u32_at(attributes, 0);
        if !MODES.contains(&mode(&given)) {
            return Err(refused(PARAMETER));
        }
        let mut now = self.attributes.lock();
        if now.as_ref().is_some_and(|now| mode(now) != mode(&given)) {
            return Err(refused(PARAMETER));
        }
        *now = Some(given);
        self.engine.state.lock().npu = Some((0, 1));
        Ok(())
    }

    /// Switches it off; handles that are left go with it.  Off already is fine.
    fn deinit(&self, session: &Session) {
        *self.attributes.lock() = None;
        self.engine.state.lock().npu = None;
        // Cannot fail: a handle that is gone meanwhile is what is wanted.
        let _ = unload_all(session, &self.engine);
    }

    fn model(&self, handle: u64) -> Result<Arc<Model>, Refused> {
        if self.attributes.lock().is_none() {
            return Err(refused(NOT_INITIALISED));
        }
        self.engine
            .model(Some(handle))
            .map_err(|_| refused(NO_HANDLE))
    }

    fn load(&self, session: &Session, args: &Args<'_>) -> Result<u64, Refused> {
        if self.attributes.lock().is_none() {
            return Err(refused(NOT_INITIALISED));
        }
        let (address, size) = (args.u64(0)?, args.u32(1)?);
        load(session, &self.engine, address, size.into()).map_err(native_error)
    }
}
