// SPDX-License-Identifier: GPL-2.0

//! Which frames a client of the native ABI may send, and what they name.
//!
//! Clients write whole frames, the kernel moves them. This is the allow-list in between: what is not
//! named here is refused.
//!
//! * Everyone: contexts, streams, events, latency, log; card memory except copies from and to the
//!   host; inference except card to card; the native calls whose arguments are known completely
//!   ([`native`]); of the command lines the property queries of [`shell`] only, because they run as root on
//!   the card.
//! * Privileged clients (CAP_SYS_ADMIN): also other command lines, the endpoint's subsystem id, and
//!   all other native calls.
//! * Nobody: frames that carry host bus addresses (memory WRITE and READ, the 0x41.. types, card to
//!   card) and user programs. Copies are steps of a job, where buffers are named by handle.
//!
//! The type is in the header and again, bit by bit, in the protobuf message; which of the two the
//! card goes by is not known, so they have to agree. A message may say a thing twice, and receivers
//! differ in what they make of that; so on the way down to the call every field may come once, and
//! has to be one we know.

use super::{
    bytes::Text,
    frame::{
        self,
        service,
        Header,
        Target,
        HEADER_SIZE, //
    },
    grants::{
        Effect,
        Gift,
        Kind,
        Named,
        Taken,
        Thing, //
    },
    pb::{
        Malformed,
        Reader,
        Value, //
    },
    rpc, //
};

use core::fmt;

pub mod address;
pub mod native;
pub mod shell;

use address::check_card_range;

/// A frame that may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Header of the frame.
    pub header: Header,
    /// The card will answer the frame.
    pub reply: bool,
    /// What a good answer means.
    pub effect: Effect,
}

/// The most things that a frame may name.
pub const MOST_NAMES: usize = 256;

/// Takes what a frame names.
struct Names<'v> {
    visit: &'v mut dyn FnMut(Named),
    left: usize,
}

impl Names<'_> {
    fn add(&mut self, named: Named) -> Result<'static, ()> {
        self.left = self.left.checked_sub(1).ok_or(Refusal::TooMany)?;
        (self.visit)(named);
        Ok(())
    }

    fn thing(&mut self, thing: Thing) -> Result<'static, ()> {
        self.add(Named::Thing(thing))
    }

    /// Names a range, which has to be in card memory.
    fn range(&mut self, address: u64, size: u64) -> Result<'static, ()> {
        check_card_range(address, size)?;
        self.add(Named::Range { address, size })
    }
}

/// Why a frame may not be sent. Values are the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal<'a> {
    /// No room for a frame header.
    Short(usize),
    /// The message is not protobuf, or not the schema's.
    Malformed(&'static str),
    /// The named message has a field of this number twice.
    Repeated(&'static str, u32),
    /// The named message has no such field.
    Unknown(&'static str, u32),
    /// The named thing is not in the message.
    Missing(&'static str),
    /// Header and message do not say the same.
    Mismatch {
        /// Name of the field that differs.
        what: &'static str,
        /// In the header.
        header: u32,
        /// In the message.
        message: u32,
    },
    /// More than [`MOST_NAMES`] things.
    TooMany,
    /// Something is given or given back without an answer that tells of it.
    Unanswered(u32),
    /// A card address that is not in card memory.
    Address(u64),
    /// Nobody may send frames of this type.
    Type(u32),
    /// Only privileged clients may send frames of this type.
    Privileged(u32),
    /// Only privileged clients may send this control command.
    Command(u32),
    /// Only privileged clients may run this command line.
    Shell(Text<'a>),
}

impl Refusal<'_> {
    /// Returns whether the frame is refused for what it asks, and not because it is malformed:
    /// EPERM, not EINVAL.
    pub fn is_denial(&self) -> bool {
        matches!(
            self,
            Self::Address(_)
                | Self::Type(_)
                | Self::Privileged(_)
                | Self::Command(_)
                | Self::Shell(_)
        )
    }
}

type Result<'a, T> = core::result::Result<T, Refusal<'a>>;

/// Decides whether a client may send `frame`.
pub fn check(frame: &[u8], privileged: bool) -> Result<'_, Verdict> {
    check_with(frame, privileged, &mut |_| {})
}

/// Decides the same, and tells `visit` what the frame names.
pub fn check_with<'a>(
    frame: &'a [u8],
    privileged: bool,
    visit: &mut dyn FnMut(Named),
) -> Result<'a, Verdict> {
    let header = Header::parse(frame).ok_or(Refusal::Short(frame.len()))?;
    let message = frame.get(HEADER_SIZE..).unwrap_or(&[]);
    let mut names = Names {
        visit,
        left: MOST_NAMES,
    };
    let (reply, effect) = match header.target() {
        Target::Runtime { service, api } => {
            // Refuse by type first: the reason is the clearer one.
            match (service, api) {
                (service::SYSTEM, 1..=3)
                | (service::MEMORY, 0..=4 | 7 | 8)
                | (service::ENGINE, 0..=13) => {}
                _ => return Err(Refusal::Type(header.kind)),
            }
            let body = envelope(message, 0)?;
            runtime(body, &header, (service, api), privileged, &mut names)?
        }
        Target::Native { module, api } => {
            if !native::exists(module, api) {
                return Err(Refusal::Type(header.kind));
            }
            if !native::is_known(module, api) && !privileged {
                return Err(Refusal::Privileged(header.kind));
            }
            expect("command", header.command, 0)?;
            let request = envelope(message, 1)?;
            let arguments = native::arguments(request, module, api)?;
            match native::known(&arguments, module, api, &mut names) {
                // What is not known completely, in a call or in one of its structures.
                Err(Refusal::Privileged(_)) if privileged => {
                    native::scan(&arguments, module, api)?;
                    (true, Effect::None)
                }
                Err(Refusal::Privileged(_)) => return Err(Refusal::Privileged(header.kind)),
                known => (true, known?),
            }
        }
        Target::Other => return Err(Refusal::Type(header.kind)),
    };
    if effect != Effect::None && !reply {
        return Err(Refusal::Unanswered(header.kind));
    }
    Ok(Verdict {
        header,
        reply,
        effect,
    })
}

