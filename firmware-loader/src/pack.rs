// SPDX-License-Identifier: MIT OR Apache-2.0

//! Packing a container.

use crate::{
    check,
    container::PIECE,
    digest::Running,
    format::{HEADER_SIZE, RECORD_SIZE},
    Content, Error, Header, Image, Integrity, ManifestIntegrity, Progress, Record, Result,
};
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Writes a container: header, records, images one after the other. What [`crate::Container::read`]
/// would refuse is not written at all.
pub fn pack(
    content: &Content,
    out: &mut (impl Write + Seek),
    progress: Progress<'_>,
) -> Result<Header> {
    let (records, size) = lay_out(&content.images)?;
    let mut header = Header {
        size,
        product: content.product,
        version: content.version,
        record_offset: HEADER_SIZE as u32,
        // A count that does not fit is refused by the check.
        record_count: u32::try_from(records.len()).unwrap_or(u32::MAX),
        integrity: match content.integrity {
            ManifestIntegrity::None => Integrity::None,
            ManifestIntegrity::Md5 => Integrity::Md5([b'0'; 32]),
            ManifestIntegrity::Crc16 => Integrity::Crc16(0),
        },
    };
    let table = check::header(&header, size)?;
    check::records(&records, HEADER_SIZE as u64 + table, size)?;

    let mut body = Body {
        out,
        digest: Running::new(&header.integrity),
        done: 0,
        total: size - HEADER_SIZE as u64,
        progress,
    };
    body.out.seek(SeekFrom::Start(0))?;
    body.out.write_all(&header.encode())?;
    for record in &records {
        body.write(&record.encode())?;
    }
    for (image, record) in content.images.iter().zip(&records) {
        body.copy(image, record)?;
    }
    header.integrity = body.digest.finish();
    out.seek(SeekFrom::Start(0))?;
    out.write_all(&header.encode())?;
    out.flush()?;
    Ok(header)
}

/// The records, and the size of the container.
fn lay_out(images: &[Image]) -> Result<(Vec<Record>, u64)> {
    let mut offset = (HEADER_SIZE + images.len() * RECORD_SIZE) as u64;
    let mut records = Vec::new();
    for image in images {
        let size = image.source.size()?;
        records.push(Record {
            id: image.id,
            kind: image.kind,
            name: image.name,
            offset,
            size,
            destination: image.destination,
            block_size: image.block_size,
            partition: image.partition,
            flags: image.flags,
            select: image.select,
            reserved: [0; 32],
        });
        offset = offset
            .checked_add(size)
            .ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
    }
    Ok((records, offset))
}

/// What the digest is over.
struct Body<'a, W> {
    out: &'a mut W,
    digest: Running,
    done: u64,
    total: u64,
    progress: Progress<'a>,
}

impl<W: Write> Body<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes)?;
        self.digest.update(bytes);
        self.done += bytes.len() as u64;
        (self.progress)(self.done, self.total);
        Ok(())
    }

    fn copy(&mut self, image: &Image, record: &Record) -> Result<()> {
        // One byte more than expected shows that there are more.
        let mut source = image.source.open()?.take(record.size.saturating_add(1));
        let mut piece = vec![0; PIECE];
        let mut read = 0;
        loop {
            let length = match source.read(&mut piece) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            read += length as u64;
            if read > record.size || (length == 0 && read < record.size) {
                return Err(Error::Changed {
                    name: image.name.to_string(),
                    read,
                    expected: record.size,
                });
            }
            if length == 0 {
                return Ok(());
            }
            self.write(&piece[..length])?;
        }
    }
}
