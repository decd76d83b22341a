// SPDX-License-Identifier: MIT OR Apache-2.0

//! Decoded pictures, as long as they are in card memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use super::{api, Inner, CHANNEL, GET};
use crate::buffer::Buffer;
use crate::call::Call;
use crate::cleanup::Keep;
use crate::error::{Error, Request, Result};
use crate::media::picture::PictureLayout;
use crate::media::structs::VideoFrame;
use crate::media::waiting::give_back;
use crate::media::FORMAT_NV12;
use crate::native::{self, Api};
use crate::part::Part;
use crate::proto::axclrpc::native::VdecApi;
use crate::session::Session;

const RELEASE: Api = api("give a picture back", VdecApi::AxVdecReleaseChnFrame, &[]);

/// A decoded picture in card memory, given back to the decoder when dropped and all jobs have ended that use it.
#[derive(Debug)]
pub struct Frame {
    held: Arc<Held>,
    session: Session,
}

/// The picture as jobs keep it: it does not keep the session going.
#[derive(Debug)]
struct Held {
    decoder: Arc<Inner>,
    info: VideoFrame,
    /// Whether the card has to be told to take it back.
    is_here: AtomicBool,
}

impl Frame {
    pub(super) fn new(decoder: Arc<Inner>, session: Session, info: VideoFrame) -> Self {
        let held = Arc::new(Held {
            decoder,
            info,
            is_here: AtomicBool::new(true),
        });
        Self { held, session }
    }

    /// Returns what the card said of the picture.
    pub fn info(&self) -> &VideoFrame {
        &self.held.info
    }

    pub(in crate::media) fn session(&self) -> &Session {
        &self.session
    }

    /// Returns what a job that uses the picture keeps.
    pub(in crate::media) fn keep(&self) -> Keep {
        self.held.clone()
    }

    /// Returns the presentation time, as it was sent with the packet.
    pub fn pts(&self) -> u64 {
        self.info().pts()
    }

    /// Tells how the picture lies in card memory; in host memory after [`Frame::download`] too.
    pub fn layout(&self) -> PictureLayout {
        let info = self.info();
        PictureLayout {
            width: info.width(),
            height: info.height(),
            stride: info.luma_stride(),
        }
    }

    pub(super) fn checked(self) -> Result<Self> {
        let info = self.info();
        let bad = |problem: String| Error::answer(GET.what, problem);
        if info.format() != FORMAT_NV12 || info.compress_mode() != 0 {
            let (format, mode) = (info.format(), info.compress_mode());
            return Err(bad(format!(
                "a picture of format {format}, compression {mode}"
            )));
        }
        if info.luma_stride() != info.chroma_stride() && info.chroma_stride() != 0 {
            return Err(bad("planes with different strides".into()));
        }
        let layout = PictureLayout::new(info.width(), info.height(), info.luma_stride())
            .map_err(|error| bad(error.to_string()))?;
        if info.luma() == 0 || info.chroma() == 0 {
            return Err(bad("a picture without address".into()));
        }
        for (address, size) in [
            (info.luma(), layout.luma_size()),
            (info.chroma(), layout.chroma_size()),
        ] {
            if address.checked_add(size as u64).is_none() {
                return Err(bad(format!("a picture at {address:#x}")));
            }
        }
        Ok(self)
    }

    /// Copies the picture to the beginning of `buffer` and gives it back to the decoder, in one job.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: the buffer is too small.
    pub fn download(self, buffer: &Buffer) -> Result<PictureLayout> {
        let layout = self.layout();
        let (luma, size) = (layout.luma_size(), layout.size());
        if buffer.len() < size {
            let room = buffer.len();
            return Err(Error::invalid(format!(
                "a picture of {size} bytes for a buffer of {room}"
            )));
        }
        let stream = &self.held.decoder.stream;
        let (first, second) = (self.info().luma(), self.info().chroma());
        let job = if second == first + luma as u64 {
            stream.job().then(Part::from_card(buffer, 0..size, first))
        } else {
            stream
                .job()
                .then(Part::from_card(buffer, 0..luma, first))
                .along(Part::from_card(buffer, luma..size, second))
        };
        let done = job.then(self.held.release_call()).run();
        let is_here = done.as_ref().err().is_some_and(was_not_released);
        self.held.is_here.store(is_here, Ordering::Relaxed);
        let mut done = done?;
        let last = done.steps.len() - 1;
        native::answer(&RELEASE, done.answer(last)?)?;
        Ok(layout)
    }

    /// Drops the frame without giving anything back.
    pub(super) fn forget(self) {
        self.held.is_here.store(false, Ordering::Relaxed);
    }
}

impl Held {
    fn release_call(&self) -> Call {
        let blobs: [&[u8]; 3] = [&self.decoder.group, &CHANNEL, self.info.as_bytes()];
        self.decoder.stream.native_call(&RELEASE, &blobs)
    }
}

/// Whether a download ended so that the card has not been told to take the picture back.  Twice would be once for another
/// picture at the same place.
fn was_not_released(error: &Error) -> bool {
    match error {
        // No step behind the one that failed was begun.
        Error::Job { what, .. } => what != RELEASE.what,
        Error::Driver { request, .. } => *request != Request::Wait,
        Error::Answer { .. } => false,
        _ => true,
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if *self.is_here.get_mut() && !self.decoder.stream.session().is_over() {
            give_back(&self.decoder.stream, [self.release_call()]);
        }
    }
}
