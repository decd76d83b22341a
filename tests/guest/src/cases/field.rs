// SPDX-License-Identifier: MIT OR Apache-2.0

//! Videos as the field has them: all pictures come out, as ffmpeg sees them, and what is lost is told.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{ensure, Context as _, Result};
use md5::{Digest, Md5};

use crate::case::{Context, STOCK};

crate::cases!["field":
    every_file_decodes { kernels: STOCK, timeout_s: 240 },
    streams_come_through_pipes { kernels: STOCK, timeout_s: 90 },
    nothing_is_written_over { kernels: STOCK, timeout_s: 60 },
    outputs_that_fail { kernels: STOCK, timeout_s: 60 },
    sizes_change_in_mid_stream { kernels: STOCK, timeout_s: 90 },
    looks_and_times_are_carried_over { kernels: STOCK, timeout_s: 120 },
];

/// What must come of each file; its head explains it.
const TABLE: &str = include_str!("../../../data/field/table.txt");

macro_rules! file {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("../../../data/field/", $name)),
        )
    };
}

/// The files.
const FILES: &[(&str, &[u8])] = &[
    file!("a12_fullrange.h264"),
    file!("a27_croplt.h264"),
    file!("c10_corrupt_slice.h264"),
    file!("c14_zeronal_first.h264"),
    file!("c21_resup.h264"),
    file!("c22_resdown.h264"),
    file!("c29_svcprefix_slices.h264"),
    file!("e03_mono_31x29.h264"),
    file!("m01_av.mp4"),
    file!("m04_avc3.mp4"),
    file!("m08_frag_nonempty.mp4"),
    file!("m11_editlist.mp4"),
    file!("m12_rot90.mp4"),
    file!("m13.mov"),
    file!("m14_pcm.mov"),
    file!("m20_tmcd.mov"),
    file!("m22_mjpegfirst.mp4"),
    file!("m47_avcc_crop.mp4"),
    file!("m50_avc1_reschange.mp4"),
    file!("n01_zerolast.mp4"),
    file!("n02_trunc_faststart.mp4"),
    file!("n13b_udta0_trak.mp4"),
    file!("n23_ts1.mp4"),
    file!("n31_zeronal.mp4"),
    file!("n42_trailzero_moov.mp4"),
    file!("p02_twostsd_size.mp4"),
    file!("p05_avc3_empty.mp4"),
    file!("p07_elst_skip5.mp4"),
    file!("p15_entry_terminator.mp4"),
    file!("p20_colr_nclc.mp4"),
];

const HOME: &str = "/tmp/field";

/// Runs a line of the shell in the directory with the files.
fn sh(line: &str) -> Result<Output> {
    std::fs::create_dir_all(HOME)?;
    Command::new("/bin/sh")
        .args(["-c", line])
        .current_dir(HOME)
        .stdin(Stdio::null())
        .output()
        .context(line.to_owned())
}

fn put(name: &str) -> Result<()> {
    let found = FILES.iter().find(|file| file.0 == name);
    let bytes = found.with_context(|| format!("no file {name}"))?.1;
    std::fs::create_dir_all(HOME)?;
    Ok(std::fs::write(Path::new(HOME).join(name), bytes)?)
}

/// Must end with this status; what it says on standard error.
fn status(line: &str, code: i32) -> Result<String> {
    let output = sh(line)?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.code() == Some(code),
        "{line}: {}, not {code}: {text}",
        output.status
    );
    ensure!(!text.contains("panicked"), "{line}: {text}");
    Ok(text)
}

/// The checksums that a decode prints: how many, and the MD5 of their list.
fn sums(output: &[u8]) -> (usize, String) {
    let text = String::from_utf8_lossy(output);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sums: Vec<_> = lines
        .filter_map(|line| Some(line.rsplit(',').next()?.trim().to_owned() + "\n"))
        .collect();
    let digest = Md5::digest(sums.concat());
    let digits: Vec<_> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    (sums.len(), digits.concat())
}

