// SPDX-License-Identifier: MIT OR Apache-2.0

//! Rate control: `AX_VENC_RC_ATTR_T` and what it means for libavcodec.

use super::attr::Codec;
use super::layout::NO_LIMITS;
use crate::call::blobs::View;
use crate::call::errors::Fault;

/// What the rate control aims at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// CBR: this rate within the statistics time.
    Constant {
        /// 1000 bits per second.
        kbps: u32,
    },
    /// VBR: steady quality, and at most this rate.
    Variable {
        /// 1000 bits per second.
        max_kbps: u32,
    },
    /// AVBR: as VBR, and less where little moves.
    Adaptive {
        /// 1000 bits per second.
        max_kbps: u32,
    },
    /// CVBR: one rate at most for a short time, another for a long one.
    Capped {
        /// 1000 bits per second, within the short time.
        max_kbps: u32,
        /// The same within the long time.
        long_kbps: u32,
    },
    /// QVBR, QP map: this rate on average, half as much more for a while.
    Average {
        /// 1000 bits per second.
        kbps: u32,
    },
    /// Fixed QP.
    Fixed {
        /// Of intra pictures.
        intra: u32,
        /// Of predicted pictures.
        predicted: u32,
    },
    /// JPEG images without rate control: the quality of SetJpegParam.
    Quality,
}

/// `AX_VENC_RC_ATTR_T`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// What it aims at.
    pub goal: Goal,
    /// Pictures from one intra picture to the next.
    pub gop: u32,
    /// Seconds over which a constant rate holds.
    pub seconds: u32,
    /// Lowest and highest QP of H.264 and H.265.
    pub qp: (u32, u32),
    /// Pictures per second that are sent.
    pub source_fps: f32,
    /// Pictures per second that are encoded; the rest is dropped.
    pub fps: f32,
}

/// Highest QP of H.264 and H.265.
pub(super) const MAX_QP: u32 = 51;

impl Rate {
    /// Reads and checks the structure.
    pub fn parse(codec: Codec, v: View) -> Result<Self, Fault> {
        let mode = v.u32(0);
        // The modes of H.265 are in the order of those of H.264.
        let video = match codec {
            Codec::H264 if (1..=7).contains(&mode) => mode,
            Codec::H265 if (11..=17).contains(&mode) => mode - 10,
            Codec::Mjpeg | Codec::Jpeg if matches!(mode, 8..=10) => mode,
            // A channel for single images may leave all of it out.
            Codec::Jpeg if mode == 0 => 0,
            _ => return Err(Fault::IllegalParam),
        };
        let mut rate = Self {
            goal: Goal::Quality,
            gop: 1,
            seconds: 1,
            qp: NO_LIMITS,
            source_fps: v.f32(8),
            fps: v.f32(12),
        };
        rate.check_fps()?;
        rate.layout(video, v.at(16))?;
        Ok(rate)
    }

    /// 0 pictures per second stand for as many as are sent, 0 of those for 30.  More than are sent
    /// cannot be encoded.
    fn check_fps(&mut self) -> Result<(), Fault> {
        if self.source_fps == 0.0 {
            self.source_fps = match self.fps {
                0.0 => 30.0,
                fps => fps,
            };
        }
        if self.fps == 0.0 {
            self.fps = self.source_fps;
        }
        let good = |fps: f32| (0.01..=1000.0).contains(&fps);
        if !good(self.fps) || !good(self.source_fps) {
            return Err(Fault::IllegalParam);
        }
        self.fps = self.fps.min(self.source_fps);
        Ok(())
    }