/// The members of a message that may each come once: `FIELDS` numbers from 1 on, each at most once,
/// no others.
struct Once<'a, const FIELDS: usize> {
    name: &'static str,
    fields: [Option<Value<'a>>; FIELDS],
}

impl<'a, const FIELDS: usize> Once<'a, FIELDS> {
    fn read(name: &'static str, message: &'a [u8]) -> Result<'a, Self> {
        let mut fields = [None; FIELDS];
        let mut reader = Reader::new(message);
        while let Some((number, value)) = reader.field().map_err(|_| Refusal::Malformed(name))? {
            let slot = fields
                .get_mut((number as usize).wrapping_sub(1))
                .ok_or(Refusal::Unknown(name, number))?;
            if slot.replace(value).is_some() {
                return Err(Refusal::Repeated(name, number));
            }
        }
        Ok(Self { name, fields })
    }

    fn get(&self, number: usize) -> Option<Value<'a>> {
        *self.fields.get(number.wrapping_sub(1))?
    }

    /// Reads a nested message or bytes, if present.
    fn bytes(&self, number: usize) -> Result<'a, Option<&'a [u8]>> {
        self.typed(number, Value::bytes)
    }

    /// Reads a nested message, which has to be there.
    fn required(&self, number: usize) -> Result<'a, &'a [u8]> {
        self.bytes(number)?.ok_or(Refusal::Missing(self.name))
    }

    /// Reads a u32 or enumeration, 0 if absent.
    fn u32(&self, number: usize) -> Result<'a, u32> {
        Ok(self.typed(number, Value::u32)?.unwrap_or(0))
    }

    /// Reads a u64, 0 if absent.
    fn u64(&self, number: usize) -> Result<'a, u64> {
        Ok(self.typed(number, Value::u64)?.unwrap_or(0))
    }

    fn typed<T>(
        &self,
        number: usize,
        read: impl Fn(Value<'a>) -> Option<T>,
    ) -> Result<'a, Option<T>> {
        match self.get(number) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or(Refusal::Malformed(self.name)),
        }
    }

    /// Reads the content of member `number` of a oneof, which has to be the only one.
    fn only(&self, number: usize) -> Result<'a, &'a [u8]> {
        let present = (1u32..).zip(&self.fields).filter(|(_, f)| f.is_some());
        for (member, _) in present {
            if member as usize != number {
                return Err(Refusal::Mismatch {
                    what: self.name,
                    header: number as u32,
                    message: member,
                });
            }
        }
        self.required(number)
    }
}

