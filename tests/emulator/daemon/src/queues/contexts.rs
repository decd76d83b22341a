// SPDX-License-Identifier: MIT OR Apache-2.0

//! The contexts of a session, with their streams and events [rpc 4.1].

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{json, Value};

use super::events::Event;
use super::streams::Stream;
use crate::ports::session::Session;
use crate::protocol::errors::{
    code, About, Why, CONTEXT_EXISTS, EVENT_EXISTS, NO_CONTEXT, NO_EVENT, NO_STREAM, STREAM_EXISTS,
};

/// Every context has this stream from its start.
const DEFAULT_STREAM: u32 = 1;

const MAX_CONTEXTS: usize = 256;
const MAX_STREAMS: usize = 64;
const MAX_EVENTS: usize = 4096;

#[derive(Default)]
struct Context {
    streams: BTreeMap<u32, Arc<Stream>>,
    events: BTreeMap<u32, Arc<Event>>,
}

/// All contexts of a session.
#[derive(Default)]
pub(crate) struct Contexts {
    map: Mutex<BTreeMap<u32, Context>>,
}

impl Contexts {
    /// Makes a context and its default stream; returns the id of the thread that serves it.
    pub(crate) fn create_context(&self, session: &Session, id: u32) -> Result<u32, u32> {
        {
            let mut map = self.map.lock();
            if id == 0 {
                return Err(code(About::Context, Why::IllegalParameter));
            }
            if map.contains_key(&id) {
                return Err(CONTEXT_EXISTS);
            }
            if map.len() >= MAX_CONTEXTS {
                return Err(code(About::Context, Why::NoMemory));
            }
            map.insert(id, Context::default());
        }
        self.create_stream(session, id, DEFAULT_STREAM)
            .inspect_err(|_| {
                self.map.lock().remove(&id);
            })
    }

    /// Makes a stream and starts its thread; returns the id of that.
    pub(crate) fn create_stream(
        &self,
        session: &Session,
        context: u32,
        id: u32,
    ) -> Result<u32, u32> {
        let mut map = self.map.lock();
        let streams = &mut map.get_mut(&context).ok_or(NO_CONTEXT)?.streams;
        if id == 0 {
            return Err(code(About::Stream, Why::IllegalParameter));
        }
        if streams.contains_key(&id) {
            return Err(STREAM_EXISTS);
        }
        if streams.len() >= MAX_STREAMS || session.ended.is_raised() {
            return Err(code(About::Stream, Why::NoMemory));
        }
        let stream = Arc::new(Stream::default());
        let served = stream.clone();
        let link = session.card.link.clone();
        session
            .spawn(&format!("{context}.{id}"), move || served.serve(&*link))
            .map_err(|_| code(About::Stream, Why::NoMemory))?;
        streams.insert(id, stream);
        Ok(session.card.next_pid())
    }

    /// A stream, or the status that refuses what names it.
    pub(crate) fn stream(&self, context: u32, id: u32) -> Result<Arc<Stream>, u32> {
        let map = self.map.lock();
        let context = map.get(&context).ok_or(NO_CONTEXT)?;
        context.streams.get(&id).cloned().ok_or(NO_STREAM)
    }

    /// Takes a stream out; the default stream goes with its context only.
    pub(crate) fn take_stream(&self, context: u32, id: u32) -> Result<Arc<Stream>, u32> {
        let mut map = self.map.lock();
        let context = map.get_mut(&context).ok_or(NO_CONTEXT)?;
        if id == DEFAULT_STREAM {
            return Err(code(About::Stream, Why::IllegalParameter));
        }
        context.streams.remove(&id).ok_or(NO_STREAM)
    }

    /// Takes a context out: its streams.  Its events are destroyed.
    pub(crate) fn take_context(&self, id: u32) -> Result<Vec<Arc<Stream>>, u32> {
        let context = self.map.lock().remove(&id).ok_or(NO_CONTEXT)?;
        for event in context.events.values() {
            event.destroy();
        }
        Ok(context.streams.into_values().collect())
    }

    /// Makes an event.
    pub(crate) fn create_event(&self, context: u32, id: u32) -> Result<(), u32> {
        let mut map = self.map.lock();
        let events = &mut map.get_mut(&context).ok_or(NO_CONTEXT)?.events;
        if id == 0 {
            return Err(code(About::Stream, Why::IllegalParameter));
        }
        if events.contains_key(&id) {
            return Err(EVENT_EXISTS);
        }
        if events.len() >= MAX_EVENTS {
            return Err(code(About::Stream, Why::NoMemory));
        }
        events.insert(id, Arc::default());
        Ok(())
    }

    /// An event: of this context, else of another.  The notes do not say whether the host counts
    /// events by context or by process, and a stream may wait for one of another context.
    pub(crate) fn event(&self, context: u32, id: u32) -> Result<Arc<Event>, u32> {
        let map = self.map.lock();
        let own = map.get(&context).ok_or(NO_CONTEXT)?;
        let mut all = std::iter::once(own).chain(map.values());
        all.find_map(|context| context.events.get(&id).cloned())
            .ok_or(NO_EVENT)
    }

    /// Takes an event out, of this context or else of another, and ends the waits for records that
    /// have not been asked for.
    pub(crate) fn destroy_event(&self, context: u32, id: u32) -> Result<(), u32> {
        let mut map = self.map.lock();
        let own = map.get(&context).ok_or(NO_CONTEXT)?;
        let event = if own.events.contains_key(&id) {
            map.get_mut(&context).and_then(|own| own.events.remove(&id))
        } else {
            map.values_mut().find_map(|other| other.events.remove(&id))
        };
        event.ok_or(NO_EVENT)?.destroy();
        Ok(())
    }

    /// Closes everything: the session has ended.
    pub(crate) fn close(&self) {
        for context in std::mem::take(&mut *self.map.lock()).into_values() {
            for event in context.events.values() {
                event.end();
            }
            for stream in context.streams.values() {
                stream.close();
            }
        }
    }

    /// State for the control socket.
    pub(crate) fn report(&self) -> Value {
        let map = self.map.lock();
        let contexts = map.iter().map(|(id, context)| {
            let streams: BTreeMap<_, _> = context
                .streams
                .iter()
                .map(|(id, stream)| (id.to_string(), stream.depth()))
                .collect();
            json!({ "id": id, "stream_depths": streams, "events": context.events.len() })
        });
        contexts.collect()
    }
}
