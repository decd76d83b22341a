// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 info`

use std::io::{stdout, IsTerminal};
use std::time::Duration;

use ax650::{Card, CardInfo, CardState, Client, Telemetry, Usage};
use serde_json::{json, Value};

use crate::args::Info;
use crate::failure::Failure;
use crate::{interrupt, open_named, text};

/// Shows a card, once or again and again.
pub fn info(device: Option<&str>, options: &Info) -> Result<(), Failure> {
    let card = open_named(device)?;
    loop {
        let seen = Seen::new(&card)?;
        if options.json {
            println!("{}", seen.json());
        } else {
            if options.watch.is_some() && stdout().is_terminal() {
                // Home, and clear to the end.
                print!("\x1b[H\x1b[J");
            }
            print!("{}", seen.text());
        }
        let Some(seconds) = options.watch else {
            return Ok(());
        };
        interrupt::sleep(Duration::from_secs_f64(seconds))?;
    }
}

/// All that is shown of a card, at one time.
struct Seen {
    node: String,
    info: CardInfo,
    telemetry: Telemetry,
    clients: Vec<Client>,
}

impl Seen {
    fn new(card: &Card) -> Result<Self, Failure> {
        let info = card.info()?;
        // A card that does not run has nothing to say; its state is what matters then.
        let telemetry = card.telemetry().or_else(|error| match info.state {
            CardState::Running => Err(error),
            _ => Ok(Telemetry::default()),
        })?;
        let node = card.path().display().to_string();
        Ok(Self {
            node,
            info,
            telemetry,
            clients: card.clients()?,
        })
    }

    fn text(&self) -> String {
        let Self {
            node,
            info,
            telemetry,
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
            state.push_str(&format!(", last error: {}", errno.desc().to_lowercase()));
        }
        let heartbeat = match info.heartbeat_age {
            Some(age) => format!("{} ago", text::time(age)),
            None => unknown(),
        };
        let temperature = telemetry
            .temperature
            .map(|degrees| format!("{degrees:.1} C"));
        let mut lines = vec![
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
            lines.retain(|(name, _)| *name != "Boot");
        }
        let lines: Vec<_> = lines
            .iter()
            .map(|(name, value)| format!("{name:12} {value}\n"))
            .collect();
        let mut text = lines.concat();
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
            clients,
        } = self;
        let usage = |usage: Option<Usage>| {
            usage.map(|Usage { used, total }| json!({ "used_bytes": used, "total_bytes": total }))
        };
        let mut value = json!({
            "node": node,
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
}
