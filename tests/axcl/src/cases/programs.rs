// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files and programs of the user [rpc 8.2].

use anyhow::{ensure, Context as _, Result};
use ax650_test_kit::case::Context;

use super::support::canary;
use crate::client::{pattern, Device};
use crate::node::message::MessageNode;
use crate::rpc::usrwork::{Api, FileTransferPolicy, RequestBody};

ax650_test_kit::cases!["axcl_programs":
    S8_2_files_there_and_back,
    D4_a_program_gets_its_data { timeout_s: 90 },
];

fn transfer(
    policy: FileTransferPolicy,
    from: &str,
    to: &str,
    data: Option<Vec<u8>>,
) -> RequestBody {
    RequestBody {
        policy: Some(policy.into()),
        src_path: Some(from.into()),
        dst_path: Some(to.into()),
        data_size: data.as_ref().map(|data| data.len() as u32),
        data,
        ..Default::default()
    }
}

/// Of one byte, of a frame's size and far beyond.
fn S8_2_files_there_and_back(_: &mut Context) -> Result<()> {
    use FileTransferPolicy::{DeviceToHost, HostToDevice, RemoveDeviceFile};
    let device = Device::open()?;
    let scope = device.scope();
    let call = |body| scope.usrwork(Api::TransferFile, body);
    for size in [1, 1000, 300_000] {
        let data = pattern(size, size as u64);
        let put = call(transfer(
            HostToDevice,
            "/home/me/file",
            "/tmp/file",
            Some(data.clone()),
        ))?;
        ensure!(put.status == 0, "{size} bytes: {:#x}", put.status);
        let back = call(transfer(DeviceToHost, "/tmp/file", "/home/me/back", None))?;
        ensure!(back.status == 0, "{size} bytes: {:#x}", back.status);
        ensure!(back.data == Some(data), "{size} bytes have changed");
    }
    let gone = call(transfer(RemoveDeviceFile, "", "/tmp/file", None))?;
    ensure!(gone.status == 0, "{:#x}", gone.status);
    let missing = call(transfer(DeviceToHost, "/tmp/file", "/home/me/back", None))?;
    ensure!(missing.status != 0, "a file that is not there");
    device.close()
}

/// Four more ports, EXEC_WORKER, data on the first of them, KILL_WORKER.
fn D4_a_program_gets_its_data(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    let scope = device.scope();
    let put = transfer(
        FileTransferPolicy::HostToDevice,
        "/home/me/program",
        "/tmp/program",
        Some(pattern(50_000, 7)),
    );
    ensure!(scope.usrwork(Api::TransferFile, put)?.status == 0);
    let extra = device.host.extra(device.id, 4)?;
    let run = |path: &str| RequestBody {
        path: Some(path.into()),
        argv: vec![path.into(), "argument".into()],
        heartbeat_interval: Some(500),
        port_num: Some(4),
        ports: extra.ports.to_vec(),
        ..Default::default()
    };
    let missing = scope.usrwork(Api::ExecWorker, run("/tmp/no such program"))?;
    ensure!(missing.status != 0, "a program that is not there");
    let answer = scope.usrwork(Api::ExecWorker, run("/tmp/program"))?;
    ensure!(answer.status == 0, "{:#x}", answer.status);
    let pid = answer.pid.context("no process id")?;
    ensure!(pid != 0);
    let ports: Vec<MessageNode> = extra.ports[..4]
        .iter()
        .map(|port| MessageNode::connected(device.id, *port))
        .collect::<std::io::Result<_>>()?;
    for size in [1, 4, 1023, 1024, 100_000, 5 << 20] {
        scope
            .to_program(&ports[0], &pattern(size, 1))
            .with_context(|| format!("{size} bytes"))?;
        scope.works()?;
    }
    let kill = |pid| RequestBody {
        pid: Some(pid),
        ..Default::default()
    };
    let end = scope.usrwork(Api::KillWorker, kill(pid))?;
    ensure!((end.status, end.pid) == (0, Some(pid)), "{end:?}");
    let again = scope.usrwork(Api::KillWorker, kill(pid))?;
    ensure!(again.status != 0, "ended twice");
    drop(ports);
    device.host.recycle(&extra)?;
    device.close()?;
    canary()
}
