// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 info`

use std::io::{stdout, IsTerminal, Write};
use std::time::Duration;

use ax650::{explain_last_error, Card, CardInfo, CardState, Client, Telemetry, Usage};
use nix::errno::Errno;
use serde_json::{json, Value};

use crate::args::Info;
use crate::failure::{Failure, CARD, NO_CARD};
use crate::host::{PciCard, System};
use crate::{interrupt, open_named, standard, text};

/// Shows a card, once or again and again.
pub fn info(device: Option<&str>, options: &Info) -> Result<(), Failure> {
    let card = match open_named(device) {
        Ok(card) => card,
        Err(failure) => return without_the_driver(device, options, failure),
    };
    loop {
        let seen = match Seen::new(&card) {
            Ok(seen) => seen,
            Err(failure) => return without_the_driver(Some(card.name()), options, failure),
        };
        let mut out = standard::output()?;
        if options.json {
            writeln!(out, "{}", seen.json())?;
        } else {
            if options.watch.is_some() && stdout().is_terminal() {
                // Home, and clear to the end.
                write!(out, "\x1b[H\x1b[J")?;
            }
            write!(out, "{}", seen.text())?;
        }
        out.flush()?;
        drop(out);
        let Some(seconds) = options.watch else {
            return match seen.silent {
                Some(why) => Err(Failure::new(CARD, why)),
                None => Ok(()),
            };
        };
        interrupt::sleep(Duration::from_secs_f64(seconds))?;
    }
}

/// Shows what sysfs tells of a card that cannot be opened or asked, and fails all the same.
fn without_the_driver(
    device: Option<&str>,
    options: &Info,
    failure: Failure,
) -> Result<(), Failure> {
    let system = System::here();
    let cards = system.cards();
    let card = match device {
        Some(_) => system.card(device),
        // None has a node: then any.
        None => system.card(None).or_else(|| cards.into_iter().next()),
    };
    if let Some(card) = card.filter(|_| failure.code != crate::failure::USAGE) {
        let mut out = standard::output()?;
        if options.json {
            writeln!(out, "{}", card.json())?;
        } else {
            write!(out, "{}", from_sysfs(&card, system.driver_version()))?;
        }
        out.flush()?;
        if failure.code == NO_CARD && card.state.is_none() {
            let message = format!("{}; `ax650 check` tells more", failure.message);
            return Err(Failure::new(NO_CARD, message));
        }
    }
    Err(failure)
}

/// What sysfs knows, in the form of [`Seen::text`].
fn from_sysfs(card: &PciCard, driver_version: Option<String>) -> String {
    let unknown = || "-".to_owned();
    let mut state = card.state_or_driver();
    if let Some(errno) = card.last_error.map(Errno::from_raw) {
        state.push_str(&trouble(&card.name(), state == "dead", errno));
    }
    let heartbeat = card
        .heartbeat_ms
        .map(|ms| format!("{} ago", text::time(Duration::from_millis(ms))));
    let node = card.index.map(|index| format!("/dev/ax650-{index}"));
    lines(&[
        ("Card", node.unwrap_or_else(unknown)),
        ("Firmware", card.firmware.clone().unwrap_or_else(unknown)),
        ("Driver", driver_version.unwrap_or_else(unknown)),
        ("Bus id", card.address.clone()),
        (
            "Link",
            card.link.map_or_else(unknown, |link| link.to_string()),
        ),
        ("State", state),
        ("Heartbeat", heartbeat.unwrap_or_else(unknown)),
    ])
}

/// What is to be said behind the state of a card that has failed.
fn trouble(card: &str, dead: bool, errno: Errno) -> String {
    if dead {
        format!(": {}", explain_last_error(card, Some(errno)))
    } else {
        format!(", last error: {}", errno.desc().to_lowercase())
    }
}

fn lines(lines: &[(&str, String)]) -> String {
    let lines: Vec<_> = lines
        .iter()
        .map(|(name, value)| format!("{name:12} {value}\n"))
        .collect();
    lines.concat()
}

/// Lines of what only the card itself knows.
const MEASURED: [&str; 5] = ["Temperature", "CPU load", "NPU load", "Memory", "CMM"];

/// All that is shown of a card, at one time.
struct Seen {
    node: String,
    info: CardInfo,
    telemetry: Telemetry,
    /// Why there is no telemetry although the card should have some.
    silent: Option<String>,
    clients: Vec<Client>,
}

