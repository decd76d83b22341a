// SPDX-License-Identifier: MIT OR Apache-2.0

//! Any files: `AX650_MEDIA_FILES=DIRECTORY` compares what a clip gives of each of them with what ffmpeg and ffprobe see in
//! it: pictures, their times, size, format, shape, range, colour and rotation.  For hunting by hand; prints a line for each file.

use std::path::{Path, PathBuf};
use std::process::Command;

use ax650::media::Codec;

use super::clip::Clip;
use super::ffmpeg_tests::{checksums, ffmpeg, shown, units, Scratch};

/// What ffprobe says of the first video.
fn facts(path: &Path) -> String {
    let entries = "stream=codec_name,width,height,pix_fmt,sample_aspect_ratio,color_range:stream_side_data=rotation";
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            "V:0",
            "-show_entries",
            entries,
            "-of",
            "default=nk=0:nw=1",
        ])
        .arg(path)
        .output()
        .expect("ffprobe");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The same of a clip, where it differs.
fn differs(clip: &Clip, facts: &str) -> Vec<String> {
    let told = |name: &str| {
        let mut lines = facts.lines().filter_map(|line| line.split_once('='));
        lines
            .find(|(key, _)| *key == name)
            .map_or("", |(_, value)| value)
            .to_owned()
    };
    let look = clip.look;
    let mut wrong = Vec::new();
    let mut compare = |what: &str, ours: String, theirs: String| {
        if ours != theirs {
            wrong.push(format!("{what} {ours}, ffprobe {theirs}"));
        }
    };
    let codec = if clip.format.codec == Codec::H264 {
        "h264"
    } else {
        "hevc"
    };
    compare("codec", codec.into(), told("codec_name"));
    compare(
        "size",
        format!("{}x{}", clip.format.width, clip.format.height),
        format!("{}x{}", told("width"), told("height")),
    );
    let pixels = told("pix_fmt");
    let depth = match () {
        () if pixels.contains("10") => 10,
        () if pixels.contains("12") => 12,
        () if pixels.contains("p9") => 9,
        () => 8,
    };
    let chroma = match () {
        () if pixels.contains("gray") => 0,
        () if pixels.contains("422") => 2,
        () if pixels.contains("444") || pixels.contains("gbr") => 3,
        () => 1,
    };
    compare(
        "pixels",
        format!("{:?}", (look.depth, look.chroma)),
        format!("{:?}", (depth, chroma)),
    );
    let aspect = match told("sample_aspect_ratio").as_str() {
        "" | "N/A" | "0:1" => "1:1".to_owned(),
        aspect => aspect.to_owned(),
    };
    let common = (1..=look.aspect.0.min(look.aspect.1))
        .rev()
        .find(|n| look.aspect.0 % n == 0 && look.aspect.1 % n == 0)
        .unwrap_or(1);
    compare(
        "aspect",
        format!("{}:{}", look.aspect.0 / common, look.aspect.1 / common),
        aspect,
    );
    compare(
        "range",
        look.full_range.to_string(),
        (told("color_range") == "pc").to_string(),
    );
    let rotation = told("rotation")
        .parse::<i64>()
        .map_or(0, |degrees| (-degrees).rem_euclid(360));
    compare(
        "rotation",
        format!("{:?}", look.rotation.map(i64::from).unwrap_or(rotation)),
        rotation.to_string(),
    );
    wrong
}

/// One file: `Ok` if all is as ffmpeg sees it.
fn compare(path: &Path, scratch: &Path) -> Result<String, String> {
    let theirs = std::panic::catch_unwind(|| checksums(path));
    let count = theirs.as_ref().map_or_else(
        |_| "it refuses".into(),
        |sums| format!("{} pictures", sums.len()),
    );
    let clip = Clip::open(path, None, None).map_err(|failure| failure.message);
    let (wanted, mut clip) = match (theirs, clip) {
        (Err(_), Err(message)) => return Ok(format!("both refuse: {message}")),
        (_, Err(message)) => return Err(format!("{message} (ffmpeg: {count})")),
        (Err(_), Ok(mut clip)) => {
            let count = units(&mut clip).len();
            return Ok(format!(
                "{count} packets, ffmpeg refuses {:?}",
                clip.problems()
            ));
        }
        (Ok(wanted), Ok(clip)) => (wanted, clip),
    };
    let units = units(&mut clip);
    let sums = shown(&units, scratch);
    let problems = clip.problems();
    let mut wrong = differs(&clip, &facts(path));
    if sums != wanted {
        wrong.push(format!(
            "{} of {} pictures, {} the same",
            sums.len(),
            wanted.len(),
            sums.iter().filter(|sum| wanted.contains(sum)).count()
        ));
    }
    match wrong.is_empty() {
        true => Ok(format!("{} pictures {problems:?}", sums.len())),
        false => Err(format!("{} {problems:?}", wrong.join("; "))),
    }
}

#[test]
fn files_of_your_own() {
    let Some(directory) = std::env::var_os("AX650_MEDIA_FILES").map(PathBuf::from) else {
        return;
    };
    assert!(ffmpeg(&["-version"]).is_some());
    let mut names: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    let scratch = Scratch::new("own");
    let mut bad = 0;
    for path in &names {
        let result = std::panic::catch_unwind(|| compare(path, &scratch.0))
            .unwrap_or_else(|_| Err("it panics".into()));
        let name = path.file_name().unwrap().to_string_lossy();
        match result {
            Ok(what) => println!("ok {name}: {what}"),
            Err(what) => {
                bad += 1;
                println!("BAD {name}: {what}");
            }
        }
    }
    println!(
        "{} of {} as ffmpeg sees them",
        names.len() - bad,
        names.len()
    );
}