fn expect(what: &'static str, header: u32, message: u32) -> Result<'static, ()> {
    if header == message {
        Ok(())
    } else {
        Err(Refusal::Mismatch {
            what,
            header,
            message,
        })
    }
}

/// Reads the number in a nested head of one field; an absent one counts as 0, as everywhere.
fn head<'a>(what: &'static str, head: Option<&'a [u8]>) -> Result<'a, u32> {
    Once::<1>::read(what, head.unwrap_or(&[]))?.u32(1)
}

/// Checks the outermost message and returns the request for `module` (0 runtime, 1 native).
fn envelope(message: &[u8], module: u32) -> Result<'_, &[u8]> {
    let outer = Once::<3>::read("request", message)?;
    let head = Once::<5>::read("head", outer.required(1)?)?;
    expect("module", module, head.u32(5)?)?;
    outer.required(3)?;
    let body = Once::<2>::read("body", outer.required(2)?)?;
    body.only((module as usize).wrapping_add(1))
}

/// Checks a runtime request; whether it is answered, and what that means.
fn runtime<'a>(
    request: &'a [u8],
    header: &Header,
    (service, api): (u8, u8),
    privileged: bool,
    names: &mut Names<'_>,
) -> Result<'a, (bool, Effect)> {
    let request = Once::<2>::read("runtime request", request)?;
    expect(
        "service",
        service.into(),
        head("runtime head", request.bytes(1)?)?,
    )?;
    let members = Once::<5>::read("runtime body", request.required(2)?)?;
    let call = members.only(usize::from(service).wrapping_add(1))?;

    let call = Once::<2>::read("service request", call)?;
    expect("api", api.into(), head("service head", call.bytes(1)?)?)?;
    if service == service::SYSTEM {
        let members = Once::<4>::read("system body", call.required(2)?)?;
        let member = members.only(usize::from(api).wrapping_add(1))?;
        return Ok((system(member, header, privileged)?, Effect::None));
    }
    expect("command", header.command, 0)?;
    let body = call.bytes(2)?.unwrap_or(&[]);
    match service {
        service::MEMORY => memory(body, api, names),
        _ => engine(body, api, names),
    }
}

fn system<'a>(member: &'a [u8], header: &Header, privileged: bool) -> Result<'a, bool> {
    if header.kind == frame::CONTROL {
        return control(member, header, privileged);
    }
    expect("command", header.command, 0)?;
    if header.kind == frame::LATENCY {
        Once::<1>::read("latency", member)?;
    } else {
        Once::<2>::read("log", member)?;
    }
    Ok(true)
}

fn control<'a>(member: &'a [u8], header: &Header, privileged: bool) -> Result<'a, bool> {
    const SHELL_FIELD: usize = 5;
    const SUB_ID_FIELD: usize = 6;

    let control = Once::<10>::read("control", member)?;
    let command = control.u32(1)?;
    expect("command", header.command, command)?;
    for (field, owner) in [
        (SHELL_FIELD, rpc::SHELL),
        (SUB_ID_FIELD, rpc::SETUP_PCIE_SUB_ID),
    ] {
        if control.get(field).is_some() && command != owner {
            return Err(Refusal::Mismatch {
                what: "content of the control request",
                header: command,
                message: owner,
            });
        }
    }
    match command {
        rpc::CREATE_CONTEXT | rpc::DESTROY_CONTEXT => {}
        rpc::CREATE_STREAM..=rpc::WAIT_EVENT => {}
        rpc::SHELL => {
            let shell = control.required(SHELL_FIELD)?;
            if !privileged {
                shell::check(shell)?;
            }
        }
        rpc::SETUP_PCIE_SUB_ID if privileged => {}
        _ => return Err(Refusal::Command(command)),
    }
    Ok(control.u32(10)? == 0)
}

