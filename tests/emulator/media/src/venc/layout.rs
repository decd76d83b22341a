// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where each rate control has its numbers: the union of `AX_VENC_RC_ATTR_T`, and `AX_VENC_RC_PARAM_T`.

use super::attr::Codec;
use super::rate::{Goal, Rate, MAX_QP};
use crate::call::blobs::{Record, View};
use crate::call::errors::Fault;

/// Lowest and highest QP where the attribute gives none.
pub const NO_LIMITS: (u32, u32) = (10, MAX_QP);
/// Longest distance of intra pictures.
const MAX_GOP: u32 = 65536;
/// Rate where the attribute may leave it out.
const DEFAULT_KBPS: u32 = 2000;
/// Where `AX_VENC_RC_PARAM_T` has its mode; frame rates and union follow.
const PARAM_MODE: usize = 16;
/// Highest rate, above H.265's level 6.2.
const MAX_KBPS: u32 = 800_000;

impl Rate {
    /// Reads `AX_VENC_RC_PARAM_T`, whose mode, frame rates and union are those of the attribute without
    /// the first QP between them; `None` if it names no mode.
    pub fn of_param(codec: Codec, param: View) -> Result<Option<Self>, Fault> {
        if param.u32(PARAM_MODE) == 0 {
            return Ok(None);
        }
        let mut attr = Record::new(108);
        attr.u32(0, param.u32(PARAM_MODE))
            .bytes(8, param.at(PARAM_MODE + 4).0);
        Self::parse(codec, View(&attr.finish())).map(Some)
    }

    /// With the frame rates of `other` where `AX_VENC_RC_PARAM_T` gives none.
    pub fn or_rates_of(self, other: &Self, param: View) -> Self {
        if (param.u32(PARAM_MODE + 4), param.u32(PARAM_MODE + 8)) != (0, 0) {
            return self;
        }
        Self {
            source_fps: other.source_fps,
            fps: other.fps,
            ..self
        }
    }

    /// `AX_VENC_RC_PARAM_T` of a channel that has the attribute `raw` (`AX_VENC_RC_ATTR_T`).
    pub fn param_of(raw: View) -> Vec<u8> {
        let mut param = Record::new(120);
        param
            .u32(PARAM_MODE, raw.u32(0))
            .bytes(PARAM_MODE + 4, raw.at(8).0);
        param.finish()
    }

    /// The structure of each mode, which begins with GOP and statistics time but for fixed QP and JPEG.
    pub(super) fn layout(&mut self, mode: u32, v: View) -> Result<(), Fault> {
        if matches!(mode, 0 | 8..=10) {
            return self.jpeg_layout(mode, v);
        }
        self.gop = v.u32(0);
        if !(1..=MAX_GOP).contains(&self.gop) {
            return Err(Fault::IllegalParam);
        }
        self.seconds = seconds(v.u32(4));
        // Where a rate of 0 leaves the choice to the card.
        let average = |at| kbps_or(v.u32(at), DEFAULT_KBPS);
        let (goal, highest_qp) = match mode {
            1 => (
                Goal::Constant {
                    kbps: kbps(v.u32(8))?,
                },
                Some(12),
            ),
            2 => (
                Goal::Variable {
                    max_kbps: kbps(v.u32(8))?,
                },
                Some(16),
            ),
            3 => (
                Goal::Adaptive {
                    max_kbps: average(8)?,
                },
                Some(12),
            ),
            4 | 7 => (Goal::Average { kbps: average(8)? }, None),
            5 => {
                self.seconds = seconds(v.u32(44));
                let goal = Goal::Capped {
                    max_kbps: average(40)?,
                    // Over the long statistics time; 0 for as much.
                    long_kbps: kbps_or(v.u32(52), average(40)?)?,
                };
                (goal, Some(8))
            }
            _ => (
                Goal::Fixed {
                    intra: qp(v.u32(4))?,
                    predicted: qp(v.u32(8))?,
                },
                None,
            ),
        };
        self.goal = goal;
        // The lowest QP follows the highest.
        if let Some(at) = highest_qp {
            self.qp = (qp(v.u32(at + 4))?, qp(v.u32(at))?);
        }
        // Both 0: no limits given.
        if self.qp == (0, 0) {
            self.qp = NO_LIMITS;
        }
        if self.qp.0 > self.qp.1 {
            return Err(Fault::IllegalParam);
        }
        Ok(())
    }

    /// Statistics time, rate, highest and lowest QP; or a QP alone, where 0 leaves the choice to the
    /// card.
    fn jpeg_layout(&mut self, mode: u32, v: View) -> Result<(), Fault> {
        self.seconds = seconds(v.u32(0));
        self.goal = match mode {
            8 => Goal::Constant {
                kbps: kbps(v.u32(4))?,
            },
            9 => Goal::Variable {
                max_kbps: kbps(v.u32(4))?,
            },
            10 if v.i32(0) > 0 => Goal::Fixed {
                intra: v.u32(0).min(MAX_QP),
                predicted: 0,
            },
            _ => Goal::Quality,
        };
        self.qp = match (mode, v.u32(8)) {
            // A range of their own is no reason to refuse.
            (8 | 9, highest @ 1..) => (v.u32(12).min(MAX_QP), highest.min(MAX_QP)),
            _ => (0, MAX_QP),
        };
        if self.qp.0 > self.qp.1 {
            return Err(Fault::IllegalParam);
        }
        Ok(())
    }
}

fn kbps(n: u32) -> Result<u32, Fault> {
    if (1..=MAX_KBPS).contains(&n) {
        Ok(n)
    } else {
        Err(Fault::IllegalParam)
    }
}

fn kbps_or(n: u32, default: u32) -> Result<u32, Fault> {
    match n {
        0 => Ok(default),
        n => kbps(n),
    }
}

fn qp(n: u32) -> Result<u32, Fault> {
    if n <= MAX_QP {
        Ok(n)
    } else {
        Err(Fault::IllegalParam)
    }
}

fn seconds(n: u32) -> u32 {
    n.clamp(1, 60)
}