/// Files of the field, each with its pictures and its exit status.
fn every_file_decodes(_: &mut Context) -> Result<()> {
    let mut wrong = Vec::new();
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    for row in rows {
        let words: Vec<_> = row.split_whitespace().collect();
        let [name, count, digest, code] = words[..] else {
            anyhow::bail!("{row}: not a row")
        };
        put(name)?;
        let line = format!("ax650 decode {name} --md5 --pixels yuv420p -q");
        let output = sh(&line)?;
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        let got = sums(&output.stdout);
        let found = (
            got.0.to_string(),
            if digest == "-" { "-".into() } else { got.1 },
            output.status.code().unwrap_or(-1).to_string(),
        );
        if found != (count.into(), digest.into(), code.into()) {
            wrong.push(format!("{name}: {found:?}, {}", message.trim()));
        }
        std::fs::remove_file(Path::new(HOME).join(name))?;
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// Standard input and output, for streams, MP4 and raw pictures.
fn streams_come_through_pipes(_: &mut Context) -> Result<()> {
    for name in ["c14_zeronal_first.h264", "n02_trunc_faststart.mp4"] {
        put(name)?;
    }
    let whole = sums(&sh("ax650 decode c14_zeronal_first.h264 --md5 -q")?.stdout);
    let piped = sums(&sh("cat c14_zeronal_first.h264 | ax650 decode - --md5 -q")?.stdout);
    ensure!(whole == piped && whole.0 == 20, "{whole:?} {piped:?}");
    // Its description is in front.
    let cut = sh("cat n02_trunc_faststart.mp4 | ax650 decode - --md5 -q")?;
    ensure!(sums(&cut.stdout).0 == 15 && cut.status.code() == Some(7));
    status(
        "ax650 decode c14_zeronal_first.h264 -o - --y4m -q | ax650 encode - -o - --codec h265 -q \
         | ax650 decode - -o out.yuv -q",
        0,
    )?;
    let size = std::fs::metadata(Path::new(HOME).join("out.yuv"))?.len();
    ensure!(size == 20 * 176 * 144 * 3 / 2, "{size} bytes");
    status(
        "cat c14_zeronal_first.h264 | ax650 transcode - -o - -q | ax650 decode - -o two.nv12 -q",
        0,
    )?;
    // An endless stream ends when enough is seen.
    let endless = "while cat c14_zeronal_first.h264; do :; done 2>/dev/null";
    status(
        &format!("{endless} | ax650 decode - -o /dev/null -n 50 -q"),
        0,
    )?;
    // One that does not go on holds nobody up.
    status(
        "(cat c14_zeronal_first.h264; sleep 40) | ax650 decode - -o /dev/null -n 5 -q",
        0,
    )?;
    let other = status(
        "printf '\\032\\105\\337\\243rest of it' | ax650 decode - --md5",
        1,
    )?;
    ensure!(
        other.contains("Matroska") && other.contains("ffmpeg -") && other.lines().count() == 1,
        "{other}"
    );
    std::fs::remove_dir_all(HOME)?;
    Ok(())
}

/// Existing files need --force, and the input is never the output.
fn nothing_is_written_over(_: &mut Context) -> Result<()> {
    put("m01_av.mp4")?;
    let before = std::fs::read(Path::new(HOME).join("m01_av.mp4"))?;
    status(
        "ln m01_av.mp4 link.mp4; ln -s m01_av.mp4 soft.mp4; touch old.yuv old.mp4",
        0,
    )?;
    for line in [
        "ax650 decode m01_av.mp4 -o old.yuv -q",
        "ax650 encode old.yuv -s 176x144 -o old.mp4 -q",
        "ax650 transcode m01_av.mp4 -o old.mp4 -q",
    ] {
        let text = sh(line)?;
        let message = String::from_utf8_lossy(&text.stderr).into_owned();
        ensure!(text.status.code() != Some(0), "{line} went well");
        ensure!(
            message.contains("--force") || message.contains("old.yuv"),
            "{message}"
        );
    }
    ensure!(std::fs::read(Path::new(HOME).join("old.mp4"))?.is_empty());
    for name in ["m01_av.mp4", "link.mp4", "soft.mp4", "./m01_av.mp4"] {
        let text = status(
            &format!("ax650 transcode m01_av.mp4 -o {name} --force -q"),
            2,
        )?;
        ensure!(text.contains("this is the input"), "{text}");
    }
    // Nor is it by way of standard output, which the shell leaves as it is.
    for line in [
        "ax650 decode m01_av.mp4 -o - -q 1<>m01_av.mp4",
        "ax650 decode m01_av.mp4 -o /proc/self/fd/1 -q >>m01_av.mp4",
    ] {
        ensure!(status(line, 2)?.contains("this is the input"), "{line}");
    }
    ensure!(std::fs::read(Path::new(HOME).join("m01_av.mp4"))? == before);
    status("ax650 transcode m01_av.mp4 -o old.mp4 --force -q", 0)?;
    status("ax650 decode m01_av.mp4 -o x.png -q", 2)?;
    std::fs::remove_dir_all(HOME)?;
    Ok(())
}

/// Full disks, closed outputs and readers that have gone, threads that cannot be had.
fn outputs_that_fail(_: &mut Context) -> Result<()> {
    put("m01_av.mp4")?;
    let one_line = |line: &str, code: i32, word: &str| -> Result<()> {
        let text = status(line, code)?;
        ensure!(
            text.lines().count() == 1 && text.contains(word),
            "{line}: {text}"
        );
        Ok(())
    };
    one_line("ax650 decode m01_av.mp4 --md5 -q >/dev/full", 1, "space")?;
    one_line("ax650 decode m01_av.mp4 -o - -q >/dev/full", 1, "space")?;
    one_line("ax650 decode m01_av.mp4 --md5 -q >&-", 1, "bad file")?;
    one_line("ax650 decode m01_av.mp4 -o - -q >&-", 1, "bad file")?;
    let gone = sh("(ax650 decode m01_av.mp4 -o - -q; echo $? >code) | true; cat code")?;
    let code = String::from_utf8_lossy(&gone.stdout).trim().to_owned();
    ensure!(code == "141" && gone.stderr.is_empty(), "{gone:?}");
    std::fs::remove_dir_all(HOME)?;
    Ok(())
}

/// All pictures, or a clear error where the output cannot hold them.
fn sizes_change_in_mid_stream(_: &mut Context) -> Result<()> {
    for name in ["c21_resup.h264", "c22_resdown.h264"] {
        put(name)?;
        let text = status(&format!("ax650 decode {name} -o {name}.y4m -q"), 1)?;
        ensure!(text.contains("pictures of one size only"), "{text}");
        ensure!(!Path::new(HOME).join(format!("{name}.y4m")).exists());
        status(&format!("ax650 decode {name} -o {name}.nv12 -q"), 0)?;
        let small = 176 * 144 * 3 / 2;
        let large = 320 * 240 * 3 / 2;
        let size = std::fs::metadata(Path::new(HOME).join(format!("{name}.nv12")))?.len();
        let counts = if name.contains("up") {
            [20, 10]
        } else {
            [10, 20]
        };
        ensure!(
            size == counts[0] * small + counts[1] * large
                || size == counts[1] * small + counts[0] * large,
            "{name}: {size} bytes"
        );
        status(&format!("ax650 transcode {name} -o {name}.h265 -q"), 0)?;
        let again = sh(&format!("ax650 decode {name}.h265 --md5 -q"))?;
        ensure!(sums(&again.stdout).0 == 30, "{:?}", again);
        let text = status(&format!("ax650 transcode {name} -o {name}.mp4 -q"), 1)?;
        ensure!(text.contains("pictures of one size only"), "{text}");
    }
    std::fs::remove_dir_all(HOME)?;
    Ok(())
}

/// Rotation, range, colour, audio and times survive in MP4; elsewhere a line says that they do not.
fn looks_and_times_are_carried_over(_: &mut Context) -> Result<()> {
    for name in [
        "m12_rot90.mp4",
        "a12_fullrange.h264",
        "m01_av.mp4",
        "n23_ts1.mp4",
    ] {
        put(name)?;
    }
    let contains = |name: &str, what: &[u8]| -> Result<bool> {
        let bytes = std::fs::read(Path::new(HOME).join(name))?;
        Ok(bytes.windows(what.len()).any(|window| window == what))
    };
    status("ax650 transcode m12_rot90.mp4 -o rot.mp4 -q", 0)?;
    ensure!(contains(
        "rot.mp4",
        &[0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]
    )?);
    let text = status("ax650 transcode m12_rot90.mp4 -o rot.h264 -q", 0)?;
    ensure!(text.contains("270 degrees"), "{text}");
    let text = status("ax650 transcode m12_rot90.mp4 -o rot2.h264 -q --strict", 1)?;
    ensure!(
        text.contains("270 degrees") && text.lines().count() == 1,
        "{text}"
    );
    status("ax650 transcode a12_fullrange.h264 -o range.mp4 -q", 0)?;
    ensure!(contains("range.mp4", b"colrnclx\0\x02\0\x02\0\x02\x80")?);
    let text = status("ax650 transcode a12_fullrange.h264 -o range.h265 -q", 0)?;
    ensure!(text.contains("full range"), "{text}");
    let text = status("ax650 transcode m01_av.mp4 -o av.mp4 -q", 0)?;
    ensure!(text.is_empty() && contains("av.mp4", b"mp4a")?, "{text}");
    let text = status("ax650 transcode m01_av.mp4 -o av.h264 -q", 0)?;
    ensure!(text.contains("audio mp4a"), "{text}");
    status("ax650 transcode n23_ts1.mp4 -o slow.mp4 -q", 0)?;
    // mdhd: 15360 ticks of a second each.
    ensure!(contains(
        "slow.mp4",
        &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x3C, 0]
    )?);
    std::fs::remove_dir_all(HOME)?;
    Ok(())
}