impl Seen {
    fn new(card: &Card) -> Result<Self, Failure> {
        // What the driver knows by itself comes first: it is there when the card does not answer.
        let clients = card.clients()?;
        let (telemetry, error) = match card.telemetry() {
            Ok(telemetry) => (telemetry, None),
            Err(error) => (Telemetry::default(), Some(error)),
        };
        // The time without an answer may have changed it.
        let info = card.info()?;
        Ok(Self {
            node: card.path().display().to_string(),
            // A card that does not run has nothing to say; its state is what matters then.
            silent: error
                .filter(|_| matches!(info.state, CardState::Running | CardState::Suspect))
                .map(|error| error.to_string()),
            info,
            telemetry,
            clients,
        })
    }

    fn text(&self) -> String {
        let Self {
            node,
            info,
            telemetry,
            silent,
            ..
        } = self;
        let unknown = || "-".to_owned();
        let or_unknown = |text: &str| {
            if text.is_empty() {
                unknown()
            } else {
                text.to_owned()
            }
        };
        let usage = |usage: Option<Usage>| match usage {
            Some(Usage { used, total }) => {
                let share = if total == 0 {
                    0.0
                } else {
                    used as f64 / total as f64
                };
                format!(
                    "{} of {}, {}",
                    text::bytes(used),
                    text::bytes(total),
                    text::percent(share)
                )
            }
            None => unknown(),
        };
        let load = |load: Option<f64>| load.map_or_else(unknown, text::percent);
        let mut state = info.state.to_string();
        if info.state == CardState::Booting {
            state.push_str(&format!(", {}", text::percent(info.boot_progress())));
        }
        if let Some(errno) = info.last_error {
            let name = node.rsplit('/').next().unwrap_or(node);
            state.push_str(&trouble(name, info.state == CardState::Dead, errno));
        }
        let heartbeat = match info.heartbeat_age {
            Some(age) => format!("{} ago", text::time(age)),
            None => unknown(),
        };
        let temperature = telemetry
            .temperature
            .map(|degrees| format!("{degrees:.1} C"));
        let mut rows = vec![
            ("Card", node.clone()),
            ("Name", or_unknown(&info.chip)),
            (
                "Unique id",
                if info.uid == 0 {
                    unknown()
                } else {
                    format!("{:#x}", info.uid)
                },
            ),
            ("Firmware", or_unknown(&info.firmware_version)),
            (
                "Driver",
                or_unknown(&System::here().driver_version().unwrap_or_default()),
            ),
            ("Bus id", info.pci.to_string()),
            ("Link", info.link()),
            ("State", state),
            (
                "Boot",
                format!("number {}, {}", info.generation, text::time(info.boot_time)),
            ),
            ("Heartbeat", heartbeat),
            ("Temperature", temperature.unwrap_or_else(unknown)),
            ("CPU load", load(telemetry.cpu_load)),
            ("NPU load", load(telemetry.npu_load)),
            ("Memory", usage(telemetry.memory)),
            ("CMM", usage(telemetry.cmm)),
        ];
        if info.generation == 0 {
            rows.retain(|(name, _)| *name != "Boot");
        }
        if let Some(why) = silent {
            rows.retain(|(name, _)| !MEASURED.contains(name));
            rows.push(("Telemetry", why.clone()));
        }
        let mut text = lines(&rows);
        text.push_str(&self.processes());
        text
    }

    fn processes(&self) -> String {
        if self.clients.is_empty() {
            return "Processes    none\n".into();
        }
        let title = [
            "PID",
            "COMMAND",
            "INTERFACE",
            "JOBS",
            "BUFFERS",
            "TO CARD",
            "FROM CARD",
        ];
        let mut rows = vec![title.map(String::from).to_vec()];
        rows.extend(self.clients.iter().map(|client| {
            let raw = &client.raw;
            vec![
                client.pid.map_or("-".into(), |pid| pid.to_string()),
                client.command.clone(),
                interface(client).into(),
                // The driver does not know what AXCL's messages are about.
                if client.axcl {
                    "-".into()
                } else {
                    raw.jobs.to_string()
                },
                text::bytes(raw.buffer_bytes),
                text::bytes(raw.bytes_to_card),
                text::bytes(raw.bytes_from_card),
            ]
        }));
        format!("\n{}", text::table(&rows))
    }

