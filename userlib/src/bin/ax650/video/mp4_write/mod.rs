// SPDX-License-Identifier: MIT OR Apache-2.0

//! MP4 files with one video track, and audio as it was.

mod audio;
mod entry;

use std::io::{self, Seek, SeekFrom, Write};

use ax650::media::{annexb, Codec};
use mp4_atom::{
    Co64, Dinf, Dref, Edts, Elst, ElstEntry, Encode, Ftyp, Hdlr, Matrix, Mdhd, Mdia, Minf, Moov,
    Mvhd, Stbl, Stsc, StscEntry, Stsd, Stss, Stsz, StszSamples, Stts, SttsEntry, Tkhd, Trak, Url,
    Vmhd,
};

pub use audio::AudioTrack;
use entry::{is_parameter_set, sample_entry, set_id};

use super::look::Look;

/// Writes packets and, at the end, the description of the file.
pub struct Mp4Writer<W> {
    file: W,
    codec: Codec,
    size: (u16, u16),
    timescale: u32,
    parameter_sets: Vec<Vec<u8>>,
    /// Where the atom with the packets begins.
    mdat: u64,
    position: u64,
    /// Where the last packet of the video ends.
    end: u64,
    sizes: Vec<u32>,
    times: Vec<u64>,
    keys: Vec<u32>,
    /// Where each row of packets begins, and how many there are in it.
    chunks: Vec<(u64, u32)>,
    /// Ticks that the last packet lasts, if that is known.
    last: Option<u32>,
    look: Look,
    audio: Vec<AudioTrack>,
}

/// Bytes of the header of the atom with the packets: its size has 64 bits.
const MDAT_HEADER: u64 = 16;

impl<W: Write + Seek> Mp4Writer<W> {
    /// Begins a file; times are in ticks of 1/`timescale` seconds.
    pub fn new(
        mut file: W,
        codec: Codec,
        width: u32,
        height: u32,
        timescale: u32,
    ) -> io::Result<Self> {
        let side =
            |side| u16::try_from(side).map_err(|_| io::Error::other("picture too large for MP4"));
        let size = (side(width)?, side(height)?);
        let mut head = Vec::new();
        let ftyp = Ftyp {
            major_brand: b"isom".into(),
            minor_version: 512,
            compatible_brands: vec![b"isom".into(), b"iso2".into(), b"mp41".into()],
        };
        ftyp.encode(&mut head).map_err(io::Error::other)?;
        let mdat = head.len() as u64;
        head.extend(1_u32.to_be_bytes());
        head.extend(b"mdat");
        head.extend(0_u64.to_be_bytes());
        file.write_all(&head)?;
        Ok(Self {
            file,
            codec,
            size,
            timescale,
            parameter_sets: Vec::new(),
            mdat,
            position: mdat + MDAT_HEADER,
            end: 0,
            sizes: Vec::new(),
            times: Vec::new(),
            keys: Vec::new(),
            chunks: Vec::new(),
            last: None,
            look: Look::default(),
            audio: Vec::new(),
        })
    }

    /// Tells what the pictures are like.
    pub fn set_look(&mut self, look: Look) {
        self.look = look;
    }

    /// Ticks that the last packet lasts.
    pub fn set_last(&mut self, ticks: u32) {
        self.last = Some(ticks).filter(|ticks| *ticks > 0);
    }

    /// Adds a track of audio that goes along.
    pub fn add_audio(&mut self, track: AudioTrack) {
        self.audio.push(track);
    }

    /// Appends the audio up to a time, in ticks of the video.
    pub fn write_audio(&mut self, until: Option<u64>) -> io::Result<()> {
        let scale = self.timescale;
        for track in &mut self.audio {
            track.write(
                &mut self.file,
                &mut self.position,
                until.map(|time| (time, scale)),
            )?;
        }
        Ok(())
    }

