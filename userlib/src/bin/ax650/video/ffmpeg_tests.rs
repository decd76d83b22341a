// SPDX-License-Identifier: MIT OR Apache-2.0

//! Videos made by ffmpeg, and those from the field, are read as ffmpeg reads them, and ffmpeg can play what is written.
//!
//! What a clip gives is decoded by ffmpeg and compared with what ffmpeg makes of the file itself.  Needs ffmpeg with
//! libx264 and libx265, as the toolchain root has it; elsewhere the tests say so and stop.

use std::path::{Path, PathBuf};
use std::process::Command;

use ax650::media::{annexb, Codec, Packet};

use super::clip::{Clip, Format, Unit};
use super::input::Input;
use super::mp4::Reader;
use super::mp4_write::AudioTrack;
use super::packets::PacketFile;

/// Pictures of a test clip.
const PICTURES: usize = 20;

pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ax650-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Returns what ffmpeg prints; `None` if there is no ffmpeg.
pub fn ffmpeg(arguments: &[&str]) -> Option<String> {
    let output = Command::new("ffmpeg")
        .args(["-v", "fatal", "-y"])
        .args(arguments)
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: cannot run ffmpeg: {error}");
            return None;
        }
    };
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ffmpeg {arguments:?}: {complaint}");
    Some(String::from_utf8(output.stdout).expect("text"))
}