    fn json(&self) -> Value {
        let Self {
            node,
            info,
            telemetry,
            silent,
            clients,
        } = self;
        let usage = |usage: Option<Usage>| {
            usage.map(|Usage { used, total }| json!({ "used_bytes": used, "total_bytes": total }))
        };
        let mut value = json!({
            "node": node,
            "driver_version": System::here().driver_version(),
            "telemetry_error": silent,
            "temperature_c": telemetry.temperature,
            "cpu_load": telemetry.cpu_load,
            "npu_load": telemetry.npu_load,
            "memory": usage(telemetry.memory),
            "cmm": usage(telemetry.cmm),
            "processes": clients.iter().map(|client| json!({
                "pid": client.pid,
                "command": client.command,
                "interface": interface(client),
                "session": client.raw.session,
                "jobs": (!client.axcl).then_some(client.raw.jobs),
                "buffer_bytes": client.raw.buffer_bytes,
                "bytes_to_card": client.raw.bytes_to_card,
                "bytes_from_card": client.raw.bytes_from_card,
            })).collect::<Vec<_>>(),
        });
        identity(info, &mut value);
        value
    }
}

fn interface(client: &Client) -> &'static str {
    if client.axcl {
        "AXCL"
    } else {
        "native"
    }
}

/// Puts what a card is, and its state, into a JSON object.
pub fn identity(info: &CardInfo, object: &mut Value) {
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    object["name"] = json!(known(&info.chip));
    object["uid"] = json!((info.uid != 0).then(|| format!("{:#x}", info.uid)));
    object["firmware"] = json!(known(&info.firmware_version));
    object["firmware_file"] = json!(known(&info.firmware_file));
    object["bus_id"] = json!(info.pci.to_string());
    object["link"] = json!({
        "speed_mtps": info.raw.link_speed_mtps,
        "width": info.raw.link_width,
    });
    object["state"] = json!(info.state.to_string());
    object["generation"] = json!(info.generation);
    object["last_error"] = json!(info.last_error.map(|errno| errno.to_string()));
    object["boot_seconds"] = json!(info.boot_time.as_secs_f64());
    object["heartbeat_age_seconds"] = json!(info.heartbeat_age.map(|age| age.as_secs_f64()));
}

#[cfg(test)]
#[allow(non_snake_case)]
mod tests {
    use super::*;
    use ax650::fake::FakeCard;

    #[test]
    fn what_is_shown() {
        let card = FakeCard::new().open();
        let _session = card.session().unwrap();
        let seen = Seen::new(&card).unwrap();
        let text = seen.text();
        for line in [
            "Name         AX650N",
            "Firmware     V3.10.2",
            "Bus id       0000:01:00.0",
            "Link         Gen2 x2 (5.0 GT/s)",
            "State        running",
            "Temperature  41.4 C",
            "NPU load     12.5 %",
            "CPU load     -",
            "CMM          0 B of 256 MiB, 0.0 %",
            "1    test     native     0     0 B      0 B      0 B",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
        let json = seen.json();
        assert_eq!(json["temperature_c"], 41.35);
        assert_eq!(json["cmm"]["total_bytes"], 256 << 20);
        assert_eq!(json["cpu_load"], Value::Null);
        assert_eq!(json["processes"][0]["command"], "test");
        assert_eq!(json["processes"][0]["interface"], "native");
        assert_eq!(json["bus_id"], "0000:01:00.0");
    }

    #[test]
    fn F5_a_silent_card_is_shown_without_its_telemetry() {
        let card = FakeCard::new().open();
        let mut seen = Seen::new(&card).unwrap();
        seen.silent = Some("ax650-0: ask for its telemetry: timed out".into());
        let text = seen.text();
        assert!(text.contains("State        running\n"), "{text}");
        assert!(text.contains("Link         Gen2 x2"), "{text}");
        assert!(
            text.contains("Telemetry    ax650-0: ask for its telemetry"),
            "{text}"
        );
        assert!(!text.contains("Temperature"), "{text}");
        assert!(seen.json()["telemetry_error"].is_string());
    }

    #[test]
    fn F4_a_card_without_firmware_names_the_file_and_the_remedy() {
        let card = FakeCard::new().open();
        let mut seen = Seen::new(&card).unwrap();
        seen.node = "/dev/ax650-1".into();
        seen.info.state = CardState::Dead;
        seen.info.last_error = Some(Errno::ENOENT);
        let pci = PciCard {
            address: "0000:01:00.0".into(),
            driver: Some("ax650".into()),
            index: Some(1),
            state: Some("dead".into()),
            last_error: Some(libc::ENOENT),
            ..Default::default()
        };
        for text in [seen.text(), from_sysfs(&pci, Some("0.1.0".into()))] {
            for word in [
                "dead",
                "/lib/firmware/axcl/ax650_card.pac",
                "`ax650 reset -d ax650-1`",
            ] {
                assert!(text.contains(word), "{word}: {text}");
            }
        }
    }
}