/// Checks memory calls: all but WRITE and READ, whose types were refused before. `phy` is a host bus
/// address and has no place in the others.
fn memory<'a>(body: &'a [u8], api: u8, names: &mut Names<'_>) -> Result<'a, (bool, Effect)> {
    const ALLOC: u8 = 0;
    const FREE: u8 = 1;
    const SYNC: u8 = 7;
    const COMPARE: u8 = 8;
    const PHY_FIELD: usize = 10;

    let body = Once::<10>::read("memory body", body)?;
    if let Some(phy) = body.typed(PHY_FIELD, Value::u64)? {
        return Err(Refusal::Address(phy));
    }
    let (address, size, from) = (body.u64(1)?, u64::from(body.u32(2)?), body.u64(3)?);
    let effect = match api {
        ALLOC => Effect::Gives(Gift::Memory(size)),
        FREE => Effect::Takes(Taken::Whole(Thing::new(Kind::Memory, address))),
        _ => {
            names.range(address, size)?;
            Effect::None
        }
    };
    if matches!(api, SYNC | COMPARE) {
        names.range(from, size)?;
    }
    Ok((body.u32(9)? == 0, effect))
}

/// Checks inference calls.
fn engine<'a>(body: &'a [u8], api: u8, names: &mut Names<'_>) -> Result<'a, (bool, Effect)> {
    const FINAL_NPU: u8 = 1;
    const LOAD_MODEL: u8 = 4;
    const UNLOAD_MODEL: u8 = 8;
    const CREATE_CONTEXT: u8 = 9;
    const RUN_MODEL: u8 = 11;
    const ADDRESS_FIELD: usize = 2;
    const IO_FIELD: usize = 8;

    let body = Once::<9>::read("engine body", body)?;
    let model = Thing::new(Kind::Model, body.u64(4)?);
    if api == LOAD_MODEL || body.get(ADDRESS_FIELD).is_some() {
        names.range(body.u64(ADDRESS_FIELD)?, body.u64(3)?)?;
    }
    let effect = match api {
        // Whether models outlive it is not known.
        FINAL_NPU => Effect::Takes(Taken::Models),
        LOAD_MODEL => Effect::Gives(Gift::Model),
        UNLOAD_MODEL => Effect::Takes(Taken::Whole(model)),
        CREATE_CONTEXT => Effect::Gives(Gift::ModelContext(model)),
        _ => Effect::None,
    };
    match api {
        // Of the engine as a whole, and those that name no model yet, or not any more.
        0..=LOAD_MODEL | UNLOAD_MODEL => {}
        RUN_MODEL => {
            let context = Thing::new(Kind::ModelContext, body.u64(5)?);
            names.add(Named::Part(context, model))?;
            names.thing(model)?;
        }
        _ => names.thing(model)?,
    }
    let io = body.bytes(IO_FIELD)?.unwrap_or(&[]);
    let mut reader = Reader::new(io);
    while let Some((number, value)) = reader.field().map_err(|_| Refusal::Malformed("io"))? {
        match number {
            1 | 2 => {
                let tensor = value.bytes().ok_or(Refusal::Malformed("io"))?;
                let tensor = Once::<3>::read("tensor", tensor)?;
                names.range(tensor.u64(2)?, tensor.u64(3)?)?;
            }
            3 => {}
            _ => return Err(Refusal::Unknown("io", number)),
        }
    }
    Ok((body.u32(9)? == 0, effect))
}

impl From<Malformed> for Refusal<'_> {
    fn from(_: Malformed) -> Self {
        Self::Malformed("message")
    }
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(length) => write!(f, "frame of {length} bytes has no header"),
            Self::Malformed(name) => write!(f, "{name} is malformed"),
            Self::Repeated(name, field) => write!(f, "{name} has field {field} twice"),
            Self::Unknown(name, field) => write!(f, "{name} has the unknown field {field}"),
            Self::Missing(name) => write!(f, "{name} lacks a part it must have"),
            Self::Mismatch {
                what,
                header,
                message,
            } => write!(f, "{what}: header says {header}, message {message}"),
            Self::TooMany => write!(f, "more than {MOST_NAMES} things are named"),
            Self::Unanswered(kind) => {
                write!(f, "frames of type 0x{kind:08x} have to ask for an answer")
            }
            Self::Address(address) => {
                write!(f, "address 0x{address:x} is not one of card memory")
            }
            Self::Type(kind) => write!(f, "frames of type 0x{kind:08x} are not allowed"),
            Self::Privileged(kind) => {
                write!(f, "frames of type 0x{kind:08x} need CAP_SYS_ADMIN")
            }
            Self::Command(command) => {
                write!(
                    f,
                    "control command {command} is unknown or needs CAP_SYS_ADMIN"
                )
            }
            Self::Shell(line) => write!(f, "command line \"{line}\" needs CAP_SYS_ADMIN"),
        }
    }
}