    /// libavcodec's options for this rate control; `quality` is that of SetJpegParam.
    pub fn options(&self, codec: Codec, quality: u32) -> Vec<(&'static str, String)> {
        if codec.is_jpeg() {
            return self.jpeg_options(quality);
        }
        let mut o = vec![
            ("g", self.gop.to_string()),
            ("keyint_min", self.gop.to_string()),
        ];
        let mut limits = |kbps: u32| {
            // As strings, so that no number is too large.
            o.push(("maxrate", format!("{kbps}k")));
            let size = u64::from(kbps) * u64::from(self.seconds);
            o.push(("bufsize", format!("{size}k")));
        };
        match self.goal {
            Goal::Constant { kbps } => {
                limits(kbps);
                o.push(("b", format!("{kbps}k")));
            }
            Goal::Variable { max_kbps } => {
                limits(max_kbps);
                o.push(("crf", "21".into()));
            }
            // Where little moves the quality asks for less by itself.
            Goal::Adaptive { max_kbps } => {
                limits(max_kbps);
                o.push(("crf", "23".into()));
            }
            Goal::Capped {
                max_kbps,
                long_kbps,
            } => {
                limits(max_kbps);
                o.push(("b", format!("{}k", long_kbps.min(max_kbps))));
            }
            Goal::Average { kbps } => {
                limits(kbps / 2 * 3);
                o.push(("b", format!("{kbps}k")));
            }
            Goal::Fixed { predicted, .. } => o.push(("qp", predicted.to_string())),
            Goal::Quality => (),
        }
        let qps = match self.goal {
            Goal::Fixed { intra, predicted } => (intra.min(predicted), intra.max(predicted)),
            _ => self.qp,
        };
        if codec == Codec::H264 {
            o.push(("qmin", qps.0.to_string()));
            o.push(("qmax", qps.1.to_string()));
        }
        o
    }

    /// Steps that the QP of intra pictures is above that of predicted ones, as a ratio of
    /// quantisers: 6 steps double it.
    pub fn intra_ratio(&self) -> Option<f64> {
        match self.goal {
            Goal::Fixed { intra, predicted } => {
                Some(((f64::from(intra) - f64::from(predicted)) / 6.0).exp2())
            }
            _ => None,
        }
    }

    fn jpeg_options(&self, quality: u32) -> Vec<(&'static str, String)> {
        let fixed = |scale: u32| {
            let scale = scale.clamp(1, 31).to_string();
            vec![("qmin", scale.clone()), ("qmax", scale)]
        };
        let scale = |qp: u32| (qp * 31).div_ceil(MAX_QP).clamp(1, 31);
        let limited = |kbps: u32, least: u32| {
            vec![
                ("b", format!("{kbps}k")),
                ("qmin", scale(self.qp.0).max(least).to_string()),
                ("qmax", scale(self.qp.1).max(least).to_string()),
            ]
        };
        match self.goal {
            Goal::Constant { kbps } | Goal::Average { kbps } => limited(kbps, 1),
            Goal::Variable { max_kbps }
            | Goal::Adaptive { max_kbps }
            | Goal::Capped { max_kbps, .. } => limited(max_kbps, 2),
            Goal::Fixed { intra, .. } => fixed(scale(intra)),
            Goal::Quality => fixed(scale_of_quality(quality)),
        }
    }
}

/// libavcodec's quantiser scale for a quality of 1..=99.
fn scale_of_quality(quality: u32) -> u32 {
    // The usual meaning of quality: percent of the standard's example tables.  libavcodec scales
    // the MPEG-1 table in steps of an eighth, whose mean is 27 against the 58 of the standard's.
    let percent = match quality.clamp(1, 99) {
        q @ 0..50 => 5000 / q,
        q => 200 - 2 * q,
    };
    (percent * 8 * 58).div_ceil(27 * 100)
}

/// Drops pictures so that `fps` of `source_fps` are left.
#[derive(Debug, Default, Clone, Copy)]
pub struct Dropper {
    credit: f32,
}

