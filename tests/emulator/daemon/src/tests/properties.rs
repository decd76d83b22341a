// SPDX-License-Identifier: MIT OR Apache-2.0

//! Shell property queries and the log: their numbers are the card's state.

use regex_lite::Regex;

use super::client::{Client, PLAIN};
use super::Rig;
use crate::wire::system::{
    request_body, response_body, Command, ControlRequest, LogRequest, Module, PcIeSubId,
};

fn capture(text: &str, pattern: &str) -> u64 {
    let regex = Regex::new(pattern).unwrap();
    let found = regex
        .captures(text)
        .unwrap_or_else(|| panic!("no {pattern} in {text}"));
    found[1].parse().unwrap()
}

#[test]
fn property_queries() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let ask = |line: &str| {
        let (status, text) = client.shell(line);
        assert_eq!(status, 0, "{line}: {text}");
        text
    };
    assert!(ask("cat /proc/ax_proc/chip_type").contains("AX650N"));
    assert_eq!(
        ask("cat /proc/ax_proc/version"),
        "Ax_Version V3.10.2_20251215140224\n"
    );
    assert!(Regex::new(r": 0x[0-9a-f]{16}\n")
        .unwrap()
        .is_match(&ask("cat /proc/ax_proc/uid")));
    let memory = ask(r#"cat /proc/meminfo | grep -E "MemTotal|MemFree""#);
    assert_eq!(memory.lines().count(), 2);
    assert!(capture(&memory, r"MemTotal: *(\d+) kB") >= capture(&memory, r"MemFree: *(\d+) kB"));

    let cmm = |line: &str, what: &str| capture(line, &format!(r"{what}=(\d+)KB\("));
    let line = ask(r#"cat /proc/ax_proc/mem_cmm_info  | grep "total size""#);
    let used = cmm(&line, "used");
    assert_eq!(cmm(&line, "total size"), 64 << 10);
    assert_eq!(used, rig.host.cmm_used() >> 10);
    client.alloc(3 << 20).unwrap();
    let line = ask(r#"cat /proc/ax_proc/mem_cmm_info  | grep "total size""#);
    assert_eq!(cmm(&line, "used"), used + (3 << 10));
    assert_eq!(cmm(&line, "remain"), (64 << 10) - used - (3 << 10));

    let degrees: i64 = ask("cat /sys/class/thermal/thermal_zone0/temp")
        .trim()
        .parse()
        .unwrap();
    assert!((41_000..90_000).contains(&degrees));
    let top = ask(r#"top -bn1 | grep -E "CPU:" | grep -v "grep""#);
    assert!(capture(&top, r"(\d+)% idle") <= 100);
    // As the kernel's loadavg goes on: running and all, the last process.
    let load = ask(r#"top -bn1 | grep -E "CPU:|Load average:" | grep -v "grep""#);
    let whole = r"Load average: \d+\.\d\d \d+\.\d\d \d+\.\d\d 1/\d+ \d{4}\n";
    assert!(Regex::new(whole).unwrap().is_match(&load), "{load}");
    assert_eq!(ask("cat /proc/ax_proc/npu/top"), "utilization:0%\n");
    let pid = client.pid;
    assert_eq!(
        ask(&format!(
            r#"cat /proc/ax_proc/mem_cmm_info | grep -E 'name="npu_.*_pid{pid}.*"' || true"#
        )),
        ""
    );
    for name in [
        "vdec",
        "venc",
        "jenc",
        "ivps",
        "rgn",
        "ive",
        "pool",
        "link_table",
    ] {
        assert_eq!(
            ask(&format!("cat /proc/ax_proc/{name}")),
            format!("text of {name}\n")
        );
    }
    let clock = "/sys/devices/system/cpu/cpufreq/policy0/scaling_";
    assert_eq!(ask(&format!("echo 1400000 > {clock}setspeed")), "");
    assert_eq!(ask(&format!("cat {clock}cur_freq")), "1400000\n");
    client.close();
}

#[test]
fn E6_what_people_type_is_answered() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let ask = |line: &str| {
        let (status, text) = client.shell(line);
        assert_eq!(status, 0, "{line}: {text}");
        text
    };
    assert_eq!(ask("uname"), "Linux\n");
    let all = ask("uname -a");
    let release = ask("uname -r");
    assert!(
        all.starts_with(&format!("Linux ax650 {} #1 SMP", release.trim())),
        "{all}"
    );
    assert!(all.ends_with(" aarch64 GNU/Linux\n"), "{all}");
    assert_eq!(ask("uname -sm"), "Linux aarch64\n");
    let date =
        Regex::new(r"^[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d UTC 20\d\d\n$").unwrap();
    assert!(date.is_match(&ask("date")), "{}", ask("date"));
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let card: u64 = ask("date +%s").trim().parse().unwrap();
    assert!(card.abs_diff(now.as_secs()) < 10);
    let up = ask("uptime");
    assert!(
        up.contains(" up 0 min,") && up.contains("load average: "),
        "{up}"
    );
    // The same memory in three forms.
    let total = capture(&ask("cat /proc/meminfo"), r"MemTotal: *(\d+) kB");
    assert_eq!(capture(&ask("free"), r"Mem: +(\d+)"), total);
    assert_eq!(capture(&ask("free -m"), r"Mem: +(\d+)"), total >> 10);
    assert!(ask("df").contains("Mounted on\n/dev/root") && ask("df -h").contains("M "));
    let pid = rig.daemon.report()["sessions"][0]["card_pid"].to_string();
    for command in ["ps", "ps -ef", "top -b -n1", "top -bn1", "top -b -n 1"] {
        let text = ask(command);
        let line = text
            .lines()
            .find(|line| line.contains("axcl_worker"))
            .unwrap();
        assert!(line.trim_start().starts_with(&pid), "{command}: {line}");
    }
    assert!(ask("dmesg").contains(&format!("Linux version {}", release.trim())));
    for file in [
        "version", "cpuinfo", "loadavg", "uptime", "cmdline", "mounts",
    ] {
        assert!(!ask(&format!("cat /proc/{file}")).is_empty());
    }
    assert_eq!(ask("cat /proc/cpuinfo | grep processor").lines().count(), 8);
    // Options that are not known are no success.
    for line in [
        "uname -q",
        "date yesterday",
        "free -q",
        "df -q",
        "ps --help",
        "top",
    ] {
        assert_eq!(client.shell(line).0, 1, "{line}");
    }
    client.kill();
    rig.host.wait_counter("sessions.closed", 1);
    client.close();
    let client = Client::open(&rig, 21, PLAIN);
    assert!(
        !client.shell("ps").1.contains(&pid),
        "an ended session's process"
    );
    client.close();
}

#[test]
fn other_commands_are_not_run() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    assert_eq!(
        client.shell("reboot -f"),
        (127, "sh: reboot: not found\n".into())
    );
    assert_eq!(
        client.shell("cat /etc/passwd"),
        (
            1,
            "cat: can't open '/etc/passwd': No such file or directory\n".into()
        )
    );
    assert_eq!(client.shell("cat /nothing | grep x").0, 1);
    assert_eq!(client.shell("echo $(reboot)").0, 2);
    assert_eq!(client.shell("echo 1 > /etc/passwd").0, 1);
    assert_eq!(client.shell("false || echo no").1, "no\n");
    let without = ControlRequest {
        cmd: Command::Shell.into(),
        ..Default::default()
    };
    assert_eq!(client.control(without).status, Some(0x8030_0903_u32 as i32));
    client.close();
}

#[test]
fn the_log_has_what_happened() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    client.shell("frobnicate");
    let answer = client.system(
        Module::Log,
        request_body::Kind::Log(LogRequest { r#type: 3, flag: 0 }),
    );
    let response_body::Kind::Log(log) = answer else {
        panic!("{answer:?}");
    };
    assert!(log.name.ends_with("_log3.txt"), "{}", log.name);
    let text = String::from_utf8(log.content).unwrap();
    assert!(
        text.contains("frobnicate") && text.contains("daemon started"),
        "{text}"
    );
    let answer = client.system(Module::Alive, request_body::Kind::Alive(Default::default()));
    assert!(matches!(answer, response_body::Kind::Alive(_)));
    let id = ControlRequest {
        cmd: Command::SetupPcieSubId.into(),
        pcie_sub_id: Some(PcIeSubId {
            vendor_id: 0x1f4b,
            device_id: 0x650,
        }),
        ..Default::default()
    };
    assert_eq!(client.control(id).status, Some(0));
    assert_eq!(
        rig.daemon.report()["pcie_sub_id"],
        serde_json::json!([0x1f4b, 0x650])
    );
    client.close();
}