    /// Appends a packet with start codes.
    pub fn write(&mut self, packet: &[u8], time: u64) -> io::Result<()> {
        let mut size = 0;
        let mut key = false;
        for nal in annexb::nal_units(packet) {
            if is_parameter_set(self.codec, nal) {
                self.keep(nal)?;
                continue;
            }
            key |= annexb::is_key_nal(self.codec, nal);
            self.file.write_all(&(nal.len() as u32).to_be_bytes())?;
            self.file.write_all(nal)?;
            size += 4 + nal.len() as u32;
        }
        if size == 0 {
            // Parameter sets only: they are in the description.
            return Ok(());
        }
        match self.chunks.last_mut() {
            Some((_, count)) if self.end == self.position => *count += 1,
            _ => self.chunks.push((self.position, 1)),
        }
        self.position += u64::from(size);
        self.end = self.position;
        self.sizes.push(size);
        self.times.push(time);
        if key {
            self.keys.push(self.sizes.len() as u32);
        }
        Ok(())
    }

    /// Keeps a parameter set for the description, which has one of each number: another by the same number would be taken
    /// for it.
    fn keep(&mut self, set: &[u8]) -> io::Result<()> {
        if self.parameter_sets.iter().any(|known| known == set) {
            return Ok(());
        }
        let id = set_id(self.codec, set);
        let mut others = self.parameter_sets.iter();
        if id.is_some() && others.any(|known| set_id(self.codec, known) == id) {
            return Err(io::Error::other(format!(
                "the parameter sets change at packet {}, and an MP4 file is written with one description; .h264 and \
                 .h265 take all",
                self.sizes.len()
            )));
        }
        self.parameter_sets.push(set.to_vec());
        Ok(())
    }

    /// Writes the description and returns the file.
    pub fn finish(mut self) -> io::Result<W> {
        let mut moov = Vec::new();
        self.moov()?.encode(&mut moov).map_err(io::Error::other)?;
        for (track, number) in self.audio.iter().zip(2..) {
            moov.extend(track.description(number, self.timescale));
        }
        let size = u32::try_from(moov.len()).map_err(io::Error::other)?;
        moov[..4].copy_from_slice(&size.to_be_bytes());
        self.file.write_all(&moov)?;
        self.file.seek(SeekFrom::Start(self.mdat + 8))?;
        self.file
            .write_all(&(self.position - self.mdat).to_be_bytes())?;
        self.file.seek(SeekFrom::End(0))?;
        Ok(self.file)
    }

    fn moov(&self) -> io::Result<Moov> {
        let deltas = self.deltas();
        let duration: u64 = deltas.iter().map(|delta| u64::from(*delta)).sum();
        let stbl = Stbl {
            stsd: Stsd {
                codecs: vec![sample_entry(
                    self.codec,
                    self.size,
                    &self.parameter_sets,
                    &self.look,
                )?],
            },
            stts: run_lengths(&deltas),
            stsc: Stsc {
                entries: self.rows(),
            },
            stsz: Stsz {
                samples: StszSamples::Different {
                    sizes: self.sizes.clone(),
                },
            },
            stss: (self.keys.len() < self.sizes.len()).then(|| Stss {
                entries: self.keys.clone(),
            }),
            co64: Some(Co64 {
                entries: self.chunks.iter().map(|chunk| chunk.0).collect(),
            }),
            ..Default::default()
        };
        let here = Dinf {
            dref: Dref {
                urls: vec![Url::default()],
            },
        };
        let mdia = Mdia {
            mdhd: Mdhd {
                timescale: self.timescale,
                duration,
                language: "und".into(),
                ..Default::default()
            },
            hdlr: Hdlr {
                handler: b"vide".into(),
                name: "video".into(),
            },
            minf: Minf {
                vmhd: Some(Vmhd::default()),
                dinf: here,
                stbl,
                ..Default::default()
            },
        };
        // What comes ahead of the first picture is empty.
        let begin = self.times.first().copied().unwrap_or(0);
        let edit = |segment_duration, media_time| ElstEntry {
            segment_duration,
            media_time,
            media_rate: 1,
            media_rate_fraction: 0,
        };
        let edts = (begin > 0).then(|| Edts {
            elst: Some(Elst {
                entries: vec![edit(begin, u64::MAX), edit(duration, 0)],
            }),
        });
        let whole = begin + duration;
        let tkhd = Tkhd {
            track_id: 1,
            duration: whole,
            enabled: true,
            matrix: self.matrix(),
            width: self.size.0.into(),
            height: self.size.1.into(),
            ..Default::default()
        };
        let mvhd = Mvhd {
            timescale: self.timescale,
            duration: whole,
            rate: 1.into(),
            volume: 1.into(),
            next_track_id: 2 + self.audio.len() as u32,
            ..Default::default()
        };
        Ok(Moov {
            mvhd,
            trak: vec![Trak {
                tkhd,
                edts,
                mdia,
                ..Default::default()
            }],
            ..Default::default()
        })
    }