impl Dropper {
    /// Whether the next picture is to be encoded.
    pub fn keep(&mut self, rate: &Rate) -> bool {
        self.credit += rate.fps / rate.source_fps;
        // The sum of thirds is less than one.
        let keep = self.credit > 0.999;
        if keep {
            self.credit -= 1.0;
        }
        keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_to_scale() {
        assert_eq!(scale_of_quality(99), 1);
        assert_eq!(scale_of_quality(90), 4);
        assert_eq!(scale_of_quality(50), 18);
        assert!(scale_of_quality(0) > 31);
    }

    #[test]
    fn drops_pictures() {
        let v = [
            [0u8; 8].as_slice(),
            &30f32.to_le_bytes(),
            &10f32.to_le_bytes(),
        ]
        .concat();
        let rate = Rate::parse(Codec::Jpeg, View(&v)).unwrap();
        let mut dropper = Dropper::default();
        let kept = (0..300).filter(|_| dropper.keep(&rate)).count();
        assert_eq!(kept, 100);
    }

    #[test]
    fn frame_rates() {
        for (source, target, want) in [
            (30.0, 15.0, Some((30.0, 15.0))),
            (25.0, 0.0, Some((25.0, 25.0))),
            (0.0, 20.0, Some((20.0, 20.0))),
            (0.0, 0.0, Some((30.0, 30.0))),
            (25.0, 50.0, Some((25.0, 25.0))),
            (-25.0, 25.0, None),
            (f32::NAN, 25.0, None),
        ] {
            let mut rate = Rate {
                goal: Goal::Quality,
                gop: 1,
                seconds: 1,
                qp: (0, 0),
                source_fps: source,
                fps: target,
            };
            let good = rate.check_fps().is_ok();
            let got = good.then_some((rate.source_fps, rate.fps));
            assert_eq!(got, want, "{source} {target}");
        }
    }

    /// All 17 modes, with numbers that fit the structures that the notes give.
    #[test]
    fn all_modes() {
        for (codec, modes) in [
            (Codec::H264, 1..=7),
            (Codec::Mjpeg, 8..=10),
            (Codec::Jpeg, 8..=10),
            (Codec::H265, 11..=17),
        ] {
            for mode in modes {
                let mut v = vec![0; 108];
                v[0] = mode;
                v[8..12].copy_from_slice(&25f32.to_le_bytes());
                let numbers: &[u32] = match mode {
                    6 | 16 => &[50, 30, 32, 34],
                    // No rate where it could be.
                    7 | 17 => &[50, 1, 0],
                    8 | 9 => &[1, 2000],
                    10 => &[20],
                    2 | 12 => &[50, 1, 2000, 0, 51, 10],
                    5 | 15 => &[50, 1, 51, 10, 51, 10, 0, 0, 40, 10, 2000, 1, 10, 1500],
                    _ => &[50, 1, 2000, 51, 10],
                };
                for (i, n) in numbers.iter().enumerate() {
                    v[16 + 4 * i..][..4].copy_from_slice(&n.to_le_bytes());
                }
                let rate = Rate::parse(codec, View(&v));
                assert!(rate.is_ok(), "{codec:?} {mode}: {rate:?}");
            }
        }
    }

    #[test]
    fn fixed_qp() {
        let mut v = vec![0; 108];
        for (at, n) in [(0, 16), (16, 25), (20, 20), (24, 26)] {
            v[at..at + 4].copy_from_slice(&u32::to_le_bytes(n));
        }
        v[8..12].copy_from_slice(&25f32.to_le_bytes());
        let rate = Rate::parse(Codec::H265, View(&v)).unwrap();
        assert_eq!(
            rate.goal,
            Goal::Fixed {
                intra: 20,
                predicted: 26
            }
        );
        assert_eq!((rate.fps, rate.gop), (25.0, 25));
        assert_eq!(rate.intra_ratio(), Some(0.5));
        let options = rate.options(Codec::H264, 0);
        assert!(options.contains(&("qp", "26".into())));
        assert!(options.contains(&("qmin", "20".into())));
    }
}
