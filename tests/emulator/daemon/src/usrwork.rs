// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files and programs of the user on the card (spec 8.2).  Files are kept in memory, one name space
//! for the card; programs are made for the card's processor and are not run.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::card::Card;
use crate::errors::{code, About, Why};
use crate::frames::Answer;
use crate::wire::usrwork::{Api, FileTransferPolicy, RequestBody, ResponseBody};

/// The files that hosts have put on the card.
#[derive(Debug, Default)]
pub(crate) struct Files {
    by_path: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Files {
    /// Bytes of all files: the card's file system is its RAM.
    const MAX_BYTES: usize = 256 << 20;
    /// Longest path.
    const MAX_PATH: usize = 4096;

    fn put(&self, path: &str, data: Vec<u8>) -> Result<(), Why> {
        if path.is_empty() || path.len() > Self::MAX_PATH {
            return Err(Why::IllegalParameter);
        }
        let mut files = self.by_path.lock();
        let others = files.iter().filter(|(name, _)| *name != path);
        let used: usize = others.map(|(name, data)| name.len() + data.len()).sum();
        if used + path.len() + data.len() > Self::MAX_BYTES {
            return Err(Why::NoMemory);
        }
        files.insert(path.to_owned(), data);
        Ok(())
    }

    fn get(&self, path: &str) -> Result<Vec<u8>, Why> {
        self.by_path.lock().get(path).cloned().ok_or(Why::Open)
    }

    fn remove(&self, path: &str) -> bool {
        self.by_path.lock().remove(path).is_some()
    }

    /// Number and bytes of the files.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let files = self.by_path.lock();
        (files.len(), files.values().map(Vec::len).sum())
    }
}

/// What the answer to `api` has to carry even when the call fails: the host takes it out first.
pub(crate) fn zeroes(api: i32) -> ResponseBody {
    let programs = [Api::ExecWorker, Api::KillWorker].map(i32::from);
    ResponseBody {
        pid: programs.contains(&api).then_some(0),
        ..Default::default()
    }
}

/// Runs a call.
///
/// The host builds each request upon the one before, so only what `api` and `policy` call for is
/// looked at.
pub(crate) fn call(card: &Card, api: i32, request: RequestBody) -> Answer {
    let mut body = zeroes(api);
    let result = match Api::try_from(api) {
        Ok(Api::TransferFile) => transfer(&card.files, request, &mut body),
        Ok(kind) => {
            card.unknown(&format!("usrwork.{}", kind.as_str_name()));
            if kind == Api::KillWorker {
                body.pid = Some(request.pid.unwrap_or(0));
            }
            Err(Why::Unsupported)
        }
        Err(_) => {
            card.unknown(&format!("usrwork.{api}"));
            Err(Why::Unsupported)
        }
    };
    body.status = result.err().map_or(0, |why| code(About::UsrWork, why));
    Answer::UsrWork(api, body)
}

fn transfer(files: &Files, request: RequestBody, body: &mut ResponseBody) -> Result<(), Why> {
    let source = request.src_path.unwrap_or_default();
    let target = request.dst_path.unwrap_or_default();
    let policy = FileTransferPolicy::try_from(request.policy.unwrap_or(0));
    match policy.map_err(|_| Why::IllegalParameter)? {
        FileTransferPolicy::HostToDevice => {
            let data = request.data.unwrap_or_default();
            if request.data_size.is_some_and(|n| n as usize != data.len()) {
                return Err(Why::IllegalParameter);
            }
            files.put(&target, data)
        }
        FileTransferPolicy::DeviceToHost => {
            // Present even when there is no file: the host takes it out first.
            body.data = Some(Vec::new());
            body.data = Some(files.get(&source)?);
            Ok(())
        }
        FileTransferPolicy::DeviceToDevice => files.put(&target, files.get(&source)?),
        // The notes do not say which of the two paths it is.
        FileTransferPolicy::RemoveDeviceFile => {
            let gone = files.remove(&target) || files.remove(&source);
            gone.then_some(()).ok_or(Why::Open)
        }
    }
}
