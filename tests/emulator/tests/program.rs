// SPDX-License-Identifier: MIT OR Apache-2.0

//! The program: its sockets, signals and exit codes.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{json, Value};
use tempfile::TempDir;
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD, VFIO_PCI_BAR0_REGION_INDEX,
    VFIO_PCI_BAR4_REGION_INDEX, VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_MSI_IRQ_INDEX,
};
use vfio_user::Client;

const LIMIT: Duration = Duration::from_secs(20);

struct Program {
    child: Child,
    dir: TempDir,
}

fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ax650-emu"));
    command
        .args(["--echo", "--socket"])
        .arg(dir.join("card"))
        .arg("--control")
        .arg(dir.join("control"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn wait(child: &mut Child) -> Output {
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                child.kill().unwrap();
                panic!("the program does not end");
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut stdout)
        .unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_end(&mut stderr)
        .unwrap();
    Output {
        status,
        stdout,
        stderr,
    }
}

impl Program {
    fn start(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let child = command(dir.path()).args(options).spawn().unwrap();
        let program = Self { child, dir };
        program.wait_for_start();
        program
    }

    /// Waits until hosts find a card that has come out of its reset.  A socket is there before it
    /// listens: only a connection tells.  The control socket comes last.
    fn wait_for_start(&self) {
        let deadline = Instant::now() + LIMIT;
        while UnixStream::connect(self.path("control")).is_err() {
            assert!(Instant::now() < deadline, "the program does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        let wait = json!({"cmd": "wait-state", "state": "loader", "timeout_ms": 20_000});
        assert_eq!(self.control().ask(&wait)["ok"], true);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn control(&self) -> Control {
        Control(BufReader::new(
            UnixStream::connect(self.path("control")).unwrap(),
        ))
    }

    fn client(&self) -> Client {
        Client::new(&self.path("card")).unwrap()
    }

    fn signal(&self, signal: i32) {
        // SAFETY: the child is ours and has not been waited for.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    /// Waits for the end, which must leave no socket behind.
    fn end(mut self) -> Output {
        let output = wait(&mut self.child);
        for name in ["card", "control"] {
            assert!(!self.path(name).exists(), "{name} is left behind");
        }
        output
    }
}

impl Drop for Program {
    /// After a failed check nothing must stay behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Control(BufReader<UnixStream>);

impl Control {
    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.0.get_mut(), "{request}").unwrap();
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

fn dword(client: &mut Client, region: u32, at: u64) -> u32 {
    let mut data = [0; 4];
    client.region_read(region, at, &mut data).unwrap();
    u32::from_le_bytes(data)
}

#[test]
fn serves_one_host_after_the_other() {
    let program = Program::start(&["--bar4", "16M"]);
    for _ in 0..3 {
        let mut client = program.client();
        assert_eq!(
            client.region(VFIO_PCI_BAR4_REGION_INDEX).unwrap().size,
            16 << 20
        );
        assert_eq!(
            dword(&mut client, VFIO_PCI_CONFIG_REGION_INDEX, 0),
            0x0650_1f4b
        );
        assert_eq!(dword(&mut client, VFIO_PCI_BAR0_REGION_INDEX, 0), u32::MAX);
        client
            .region_write(VFIO_PCI_CONFIG_REGION_INDEX, 0x10, &[0, 0, 0, 0xe0])
            .unwrap();
        client
            .region_write(VFIO_PCI_CONFIG_REGION_INDEX, 0x04, &[6, 0])
            .unwrap();
        assert_eq!(dword(&mut client, VFIO_PCI_BAR0_REGION_INDEX, 0), 0);
    }
    program.signal(libc::SIGTERM);
    assert_eq!(program.end().status.code(), Some(0));
}

#[test]
fn dma_and_interrupts_over_the_socket() {
    let program = Program::start(&[]);
    let mut client = program.client();
    let memory = tempfile::tempfile().unwrap();
    memory.set_len(0x4000).unwrap();
    (&memory).write_all(&[0x5a; 0x4000]).unwrap();
    client
        .dma_map(0x1000, 0x8_0000_0000, 0x2000, memory.as_raw_fd())
        .unwrap();
    let mut dwords = |region, pairs: &[(u64, u32)]| {
        for (at, value) in pairs {
            client
                .region_write(region, *at, &value.to_le_bytes())
                .unwrap();
        }
    };
    dwords(
        VFIO_PCI_CONFIG_REGION_INDEX,
        &[(0x10, 0xe000_0000), (0x04, 6), (0x50, 0x0001_0000)],
    );
    let command = [
        (0x0c, 0),
        (0x10, 8),
        (0x14, 0x1400_1000),
        (0x18, 0),
        (0x1c, 0x2000),
        (0x04, 8),
    ];
    dwords(VFIO_PCI_BAR0_REGION_INDEX, &command);
    let deadline = Instant::now() + LIMIT;
    while dword(&mut client, VFIO_PCI_BAR0_REGION_INDEX, 0x08) == 0 {
        assert!(Instant::now() < deadline, "no status");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(dword(&mut client, VFIO_PCI_BAR0_REGION_INDEX, 0x08), 1);
    let mut control = program.control();
    let reply = control.ask(&json!({"cmd": "dram", "address": "0x14001000", "size": 0x2000}));
    assert_eq!(reply["head"], "5a".repeat(64));

    // SAFETY: a fresh file descriptor, checked below.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    assert!(fd >= 0);
    // SAFETY: `fd` is open and nobody else's.
    let mut event = unsafe { fs::File::from_raw_fd(fd) };
    let flags = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_EVENTFD;
    client
        .set_irqs(VFIO_PCI_MSI_IRQ_INDEX, flags, 0, 1, &[fd])
        .unwrap();
    assert_eq!(
        control.ask(&json!({"cmd": "inject", "what": "msi"}))["ok"],
        true
    );
    let mut count = [0; 8];
    event.read_exact(&mut count).unwrap();
    assert_eq!(u64::from_ne_bytes(count), 1);

    client.dma_unmap(0x8_0000_0000, 0x2000).unwrap();
    client
        .region_write(VFIO_PCI_BAR0_REGION_INDEX, 0x04, &8u32.to_le_bytes())
        .unwrap();
    while control.ask(&json!({"cmd": "faults"}))["faults"]["total"] == 0 {
        assert!(Instant::now() < deadline, "no fault");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn unplug_breaks_the_connection_and_the_next_host_comes() {
    let program = Program::start(&[]);
    let mut control = program.control();
    assert_eq!(control.ask(&json!({"cmd": "unplug"}))["connections"], 0);
    let mut client = program.client();
    assert_eq!(
        dword(&mut client, VFIO_PCI_CONFIG_REGION_INDEX, 0),
        0x0650_1f4b
    );
    assert_eq!(control.ask(&json!({"cmd": "unplug"}))["connections"], 1);
    let mut data = [0; 4];
    assert!(client
        .region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0, &mut data)
        .is_err());
    let mut client = program.client();
    assert_eq!(
        dword(&mut client, VFIO_PCI_CONFIG_REGION_INDEX, 0),
        0x0650_1f4b
    );
    // Several clients, bad lines, and the end.
    let mut other = program.control();
    assert_eq!(other.ask(&json!({"cmd": "state", "id": "a"}))["id"], "a");
    writeln!(other.0.get_mut(), "nonsense").unwrap();
    let mut line = String::new();
    other.0.read_line(&mut line).unwrap();
    assert!(line.contains("\"ok\":false"), "{line}");
    assert_eq!(control.ask(&json!({"cmd": "quit"}))["ok"], true);
    assert_eq!(program.end().status.code(), Some(0));
}

#[test]
fn report_at_the_end() {
    let program = Program::start(&[
        "--switch",
        "msi.lose=3",
        "--switch",
        "silent",
        "--report",
        "/dev/stdout",
    ]);
    let mut client = program.client();
    dword(&mut client, VFIO_PCI_CONFIG_REGION_INDEX, 0);
    drop(client);
    program.signal(libc::SIGINT);
    let output = program.end();
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["counters"]["config.read"], 1);
    assert_eq!(report["faults"]["total"], 0);
    assert_eq!(report["images"], json!([]));
    assert_eq!(report["state"]["name"], "loader");
}

/// Runs the program, which must fail, and gives what it says.
fn failure(dir: &Path, options: &[&str], code: i32) -> String {
    let output = wait(&mut command(dir).args(options).spawn().unwrap());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

#[test]
fn a_socket_in_use_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("card");
    let listener = UnixListener::bind(&path).unwrap();
    let text = failure(dir.path(), &[], 1);
    assert!(text.contains("another process is listening"), "{text}");
    assert!(path.exists());
    drop(listener);
    // Now it is stale, and taken over.
    let program = Program {
        child: command(dir.path()).spawn().unwrap(),
        dir,
    };
    program.wait_for_start();
    program.client();
    program.signal(libc::SIGTERM);
    assert_eq!(program.end().status.code(), Some(0));
}

/// A second program at the same socket ends, and the host of the first does not notice.
#[test]
fn a_card_in_use_is_left_alone() {
    let program = Program::start(&[]);
    let mut client = program.client();
    client
        .region_write(VFIO_PCI_CONFIG_REGION_INDEX, 0x04, &[6, 0])
        .unwrap();
    let text = failure(program.dir.path(), &[], 1);
    assert!(text.contains("another process is listening"), "{text}");
    assert_eq!(
        dword(&mut client, VFIO_PCI_CONFIG_REGION_INDEX, 4) & 0xffff,
        6
    );
    // The second program's look at the socket is in the queue before the next host.
    drop(client);
    let mut client = program.client();
    assert_eq!(
        dword(&mut client, VFIO_PCI_CONFIG_REGION_INDEX, 0),
        0x0650_1f4b
    );
    program.signal(libc::SIGHUP);
    assert_eq!(program.end().status.code(), Some(0));
}

#[test]
fn several_cards() {
    let programs = [
        Program::start(&[]),
        Program::start(&["--subsystem", "1f4b:0651"]),
    ];
    let mut clients: Vec<Client> = programs.iter().map(Program::client).collect();
    for (client, subsystem) in clients.iter_mut().zip([0x0650_1f4b, 0x0651_1f4b]) {
        assert_eq!(dword(client, VFIO_PCI_CONFIG_REGION_INDEX, 0x2c), subsystem);
    }
    for program in programs {
        program.signal(libc::SIGTERM);
        assert_eq!(program.end().status.code(), Some(0));
    }
}

#[test]
fn the_end_with_a_host_connected() {
    let program = Program::start(&["--log", "debug"]);
    let mut client = program.client();
    dword(&mut client, VFIO_PCI_CONFIG_REGION_INDEX, 0);
    program.signal(libc::SIGINT);
    let output = program.end();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("signal 2: ending"), "{text}");
    assert!(text.contains("read 7:0x0"), "each access: {text}");
    let mut data = [0; 4];
    assert!(client
        .region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0, &mut data)
        .is_err());
}

#[test]
fn log_levels() {
    for (level, has, has_not) in [
        ("error", "", "waiting for a host"),
        ("info", "waiting for a host", "read 7:0x0"),
        ("trace", "read 7:0x0", "nothing of the kind"),
    ] {
        let program = Program::start(&["--log", level]);
        let mut client = program.client();
        dword(&mut client, VFIO_PCI_CONFIG_REGION_INDEX, 0);
        drop(client);
        program.signal(libc::SIGTERM);
        let text = String::from_utf8(program.end().stderr).unwrap();
        assert!(
            text.contains(has) && !text.contains(has_not),
            "{level}: {text}"
        );
    }
}

#[test]
fn control_requests_have_a_limit() {
    let program = Program::start(&[]);
    let mut control = program.control();
    // Many a program writes no more than this and waits.
    let line = vec![b' '; 4 << 20];
    control.0.get_mut().write_all(&line).unwrap();
    let mut reply = String::new();
    control.0.read_line(&mut reply).unwrap();
    assert!(reply.contains("at most 4194304 bytes"), "{reply}");
    let help = program.control().ask(&json!({"cmd": "help"}));
    assert_eq!(help["ok"], true);
    assert!(help["commands"].as_array().unwrap().len() > 10);
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["card", "control"] {
        let path = dir.path().join(name);
        fs::write(&path, "mine").unwrap();
        let text = failure(dir.path(), &[], 1);
        assert!(text.contains("exists and is not a socket"), "{text}");
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
}

#[test]
fn bad_command_lines() {
    let dir = tempfile::tempdir().unwrap();
    for (options, code, says) in [
        (&["--bar4", "2M"][..], 2, "1M"),
        (&["--memory", "1G"], 2, "2G to 64G"),
        (&["--subsystem", "1f4b"], 2, "--subsystem"),
        (&["--card-id", "256"], 2, "256"),
        (&["--mailbox-slots", "65"], 2, "65"),
        (&["--log", "loud"], 2, "loud"),
        (
            &["--switch", "nonsense"],
            2,
            "there is no switch \"nonsense\"",
        ),
        (&["--switch", "silent=7"], 2, "wants true or false"),
        (&["--unknown"], 2, "--unknown"),
        (&["--report", "/nonexistent/report"], 1, "No such file"),
    ] {
        let text = failure(dir.path(), options, code);
        assert!(text.contains(says), "{options:?}: {text}");
    }
    let run = |options: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_ax650-emu"))
            .args(options)
            .current_dir(dir.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text)
    };
    let (code, text) = run(&[]);
    assert!(code == Some(2) && text.contains("--socket"), "{text}");
    let (code, text) = run(&["--socket", "s", "--control", "s"]);
    assert!(code == Some(2) && text.contains("two sockets"), "{text}");
    let (code, text) = run(&["--socket", "missing/s"]);
    assert!(code == Some(1) && text.contains("missing/s"), "{text}");
    let (code, text) = run(&["--socket", &"s".repeat(200)]);
    assert!(code == Some(1) && text.contains("SUN_LEN"), "{text}");
    #[cfg(feature = "service")]
    for (models, says) in [
        ("missing", "No such file"),
        ("/dev/null", "is no directory"),
    ] {
        let (code, text) = run(&["--socket", "s", "--model-dir", models]);
        assert!(code == Some(1) && text.contains(says), "{text}");
    }
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
}

#[test]
fn help_and_version() {
    for (option, says) in [
        ("--help", "vfio-user-pci"),
        ("--version", env!("CARGO_PKG_VERSION")),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_ax650-emu"))
            .arg(option)
            .output()
            .unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn a_client_that_talks_nonsense_does_no_harm() {
    let program = Program::start(&[]);
    let mut stream = UnixStream::connect(program.path("card")).unwrap();
    // A version request whose data are not terminated.
    let mut request = Vec::new();
    request.extend(1u16.to_le_bytes());
    request.extend(1u16.to_le_bytes());
    request.extend(24u32.to_le_bytes());
    request.extend([0; 8]);
    request.extend([0; 4]);
    request.extend(*b"{}{}");
    stream.write_all(&request).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let mut client = program.client();
    assert_eq!(
        dword(&mut client, VFIO_PCI_CONFIG_REGION_INDEX, 0),
        0x0650_1f4b
    );
    drop(client);
    program.signal(libc::SIGTERM);
    assert_eq!(program.end().status.code(), Some(0));
}
