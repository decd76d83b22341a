// SPDX-License-Identifier: MIT OR Apache-2.0

//! How a picture of one shape goes into another.

use super::image::Rect;

/// Where a picture went in a canvas, and the way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Letterbox {
    /// Columns and rows of the picture.
    pub source: (u32, u32),
    /// Columns and rows of the canvas.
    pub target: (u32, u32),
    /// Where in the canvas the picture is.
    pub inner: Rect,
}

impl Letterbox {
    /// Fills the canvas, whatever becomes of the picture's proportions.
    pub fn stretch(source: (u32, u32), target: (u32, u32)) -> Self {
        let inner = Rect::all(target.0, target.1);
        Self {
            source,
            target,
            inner,
        }
    }

    /// Keeps the proportions: as large as it goes, in the middle, at even columns and rows and of even sides.
    pub fn keep(source: (u32, u32), target: (u32, u32)) -> Self {
        let (w, h) = (u64::from(source.0.max(1)), u64::from(source.1.max(1)));
        let (most_w, most_h) = (u64::from(target.0), u64::from(target.1));
        let (width, height) = if w * most_h >= h * most_w {
            (most_w, (h * most_w + w / 2) / w)
        } else {
            ((w * most_h + h / 2) / h, most_h)
        };
        let place = |len: u64, all: u32| {
            let even = all & !1;
            let len = (len as u32).next_multiple_of(2).clamp(2, even.max(2));
            ((all.saturating_sub(len) / 2) & !1, len)
        };
        let ((x, width), (y, height)) = (place(width, target.0), place(height, target.1));
        Self {
            source,
            target,
            inner: Rect {
                x,
                y,
                width,
                height,
            },
        }
    }

    /// Returns the place in the picture of a place in the canvas: one beside the picture is at its edge.
    pub fn to_source(&self, (x, y): (f32, f32)) -> (f32, f32) {
        let back = |at: f32, first: u32, len: u32, all: u32| {
            let all = all as f32;
            ((at - first as f32) * all / len.max(1) as f32).clamp(0.0, all)
        };
        let Self { source, inner, .. } = self;
        (
            back(x, inner.x, inner.width, source.0),
            back(y, inner.y, inner.height, source.1),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportions_are_kept_in_the_middle() {
        let rect = |x, y, width, height| Rect {
            x,
            y,
            width,
            height,
        };
        for (source, target, inner) in [
            ((1920, 1080), (640, 640), rect(0, 140, 640, 360)),
            ((1080, 1920), (640, 640), rect(140, 0, 360, 640)),
            ((640, 640), (640, 640), rect(0, 0, 640, 640)),
            ((320, 192), (128, 128), rect(0, 24, 128, 78)),
            ((10000, 2), (64, 64), rect(0, 30, 64, 2)),
            ((30, 20), (640, 384), rect(32, 0, 576, 384)),
        ] {
            let fit = Letterbox::keep(source, target);
            assert_eq!(fit.inner, inner, "{source:?}");
        }
        let fit = Letterbox::keep((1920, 1080), (640, 640));
        assert_eq!(fit.to_source((0.0, 140.0)), (0.0, 0.0));
        assert_eq!(fit.to_source((320.0, 320.0)), (960.0, 540.0));
        assert_eq!(fit.to_source((700.0, 0.0)), (1920.0, 0.0));
        let all = Letterbox::stretch((100, 50), (200, 200));
        assert_eq!(all.to_source((100.0, 100.0)), (50.0, 25.0));
    }
}
