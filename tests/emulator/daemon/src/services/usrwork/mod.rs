// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files and programs of the user on the card [rpc 8.2].

pub(crate) mod workers;

use std::sync::Arc;

use crate::machine::files::Files;
use crate::ports::session::{Caller, Session};
use crate::protocol::errors::{code, About, Why, FILE_SIZE, NO_FILE};
use crate::protocol::frames::Answer;
use crate::protocol::refusal::usrwork_zeroes;
use crate::wire::usrwork::{Api, FileTransferPolicy, RequestBody, ResponseBody};

use workers::Workers;

/// Runs a call.
///
/// The host builds each request upon the one before, so only what `api` and `policy` call for is
/// looked at.
pub(crate) fn call(
    session: &Arc<Session>,
    workers: &Workers,
    caller: &Caller<'_>,
    api: i32,
    request: RequestBody,
) -> Answer {
    let card = &session.card;
    let unsupported = |name: &str| {
        card.unknown(&format!("usrwork.{name}"));
        Err(code(About::UsrWork, Why::Unsupported))
    };
    let mut body = usrwork_zeroes(api);
    let paths = [&request.path, &request.src_path, &request.dst_path];
    let paths: Vec<String> = paths
        .iter()
        .map(|path| format!("{:?}", path.as_deref().unwrap_or("")))
        .collect();
    let why = format!("path, source, target: {}", paths.join(", "));
    let result = match Api::try_from(api) {
        Ok(Api::TransferFile) => transfer(&card.files, request, &mut body),
        Ok(Api::ExecWorker) => {
            workers::exec(session, workers, &request).map(|pid| body.pid = Some(pid))
        }
        Ok(Api::KillWorker) => {
            let pid = request.pid.unwrap_or(0);
            body.pid = Some(pid);
            workers.kill(card, pid)
        }
        Ok(kind) => unsupported(kind.as_str_name()),
        Err(_) => unsupported(&api.to_string()),
    };
    if let Err(status) = result {
        let name = Api::try_from(api).map_or("an unknown call", |api| api.as_str_name());
        session.explain(caller, name, status, &why);
        card.link.count("usrwork.errors", 1);
        body.status = status;
    }
    Answer::UsrWork(api, body)
}

fn transfer(files: &Files, request: RequestBody, body: &mut ResponseBody) -> Result<(), u32> {
    let source = request.src_path.unwrap_or_default();
    let target = request.dst_path.unwrap_or_default();
    let policy = FileTransferPolicy::try_from(request.policy.unwrap_or(0));
    let illegal = code(About::UsrWork, Why::IllegalParameter);
    match policy.map_err(|_| illegal)? {
        FileTransferPolicy::HostToDevice => {
            let data = request.data.unwrap_or_default();
            if request.data_size.is_some_and(|n| n as usize != data.len()) {
                return Err(FILE_SIZE);
            }
            files.put(&target, &source, data)
        }
        FileTransferPolicy::DeviceToHost => {
            // Present even when there is no file: the host takes it out first.
            body.data = Some(Vec::new());
            body.data = Some(files.get(&source)?);
            Ok(())
        }
        FileTransferPolicy::DeviceToDevice => files.put(&target, &source, files.get(&source)?),
        // The notes do not say which of the two paths it is.
        FileTransferPolicy::RemoveDeviceFile => {
            let gone = files.remove(&target) || files.remove(&source);
            gone.then_some(()).ok_or(NO_FILE)
        }
    }
}
