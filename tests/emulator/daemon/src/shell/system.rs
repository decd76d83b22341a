// SPDX-License-Identifier: MIT OR Apache-2.0

//! What people ask of a machine that they have a shell on: `uname`, `date`, `uptime`, `free`, `df`,
//! `ps`, `top`, `dmesg`, in the forms of busybox.  All numbers are the emulated card's.

use std::fmt::Write;

use super::clock;
use super::files::{
    load_line, memory, version, FREE_ROOT_KIB, HOST_NAME, MACHINE, RELEASE, ROOT_KIB, SYSTEM,
};
use super::outcome::Outcome;
use crate::machine::card::Card;
use crate::machine::files::Files;

/// An option that a command does not have.
fn invalid(command: &str, option: char) -> Outcome {
    Outcome::fail(1, format!("{command}: invalid option -- '{option}'\n"))
}

/// The letters of the options; the error is an argument that is none.
fn letters(args: &[String]) -> Result<Vec<char>, &str> {
    let mut all = Vec::new();
    for arg in args {
        match arg.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            Some(rest) => all.extend(rest.chars()),
            None => return Err(arg),
        }
    }
    Ok(all)
}

/// `uname`.
pub(super) fn uname(card: &Card, args: &[String]) -> Outcome {
    let build = version(card);
    let fields = [
        ('s', SYSTEM),
        ('n', HOST_NAME),
        ('r', RELEASE),
        ('v', &build),
        ('m', MACHINE),
        ('o', "GNU/Linux"),
    ];
    let options = match letters(args) {
        Ok(options) if options.is_empty() => vec!['s'],
        Ok(options) => options,
        Err(arg) => return Outcome::fail(1, format!("uname: unrecognized argument: {arg}\n")),
    };
    if let Some(odd) = options
        .iter()
        .find(|o| **o != 'a' && fields.iter().all(|(f, _)| f != *o))
    {
        return invalid("uname", *odd);
    }
    let wanted = |option| options.contains(&'a') || options.contains(option);
    let words = fields.iter().filter(|(option, _)| wanted(option));
    let words: Vec<&str> = words.map(|(_, text)| *text).collect();
    Outcome::ok(words.join(" ") + "\n")
}

/// `date [-u] [+FORMAT]`.
pub(super) fn date(args: &[String]) -> Outcome {
    let now = clock::now();
    let mut format = "%a %b %e %H:%M:%S %Z %Y";
    for arg in args {
        match arg.strip_prefix('+') {
            Some(given) => format = given,
            None if arg == "-u" => {}
            None => return Outcome::fail(1, format!("date: invalid date '{arg}'\n")),
        }
    }
    match now.format(format) {
        Ok(text) => Outcome::ok(text + "\n"),
        Err(odd) => Outcome::fail(1, format!("date: %{odd} is not known here\n")),
    }
}

/// `uptime`.
pub(super) fn uptime(card: &Card) -> Outcome {
    let up = card.boot.elapsed().as_secs();
    let (days, hours, minutes) = (up / 86_400, up / 3600 % 24, up / 60 % 60);
    let mut text = format!(
        " {} up ",
        clock::now().format("%H:%M:%S").unwrap_or_default()
    );
    if days > 0 {
        let _ = write!(text, "{days} day{}, ", if days == 1 { "" } else { "s" });
    }
    let _ = match hours {
        0 => write!(text, "{minutes} min"),
        _ => write!(text, "{hours:2}:{minutes:02}"),
    };
    let [one, five, fifteen] = card.load.averages(card.cpu.total().as_secs_f64());
    let _ = writeln!(
        text,
        ",  0 users,  load average: {one:.2}, {five:.2}, {fifteen:.2}"
    );
    Outcome::ok(text)
}

/// `free [-k|-m]`.
pub(super) fn free(card: &Card, args: &[String]) -> Outcome {
    let mut shift = 0;
    match letters(args) {
        Ok(options) => {
            for option in options {
                match option {
                    'k' => shift = 0,
                    'm' => shift = 10,
                    odd => return invalid("free", odd),
                }
            }
        }
        Err(arg) => return Outcome::fail(1, format!("free: unrecognized argument: {arg}\n")),
    }
    let (total, free, files) = memory(card);
    let [total, free, files] = [total, free, files].map(|kib| kib >> shift);
    let used = total - free - files;
    Outcome::ok(format!(
        "              total        used        free      shared  buff/cache   available\n\
         Mem:    {total:>11} {used:>11} {free:>11} {files:>11} {files:>11} {free:>11}\n\
         Swap:   {0:>11} {0:>11} {0:>11}\n",
        0
    ))
}

