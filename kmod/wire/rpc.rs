// SPDX-License-Identifier: GPL-2.0

//! The driver's own calls and their answers [rpc 3.2], [rpc 4]: contexts, the card's property texts, the
//! latency echo.

use super::{
    frame::{
        self,
        Header,
        HEADER_SIZE, //
    },
    pb::{
        Malformed,
        Reader,
        Value,
        Writer, //
    }, //
};

use core::fmt;

/// Command number: begin a context.
pub const CREATE_CONTEXT: u32 = 0;
/// Command number: end it.
pub const DESTROY_CONTEXT: u32 = 1;
/// Command number: run a command line on the card.
pub const SHELL: u32 = 2;
/// Command number: set the subsystem id of the endpoint.
pub const SETUP_PCIE_SUB_ID: u32 = 3;
/// Command number: begin a stream.
pub const CREATE_STREAM: u32 = 4;
/// Command number: end it.
pub const DESTROY_STREAM: u32 = 5;
/// Command number: wait for a stream.
pub const SYNC_STREAM: u32 = 6;
/// Command number: make an event.
pub const CREATE_EVENT: u32 = 7;
/// Command number: end it.
pub const DESTROY_EVENT: u32 = 8;
/// Command number: mark an event when the stream gets there.
pub const RECORD_EVENT: u32 = 9;
/// Command number: hold a stream until an event is marked.
pub const WAIT_EVENT: u32 = 10;

/// Sub-service numbers of the system service; also the field numbers of its bodies, plus 1.
const MODULE_LATENCY: u32 = 1;
const MODULE_CONTROL: u32 = 3;

/// From a frame's message to the body of the system service.
const SYSTEM_BODY: [u32; 5] = [2, 1, 2, 1, 2];

/// Who calls, and how the answer finds its way back.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Sequence number, not 0, not in use.
    pub sequence: u64,
    /// Card id.
    pub card: u32,
    /// Context id.
    pub context: u32,
    /// Stream id, 1 is the context's own.
    pub stream: u32,
    /// Process the call is made for.
    pub pid: u32,
    /// Thread of the process.
    pub tid: u32,
    /// Seconds of UTC.
    pub timestamp: u64,
}

impl Call {
    /// Makes the header of a request frame.
    pub fn header(&self, kind: u32, command: u32) -> Header {
        Header {
            kind,
            sequence: self.sequence,
            card: self.card,
            context: self.context,
            stream: self.stream,
            command,
        }
    }

