// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files and programs of the user.

use super::client::{Client, PLAIN};
use super::Rig;
use crate::protocol::messages::{Control, Piece};
use crate::wire::usrwork::{Api, FileTransferPolicy, RequestBody};

/// Of the list of the notes for user programs, 0x81 to 0x87.
const BAD_PATH: u32 = 0x8030_0c81;
const NO_FILE: u32 = 0x8030_0c82;
const FILE_SIZE: u32 = 0x8030_0c83;
const NO_PROGRAM: u32 = 0x8030_0c85;
const WORKER_PORTS: u32 = 0x8030_0c86;
const NO_WORKER: u32 = 0x8030_0c87;

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
    assert_eq!(client.usrwork(Api::TransferFile, bad).status, FILE_SIZE);
    assert_eq!(transfer(HostToDevice, "", "", b"abc").status, BAD_PATH);
    client.close();
}

fn exec(path: &str, ports: &[u32]) -> RequestBody {
    RequestBody {
        path: Some(path.into()),
        argv: vec![path.into(), "--fast".into()],
        heartbeat_interval: Some(500),
        port_num: Some(ports.len() as u32),
        ports: ports.to_vec(),
        // Left over from the call before.
        src_path: Some("stale".into()),
        data: Some(vec![1, 2, 3]),
        ..Default::default()
    }
}

fn kill(pid: u32) -> RequestBody {
    RequestBody {
        pid: Some(pid),
        ..Default::default()
    }
}

#[test]
fn D4_a_program_is_a_placeholder_with_a_process_id() {
    use FileTransferPolicy::HostToDevice;
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let missing = client.usrwork(Api::ExecWorker, exec("/card/program", &[40, 41, 42, 43]));
    assert_eq!((missing.status, missing.pid), (NO_PROGRAM, Some(0)));
    let put = request(
        HostToDevice,
        "/home/me/program",
        "/card/program",
        b"an arm64 program",
    );
    assert_eq!(client.usrwork(Api::TransferFile, put).status, 0);
    let answer = client.usrwork(Api::ExecWorker, exec("/card/program", &[40, 41, 42, 43]));
    assert_eq!(answer.status, 0);
    let pid = answer.pid.unwrap();
    // Without ports: a program that does not talk to the host.
    let silent = client.usrwork(Api::ExecWorker, exec("/card/program", &[]));
    assert_eq!(silent.status, 0);
    assert_ne!((pid, silent.pid), (0, Some(pid)));
    let report = rig.daemon.report();
    let workers = report["sessions"][0]["workers"].as_array().unwrap().clone();
    assert_eq!(workers.len(), 2);
    assert_eq!(workers[0]["argv"][1], "--fast");
    let answer = client.usrwork(Api::KillWorker, kill(pid));
    assert_eq!((answer.status, answer.pid), (0, Some(pid)));
    let again = client.usrwork(Api::KillWorker, kill(pid));
    assert_eq!((again.status, again.pid), (NO_WORKER, Some(pid)));
    for ports in [&[40, 40][..], &[5], &[21], &[300], &[40, 41, 42, 43, 44]] {
        let answer = client.usrwork(Api::ExecWorker, exec("/card/program", ports));
        assert_eq!(
            (answer.status, answer.pid),
            (WORKER_PORTS, Some(0)),
            "{ports:?}"
        );
    }
    assert_eq!(rig.daemon.report()["unknown_calls"], serde_json::json!({}));
    client.kill();
    rig.host.wait_counter("sessions.closed", 1);
    client.close();
}

#[test]
fn D4_data_for_a_program_is_taken() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let worker = client.usrwork(Api::ExecWorker, exec("/usr/bin/env", &[60, 61, 62, 63]));
    assert_eq!(worker.status, 0);
    let taken = || rig.daemon.report()["sessions"][0]["workers"][0]["taken_bytes"].clone();
    let small = [5; 100];
    // The type is the first four data bytes, and what is behind the size is stale.
    let mut announce = Control::Transfer {
        kind: 0x0505_0505,
        size: 100,
    }
    .bytes();
    announce[9..].fill(0xee);
    rig.daemon.message(60, announce);
    rig.daemon.message(60, small.to_vec());
    let large = vec![6; 100_000];
    rig.daemon.message(
        60,
        Control::Transfer {
            kind: 1,
            size: 100_000,
        }
        .bytes(),
    );
    // Pull, on the worker's own port.
    let message = rig
        .host
        .receive(60, std::time::Duration::from_secs(10))
        .unwrap();
    let Ok(Control::Window(window)) = Control::parse(&message) else {
        panic!("{message:x?}");
    };
    let chunk: u32 = window.iter().map(|p| p.len).sum();
    let address = rig.host.map(large.len());
    rig.host.write(address, &large);
    let mut done = 0;
    while done < 100_000 {
        let len = chunk.min(100_000 - done);
        let piece = Piece {
            address: address + u64::from(done),
            len,
        };
        rig.daemon.message(60, Control::Pieces(vec![piece]).bytes());
        let message = rig
            .host
            .receive(60, std::time::Duration::from_secs(10))
            .unwrap();
        assert_eq!(Control::parse(&message), Ok(Control::ReadDone(len)));
        done += len;
    }
    rig.host.wait_counter("usrwork.taken_bytes", 100_100);
    assert_eq!(taken(), 100_100);
    assert_eq!(rig.host.counter("ports.unowned"), 0);
    // What is not for it is left alone: the session goes on.
    rig.daemon.message(61, vec![1]);
    rig.daemon.message(60, vec![9; 3]);
    rig.host.wait_counter("bulk.violations", 1);
    client.kill();
    rig.host.wait_counter("sessions.closed", 1);
    assert_eq!(rig.host.cmm_used(), 0);
    client.close();
}