/// `df [-h|-k]`.
pub(super) fn df(card: &Card, args: &[String]) -> Outcome {
    let human = match letters(args) {
        Ok(options) => match options.iter().find(|o| !['h', 'k'].contains(o)) {
            Some(odd) => return invalid("df", *odd),
            None => options.contains(&'h'),
        },
        Err(arg) => {
            let text = format!("df: {arg}: can't find mount point\n");
            return Outcome::fail(1, text);
        }
    };
    let files = card.files.usage().1 as u64;
    let temporary = Files::MAX_BYTES as u64 >> 10;
    let rows = [
        ("/dev/root", ROOT_KIB, ROOT_KIB - FREE_ROOT_KIB, "/"),
        ("tmpfs", temporary, files.div_ceil(1 << 10), "/tmp"),
    ];
    let (head, cell): (&str, fn(u64) -> String) = match human {
        true => ("Size      Used Available", in_words),
        false => ("1K-blocks      Used Available", |kib| kib.to_string()),
    };
    let mut text = format!("{:<20} {head:>29} Use% Mounted on\n", "Filesystem");
    for (name, size, used, place) in rows {
        let percent = (used * 100).div_ceil(size);
        let [size, used, left] = [size, used, size - used].map(cell);
        let _ = writeln!(
            text,
            "{name:<20} {size:>9} {used:>9} {left:>9} {percent:>3}% {place}"
        );
    }
    Outcome::ok(text)
}

/// KiB as `1.5M`.
fn in_words(kib: u64) -> String {
    let (mut value, mut unit) = (kib as f64, 'K');
    for next in ['M', 'G'] {
        if value >= 1024.0 {
            (value, unit) = (value / 1024.0, next);
        }
    }
    match kib {
        0 => "0".into(),
        _ => format!("{value:.1}{unit}"),
    }
}

/// Id, user, KiB and command of all processes.
fn processes(card: &Card) -> Vec<(u32, u32, String)> {
    let mut all = vec![
        (1, 2_712, "init".to_owned()),
        (2, 0, "[kthreadd]".into()),
        (9, 0, "[rcu_preempt]".into()),
        (120, 0, "[axcl_pcie]".into()),
        (310, 2_432, "/sbin/syslogd -n".into()),
        (402, 24_120, "/opt/bin/axcl/axcl_daemon".into()),
    ];
    let sessions = card.programs.lock();
    let sessions = sessions
        .iter()
        .map(|(pid, line)| (*pid, 31_480, line.clone()));
    all.extend(sessions);
    all
}

/// `ps`, with options that change nothing here.
pub(super) fn ps(card: &Card, args: &[String]) -> Outcome {
    // What people type: ps, ps -ef, ps aux, ps w.
    if let Some(odd) = args.iter().find(|arg| {
        !arg.trim_start_matches('-')
            .chars()
            .all(|c| "efauxw".contains(c))
    }) {
        return Outcome::fail(1, format!("ps: unrecognized argument: {odd}\n"));
    }
    let mut text = String::from("  PID USER       VSZ STAT COMMAND\n");
    for (pid, size, line) in processes(card) {
        let _ = writeln!(text, "{pid:>5} root     {size:>5} S    {line}");
    }
    Outcome::ok(text)
}

/// `top` once (`-b -n1`).
pub(super) fn top(card: &Card, args: &[String]) -> Option<Outcome> {
    let all = args.concat();
    let once = ["-bn1", "-b-n1", "-n1-b"].contains(&all.as_str());
    if !once {
        return None;
    }
    let busy = card.cpu.percent();
    let (total, free, files) = memory(card);
    let mut text = format!(
        "Mem: {}K used, {free}K free, {files}K shrd, 0K buff, {files}K cached\n\
         CPU:  {busy:>2}% usr   0% sys   0% nic {:>3}% idle   0% io   0% irq   0% sirq\n\
         Load average: {}\n  PID  PPID USER     STAT   VSZ %VSZ %CPU COMMAND\n",
        total - free,
        100 - busy,
        load_line(card),
    );
    for (pid, size, line) in processes(card) {
        let parent = u32::from(pid > 2);
        let share = u64::from(size) * 100 / total.max(1);
        let _ = writeln!(
            text,
            "{pid:>5} {parent:>5} root     S    {size:>6} {share:>3}%   0% {line}"
        );
    }
    Some(Outcome::ok(text))
}

/// `dmesg`: the boot, and what has been written to the log since.
pub(super) fn dmesg(card: &Card) -> Outcome {
    let cmm = card.link.cmm();
    let (total, _, _) = memory(card);
    Outcome::ok(format!(
        "[    0.000000] Booting Linux on physical CPU 0x0000000000\n\
         [    0.000000] {SYSTEM} version {RELEASE} {}\n\
         [    0.000000] Machine model: AXERA AX650 (emulated)\n\
         [    0.000000] Memory: {total}K available\n\
         [    0.812345] ax_cmm: {} MiB at {:#x}\n\
         [    1.034210] axcl_pcie: card {} on the host's bus\n",
        version(card),
        cmm.size() >> 20,
        cmm.base(),
        card.link.card_id()
    ))
}
