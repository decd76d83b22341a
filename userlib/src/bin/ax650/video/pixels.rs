// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures without padding, NV12 and planar.

use ax650::media::PictureLayout;

use crate::args::Pixels;

/// Bytes of a picture without padding.
pub fn packed_size(width: u32, height: u32) -> usize {
    let (width, height) = (width as usize, height as usize);
    width * height + 2 * width.div_ceil(2) * height.div_ceil(2)
}

/// Takes the padding out of an NV12 picture, and the planes apart if they are to be.
pub fn pack(layout: &PictureLayout, bytes: &[u8], pixels: Pixels, picture: &mut Vec<u8>) {
    picture.clear();
    let rows = layout.height as usize;
    match pixels {
        Pixels::Nv12 => layout
            .rows(bytes)
            .for_each(|row| picture.extend_from_slice(row)),
        Pixels::Yuv420p => {
            layout
                .rows(bytes)
                .take(rows)
                .for_each(|row| picture.extend_from_slice(row));
            for plane in 0..2 {
                for row in layout.rows(bytes).skip(rows) {
                    picture.extend(row.iter().skip(plane).step_by(2));
                }
            }
        }
    }
}

/// Reverses [`pack`]; `picture` has [`packed_size`] bytes.
pub fn unpack(layout: &PictureLayout, picture: &[u8], pixels: Pixels, bytes: &mut [u8]) {
    let rows = layout.height as usize;
    let mut rest = picture;
    let mut take = |row: &mut [u8]| {
        let (head, tail) = rest.split_at(row.len());
        row.copy_from_slice(head);
        rest = tail;
    };
    match pixels {
        Pixels::Nv12 => layout.rows_mut(bytes).for_each(take),
        Pixels::Yuv420p => {
            layout.rows_mut(bytes).take(rows).for_each(&mut take);
            let width = layout.width.div_ceil(2) as usize;
            let (u, v) = rest.split_at(width * layout.height.div_ceil(2) as usize);
            let planes = u.chunks_exact(width).zip(v.chunks_exact(width));
            for (row, (u, v)) in layout.rows_mut(bytes).skip(rows).zip(planes) {
                for (pair, (u, v)) in row.chunks_exact_mut(2).zip(u.iter().zip(v)) {
                    pair.copy_from_slice(&[*u, *v]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (width, height, stride) in [(4, 2, 6), (3, 3, 8), (1, 1, 2)] {
            let layout = PictureLayout::new(width, height, stride).unwrap();
            let size = packed_size(width, height);
            let picture: Vec<u8> = (1..).take(size).collect();
            for pixels in [Pixels::Nv12, Pixels::Yuv420p] {
                let mut bytes = vec![0; layout.size()];
                unpack(&layout, &picture, pixels, &mut bytes);
                let mut again = Vec::new();
                pack(&layout, &bytes, pixels, &mut again);
                assert_eq!(again, picture, "{width}x{height} {pixels:?}");
            }
        }
    }

    #[test]
    fn planes_are_taken_apart() {
        let layout = PictureLayout::packed(2, 2).unwrap();
        let mut planar = Vec::new();
        pack(&layout, &[1, 2, 3, 4, 5, 6], Pixels::Yuv420p, &mut planar);
        assert_eq!(planar, [1, 2, 3, 4, 5, 6]);
        let layout = PictureLayout::packed(4, 2).unwrap();
        pack(
            &layout,
            &[0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4],
            Pixels::Yuv420p,
            &mut planar,
        );
        assert_eq!(planar[8..], [1, 3, 2, 4]);
    }
}
