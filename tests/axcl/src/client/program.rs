// SPDX-License-Identifier: MIT OR Apache-2.0

//! A program of the user on the card, by its four ports [rpc 8.2].

use anyhow::{Context, Result};

use super::device::Scope;
use super::transfer;
use crate::node::message::MessageNode;
use crate::rpc::usrwork::{self, Api, RequestBody, ResponseBody};
use crate::wire::header::MESSAGE_FRAME;
use crate::wire::transport::Message;

impl Scope<'_> {
    /// A call about files or programs.
    pub fn usrwork(&self, api: Api, body: RequestBody) -> Result<ResponseBody> {
        usrwork::answer(api, self.call(&usrwork::call(api, body))?)
    }

    /// Sends data to a program, on the first of its ports.
    pub fn to_program(&self, port: &MessageNode, data: &[u8]) -> Result<()> {
        // The type is the first four bytes, whatever they mean.
        let mut kind = [0; 4];
        let len = data.len().min(4);
        kind[..len].copy_from_slice(&data[..len]);
        let request = Message::TransferRequest {
            kind: u32::from_le_bytes(kind),
            size: data.len() as u32,
        };
        // The window of P0, with nothing else in it meanwhile.
        let window = self.shared().transaction();
        transfer::send(port, &request)?;
        if data.len() < MESSAGE_FRAME {
            return port.send(data).context("data for a program");
        }
        transfer::pull(port, &window, data).context("data for a program")
    }
}