/// Checksums of the pictures that ffmpeg shows of a file.
pub fn checksums(path: &Path) -> Vec<String> {
    let path = path.to_str().unwrap();
    let arguments = [
        "-max_error_rate",
        "1",
        "-noautorotate",
        "-i",
        path,
        "-noautoscale",
        "-map",
        "0:V:0",
        "-fps_mode",
        "passthrough",
        "-f",
        "framemd5",
        "-",
    ];
    let text = ffmpeg(&arguments).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let last = |line: &str| {
        line.rsplit(',')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    lines.map(last).collect()
}

/// Reads all packets of a clip.
pub fn units(clip: &mut Clip) -> Vec<Unit> {
    std::iter::from_fn(|| clip.next().unwrap()).collect()
}

/// Checksums of the pictures of the packets that are to be shown, decoded by ffmpeg, a stream for each format.
pub fn shown(units: &[Unit], scratch: &Path) -> Vec<String> {
    let mut sums = Vec::new();
    for units in units.chunk_by(|one, two| one.format == two.format) {
        let Format { codec, .. } = units[0].format;
        let name = if codec == Codec::H264 {
            "part.h264"
        } else {
            "part.h265"
        };
        let path = scratch.join(name);
        let data: Vec<_> = units.iter().map(|unit| unit.data.as_slice()).collect();
        std::fs::write(&path, data.concat()).unwrap();
        let mut pictures = checksums(&path);
        let mut order: Vec<_> = units.iter().collect();
        if units.iter().all(|unit| unit.time.is_some()) {
            // Each edit that begins with what is not shown is shown by itself.
            let mut edit = 0;
            let mut shown = true;
            let edits: Vec<_> = (units.iter())
                .map(|unit| {
                    let begins = shown && !unit.shown && annexb::is_key(codec, &unit.data);
                    edit += i32::from(begins);
                    shown = unit.shown;
                    edit
                })
                .collect();
            let mut keyed: Vec<_> = edits.iter().zip(order).collect();
            keyed.sort_by_key(|(edit, unit)| (**edit, unit.time));
            order = keyed.into_iter().map(|(_, unit)| unit).collect();
        }
        // What cannot be decoded is at the beginning.
        let missing = order.len().saturating_sub(pictures.len());
        let order = &order[missing..];
        assert_eq!(order.len(), pictures.len());
        let mut flags = order.iter().map(|unit| unit.shown);
        pictures.retain(|_| flags.next().unwrap());
        sums.extend(pictures);
    }
    sums
}

/// A clip of `ffmpeg`, read packet by packet and written as elementary stream and (without B pictures, which the
/// card's encoder does not make) as MP4, is the same clip.
fn there_and_back(name: &str, codec: Codec, encoder: &[&str], b_pictures: bool) {
    let scratch = Scratch::new(name);
    let file = |name: &str| scratch.0.join(name);
    let input = file("in.mp4");
    let source = "testsrc2=size=322x180:rate=30000/1001";
    let count = PICTURES.to_string();
    let mut arguments = vec!["-f", "lavfi", "-i", source, "-frames:v", &count];
    arguments.extend(["-pix_fmt", "yuv420p"]);
    arguments.extend(encoder);
    arguments.push(input.to_str().unwrap());
    if ffmpeg(&arguments).is_none() {
        return;
    }
    let wanted = checksums(&input);
    assert_eq!(wanted.len(), PICTURES);

    let mut clip = Clip::open(&input, None, None).unwrap();
    let size = Format {
        codec,
        width: 322,
        height: 180,
    };
    assert_eq!((clip.format, clip.count), (size, Some(PICTURES as u64)));
    assert_eq!(clip.rate, crate::args::Rate::new(30000, 1001).unwrap());
    let packets = units(&mut clip);
    let mut times: Vec<_> = packets.iter().map(|unit| unit.time.unwrap()).collect();
    times.sort_unstable();
    let ticks = i64::from(clip.timescale) * 1001 / 30000;
    assert_eq!(times[..2], [0, ticks]);
    assert_eq!(shown(&packets, &scratch.0), wanted);

    let raw = file(if codec == Codec::H264 {
        "out.h264"
    } else {
        "out.h265"
    });
    let write = |path: &Path, packets: &[Unit]| {
        let mut output = PacketFile::create(path, codec, (322, 180), clip.rate.num, false).unwrap();
        for (unit, index) in packets.iter().zip(0_u64..) {
            let packet = Packet {
                data: unit.data.clone(),
                pts: 0,
                key: false,
            };
            let time = index * u64::from(clip.rate.den);
            output.write(path, &packet, time).unwrap();
        }
        output.finish(path).unwrap();
    };
    write(&raw, &packets);
    assert_eq!(checksums(&raw), wanted);

    // The elementary stream falls into the same packets again, and tells its rate.
    let mut stream = Clip::open(&raw, None, None).unwrap();
    assert_eq!((stream.format, stream.rate), (size, clip.rate));
    let again = units(&mut stream);
    assert_eq!(again.len(), PICTURES);
    if b_pictures {
        return;
    }
    let mp4 = file("out.mp4");
    write(&mp4, &again);
    assert_eq!(checksums(&mp4), wanted);
    let again = Clip::open(&mp4, None, None).unwrap();
    assert_eq!((again.format, again.rate), (size, clip.rate));
    assert_eq!(again.count, Some(PICTURES as u64));
}

#[test]
fn h264_with_b_pictures() {
    let encoder = ["-c:v", "libx264", "-bf", "2", "-g", "8", "-slices", "3"];
    there_and_back("h264b", Codec::H264, &encoder, true);
}

#[test]
fn h264_without_b_pictures() {
    let encoder = ["-c:v", "libx264", "-profile:v", "baseline", "-g", "5"];
    there_and_back("h264", Codec::H264, &encoder, false);
}

#[test]
fn h265() {
    let encoder = [
        "-c:v",
        "libx265",
        "-tag:v",
        "hvc1",
        "-x265-params",
        "log-level=none:keyint=8:bframes=0:slices=2",
    ];
    there_and_back("h265", Codec::H265, &encoder, false);
}

#[test]
fn h265_with_parameter_sets_in_band() {
    let encoder = [
        "-c:v",
        "libx265",
        "-tag:v",
        "hev1",
        "-x265-params",
        "log-level=none:keyint=6:bframes=2",
    ];
    there_and_back("hev1", Codec::H265, &encoder, true);
}

/// Audio, rotation and slow pictures come through a file that is written, as ffmpeg sees it.
#[test]
fn audio_and_looks_go_along() {
    let scratch = Scratch::new("audio");
    let file = |name: &str| scratch.0.join(name);
    let (base, input, output) = (file("base.mp4"), file("in.mp4"), file("out.mp4"));
    let path = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let line = format!(
        "-f lavfi -i testsrc2=size=64x48:rate=5:duration=3 -f lavfi -i sine=frequency=300:duration=3 -c:v libx264 \
         -profile:v baseline -pix_fmt yuv420p -color_range pc -c:a aac {}",
        path(&base)
    );
    if ffmpeg(&line.split_whitespace().collect::<Vec<_>>()).is_none() {
        return;
    }
    let line = format!(
        "-display_rotation 90 -i {} -c copy {}",
        path(&base),
        path(&input)
    );
    ffmpeg(&line.split_whitespace().collect::<Vec<_>>());

    let mut clip = Clip::open(&input, None, None).unwrap();
    let packets = units(&mut clip);
    let mut writer =
        PacketFile::create(&output, Codec::H264, (64, 48), clip.timescale, false).unwrap();
    let mp4 = writer.mp4().unwrap();
    let reader = clip.mp4().unwrap();
    assert!(AudioTrack::can_copy(&reader.movie.tracks[1]));
    let Ok(audio) = Reader::open_as_is(Input::open(&input).unwrap(), 1) else {
        panic!("no audio")
    };
    mp4.add_audio(AudioTrack::new(audio));
    mp4.set_look(clip.look);
    for unit in &packets {
        let time = u64::try_from(unit.time.unwrap()).unwrap();
        let packet = Packet {
            data: unit.data.clone(),
            pts: 0,
            key: false,
        };
        writer.write(&output, &packet, time).unwrap();
        let ahead = time + u64::from(clip.timescale) / 2;
        writer.mp4().unwrap().write_audio(Some(ahead)).unwrap();
    }
    let mp4 = writer.mp4().unwrap();
    mp4.set_last(packets.last().unwrap().duration);
    mp4.write_audio(None).unwrap();
    writer.finish(&output).unwrap();

    let audio = |file: &PathBuf| {
        ffmpeg(&["-i", &path(file), "-map", "0:a", "-f", "framemd5", "-"]).unwrap()
    };
    assert!(audio(&output).lines().count() > 100);
    assert_eq!(audio(&output), audio(&input));
    assert_eq!(checksums(&output), checksums(&input));
    let facts = |file: &PathBuf| {
        let entries = "stream=duration,start_time,color_range:stream_side_data=rotation";
        let output = Command::new("ffprobe")
            .args(["-v", "error", "-show_entries", entries, "-of", "csv"])
            .arg(file)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(facts(&output).contains("90"), "{}", facts(&output));
    assert_eq!(facts(&output), facts(&input));
}

/// A file from the field: its name, pictures, and MD5 of the list of their MD5s.
struct Row(String, usize, String);

fn field() -> (PathBuf, Vec<Row>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/field");
    let table = std::fs::read_to_string(directory.join("table.txt")).unwrap();
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let rows = lines.map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        Row(words[0].into(), words[1].parse().unwrap(), words[2].into())
    });
    (directory, rows.collect())
}

/// Every file of `tests/data/field` gives the pictures that ffmpeg sees in it.
#[test]
fn files_from_the_field() {
    use md5::{Digest, Md5};
    if ffmpeg(&["-version"]).is_none() {
        return;
    }
    let scratch = Scratch::new("field");
    let (directory, rows) = field();
    let mut wrong = Vec::new();
    for Row(name, count, digest) in &rows {
        let sums = match Clip::open(&directory.join(name), None, None) {
            Ok(mut clip) => shown(&units(&mut clip), &scratch.0),
            Err(failure) => {
                wrong.push(format!("{name}: {}", failure.message));
                continue;
            }
        };
        let list = sums.join("\n") + "\n";
        let digits: Vec<_> = Md5::digest(list)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let md5 = digits.concat();
        if sums.len() != *count || !["-", &md5].contains(&digest.as_str()) {
            wrong.push(format!("{name}: {} of {count} pictures, {md5}", sums.len()));
        }
    }
    assert!(rows.len() >= 30 && wrong.is_empty(), "{wrong:#?}");
}
