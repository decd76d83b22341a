// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command line.

// Spelt out, as the fuzz targets take this file from elsewhere.
#[path = "args/encoding.rs"]
mod encoding;
#[path = "args/look.rs"]
pub mod look;
#[path = "args/many.rs"]
mod many;
#[path = "args/ocr.rs"]
mod ocr;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::failure::exit_codes_help;

pub use encoding::{Encoding, VideoCodec};
pub use look::{Classify, Detect, Embed};
pub use many::Many;
pub use ocr::Ocr;

/// Inference and codec jobs on AX650N accelerator cards.
#[derive(Parser, Debug)]
#[command(name = "ax650", version, after_help = exit_codes_help(false), max_term_width = 100)]
pub struct Arguments {
    /// Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several
    /// are used: bench --decode, --encode and --infer
    #[arg(
        short,
        long,
        global = true,
        value_name = "CARD",
        env = "AX650_DEVICE",
        hide_env_values = true
    )]
    pub device: Vec<String>,
    /// Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or
    /// ax650::session=trace) does the same
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Subcommands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// List the cards of this system
    List(List),
    /// Show a card's identity, state, temperature, memory, load and processes
    Info(Info),
    /// Show cards and their clients over time, as top does for processes
    Top(Top),
    /// Serve figures of all cards to Prometheus
    Exporter(Exporter),
    /// Find out what keeps this system from using its cards, and what to do about it
    Check(Check),
    /// Print the log of a card's service
    Log(Log),
    /// Run a model
    Run(Run),
    /// Decode a video or a JPEG picture
    Decode(Decode),
    /// Encode pictures to a video or a JPEG picture
    Encode(Encode),
    /// Decode and encode a video on the card; pictures do not cross the link
    Transcode(Transcode),
    /// Find things in videos and pictures with a detector; pictures do not cross the link
    Detect(Detect),
    /// Name what videos and pictures show with a classifier; pictures do not cross the link
    Classify(Classify),
    /// Turn pictures into vectors that tell how alike they are; pictures do not cross the link
    Embed(Embed),
    /// Read the text in pictures
    Ocr(Ocr),
    /// Measure latency and bandwidth
    Bench(Bench),
    /// Reset a card and boot it again (needs CAP_SYS_ADMIN)
    Reset(Reset),
}

/// `list`
#[derive(Args, Debug)]
pub struct List {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `info`
#[derive(Args, Debug)]
pub struct Info {
    /// Print JSON, one object a line
    #[arg(long)]
    pub json: bool,
    /// Repeat every SECONDS until interrupted
    #[arg(
        short, long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1",
        value_parser = seconds
    )]
    pub watch: Option<f64>,
}

/// `top`
#[derive(Args, Debug)]
pub struct Top {
    /// Print cards and clients once, after one delay
    #[arg(long)]
    pub once: bool,
    /// Print JSON, one object a line, instead of a screen
    #[arg(long)]
    pub json: bool,
    /// Time between two looks
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub delay: f64,
}

/// `exporter`
#[derive(Args, Debug)]
pub struct Exporter {
    /// Where to listen; port 0 takes any that is free.  There is no encryption and no password: for an address that others
    /// reach, put a proxy in front
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9650")]
    pub listen: std::net::SocketAddr,
    /// Print the figures to standard output once, for the textfile collector of node_exporter
    #[arg(long, conflicts_with = "listen")]
    pub once: bool,
}

/// `check`
#[derive(Args, Debug)]
pub struct Check {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Look at the system below DIR; for tests
    #[arg(long, hide = true, value_name = "DIR")]
    pub sysroot: Option<PathBuf>,
}

/// `log`
#[derive(Args, Debug)]
pub struct Log {
    /// File for the log; - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
    /// Number of the log, for cards that keep more than one; firmware decides what it means
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub kind: u32,
    /// Further number that is handed to the card as it is
    #[arg(long, value_name = "N", default_value_t = 0, hide = true)]
    pub flag: u32,
    /// Replace a file that exists
    #[arg(long)]
    pub force: bool,
}

/// `run`
#[derive(Args, Debug)]
pub struct Run {
    /// Model file; - for standard input
    pub model: PathBuf,
    /// Input tensor, [NAME=]FILE, raw little endian or .npy, - for standard input; may be repeated.  Without names
    /// inputs are taken in order; inputs without a file are filled, see --fill
    #[arg(short, long, value_name = "FILE")]
    pub input: Vec<String>,
    /// Directory for the output tensors, made if it is not there
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Write outputs as .npy instead of raw
    #[arg(long, requires = "output")]
    pub npy: bool,
    /// Replace output files that exist
    #[arg(long)]
    pub force: bool,
    /// Shape group
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    pub group: usize,
    /// Run N times
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub repeat: u32,
    /// Keep N of the runs under way at a time: one is copied in and another out while a third runs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub parallel: u32,
    /// What inputs without a file are filled with
    #[arg(long, value_enum, default_value_t = Fill::Zero)]
    pub fill: Fill,
    /// Give up on a run after SECONDS (default: the driver's limit)
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<f64>,
    /// Print times as JSON
    #[arg(long)]
    pub json: bool,
    /// No progress while the model is sent
    #[arg(short, long)]
    pub quiet: bool,
}

