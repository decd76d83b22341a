// SPDX-License-Identifier: MIT OR Apache-2.0

//! Headers of YUV4MPEG2 files.

use std::io::{self, BufRead, Read};

use crate::args::Rate;

/// No header line is longer.
const MAX_LINE: u64 = 4096;

/// What a file's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Pictures per second.
    pub rate: Option<Rate>,
    /// Width and height of a sample.
    pub aspect: Option<(u32, u32)>,
    /// Whether samples use the full range of values, as ffmpeg writes it.
    pub full_range: bool,
}

impl Header {
    /// Returns the header's line.
    pub fn line(&self) -> String {
        let rate = self
            .rate
            .map(|rate| format!(" F{}:{}", rate.num, rate.den))
            .unwrap_or_default();
        let (across, down) = self.aspect.unwrap_or((0, 0));
        let range = match self.full_range {
            true => " XCOLORRANGE=FULL",
            false => "",
        };
        format!(
            "YUV4MPEG2 W{} H{}{rate} Ip A{across}:{down} C420mpeg2{range}\n",
            self.width, self.height
        )
    }

    /// Reads the header's line.
    pub fn read(file: &mut impl BufRead) -> io::Result<Self> {
        let bad = |what: &str| io::Error::other(format!("not a usable YUV4MPEG2 file: {what}"));
        let line = read_line(file)?.ok_or_else(|| bad("it is empty"))?;
        let rest = line
            .strip_prefix("YUV4MPEG2")
            .ok_or_else(|| bad("no header"))?;
        let (mut width, mut height, mut rate) = (0, 0, None);
        let (mut aspect, mut full_range) = (None, false);
        let pair = |value: &str| {
            let parts = value.split_once(':');
            parts.and_then(|(one, two)| one.parse::<u32>().ok().zip(two.parse::<u32>().ok()))
        };
        for word in rest.split_ascii_whitespace() {
            let (key, value) = word
                .split_at_checked(1)
                .ok_or_else(|| bad("a strange header"))?;
            match key {
                "W" => width = value.parse().map_err(|_| bad("no width"))?,
                "H" => height = value.parse().map_err(|_| bad("no height"))?,
                "F" => {
                    let parts = pair(value);
                    rate = parts.and_then(|(num, den)| Rate::new(num.into(), den.into()));
                }
                "A" => aspect = pair(value).filter(|(across, down)| *across > 0 && *down > 0),
                "X" => full_range |= value == "COLORRANGE=FULL",
                "I" if value != "p" && value != "?" => return Err(bad("interlaced pictures")),
                // The kinds of 4:2:0 differ in where the colour is measured only.
                "C" if !matches!(value, "420" | "420jpeg" | "420mpeg2" | "420paldv") => {
                    return Err(bad(&format!("colour format {value}")));
                }
                _ => {}
            }
        }
        if !(1..=16384).contains(&width) || !(1..=16384).contains(&height) {
            return Err(bad(&format!("{width}x{height} pictures")));
        }
        Ok(Self {
            width,
            height,
            rate,
            aspect,
            full_range,
        })
    }
}

/// Reads the line ahead of a picture; false at the end of the file.
pub fn read_frame_line(file: &mut impl BufRead) -> io::Result<bool> {
    match read_line(file)? {
        None => Ok(false),
        Some(line) if line.starts_with("FRAME") => Ok(true),
        Some(_) => Err(io::Error::other(
            "damaged YUV4MPEG2 file: no picture where one must be",
        )),
    }
}

fn read_line(file: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    file.take(MAX_LINE).read_until(b'\n', &mut line)?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(String::from_utf8_lossy(&line).into_owned())),
        Some(_) => Err(io::Error::other(
            "damaged YUV4MPEG2 file: a line without end",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let header = Header {
            width: 640,
            height: 360,
            rate: Rate::new(30000, 1001),
            aspect: Some((4, 3)),
            full_range: true,
        };
        assert_eq!(
            header.line(),
            "YUV4MPEG2 W640 H360 F30000:1001 Ip A4:3 C420mpeg2 XCOLORRANGE=FULL\n"
        );
        assert_eq!(Header::read(&mut header.line().as_bytes()).unwrap(), header);
    }

    #[test]
    fn what_is_not_usable() {
        for bad in [
            "",
            "\n",
            "YUV4MPEG2\n",
            "YUV4MPEG2 W2 H2",
            "YUV4MPEG2 W2 Hx\n",
            "YUV4MPEG2 W2 H2 It\n",
            "YUV4MPEG2 W2 H2 C444\n",
            "YUV4MPEG2 W99999 H2\n",
        ] {
            assert!(Header::read(&mut bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(read_frame_line(&mut &b"FRAME Ip\nrest"[..]).unwrap());
        assert!(!read_frame_line(&mut &b""[..]).unwrap());
        assert!(read_frame_line(&mut &b"FRAM\n"[..]).is_err());
    }
}
