// SPDX-License-Identifier: MIT OR Apache-2.0

//! The way out of an encoder: packets are copied to the host and given back.

use std::time::Duration;

use super::{api, Encoder};
use crate::buffer::Buffer;
use crate::call::Call;
use crate::error::{Error, Result};
use crate::media::decoder::{millis, Received};
use crate::media::venc_structs::VencStream;
use crate::media::waiting::Deadline;
use crate::native::{self, Api};
use crate::part::Part;
use crate::proto::axclrpc::native::VencApi;
use crate::system::MARGIN;

const GET: Api = api(
    "get a packet",
    VencApi::AxVencGetStream,
    &[VencStream::SIZE],
);
const RELEASE: Api = api("give a packet back", VencApi::AxVencReleaseStream, &[]);
/// No packet is longer: a picture without any compression would be shorter.
const MAX_PACKET: u32 = 64 << 20;

/// An encoded picture.
#[derive(Debug, Clone)]
pub struct Packet {
    /// The bytes: NAL units with start codes, or a JPEG picture.
    pub data: Vec<u8>,
    /// Presentation time, as it was sent with the picture.
    pub pts: u64,
    /// Decodable without others.
    pub key: bool,
}

impl Encoder {
    /// Waits for a packet, for `timeout` at most.  Nothing comes when [`Encoder::pending`] is 0.
    ///
    /// Several threads may do so; each packet goes to one of them.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card refused it; [`Error::Job`]: the packet could not be fetched.
    pub fn receive(&self, timeout: Duration) -> Result<Received<Packet>> {
        let deadline = Deadline::after(timeout);
        let Some(mut staging) = self.staging.take(deadline) else {
            return Ok(Received::Nothing);
        };
        let received = deadline.receive(|turn| {
            let blobs: [&[u8]; 2] = [&self.channel.number, &millis(turn)];
            self.receive.native(&GET, &blobs, Some(turn + MARGIN))
        })?;
        let answer = match received {
            Received::Some(answer) => answer,
            Received::Nothing => return Ok(Received::Nothing),
            Received::End => return Ok(Received::End),
        };
        let stream = VencStream::from_bytes(&answer[0]).expect("the size was checked");
        let packet = self.fetch(&stream, &mut staging);
        // Whatever became of the packet, its picture has been encoded.
        let free = self.state().inside.came(stream.user_data(), stream.pts());
        self.take_back(free);
        packet.map(Received::Some)
    }

    /// Copies a packet to the host and gives its place back, in one job.
    fn fetch(&self, stream: &VencStream, staging: &mut Option<Buffer>) -> Result<Packet> {
        let len = stream.size();
        if len == 0 || len > MAX_PACKET || stream.address() == 0 {
            let address = stream.address();
            self.release(stream);
            return Err(Error::answer(
                GET.what,
                format!("{len} bytes at {address:#x}"),
            ));
        }
        let len = len as usize;
        let buffer = self.room(len, staging).inspect_err(|_| {
            self.release(stream);
        })?;
        let copy = Part::from_card(&buffer, 0..len, stream.address());
        let job = self
            .receive
            .job()
            .then(copy)
            .then(self.release_call(stream));
        let mut done = job.run().inspect_err(|error| {
            // The buffer may be lost to a copy that goes on.
            *staging = None;
            if !matches!(error, Error::Job { what, .. } if what == RELEASE.what) {
                self.release(stream);
            }
        })?;
        let released = done
            .answer(1)
            .and_then(|answer| native::answer(&RELEASE, answer));
        if let Err(error) = released {
            log::warn!("{error}");
        }
        let data = buffer.read()?[..len].to_vec();
        Ok(Packet {
            data,
            pts: stream.pts(),
            key: stream.picture_type() == 0,
        })
    }

    fn release_call(&self, stream: &VencStream) -> Call {
        let blobs: [&[u8]; 2] = [&self.channel.number, stream.as_bytes()];
        self.receive.native_call(&RELEASE, &blobs)
    }

    /// Gives the place of a packet back that cannot be fetched.
    fn release(&self, stream: &VencStream) {
        let answer = self.receive.call(self.release_call(stream), Some(MARGIN));
        if let Err(error) = answer.and_then(|answer| native::answer(&RELEASE, answer)) {
            log::debug!("{error}");
        }
    }

    /// A buffer for a packet of `len` bytes.
    fn room(&self, len: usize, staging: &mut Option<Buffer>) -> Result<Buffer> {
        if let Some(buffer) = staging.as_ref().filter(|buffer| buffer.len() >= len) {
            return Ok(buffer.clone());
        }
        let session = self.receive.session();
        let buffer = session.buffer(len.next_power_of_two().max(256 << 10))?;
        *staging = Some(buffer.clone());
        Ok(buffer)
    }
}
