// SPDX-License-Identifier: MIT OR Apache-2.0

//! The manual pages and completions in docs/ are made from the command line's definition; this keeps
//! them so.

use ax650_test_docs::{completions, manual_page};
use clap::CommandFactory;

use crate::args::Arguments;
use crate::failure::exit_codes_roff;

/// Examples of each page: what for, and the command.
fn examples(name: &str) -> &'static [(&'static str, &'static str)] {
    match name {
        "list" => &[
            ("Which cards are there?", "ax650 list"),
            (
                "The PCI addresses of those that run:",
                "ax650 list --json | jq -r '.[] | select(.state == \"running\").bus_id'",
            ),
        ],
        "info" => &[
            ("The second card, every two seconds:", "ax650 info -d 1 --watch 2"),
            (
                "Its temperature:",
                "ax650 info -d 0000:01:00.0 --json | jq .temperature_c",
            ),
        ],
        "top" => &[
            ("Watch all cards:", "ax650 top"),
            (
                "The temperature every ten seconds, for a script:",
                "ax650 top --json --delay 10 | jq '.cards[].temperature_c'",
            ),
        ],
        "exporter" => &[
            ("What Prometheus would get:", "ax650 exporter --once"),
            ("Serve it to this host, on another port:", "ax650 exporter --listen 127.0.0.1:9100"),
        ],
        "check" => &[
            ("It does not work. Why?", "ax650 check"),
            (
                "What has failed, for a monitor:",
                "ax650 check --json | jq -r '.findings[] | select(.level == \"fail\").message'",
            ),
        ],
        "log" => &[
            ("Keep the log of the first card:", "ax650 log -o card.log"),
            ("The last lines of another's:", "ax650 log -d 1 | tail"),
        ],
        "run" => &[
            ("How long does a model take?", "ax650 run model.axmodel --repeat 100"),
            (
                "Tensors by name, outputs as NumPy reads them:",
                "ax650 run model.axmodel -i image=in.npy -i scale=scale.bin -o out --npy",
            ),
            (
                "A tensor from a pipe:",
                "ffmpeg -i in.png -f rawvideo -pix_fmt rgb24 - | ax650 run model.axmodel -i -",
            ),
        ],
        "decode" => &[(
            "Compare with ffmpeg:",
            "ax650 decode clip.mp4 --md5 -q >card.md5; ffmpeg -i clip.mp4 -an -pix_fmt nv12 -f framemd5 cpu.md5",
        )],
        "encode" => &[(
            "Raw pictures from a pipe:",
            "ffmpeg -i in.mkv -f rawvideo -pix_fmt nv12 - | ax650 encode - -s 1920x1080 --pixels nv12 -o out.mp4",
        )],
        "transcode" => &[("To H.265 at 2.5 Mbit/s:", "ax650 transcode in.mp4 --codec h265 -b 2500k -o out.mp4")],
        "detect" => &[
            (
                "What is in a video, a line of JSON for each picture:",
                "ax650 detect in.mp4 -m detector.axmodel --labels names.txt",
            ),
            (
                "The pictures in which a class was seen for sure:",
                "ax650 detect in.mp4 -m detector.axmodel | jq 'select(any(.detections[]; .class == 2 and .score > 0.8)).frame'",
            ),
            (
                "Look at the boxes:",
                "ax650 detect in.mp4 -m detector.axmodel --draw out.mp4 -o found.jsonl",
            ),
        ],
        "classify" => &[(
            "The three best names of each picture:",
            "ax650 classify *.jpg -m classifier.axmodel --labels names.txt --top 3 --softmax",
        )],
        "embed" => &[(
            "Vectors of pictures, for a search:",
            "ax650 embed *.jpg -m encoder.axmodel -o vectors.jsonl",
        )],
        "ocr" => &[
            ("The text of a page, a line each:", "ax650 ocr page.png -m models | jq -r '.lines[].text'"),
            (
                "Look at where it is:",
                "ax650 ocr photo.jpg -m models --draw found.png -o text.jsonl",
            ),
        ],
        "bench" => &[
            ("Two sizes only, for a script:", "ax650 bench --sizes 64k,8M --json"),
            ("What a real host would spend, by a model:", "ax650 bench --model"),
            (
                "Do 32 decoders and 16 encoders disturb each other, on two cards, in ten minutes?",
                "ax650 bench -d 0 -d 1 --decode 32 --encode 16 --seconds 600",
            ),
        ],
        "reset" => &[
            ("Reset a card that hangs, whoever uses it:", "sudo ax650 reset -d 1 --yes"),
            ("Leave it in its loader:", "sudo ax650 reset --no-boot"),
        ],
        _ => &[
            ("What is there, and does it work?", "ax650 list; ax650 check"),
            (
                "The same card for all commands:",
                "export AX650_DEVICE=0000:01:00.0; ax650 info; ax650 bench",
            ),
        ],
    }
}

fn roff(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq")
}

/// The sections behind the options: examples, environment, exit codes, other pages.
fn end(name: &str, others: &[String]) -> String {
    let examples: Vec<_> = examples(name)
        .iter()
        .map(|(what, line)| {
            let (what, line) = (roff(what), roff(line));
            format!("{what}\n.PP\n.nf\n.RS\n{line}\n.RE\n.fi\n.PP\n")
        })
        .collect();
    let examples = examples.concat();
    let also: Vec<_> = others
        .iter()
        .map(|page| page.as_str())
        .filter(|page| *page != format!("ax650-{name}"))
        .map(|page| format!(".BR {} (1)", roff(page)))
        .collect();
    format!(
        ".SH EXAMPLES\n{examples}.SH ENVIRONMENT\n\
         .TP\n\\fBAX650_DEVICE\\fR\nThe card to use, unless \\fB\\-d\\fR names one.\n\
         .TP\n\\fBAX650_LOG\\fR\nWhat to tell on standard error, such as \\fBdebug\\fR or \\fBax650::session=trace\\fR.\n\
         {}.SH \"SEE ALSO\"\n{},\n.BR ax650\\-fw (1),\n.BR ax650 (4)\n",
        exit_codes_roff(false),
        also.join(",\n")
    )
}

#[test]
fn manual_pages_are_up_to_date() {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let names: Vec<_> = command
        .get_subcommands()
        .map(|sub| format!("ax650-{}", sub.get_name()))
        .collect();
    // The exit codes of the help are a section here.
    let page = |command: &clap::Command, name: &str, others: &[String]| {
        let end = end(name.trim_start_matches("ax650-"), others);
        manual_page(command.clone().after_help(None::<&'static str>), name, &end);
    };
    for (sub, name) in command.get_subcommands().zip(&names) {
        page(sub, name, &["ax650".into(), "ax650-check".into()]);
    }
    page(&command, "ax650", &names);
}

/// What the pages show has to be a command line of today.
#[test]
fn examples_are_understood() {
    let command = Arguments::command();
    for sub in command.get_subcommands() {
        for (_, line) in examples(sub.get_name()) {
            let parts = line.split(['|', ';', '>']).map(str::trim);
            let own = parts.map(|part| part.trim_start_matches("sudo "));
            let mut count = 0;
            for part in own.filter(|part| part.starts_with("ax650 ")) {
                let parsed = Arguments::command().try_get_matches_from(part.split_whitespace());
                assert!(parsed.is_ok(), "{part}: {}", parsed.unwrap_err());
                count += 1;
            }
            assert!(count > 0, "{line}");
        }
    }
}

#[test]
fn completions_are_up_to_date() {
    completions(Arguments::command(), "ax650");
}