    /// Writes a frame to the system service. `body` writes the one member of its body. Returns the
    /// length, `None` if `out` is too short.
    fn system(
        &self,
        out: &mut [u8],
        header: Header,
        module: u32,
        body: impl Fn(&mut Writer<'_>),
    ) -> Option<usize> {
        let (head, message) = out.split_first_chunk_mut::<HEADER_SIZE>()?;
        *head = header.encode();
        let mut writer = Writer::new(message);
        writer.message(1, |w| {
            w.varint(1, self.sequence);
            w.message(2, |w| w.varint(1, 1));
            w.message(3, |w| {
                w.varint(1, self.pid.into());
                w.varint(2, self.tid.into());
            });
            w.varint(4, self.timestamp);
        });
        writer.message(2, |w| {
            w.message(1, |w| {
                w.message(1, |_| {});
                w.message(2, |w| {
                    w.message(1, |w| {
                        w.message(1, |w| w.varint(1, module.into()));
                        w.message(2, &body);
                    });
                });
            });
        });
        writer.message(3, |_| {});
        writer.finish()?.checked_add(HEADER_SIZE)
    }

    fn control(
        &self,
        out: &mut [u8],
        command: u32,
        fields: impl Fn(&mut Writer<'_>),
    ) -> Option<usize> {
        let header = self.header(frame::CONTROL, command);
        self.system(out, header, MODULE_CONTROL, |w| {
            w.message(4, |w| {
                if command != 0 {
                    w.varint(1, command.into());
                }
                fields(w);
            });
        })
    }

    /// Begins the context that the call names.
    pub fn create_context(&self, out: &mut [u8]) -> Option<usize> {
        self.control(out, CREATE_CONTEXT, |w| self.context_fields(w))
    }

    /// Ends the context that the call names.
    pub fn destroy_context(&self, out: &mut [u8]) -> Option<usize> {
        self.control(out, DESTROY_CONTEXT, |w| self.context_fields(w))
    }

    fn context_fields(&self, w: &mut Writer<'_>) {
        w.varint(2, self.pid.into());
        w.varint(3, self.tid.into());
        w.varint(4, self.context.into());
        w.varint(7, self.stream.into());
        w.varint(10, 0);
    }

    /// Runs a command line on the card.
    pub fn shell(&self, out: &mut [u8], command_line: &str) -> Option<usize> {
        self.control(out, SHELL, |w| {
            w.message(5, |w| w.bytes(1, command_line.as_bytes()));
            w.varint(10, 0);
        })
    }

    /// Asks for an answer when everything that was queued on the stream is done.
    pub fn sync_stream(&self, out: &mut [u8]) -> Option<usize> {
        self.control(out, SYNC_STREAM, |w| {
            w.varint(4, self.context.into());
            w.varint(7, self.stream.into());
            // -1: for ever.
            w.varint(9, u64::MAX);
        })
    }

    /// Asks the card to send `data` back.
    pub fn latency(&self, out: &mut [u8], data: &[u8]) -> Option<usize> {
        let header = self.header(frame::LATENCY, 0);
        self.system(out, header, MODULE_LATENCY, |w| {
            w.message(2, |w| w.bytes(1, data));
        })
    }
}

/// Answer to a control request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlAnswer<'a> {
    /// Command that the answer is for.
    pub command: u32,
    /// 0 is success.
    pub status: i32,
    /// Exit status of the command line.
    pub shell_status: i32,
    /// What the command line wrote. Text by intention; not checked to be.
    pub output: &'a [u8],
}

/// An answer that cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerError {
    /// Shorter than a frame header.
    Short(usize),
    /// Not protobuf, or a field is of the wrong type.
    Malformed,
    /// Not the answer to what was asked: the named part is missing.
    Missing(&'static str),
}

impl From<Malformed> for AnswerError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(length) => write!(f, "answer of {length} bytes has no header"),
            Self::Malformed => f.write_str("answer is malformed"),
            Self::Missing(part) => write!(f, "answer has no {part}"),
        }
    }
}

/// Finds the member `field` of the system service's body.
fn system_member<'a>(
    answer: &'a [u8],
    field: u32,
    name: &'static str,
) -> Result<&'a [u8], AnswerError> {
    let message = answer
        .get(HEADER_SIZE..)
        .ok_or(AnswerError::Short(answer.len()))?;
    let body = Reader::new(message).descend(&SYSTEM_BODY)?;
    let body = body.ok_or(AnswerError::Missing(name))?;
    let member = Reader::new(body).descend(&[field])?;
    member.ok_or(AnswerError::Missing(name))
}

/// Reads the answer to a control request. The caller has matched the frame header.
pub fn control_answer(answer: &[u8]) -> Result<ControlAnswer<'_>, AnswerError> {
    let mut reader = Reader::new(system_member(answer, 4, "control part")?);
    let mut out = ControlAnswer::default();
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => out.command = value.u32().ok_or(Malformed)?,
            5 => {
                let mut shell = Reader::new(value.bytes().ok_or(Malformed)?);
                while let Some((field, value)) = shell.field()? {
                    match field {
                        1 => out.shell_status = value.i32().ok_or(Malformed)?,
                        2 => out.output = value.bytes().ok_or(Malformed)?,
                        _ => {}
                    }
                }
            }
            6 => out.status = value.i32().ok_or(Malformed)?,
            _ => {}
        }
    }
    Ok(out)
}

/// Reads the answer to a latency request: the bytes sent, if the card is in order.
pub fn latency_answer(answer: &[u8]) -> Result<&[u8], AnswerError> {
    let data = Reader::new(system_member(answer, 2, "latency part")?).last(1)?;
    Ok(data.map_or(Some(&[][..]), Value::bytes).ok_or(Malformed)?)
}