    /// How long each packet lasts; the last as long as the one before.
    fn deltas(&self) -> Vec<u32> {
        let mut deltas: Vec<_> = self
            .times
            .windows(2)
            .map(|pair| u32::try_from(pair[1].saturating_sub(pair[0])).unwrap_or(u32::MAX))
            .collect();
        if !self.times.is_empty() {
            let last = self.last.or(deltas.last().copied());
            deltas.push(last.unwrap_or(1));
        }
        deltas
    }

    /// How many packets are in each row.
    fn rows(&self) -> Vec<StscEntry> {
        let mut entries: Vec<StscEntry> = Vec::new();
        for ((_, count), number) in self.chunks.iter().zip(1..) {
            if entries
                .last()
                .is_none_or(|last| last.samples_per_chunk != *count)
            {
                entries.push(StscEntry {
                    first_chunk: number,
                    samples_per_chunk: *count,
                    sample_description_index: 1,
                });
            }
        }
        entries
    }

    /// The display matrix; its shift depends on the size alone.
    fn matrix(&self) -> Matrix {
        let [a, b, u, c, d, v, _, _, w] = self.look.matrix;
        let (width, height) = (i32::from(self.size.0), i32::from(self.size.1));
        // A turned picture would lie outside the first quadrant.
        let shift = |one: i32, two: i32| {
            let side = |factor: i32, side: i32| if factor < 0 { side << 16 } else { 0 };
            side(one, width).max(side(two, height))
        };
        Matrix {
            a,
            b,
            u,
            c,
            d,
            v,
            x: shift(a, c),
            y: shift(b, d),
            w,
        }
    }
}

fn run_lengths(deltas: &[u32]) -> Stts {
    let mut entries: Vec<SttsEntry> = Vec::new();
    for delta in deltas {
        match entries.last_mut() {
            Some(last) if last.sample_delta == *delta => last.sample_count += 1,
            _ => entries.push(SttsEntry {
                sample_count: 1,
                sample_delta: *delta,
            }),
        }
    }
    Stts { entries }
}

#[cfg(test)]
mod tests {
    use super::super::input::Input;
    use super::super::mp4::{self, Reader};
    use super::*;
    use std::io::Cursor;

    const SPS: &[u8] = &[
        0x67, 0x64, 0x00, 0x1F, 0xAC, 0xD9, 0x40, 0x50, 0x05, 0xBB, 0x01, 0x6A, 0x02, 0x02, 0x02,
        0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x19, 0x07, 0x8C, 0x18, 0xCB,
    ];

    fn packet(nals: &[&[u8]]) -> Vec<u8> {
        nals.iter()
            .flat_map(|nal| [&[0, 0, 0, 1], *nal].concat())
            .collect()
    }

