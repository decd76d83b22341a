// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whether an encoder keeps up with its source.

use std::time::Duration;

use super::attr::ChannelAttr;
use super::encode::Effort;

/// What the pictures of a channel cost.
#[derive(Debug, Default)]
pub struct Pace {
    /// Seconds per picture, the last ones counting most.
    mean: f64,
    pictures: u32,
    /// It was too much once: it stays so for the channel's life.
    behind: bool,
}

impl Pace {
    /// Pictures until the mean says something.
    const ENOUGH: u32 = 8;
    /// Weight of the newest picture.
    const NEW: f64 = 0.125;
    /// Part of the time between two pictures that encoding may take.
    const SHARE: f64 = 0.7;

    /// A picture has been encoded.
    pub fn took(&mut self, time: Duration) {
        let time = time.as_secs_f64();
        self.mean = match self.pictures {
            0 => time,
            _ => self.mean + Self::NEW * (time - self.mean),
        };
        self.pictures = self.pictures.saturating_add(1);
    }

    /// The effort of the next encoder.
    pub fn effort(&mut self, attr: &ChannelAttr) -> Effort {
        let room = Self::SHARE / f64::from(attr.rate.fps);
        self.behind |= self.pictures >= Self::ENOUGH && self.mean > room;
        if self.behind {
            Effort::Least
        } else {
            Effort::of_size(attr)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// D8: an encoder that takes longer than its pictures are apart does less from then on.
    #[test]
    #[allow(non_snake_case)]
    fn D8_slow_encoders_do_less() {
        let attr = ChannelAttr::single_image((320, 240)).unwrap();
        assert_eq!(attr.rate.fps, 30.0);
        let mut pace = Pace::default();
        for _ in 0..100 {
            pace.took(Duration::from_millis(20));
            assert_eq!(pace.effort(&attr), Effort::Usual);
        }
        for _ in 0..100 {
            pace.took(Duration::from_millis(30));
        }
        assert_eq!(pace.effort(&attr), Effort::Least);
        for _ in 0..100 {
            pace.took(Duration::from_millis(1));
        }
        assert_eq!(pace.effort(&attr), Effort::Least, "not to and fro");
        let large = ChannelAttr::single_image((1920, 1080)).unwrap();
        assert_eq!(Pace::default().effort(&large), Effort::Least);
    }
}