/// What to fill inputs with.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// Zeros
    Zero,
    /// Random numbers, the same in each run: 0 to 1 for floating point, else any bytes
    Random,
}

/// `decode`
#[derive(Args, Debug)]
pub struct Decode {
    /// .mp4, .mov, .h264, .h265 or .jpg file; - for standard input
    pub input: PathBuf,
    /// .nv12, .yuv (planar 4:2:0) or .y4m file; - for standard output
    #[arg(short, long, value_name = "FILE", required_unless_present = "md5")]
    pub output: Option<PathBuf>,
    /// Print an MD5 per picture in the format of `ffmpeg -f framemd5`
    #[arg(long)]
    pub md5: bool,
    /// Pixel format (default: nv12; yuv420p for .yuv and .y4m)
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub pixels: Option<Pixels>,
    /// Write a .y4m file, whatever its name
    #[arg(long)]
    pub y4m: bool,
    /// Pictures per second (default: what the file says, else 25)
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub fps: Option<Rate>,
    /// Track of an MP4 file, from 1 (default: the first video that can be decoded)
    #[arg(long, value_name = "N")]
    pub track: Option<usize>,
    /// Stop after N pictures
    #[arg(short = 'n', long, value_name = "N")]
    pub frames: Option<u64>,
    /// Fail where the output cannot hold all of the input (bit depth, rotation and the like)
    #[arg(long)]
    pub strict: bool,
    /// Replace a file that exists
    #[arg(long)]
    pub force: bool,
    /// No progress and no summary
    #[arg(short, long)]
    pub quiet: bool,
}

/// Order of the pixels of a picture.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pixels {
    /// Luma, then interleaved chroma
    Nv12,
    /// Luma, then the two planes of chroma
    Yuv420p,
}

/// `encode`
#[derive(Args, Debug)]
pub struct Encode {
    /// .nv12, .yuv (planar 4:2:0) or .y4m file; - for standard input: y4m, or with --size and --pixels
    pub input: PathBuf,
    /// .h264, .h265, .mp4 or .jpg (the first picture only) file; - for a stream on standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Size of the pictures, needed unless the input is .y4m; pictures are not scaled
    #[arg(short, long, value_name = "WxH", value_parser = size)]
    pub size: Option<(u32, u32)>,
    /// Pictures per second, such as 30 or 30000/1001 (default: that of the .y4m, else 30)
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub fps: Option<Rate>,
    /// Pixel format of the input (default: by its name)
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub pixels: Option<Pixels>,
    /// How to encode
    #[command(flatten)]
    pub encoding: Encoding,
    /// Stop after N pictures
    #[arg(short = 'n', long, value_name = "N")]
    pub frames: Option<u64>,
    /// Replace a file that exists
    #[arg(long)]
    pub force: bool,
    /// No progress and no summary
    #[arg(short, long)]
    pub quiet: bool,
}

/// `transcode`
#[derive(Args, Debug)]
pub struct Transcode {
    /// .mp4, .mov, .h264 or .h265 file; - for standard input
    pub input: PathBuf,
    /// .h264, .h265 or .mp4 file; - for a stream on standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Pictures per second (default: what the file says, else 25)
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub fps: Option<Rate>,
    /// Track of an MP4 file, from 1 (default: the first video that can be decoded)
    #[arg(long, value_name = "N")]
    pub track: Option<usize>,
    /// How to encode
    #[command(flatten)]
    pub encoding: Encoding,
    /// Stop after N pictures
    #[arg(short = 'n', long, value_name = "N")]
    pub frames: Option<u64>,
    /// Fail where the output cannot hold all of the input (bit depth, rotation and the like)
    #[arg(long)]
    pub strict: bool,
    /// Replace a file that exists
    #[arg(long)]
    pub force: bool,
    /// No progress and no summary
    #[arg(short, long)]
    pub quiet: bool,
}

