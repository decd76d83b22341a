// SPDX-License-Identifier: MIT OR Apache-2.0

//! The figures, their names and their meaning.

use std::fmt::Write;

use ax650::Usage;

use crate::sample::Sample;

/// A figure of a card; `None`: not known now.
type Value = fn(&Sample) -> Option<f64>;

/// A metric with one value a card.
struct Metric {
    name: &'static str,
    help: &'static str,
    value: Value,
}

const fn metric(name: &'static str, help: &'static str, value: Value) -> Metric {
    Metric { name, help, value }
}

fn used(usage: Option<Usage>) -> Option<f64> {
    usage.map(|usage| usage.used as f64)
}

fn total(usage: Option<Usage>) -> Option<f64> {
    usage.map(|usage| usage.total as f64)
}

macro_rules! count {
    ($field:ident) => {
        |s| s.counters.as_ref().map(|c| c.0.$field as f64)
    };
}

/// All but those with labels of their own.  What ends in `_total` only grows while the driver is bound.
#[rustfmt::skip]
const METRICS: &[Metric] = &[
    metric("ax650_up", "Whether the driver could be asked, and the card too if it runs.", |s| Some(if s.error.is_none() { 1.0 } else { 0.0 })),
    metric("ax650_generation", "Boots since the driver was bound, as handles know them.", |s| s.generation.map(f64::from)),
    metric("ax650_heartbeat_age_seconds", "Time since the last heartbeat.", |s| s.heartbeat_age.map(|age| age.as_secs_f64())),
    metric("ax650_temperature_celsius", "Junction temperature.", |s| s.telemetry.temperature),
    metric("ax650_npu_load_ratio", "Load of the NPU as the card says, 0 to 1.", |s| s.telemetry.npu_load),
    metric("ax650_npu_busy_seconds_total", "Time in which at least one call that runs a model was under way, as the host sees it.", |s| s.npu_busy.map(|busy| busy.as_secs_f64())),
    metric("ax650_cpu_load_ratio", "Load of the card's CPUs, 0 to 1.", |s| s.telemetry.cpu_load),
    metric("ax650_memory_size_bytes", "Memory of the card's Linux.", |s| total(s.telemetry.memory)),
    metric("ax650_memory_used_bytes", "Memory of the card's Linux that is in use.", |s| used(s.telemetry.memory)),
    metric("ax650_cmm_size_bytes", "Memory for models, tensors and pictures.", |s| total(s.telemetry.cmm)),
    metric("ax650_cmm_used_bytes", "Memory for models, tensors and pictures that is in use.", |s| used(s.telemetry.cmm)),
    metric("ax650_clients", "Open sessions, and programs of AXCL.", |s| s.clients.as_ref().map(|clients| clients.len() as f64)),
    metric("ax650_buffer_bytes", "Host memory of all buffers.", count!(buffer_bytes)),
    metric("ax650_quarantined_bytes", "Host memory that is kept as the card may still write to it.", count!(quarantined_bytes)),
    metric("ax650_jobs_total", "Jobs completed.", count!(jobs)),
    metric("ax650_jobs_failed_total", "Jobs that ended with an error.", count!(jobs_failed)),
    metric("ax650_to_card_bytes_total", "Payload that the card's DMA has read.", count!(bytes_to_card)),
    metric("ax650_from_card_bytes_total", "Payload that the card's DMA has written.", count!(bytes_from_card)),
    metric("ax650_messages_sent_total", "Messages from host to card.", count!(messages_sent)),
    metric("ax650_messages_received_total", "Messages from card to host.", count!(messages_received)),
    metric("ax650_doorbells_total", "Doorbells rung.", count!(doorbells)),
    metric("ax650_doorbells_recovered_total", "Doorbells that were lost, and rung again.", count!(doorbells_recovered)),
    metric("ax650_doorbells_busy_total", "Doorbells put off because the card or its mailbox was busy.", count!(doorbell_busy)),
    metric("ax650_interrupts_total", "Interrupts.", count!(interrupts)),
    metric("ax650_interrupts_recovered_total", "Messages that were found without an interrupt.", count!(interrupts_recovered)),
    metric("ax650_register_reads_total", "Registers read.", count!(mmio_reads)),
    metric("ax650_register_writes_total", "Registers written.", count!(mmio_writes)),
    metric("ax650_ring_full_total", "Messages that found no room in the ring, and waited.", count!(ring_full)),
    metric("ax650_ring_corrupt_total", "Ring pointers of the card that made no sense.", count!(ring_corrupt)),
    metric("ax650_bad_messages_total", "Messages of the card that made no sense.", count!(bad_messages)),
    metric("ax650_dropped_messages_total", "Messages of the card for ports that nobody has, or too long.", |s| s.counters.as_ref().map(|c| (c.0.dropped_no_port + c.0.dropped_overflow) as f64)),
    metric("ax650_late_replies_total", "Answers that nobody waited for any more.", count!(late_replies)),
    metric("ax650_heartbeats_total", "Heartbeats accepted.", count!(heartbeats)),
    metric("ax650_heartbeats_missed_total", "Times that a heartbeat was late.", count!(heartbeats_missed)),
    metric("ax650_pings_total", "Echoes sent to a card whose heartbeat was late.", count!(pings)),
    metric("ax650_canaries_total", "Sessions made to find out whether such a card serves.", count!(canaries)),
    metric("ax650_session_resets_total", "Sessions that were ended as they stood still.", count!(session_resets)),
    metric("ax650_resets_total", "Resets of the chip.", count!(resets)),
    metric("ax650_boots_total", "Boots that went well.", count!(boots)),
    metric("ax650_boot_failures_total", "Boots that failed.", count!(boot_failures)),
];

