// SPDX-License-Identifier: MIT OR Apache-2.0

//! MP4 files with one video track.

use std::io::{self, Seek, SeekFrom, Write};

use ax650::media::{annexb, Codec};
use mp4_atom::{
    Avc1, Avcc, Co64, Dinf, Dref, Encode, Ftyp, Hdlr, Hvc1, HvcCArray, Hvcc, Mdhd, Mdia, Minf,
    Moov, Mvhd, Stbl, Stsc, StscEntry, Stsd, Stss, Stsz, StszSamples, Stts, SttsEntry, Tkhd, Trak,
    Url, Visual, Vmhd,
};

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
    sizes: Vec<u32>,
    times: Vec<u64>,
    keys: Vec<u32>,
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
            sizes: Vec::new(),
            times: Vec::new(),
            keys: Vec::new(),
        })
    }

    /// Appends a packet with start codes.
    pub fn write(&mut self, packet: &[u8], time: u64) -> io::Result<()> {
        let mut size = 0;
        let mut key = false;
        for nal in annexb::nal_units(packet) {
            if is_parameter_set(self.codec, nal) {
                if !self.parameter_sets.iter().any(|known| known == nal) {
                    self.parameter_sets.push(nal.to_vec());
                }
                continue;
            }
            key |= annexb::is_key(self.codec, &[&[0, 0, 1], nal].concat());
            self.file.write_all(&(nal.len() as u32).to_be_bytes())?;
            self.file.write_all(nal)?;
            size += 4 + nal.len() as u32;
        }
        if size == 0 {
            // Parameter sets only: they are in the description.
            return Ok(());
        }
        self.position += u64::from(size);
        self.sizes.push(size);
        self.times.push(time);
        if key {
            self.keys.push(self.sizes.len() as u32);
        }
        Ok(())
    }

    /// Writes the description and returns the file.
    pub fn finish(mut self) -> io::Result<W> {
        let mut moov = Vec::new();
        self.moov()?.encode(&mut moov).map_err(io::Error::other)?;
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
                codecs: vec![self.sample_entry()?],
            },
            stts: run_lengths(&deltas),
            // All packets lie behind each other: one chunk.
            stsc: Stsc {
                entries: vec![StscEntry {
                    first_chunk: 1,
                    samples_per_chunk: self.sizes.len() as u32,
                    sample_description_index: 1,
                }],
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
                entries: vec![self.mdat + MDAT_HEADER],
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
        let tkhd = Tkhd {
            track_id: 1,
            duration,
            enabled: true,
            width: self.size.0.into(),
            height: self.size.1.into(),
            ..Default::default()
        };
        let mvhd = Mvhd {
            timescale: self.timescale,
            duration,
            rate: 1.into(),
            volume: 1.into(),
            next_track_id: 2,
            ..Default::default()
        };
        Ok(Moov {
            mvhd,
            trak: vec![Trak {
                tkhd,
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
            deltas.push(deltas.last().copied().unwrap_or(1));
        }
        deltas
    }

    fn sample_entry(&self) -> io::Result<mp4_atom::Codec> {
        let visual = Visual {
            data_reference_index: 1,
            width: self.size.0,
            height: self.size.1,
            ..Default::default()
        };
        let missing = || io::Error::other("the stream has no parameter sets");
        let of_type = |number: u8| {
            let matching = |set: &&Vec<u8>| nal_type(self.codec, set) == number;
            self.parameter_sets
                .iter()
                .filter(matching)
                .cloned()
                .collect::<Vec<_>>()
        };
        if self.codec == Codec::H264 {
            let (sps, pps) = (of_type(7), of_type(8));
            let (Some(first), false) = (sps.first(), pps.is_empty()) else {
                return Err(missing());
            };
            let mut avcc = Avcc::new(first, &pps[0]).map_err(io::Error::other)?;
            if matches!(first[1], 100 | 110 | 122 | 144) {
                avcc.ext = Some(Default::default());
            }
            (avcc.sequence_parameter_sets, avcc.picture_parameter_sets) = (sps, pps);
            return Ok(Avc1 {
                visual,
                avcc,
                ..Default::default()
            }
            .into());
        }
        let (vps, sps, pps) = (of_type(32), of_type(33), of_type(34));
        let profile = sps
            .first()
            .and_then(|sps| profile_of_h265(sps))
            .ok_or_else(missing)?;
        if vps.is_empty() || pps.is_empty() {
            return Err(missing());
        }
        let array = |nal_unit_type, nalus| HvcCArray {
            completeness: true,
            nal_unit_type,
            nalus,
        };
        let hvcc = Hvcc {
            configuration_version: 1,
            general_profile_space: profile[0] >> 6,
            general_tier_flag: profile[0] & 0x20 != 0,
            general_profile_idc: profile[0] & 0x1F,
            general_profile_compatibility_flags: profile[1..5].try_into().expect("4 bytes"),
            general_constraint_indicator_flags: profile[5..11].try_into().expect("6 bytes"),
            general_level_idc: profile[11],
            // 4:2:0 with 8 bits, as all that the card encodes.
            chroma_format_idc: 1,
            num_temporal_layers: 1,
            temporal_id_nested: true,
            length_size_minus_one: 3,
            arrays: vec![array(32, vps), array(33, sps), array(34, pps)],
            ..Default::default()
        };
        Ok(Hvc1 {
            visual,
            hvcc,
            ..Default::default()
        }
        .into())
    }
}

fn nal_type(codec: Codec, nal: &[u8]) -> u8 {
    match codec {
        Codec::H264 => nal[0] & 0x1F,
        _ => (nal[0] >> 1) & 0x3F,
    }
}

fn is_parameter_set(codec: Codec, nal: &[u8]) -> bool {
    match codec {
        Codec::H264 => matches!(nal_type(codec, nal), 7 | 8),
        _ => matches!(nal_type(codec, nal), 32..=34),
    }
}

/// The 12 bytes about profile and level in an H.265 sequence parameter set.
fn profile_of_h265(sps: &[u8]) -> Option<[u8; 12]> {
    let mut plain = Vec::new();
    for (at, byte) in sps.iter().enumerate().take(24) {
        // The byte that keeps start codes out of NAL units.
        if !(*byte == 3 && at >= 2 && sps[at - 1] == 0 && sps[at - 2] == 0) {
            plain.push(*byte);
        }
    }
    plain.get(3..15)?.try_into().ok()
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
    use super::super::mp4_read;
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

    #[test]
    fn what_is_written_can_be_read() {
        let packets = [
            packet(&[SPS, &[0x68, 1], &[0x65, 0x88, 1]]),
            packet(&[&[0x41, 0x9A]]),
            packet(&[&[0x41, 0x9B, 7]]),
        ];
        let mut writer =
            Mp4Writer::new(Cursor::new(Vec::new()), Codec::H264, 1280, 720, 30000).unwrap();
        for (packet, time) in packets.iter().zip((0..).step_by(1001)) {
            writer.write(packet, time).unwrap();
        }
        let file = writer.finish().unwrap().into_inner();
        let track = mp4_read::read(&mut Cursor::new(&file)).unwrap();
        assert_eq!(
            (track.codec, track.width, track.height),
            (Codec::H264, 1280, 720)
        );
        assert_eq!(track.rate, crate::args::Rate::new(30000, 1001));
        assert!(track.constant_rate);
        for (index, (sample, wanted)) in track.samples.iter().zip(&packets).enumerate() {
            let bytes = &file[sample.offset as usize..][..sample.size as usize];
            let mut got = Vec::new();
            track.to_annexb(index, bytes, &mut got).unwrap();
            assert_eq!(&got, wanted);
            assert_eq!(sample.time, index as i64 * 1001);
            for cut in 1..bytes.len() {
                assert!(track
                    .to_annexb(index, &bytes[..cut], &mut Vec::new())
                    .is_none());
            }
        }
    }

    #[test]
    fn a_stream_without_parameter_sets_cannot_be_described() {
        let mut writer = Mp4Writer::new(Cursor::new(Vec::new()), Codec::H264, 64, 64, 25).unwrap();
        writer.write(&packet(&[&[0x41, 0x9A]]), 0).unwrap();
        assert!(writer.finish().is_err());
        assert!(Mp4Writer::new(Cursor::new(Vec::new()), Codec::H264, 70000, 64, 25).is_err());
    }
}
