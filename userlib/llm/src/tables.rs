// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tables on the card of what tokens need: masks and numbers, a row for each that there can be.  So a token copies none.

use ax650::{CardMemory, Part, Stream};
use half::bf16;

use crate::error::Result;
use crate::layer::ELEMENT;

/// What the mask has at places that are not to be seen.
const HIDDEN: bf16 = bf16::from_bits(0xC780); // -65536

/// Rows of the tables begin at multiples of this, in bytes.
pub(crate) const ALIGN: usize = 128;

/// Makes a table of `rows` on the card, whose rows `fill` makes from zeroes.
fn table(
    stream: &Stream,
    rows: usize,
    row_bytes: usize,
    mut fill: impl FnMut(usize, &mut [u8]),
) -> Result<CardMemory> {
    const PIECE: usize = 1 << 20;
    let memory = CardMemory::new(stream, (rows * row_bytes) as u64)?;
    let at_a_time = (PIECE / row_bytes).clamp(1, rows);
    let buffer = stream.session().buffer(at_a_time * row_bytes)?;
    for first in (0..rows).step_by(at_a_time) {
        let count = at_a_time.min(rows - first);
        {
            let mut bytes = buffer.write()?;
            bytes.fill(0);
            for (at, row) in bytes.chunks_exact_mut(row_bytes).take(count).enumerate() {
                fill(first + at, row);
            }
        }
        let target = memory.part((first * row_bytes) as u64, (count * row_bytes) as u64)?;
        let part = Part::to_card(&buffer, 0..count * row_bytes, &target);
        stream.job().then(part).run()?;
    }
    Ok(memory)
}

/// Makes the masks of the first `count` places of a cache of as many: what a token there sees of them, and itself.  Returns the
/// bytes of a row, too.
pub(crate) fn masks(stream: &Stream, count: usize) -> Result<(CardMemory, usize)> {
    let bytes = ((count + 1) * ELEMENT).next_multiple_of(ALIGN);
    let masks = table(stream, count, bytes, |place, row| {
        fill_mask(row, place, count, 0);
    })?;
    Ok((masks, bytes))
}

/// Makes a table of the numbers below `count`, one in each row.
pub(crate) fn indices(stream: &Stream, count: usize) -> Result<CardMemory> {
    table(stream, count, ALIGN, |number, row| {
        row[..4].copy_from_slice(&(number as u32).to_le_bytes());
    })
}

/// Returns row `number` of a table.
pub(crate) fn row(table: &CardMemory, number: usize, bytes: usize) -> Result<CardMemory> {
    Ok(table.part((number * bytes) as u64, bytes as u64)?)
}

/// Writes a row of a mask: `seen` of the `history` places of the cache are seen, and of the new tokens those up to `own`.
pub(crate) fn fill_mask(row: &mut [u8], seen: usize, history: usize, own: usize) {
    for (place, element) in row.chunks_exact_mut(ELEMENT).enumerate() {
        let is_seen = place < seen || (history..=history + own).contains(&place);
        let value = if is_seen { bf16::ZERO } else { HIDDEN };
        element.copy_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_show_what_is_filled_and_the_token_itself() {
        assert_eq!(HIDDEN.to_f32(), -65536.0);
        let mut row = [1; 14];
        fill_mask(&mut row, 2, 4, 1);
        let values: Vec<f32> = row
            .chunks_exact(2)
            .map(|bytes| bf16::from_le_bytes([bytes[0], bytes[1]]).to_f32())
            .collect();
        assert_eq!(values, [0.0, 0.0, -65536.0, -65536.0, 0.0, 0.0, -65536.0]);
    }
}
