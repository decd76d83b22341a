// SPDX-License-Identifier: MIT OR Apache-2.0

//! What pictures are like beside their size, and what of it gets lost on the way.

use ax650::media::sps::Sps;

/// Primaries, transfer and matrix that are not told.
const UNKNOWN: (u8, u8, u8) = (2, 2, 2);

/// What pictures are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// `chroma_format_idc`: 0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma: u32,
    /// Bits of a sample.
    pub depth: u32,
    /// Width and height of a sample.
    pub aspect: (u32, u32),
    /// Columns and rows of the part that a container wants to be shown, if that is not all.
    pub clean: Option<(u32, u32)>,
    /// Whether samples use the full range of values.
    pub full_range: bool,
    /// Primaries, transfer and matrix by their numbers in ITU-T H.273.
    pub colour: (u8, u8, u8),
    /// How pictures of the file are turned to be shown.
    pub matrix: [i32; 9],
    /// Returns the turn in degrees, clockwise; `None`: something else.
    pub rotation: Option<u32>,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            chroma: 1,
            depth: 8,
            aspect: (1, 1),
            clean: None,
            full_range: false,
            colour: UNKNOWN,
            matrix: super::mp4::IDENTITY,
            rotation: Some(0),
        }
    }
}

impl Look {
    /// Takes over what a sequence parameter set says.
    pub fn learn(&mut self, sps: &Sps) {
        (self.chroma, self.depth) = (sps.chroma, sps.depth);
        let Some(vui) = sps.vui else { return };
        self.aspect = vui.sample_aspect.unwrap_or(self.aspect);
        self.full_range = vui.full_range.unwrap_or(self.full_range);
        if let Some(colour) = vui.colour.filter(|colour| *colour != UNKNOWN) {
            self.colour = colour;
        }
    }

    /// Returns whether colour or range differ from what is taken for granted.
    pub fn has_colour(&self) -> bool {
        self.full_range || self.colour != UNKNOWN
    }

    /// Returns what the card does not keep of it: it gives out 8 bits and 4:2:0 only.
    pub fn lost_on_the_card(&self) -> Option<String> {
        let chroma = match self.chroma {
            2 => " 4:2:2",
            3 => " 4:4:4",
            _ => "",
        };
        let kind = match self.depth {
            0..=8 if chroma.is_empty() => return None,
            0..=8 => chroma[1..].to_owned(),
            depth => format!("{depth}-bit{chroma}"),
        };
        Some(format!("{kind} pictures become 8-bit 4:2:0"))
    }

    /// Returns what a file that keeps these of it loses of the rest.
    pub fn lost_in_file(&self, keeps: Keeps) -> Vec<String> {
        let mut lost = Vec::new();
        if !keeps.rotation {
            match self.rotation {
                Some(0) => {}
                Some(degrees) => lost.push(format!(
                    "the rotation by {degrees} degrees is not carried over"
                )),
                None => lost.push("the display matrix is not carried over".into()),
            }
        }
        if !keeps.aspect && self.aspect.0 != self.aspect.1 {
            let (width, height) = self.aspect;
            lost.push(format!(
                "the sample aspect ratio {width}:{height} is not carried over"
            ));
        }
        if let Some((width, height)) = self.clean {
            lost.push(format!(
                "the pictures are not cut to the clean aperture of {width}x{height}"
            ));
        }
        if !keeps.range && self.full_range {
            lost.push("the full range of values is not carried over".into());
        }
        if !keeps.colour && self.colour != UNKNOWN {
            let (primaries, transfer, matrix) = self.colour;
            lost.push(format!(
                "the colour space {primaries}/{transfer}/{matrix} is not carried over"
            ));
        }
        lost
    }
}

/// What a file can hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keeps {
    /// How pictures are turned.
    pub rotation: bool,
    /// The shape of a sample.
    pub aspect: bool,
    /// The range of values.
    pub range: bool,
    /// The colour space.
    pub colour: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_have_names() {
        let plain = Look::default();
        assert_eq!(plain.lost_on_the_card(), None);
        assert!(plain.lost_in_file(Keeps::default()).is_empty());
        let odd = Look {
            chroma: 2,
            depth: 10,
            aspect: (4, 3),
            full_range: true,
            colour: (1, 1, 1),
            rotation: Some(90),
            ..plain
        };
        assert_eq!(
            odd.lost_on_the_card().unwrap(),
            "10-bit 4:2:2 pictures become 8-bit 4:2:0"
        );
        assert_eq!(odd.lost_in_file(Keeps::default()).len(), 4);
        let all = Keeps {
            rotation: true,
            aspect: true,
            range: true,
            colour: true,
        };
        assert!(odd.lost_in_file(all).is_empty());
        let clean = Some((160, 120));
        let lost = Look { clean, ..odd }.lost_in_file(all);
        assert!(lost[0].ends_with("clean aperture of 160x120"), "{lost:?}");
        let wide = Look { chroma: 3, ..plain };
        assert_eq!(
            wide.lost_on_the_card().unwrap(),
            "4:4:4 pictures become 8-bit 4:2:0"
        );
    }
}
