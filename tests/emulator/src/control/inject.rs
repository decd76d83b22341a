// SPDX-License-Identifier: MIT OR Apache-2.0

//! One-shot faults: `inject`.

use super::{Fail, Request};
use crate::card::Card;
use crate::function::VECTORS;
use crate::rings::{Header, Publish, HEADER_SIZE};

/// `{"cmd":"inject","what":...}`.
pub(super) fn run(card: &Card, request: &Request) -> Result<(), Fail> {
    match request.text("what")? {
        "msi" => {
            let vector = request.number_or("vector", 0)? as usize;
            if vector >= VECTORS {
                return Err(Fail(format!(
                    "there are {VECTORS} vectors, {vector} is none"
                )));
            }
            card.raise(vector);
            Ok(())
        }
        "message" => {
            let payload = request.bytes("payload")?;
            let port = request.number("port")? as u32;
            let header = Header::to_host(card.id(), port, payload.len() as u32);
            publish(
                card,
                Publish {
                    header,
                    payload: &payload,
                    jump: 0,
                },
            )
        }
        "header" => {
            let bytes: [u8; HEADER_SIZE] = request
                .bytes("header")?
                .try_into()
                .map_err(|_| Fail(format!("\"header\" must be {HEADER_SIZE} bytes")))?;
            let payload = request.bytes("payload")?;
            publish(
                card,
                Publish {
                    header: Header::from_bytes(bytes),
                    payload: &payload,
                    jump: 0,
                },
            )
        }
        "wp-jump" => {
            let jump = request.number("bytes")?;
            let transport = card
                .transport()
                .ok_or_else(|| Fail("the rings are not set up".to_owned()))?;
            transport.jump(jump).map_err(|e| Fail(e.to_string()))?;
            card.message_sent();
            Ok(())
        }
        other => Err(Fail(format!(
            "cannot inject \"{other}\"; there are msi, message, header, wp-jump"
        ))),
    }
}

fn publish(card: &Card, message: Publish) -> Result<(), Fail> {
    let transport = card
        .transport()
        .ok_or_else(|| Fail("the rings are not set up".to_owned()))?;
    transport
        .publish(message)
        .map_err(|e| Fail(format!("the message cannot be published: {e:?}")))?;
    card.counters.hit("ring.c2h.injected");
    card.message_sent();
    Ok(())
}
