// SPDX-License-Identifier: MIT OR Apache-2.0

//! Threads that make answers, each with caches of its own, and the queue before them.

use std::sync::mpsc::{sync_channel, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};

use ax650_command::failure::Failure;
use ax650_llm::{generate, Answer, Chat, Network, Options};
use tokio::sync::mpsc::Sender;

use super::api::ApiError;
use super::said::Spoken;

/// A request with where its answer goes.
pub struct Work {
    pub messages: Vec<Spoken>,
    pub options: Options,
    pub to: Sender<Event>,
}

/// A piece of an answer.
#[derive(Debug)]
pub enum Event {
    /// More text.
    Text(String),
    /// The end.
    Done(Box<Answer>),
    /// The end of one that failed.
    Failed(ApiError),
}

/// The threads.
pub struct Workers {
    queue: SyncSender<Work>,
}

impl Workers {
    /// Starts `count` threads, for which `waiting` requests can wait.
    pub fn start(network: &Arc<Network>, count: usize, waiting: usize) -> Result<Self, Failure> {
        let (queue, work) = sync_channel(waiting);
        let work = Arc::new(Mutex::new(work));
        for _ in 0..count {
            let (chat, work) = (Chat::new(network.clone())?, work.clone());
            std::thread::Builder::new()
                .name("answers".into())
                .spawn(move || answer_all(chat, &work))
                .map_err(|error| Failure::of(format!("no thread: {error}")))?;
        }
        Ok(Self { queue })
    }

    /// Puts a request into the queue.
    pub fn submit(&self, work: Work) -> Result<(), ApiError> {
        self.queue.try_send(work).map_err(|error| match error {
            TrySendError::Full(_) => ApiError::new(
                503,
                "overloaded_error",
                "too many requests wait; come again later",
            ),
            TrySendError::Disconnected(_) => ApiError::new(500, "server_error", "nobody answers"),
        })
    }
}

/// Answers one request after the other.
fn answer_all(mut chat: Chat, work: &Mutex<Receiver<Work>>) {
    loop {
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        let event = match answer(&mut chat, &work) {
            Ok(answer) => Event::Done(Box::new(answer)),
            Err(error) => Event::Failed(error.into()),
        };
        // Who has hung up hears nothing.
        let _ = work.to.blocking_send(event);
    }
}

fn answer(chat: &mut Chat, work: &Work) -> ax650_llm::Result<Answer> {
    let network = chat.network().clone();
    // Pictures take memory, so no more are read at a time than there are threads.
    let messages = work.messages.iter();
    let messages = messages.map(|spoken| spoken.message(&network.description));
    let prompt = network.prompt(&messages.collect::<Result<Vec<_>, _>>()?)?;
    generate(chat, &prompt, &work.options, &mut |text| match text {
        "" => !work.to.is_closed(),
        text => work.to.blocking_send(Event::Text(text.into())).is_ok(),
    })
}
