// SPDX-License-Identifier: MIT OR Apache-2.0

//! The control socket: one JSON object per line, each answered by one (docs/emulator.md).

mod commands;
mod help;
mod inject;
mod request;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use log::{debug, warn};
use serde_json::{json, Value};

use crate::card::Card;

pub use commands::{counters, faults, state};
pub use help::{COMMANDS, INJECT};
pub use request::{Fail, Request};

/// Longest request line.
const LINE: u64 = 4 << 20;

/// What commands act on.
pub struct Context {
    /// The card.
    pub card: Arc<Card>,
    /// The vfio-user socket, for `unplug`; none in tests without one.
    pub socket: Option<PathBuf>,
    /// Called after the answer to `quit`.
    pub quit: Box<dyn Fn() + Send + Sync>,
}

/// Serves the socket `path` in threads of its own.
pub fn listen(path: &Path, context: Context) -> io::Result<()> {
    let listener = UnixListener::bind(path)?;
    let context = Arc::new(context);
    std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(move || {
            for stream in listener.incoming() {
                let context = context.clone();
                let client = stream.and_then(|stream| {
                    std::thread::Builder::new()
                        .name("control client".to_owned())
                        .spawn(move || serve(&stream, &context))
                });
                if let Err(e) = client {
                    warn!("control socket: {e}");
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
            }
        })?;
    Ok(())
}

fn serve(stream: &UnixStream, context: &Context) {
    let mut lines = BufReader::new(stream);
    let mut out = stream;
    let mut line = Vec::new();
    loop {
        line.clear();
        match lines.by_ref().take(LINE).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(n) if n as u64 == LINE && !line.ends_with(b"\n") => {
                // What follows is the rest of this line and no request.
                let error =
                    json!({ "ok": false, "error": format!("a request has at most {LINE} bytes") });
                let _ = writeln!(out, "{error}");
                return;
            }
            Ok(_) => {}
            Err(e) => return debug!("control client: {e}"),
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let mut reply = answer(context, &line).to_string();
        reply.push('\n');
        let sent = out.write_all(reply.as_bytes());
        if is_quit(&line) {
            // Not before: the program may be gone at once.
            (context.quit)();
        }
        if let Err(e) = sent {
            return debug!("control client: {e}");
        }
    }
}

fn is_quit(line: &[u8]) -> bool {
    serde_json::from_slice::<Value>(line).is_ok_and(|request| request["cmd"] == "quit")
}

/// Answers one request line; `quit` is up to the caller.
pub fn answer(context: &Context, line: &[u8]) -> Value {
    let (id, result) = match serde_json::from_slice::<Value>(line) {
        Ok(value) if value.is_object() => {
            let request = Request(value);
            (request.0["id"].clone(), commands::run(context, &request))
        }
        Ok(_) => (
            Value::Null,
            Err(Fail("a request must be a JSON object".to_owned())),
        ),
        Err(e) => (Value::Null, Err(Fail(format!("not JSON: {e}")))),
    };
    match result {
        Ok(mut reply) => {
            reply["id"] = id;
            reply["ok"] = true.into();
            reply
        }
        Err(Fail(error)) => json!({ "id": id, "ok": false, "error": error }),
    }
}