/// States of `ax650_state`.
const STATES: [&str; 10] = [
    "absent",
    "loader",
    "booting",
    "handshake",
    "running",
    "suspect",
    "dead",
    "resetting",
    "gone",
    "unreachable",
];

const LABELLED: [(&str, &str); 3] = [
    (
        "ax650_driver_info",
        "Always 1: `version` of the loaded driver.",
    ),
    ("ax650_info", "Always 1: `firmware` of the card."),
    (
        "ax650_state",
        "1 for the `state` that the card is in, 0 for the others.",
    ),
];

/// Escapes a label's value; what a card says of itself may be there.
fn label(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn kind(name: &str) -> &'static str {
    match name.ends_with("_total") {
        true => "counter",
        false => "gauge",
    }
}

/// Writes all figures in Prometheus' text format.
pub fn page(samples: &[Sample], driver: Option<&str>) -> String {
    let mut page = String::new();
    let head = |page: &mut String, name: &str, help: &str| {
        let help = help.replace('\\', "\\\\");
        // Writing to a string does not fail.
        let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {}", kind(name));
    };
    let own = |s: &Sample| {
        format!(
            "card=\"{}\",bus_id=\"{}\"",
            label(&s.name),
            label(&s.bus_id)
        )
    };
    let [(driver_info, driver_help), (info, info_help), (state, state_help)] = LABELLED;
    if let Some(version) = driver {
        head(&mut page, driver_info, driver_help);
        let _ = writeln!(page, "{driver_info}{{version=\"{}\"}} 1", label(version));
    }
    if samples.is_empty() {
        return page;
    }
    head(&mut page, info, info_help);
    for s in samples {
        let _ = writeln!(
            page,
            "{info}{{{},firmware=\"{}\"}} 1",
            own(s),
            label(&s.firmware)
        );
    }
    head(&mut page, state, state_help);
    for s in samples {
        for name in STATES {
            let is = u8::from(s.state == name);
            let _ = writeln!(page, "{state}{{{},state=\"{name}\"}} {is}", own(s));
        }
    }
    for metric in METRICS {
        let values: Vec<_> = samples
            .iter()
            .filter_map(|s| Some((own(s), (metric.value)(s)?)))
            .collect();
        if !values.is_empty() {
            head(&mut page, metric.name, metric.help);
        }
        for (labels, value) in values {
            let _ = writeln!(page, "{}{{{labels}}} {value}", metric.name);
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    use ax650::fake::FakeCard;
    use prometheus_parse::{Scrape, Value};

    /// Every counter of the driver is a metric, but for the sum of dropped ones.
    #[test]
    fn metrics_are_named_by_the_rules_and_documented() {
        let mut names = BTreeSet::new();
        let mut table = String::from("| metric | type | value |\n| --- | --- | --- |\n");
        let labelled = LABELLED.iter().map(|&(name, help)| (name, help));
        for (name, help) in labelled.chain(METRICS.iter().map(|m| (m.name, m.help))) {
            assert!(name.starts_with("ax650_"), "{name}");
            assert!(name
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_'));
            assert!(help.ends_with('.') && names.insert(name), "{name}");
            table += &format!("| `{name}` | {} | {help} |\n", kind(name));
        }
        ax650_test_docs::marked("exporter.md", "metrics", &table);
        let counters = ax650::Counters::default().iter().count();
        let ours = METRICS
            .iter()
            .filter(|m| m.name.ends_with("_total"))
            .count();
        // The two gauges among the counters; busy time is none of them; two are one.
        assert_eq!(ours - 1 + 1 + 2, counters);
    }

    #[test]
    fn an_independent_parser_reads_the_page() {
        let card = FakeCard::new().open();
        let _session = card.session().unwrap();
        let mut sample = Sample::of_open(&card);
        assert_eq!(sample.error, None);
        sample.npu_busy = Some(Duration::from_micros(1_500_000));
        let mut other = sample.clone();
        other.name = "a\"b\\c\n".into();
        other.state = "dead".into();
        other.telemetry = Default::default();
        other.error = Some("silent".into());
        let page = page(&[sample, other], Some("0.1.0"));
        let lines = page.lines().map(|line| Ok(line.to_owned()));
        let scrape = Scrape::parse(lines).unwrap();
        assert_eq!(
            scrape.samples.len(),
            page.lines().filter(|line| !line.starts_with('#')).count()
        );
        let value = |name: &str, card: usize| {
            let mut of = scrape.samples.iter().filter(|s| s.metric == name);
            match of.nth(card).map(|s| &s.value) {
                Some(Value::Gauge(v) | Value::Counter(v) | Value::Untyped(v)) => Some(*v),
                _ => None,
            }
        };
        assert_eq!(value("ax650_up", 0), Some(1.0));
        assert_eq!(value("ax650_up", 1), Some(0.0));
        assert_eq!(value("ax650_temperature_celsius", 0), Some(41.35));
        // The other does not say.
        assert_eq!(value("ax650_temperature_celsius", 1), None);
        assert_eq!(value("ax650_npu_busy_seconds_total", 0), Some(1.5));
        assert_eq!(value("ax650_clients", 0), Some(1.0));
        let counter = scrape
            .samples
            .iter()
            .find(|s| s.metric == "ax650_jobs_total");
        assert!(matches!(counter.unwrap().value, Value::Counter(_)));
        let states: Vec<_> = scrape
            .samples
            .iter()
            .filter(|s| s.metric == "ax650_state" && s.value == Value::Gauge(1.0))
            .map(|s| s.labels.get("state").unwrap())
            .collect();
        assert_eq!(states, ["running", "dead"]);
    }

    #[test]
    fn no_cards() {
        assert_eq!(page(&[], None), "");
        assert!(page(&[], Some("1")).contains("ax650_driver_info{version=\"1\"} 1\n"));
    }
}
