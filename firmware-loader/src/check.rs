// SPDX-License-Identifier: MIT OR Apache-2.0

//! Structure of a container: what has to hold before any image is looked at.

use crate::{
    format::{CHUNK, HEADER_SIZE, MAX_RECORDS, RECORD_SIZE},
    Error, Header, Record, RecordFault, Result,
};

/// Checks the header against the length of the file and returns the length of the record table.
pub(crate) fn header(header: &Header, length: u64) -> Result<u64> {
    if header.size != length {
        return Err(Error::Size {
            stated: header.size,
            length,
        });
    }
    let (offset, count) = (header.record_offset, header.record_count);
    if count == 0 || count > MAX_RECORDS {
        return Err(Error::Count(count));
    }
    // Neither can overflow: 2^32 + 64 * 464.
    let table = u64::from(count) * RECORD_SIZE as u64;
    if (offset as usize) < HEADER_SIZE || u64::from(offset) + table > length {
        return Err(Error::Table {
            offset,
            count,
            size: length,
        });
    }
    Ok(table)
}

/// Checks the records. Images begin at `first` or later and end at `length` or before.
pub(crate) fn records(records: &[Record], first: u64, length: u64) -> Result<()> {
    for (index, record) in records.iter().enumerate() {
        bounds(record, index, first, length).map_err(|fault| named(records, index, fault))?;
    }
    // All ends are known to be below 2^64 now.
    let clash = |start: fn(&Record) -> u64| first_clash(records, start);
    if let Some((earlier, later)) = clash(|record| record.offset) {
        return Err(named(records, later, RecordFault::Overlap(earlier)));
    }
    if let Some((earlier, later)) = clash(|record| record.destination) {
        return Err(named(records, later, RecordFault::Collides(earlier)));
    }
    Ok(())
}

fn named(records: &[Record], index: usize, fault: RecordFault) -> Error {
    Error::Record {
        index,
        id: records[index].id.to_string(),
        fault,
    }
}

fn bounds(
    record: &Record,
    index: usize,
    first: u64,
    length: u64,
) -> std::result::Result<(), RecordFault> {
    let &Record {
        offset,
        size,
        destination,
        ..
    } = record;
    if size == 0 {
        return Err(RecordFault::Empty);
    }
    if offset < first {
        return Err(RecordFault::Early { offset, first });
    }
    if size > length || offset > length - size {
        return Err(RecordFault::Beyond {
            offset,
            size,
            container: length,
        });
    }
    if destination > u64::MAX - size {
        return Err(RecordFault::Wraps { destination, size });
    }
    if index == 0 && size > CHUNK {
        return Err(RecordFault::TooBigToStart(size));
    }
    Ok(())
}

/// Two records whose images share bytes, counted from `start`: neighbours, if sorted.
fn first_clash(records: &[Record], start: fn(&Record) -> u64) -> Option<(usize, usize)> {
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.sort_by_key(|&index| start(&records[index]));
    let clash = order
        .windows(2)
        .find(|pair| start(&records[pair[0]]) + records[pair[0]].size > start(&records[pair[1]]))?;
    Some((clash[0].min(clash[1]), clash[0].max(clash[1])))
}