/// `bench`
#[derive(Args, Debug)]
pub struct Bench {
    /// Echoes to measure latency with
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub calls: u32,
    /// Sizes to measure bandwidth with, such as 64k,1M,8M
    #[arg(long, value_name = "SIZES", value_delimiter = ',', default_value = "4k,64k,1M,8M,64M", value_parser = bytes)]
    pub sizes: Vec<u64>,
    /// Bytes to move per size and direction
    #[arg(long, value_name = "BYTES", default_value = "64M", value_parser = bytes)]
    pub volume: u64,
    /// Measure requests that overlap as well, N at a time, each on a stream of its own: from one thread, and from N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub streams: Option<u8>,
    /// Instead of times: count, and compute by a model of the card's published link what a token of a language model, a
    /// 1080p picture and an inference cost on a real host, beside Axera's driver
    #[arg(long, conflicts_with_all = ["calls", "sizes", "volume", "streams"])]
    pub model: bool,
    /// Channels that work at once
    #[command(flatten)]
    pub many: Many,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `reset`
#[derive(Args, Debug)]
pub struct Reset {
    /// Leave the card in its loader
    #[arg(long)]
    pub no_boot: bool,
    /// Do not ask, even if processes use the card
    #[arg(short, long)]
    pub yes: bool,
    /// Give up waiting for the card after SECONDS
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    pub timeout: f64,
}

/// Pictures per second, as a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Pictures.
    pub num: u32,
    /// In so many seconds.
    pub den: u32,
}

impl Rate {
    /// Returns the fraction in lowest terms.
    pub fn new(num: u64, den: u64) -> Option<Self> {
        let (mut a, mut b) = (num, den);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let divisor = a.max(1);
        let (num, den) = (
            u32::try_from(num / divisor).ok()?,
            u32::try_from(den / divisor).ok()?,
        );
        let rate = Self { num, den };
        (den > 0 && (0.01..=1000.0).contains(&rate.value())).then_some(rate)
    }

    /// Returns the value as a number.
    pub fn value(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }
}

fn rate(text: &str) -> Result<Rate, String> {
    let parsed = match text.split_once('/') {
        Some((num, den)) => num.parse().ok().zip(den.parse().ok()),
        None => match text.split_once('.') {
            // Three digits are enough for 23.976.
            Some(_) => text
                .parse::<f64>()
                .ok()
                .map(|rate| ((rate * 1000.0).round() as u64, 1000)),
            None => text.parse().ok().map(|num| (num, 1)),
        },
    };
    parsed
        .and_then(|(num, den)| Rate::new(num, den))
        .ok_or_else(|| "give a rate from 0.01 to 1000, such as 25 or 30000/1001".into())
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parsed = text
        .split_once('x')
        .and_then(|(w, h)| w.parse().ok().zip(h.parse().ok()));
    parsed
        .filter(|(width, height)| (1..=16384).contains(width) && (1..=16384).contains(height))
        .ok_or_else(|| "give width and height up to 16384, such as 1280x720".into())
}

fn seconds(text: &str) -> Result<f64, String> {
    let parsed = text
        .parse()
        .ok()
        .filter(|seconds| (0.01..=86_400.0).contains(seconds));
    parsed.ok_or_else(|| "give seconds from 0.01 to 86400".into())
}

/// A number with a suffix, which stands for powers of `base`.
fn scaled(text: &str, base: u64) -> Option<u64> {
    let (digits, factor) = match text.char_indices().next_back()? {
        (at, 'k' | 'K') => (&text[..at], base),
        (at, 'M') => (&text[..at], base * base),
        (at, 'G') => (&text[..at], base * base * base),
        _ => (text, 1),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// In kbit/s.
fn bit_rate(text: &str) -> Result<u32, String> {
    scaled(text, 1000)
        .map(|rate| rate / 1000)
        .filter(|rate| (1..=1_000_000).contains(rate))
        .map(|rate| rate as u32)
        .ok_or_else(|| "give bits per second from 1k to 1G, such as 2500k or 4M".into())
}

fn bytes(text: &str) -> Result<u64, String> {
    scaled(text, 1024)
        .filter(|size| (1..=1 << 32).contains(size))
        .ok_or_else(|| "give bytes from 1 to 4G, such as 64k or 8M".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn numbers() {
        assert_eq!(rate("25"), Ok(Rate { num: 25, den: 1 }));
        assert_eq!(
            rate("30000/1001"),
            Ok(Rate {
                num: 30000,
                den: 1001
            })
        );
        assert_eq!(
            rate("23.976"),
            Ok(Rate {
                num: 2997,
                den: 125
            })
        );
        assert_eq!(size("1280x720"), Ok((1280, 720)));
        assert_eq!(bit_rate("2500k"), Ok(2500));
        assert_eq!(bit_rate("4M"), Ok(4000));
        assert_eq!(bytes("64k"), Ok(65536));
        for bad in ["", "0", "x", "1/0", "0/1", "1e3", "-1", "1/2/3", "2000"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
        for bad in ["", "x", "1x", "0x1", "1x16385", "1x2x3", "-1x1"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        for bad in ["", "k", "1", "2G", "1.5M", "+1k", "99999999999999999999k"] {
            assert!(bit_rate(bad).is_err(), "{bad}");
        }
    }
}
