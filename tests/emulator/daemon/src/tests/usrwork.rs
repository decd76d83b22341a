// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files and programs of the user.

use super::client::{Client, PLAIN};
use super::Rig;
use crate::wire::usrwork::{Api, FileTransferPolicy, RequestBody};

const NO_FILE: u32 = 0x8030_0c0b;
const UNSUPPORTED: u32 = 0x8030_0c04;

fn request(policy: FileTransferPolicy, from: &str, to: &str, data: &[u8]) -> RequestBody {
    RequestBody {
        policy: Some(policy.into()),
        src_path: Some(from.into()),
        dst_path: Some(to.into()),
        data_size: Some(data.len() as u32),
        data: Some(data.into()),
        ..Default::default()
    }
}

#[test]
fn files_come_and_go() {
    use FileTransferPolicy::{DeviceToDevice, DeviceToHost, HostToDevice, RemoveDeviceFile};
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let transfer = |policy, from: &str, to: &str, data: &[u8]| {
        client.usrwork(Api::TransferFile, request(policy, from, to, data))
    };
    // Long enough to go by DMA both ways.
    let data: Vec<u8> = (0..300_000_u32).map(|n| (n % 253) as u8).collect();
    assert_eq!(
        transfer(HostToDevice, "/host/a", "/card/a", &data).status,
        0
    );
    assert_eq!(
        transfer(DeviceToDevice, "/card/a", "/card/b", b"stale").status,
        0
    );
    // What earlier calls have left in the request does not matter.
    let back = transfer(DeviceToHost, "/card/b", "/host/b", b"stale");
    assert_eq!(back.status, 0);
    assert!(back.data.unwrap() == data);
    assert_eq!(rig.daemon.report()["files"]["count"], 2);
    assert_eq!(transfer(RemoveDeviceFile, "", "/card/a", b"").status, 0);
    assert_eq!(
        transfer(RemoveDeviceFile, "", "/card/a", b"").status,
        NO_FILE
    );
    let gone = transfer(DeviceToHost, "/card/a", "/host/a", b"");
    assert_eq!((gone.status, gone.data), (NO_FILE, Some(vec![])));
    // A size that is not that of the data, a path that is none.
    let mut bad = request(HostToDevice, "", "/card/c", b"abc");
    bad.data_size = Some(4);
    assert_eq!(client.usrwork(Api::TransferFile, bad).status, 0x8030_0c03);
    assert_eq!(transfer(HostToDevice, "", "", b"abc").status, 0x8030_0c03);
    client.close();
}

#[test]
fn programs_are_not_run() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let run = RequestBody {
        path: Some("/card/program".into()),
        heartbeat_interval: Some(500),
        port_num: Some(4),
        ports: vec![40, 41, 42, 43],
        ..Default::default()
    };
    let answer = client.usrwork(Api::ExecWorker, run);
    assert_eq!((answer.status, answer.pid), (UNSUPPORTED, Some(0)));
    let kill = RequestBody {
        pid: Some(4711),
        ..Default::default()
    };
    let answer = client.usrwork(Api::KillWorker, kill);
    assert_eq!((answer.status, answer.pid), (UNSUPPORTED, Some(4711)));
    assert_eq!(
        rig.daemon.report()["unknown_calls"]["usrwork.EXEC_WORKER"],
        1
    );
    client.close();
}
