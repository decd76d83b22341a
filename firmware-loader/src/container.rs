// SPDX-License-Identifier: MIT OR Apache-2.0

//! Reading and verifying a container.

use crate::{
    check,
    digest::Running,
    format::{HEADER_SIZE, RECORD_SIZE},
    Error, Header, Integrity, Progress, Record, Result,
};
use std::io::{self, Read, Seek, SeekFrom};

/// Bytes read at once.
pub(crate) const PIECE: usize = 1 << 20;

/// Header and records of a container whose structure is sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Header.
    pub header: Header,
    /// Records, in the order in which the card takes them.
    pub records: Vec<Record>,
}

/// What reading all of a container showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The digest its content has, of the kind that the header names.
    pub computed: Integrity,
    /// CRC-32 (IEEE) of each image, to compare containers at a glance.
    pub crc32: Vec<u32>,
}

impl Container {
    /// Reads header and records and checks the structure. The digest is not looked at, see
    /// [`Self::verify`].
    pub fn read(file: &mut (impl Read + Seek)) -> Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        if length < HEADER_SIZE as u64 {
            return Err(Error::Truncated { length });
        }
        let mut bytes = [0; HEADER_SIZE];
        file.seek(SeekFrom::Start(0))?;
        file.read_exact(&mut bytes)?;
        let header = Header::decode(&bytes)?;
        let table = check::header(&header, length)?;

        file.seek(SeekFrom::Start(header.record_offset.into()))?;
        let mut records = Vec::new();
        for _ in 0..header.record_count {
            let mut bytes = [0; RECORD_SIZE];
            file.read_exact(&mut bytes)?;
            records.push(Record::decode(&bytes));
        }
        check::records(&records, u64::from(header.record_offset) + table, length)?;
        Ok(Self { header, records })
    }

    /// Reads all of the container once and computes its digests.
    pub fn scan(&self, file: &mut (impl Read + Seek), progress: Progress<'_>) -> Result<Report> {
        let start = u64::from(self.header.record_offset);
        let total = self.header.size - start;
        let mut digest = Running::new(&self.header.integrity);
        let mut crc32 = vec![crc32fast::Hasher::new(); self.records.len()];
        let mut piece = vec![0; PIECE];
        let mut position = start;

        file.seek(SeekFrom::Start(start))?;
        while position < self.header.size {
            let left = self.header.size - position;
            let bytes = &mut piece[..left.min(PIECE as u64) as usize];
            file.read_exact(bytes)?;
            digest.update(bytes);
            for (record, crc32) in self.records.iter().zip(&mut crc32) {
                crc32.update(part_of(bytes, position, record));
            }
            position += bytes.len() as u64;
            progress(position - start, total);
        }
        Ok(Report {
            computed: digest.finish(),
            crc32: crc32.into_iter().map(crc32fast::Hasher::finalize).collect(),
        })
    }

    /// Reads all of the container and compares its digest with that in the header.
    pub fn verify(&self, file: &mut (impl Read + Seek), progress: Progress<'_>) -> Result<Report> {
        let report = self.scan(file, progress)?;
        self.check(&report)?;
        Ok(report)
    }

    /// Compares the digest in the header with what was computed.
    pub fn check(&self, report: &Report) -> Result<()> {
        self.header.integrity.check(&report.computed)
    }

    /// Reads the bytes of one image.
    pub fn image<'f, F: Read + Seek>(
        &self,
        file: &'f mut F,
        record: &Record,
    ) -> io::Result<io::Take<&'f mut F>> {
        file.seek(SeekFrom::Start(record.offset))?;
        Ok(file.take(record.size))
    }
}

/// The part of `bytes`, which are at `position` of the file, that belongs to the image of `record`.
fn part_of<'b>(bytes: &'b [u8], position: u64, record: &Record) -> &'b [u8] {
    let within = |at: u64| at.saturating_sub(position).min(bytes.len() as u64) as usize;
    &bytes[within(record.offset)..within(record.offset + record.size)]
}