    /// In MP4 there is one description, so sets of other numbers are kept and others of the same number are refused.
    #[test]
    fn parameter_sets_that_change() {
        let mut writer =
            Mp4Writer::new(Cursor::new(Vec::new()), Codec::H264, 1280, 720, 25).unwrap();
        // Picture sets 0 (bits 1...) and 1 (bits 010...).
        let first = packet(&[SPS, &[0x68, 0xEE, 1], &[0x65, 0x88, 1]]);
        writer.write(&first, 0).unwrap();
        writer.write(&first, 1).unwrap();
        let second = packet(&[&[0x68, 0x4E, 1], &[0x65, 0x88, 1]]);
        writer.write(&second, 2).unwrap();
        let other = packet(&[&[0x68, 0xEF, 1], &[0x65, 0x88, 1]]);
        let error = writer.write(&other, 3).unwrap_err().to_string();
        assert!(error.contains("change at packet 3"), "{error}");
        let mut larger = SPS.to_vec();
        larger[3] ^= 1;
        assert!(writer.write(&packet(&[&larger, &[0x65, 0x88]]), 3).is_err());
        let sets: [&[u8]; 3] = [&[0x40, 1, 0x0C], &[0x44, 1, 0xC1], &[0x44, 1, 0x4C]];
        let ids = sets.map(|set| set_id(Codec::H265, set));
        assert_eq!(ids, [Some((32, 0)), Some((34, 0)), Some((34, 1))]);
    }

    #[test]
    fn what_is_written_can_be_read() {
        let packets = [
            packet(&[SPS, &[0x68, 1], &[0x65, 0x88, 1]]),
            packet(&[&[0x41, 0x9A]]),
            packet(&[&[], &[0x41, 0x9B, 7], &[]]),
        ];
        let mut writer =
            Mp4Writer::new(Cursor::new(Vec::new()), Codec::H264, 1280, 720, 30000).unwrap();
        let look = Look {
            matrix: [0, 0x1_0000, 0, -0x1_0000, 0, 0, 0, 0, 0x4000_0000],
            rotation: Some(90),
            aspect: (4, 3),
            full_range: true,
            ..Default::default()
        };
        writer.set_look(look);
        for (packet, time) in packets.iter().zip((500..).step_by(1001)) {
            writer.write(packet, time).unwrap();
        }
        writer.set_last(77);
        let file = writer.finish().unwrap().into_inner();
        let path = std::env::temp_dir().join(format!("ax650-write-{}", std::process::id()));
        std::fs::write(&path, &file).unwrap();
        let reader = Reader::open(Input::open(&path).unwrap(), None);
        std::fs::remove_file(path).unwrap();
        let Ok(mut reader) = reader else {
            panic!("it cannot be read")
        };
        let entry = reader.track().entries[0].clone();
        assert_eq!((entry.codec, entry.size), (Some(Codec::H264), (1280, 720)));
        assert_eq!(entry.sets, [SPS, &[0x68, 1]]);
        assert_eq!(entry.aspect, Some((4, 3)));
        assert_eq!(entry.colour, Some(((2, 2, 2), Some(true))));
        assert_eq!(reader.track().rotation(), Some(90));
        let nals: [&[u8]; 3] = [&[0x65, 0x88, 1], &[0x41, 0x9A], &[0x41, 0x9B, 7]];
        let mut bytes = Vec::new();
        for (index, nal) in (0..).zip(nals) {
            let step = reader.next(&mut bytes).unwrap().unwrap();
            assert_eq!(
                (step.time, step.sample.key),
                (500 + index * 1001, index == 0)
            );
            assert_eq!(step.sample.duration, if index == 2 { 77 } else { 1001 });
            let mut got = Vec::new();
            assert!(mp4::to_annexb(&entry, &bytes, &mut got));
            assert_eq!(got, packet(&[nal]));
            for cut in 1..bytes.len() {
                let whole = mp4::to_annexb(&entry, &bytes[..cut], &mut Vec::new());
                assert!(!whole || cut < 4, "{cut}");
            }
        }
        assert!(reader.next(&mut bytes).unwrap().is_none());
    }

    #[test]
    fn a_stream_without_parameter_sets_cannot_be_described() {
        let mut writer = Mp4Writer::new(Cursor::new(Vec::new()), Codec::H264, 64, 64, 25).unwrap();
        writer.write(&packet(&[&[0x41, 0x9A]]), 0).unwrap();
        assert!(writer.finish().is_err());
        assert!(Mp4Writer::new(Cursor::new(Vec::new()), Codec::H264, 70000, 64, 25).is_err());
    }
}
