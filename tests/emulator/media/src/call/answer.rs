// SPDX-License-Identifier: MIT OR Apache-2.0

//! The answer of a call.

use crate::call::errors::{Area, Fault};
use crate::call::table::{Call, IVE, REST, VAR};

/// Return value and output blobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    ret: u64,
    out: Vec<Vec<u8>>,
}

/// What a call comes to.
pub type Outcome = Result<Answer, Fault>;

impl Answer {
    /// Success without output.
    pub fn ok() -> Outcome {
        Ok(Self::default())
    }

    /// Success with one output blob.
    pub fn with(out: Vec<u8>) -> Outcome {
        Self::all(vec![out])
    }

    /// Success with output blobs.
    pub fn all(out: Vec<Vec<u8>>) -> Outcome {
        Ok(Self { ret: 0, out })
    }

    /// A return value that is no code.
    pub fn value(ret: impl Into<u64>) -> Outcome {
        Ok(Self {
            ret: ret.into(),
            out: Vec::new(),
        })
    }

    /// A failure of `area` that gives an in/out structure back as it came.
    pub fn failed(area: Area, fault: Fault, inout: &[u8]) -> Outcome {
        Self::failed_with(area, fault, vec![inout.to_vec()])
    }

    /// The same with several structures.
    pub fn failed_with(area: Area, fault: Fault, out: Vec<Vec<u8>>) -> Outcome {
        Ok(Self {
            ret: area.code(fault).into(),
            out,
        })
    }
}

/// The blobs of `call`'s answer: all of them at their full size [rpc 7].
pub fn blobs(call: &Call, outcome: Outcome) -> Vec<Vec<u8>> {
    let Answer { ret, out } = outcome.unwrap_or_else(|fault| {
        let code = Area::of(call.module, call.api).code(fault);
        Answer {
            ret: call.failure.unwrap_or(code.into()),
            out: Vec::new(),
        }
    });
    let mut out = out.into_iter();
    let mut blobs = Vec::new();
    for (i, &size) in call.answer.iter().enumerate() {
        let mut blob = if i == 0 {
            ret.to_le_bytes().to_vec()
        } else {
            out.next().unwrap_or_default()
        };
        if !matches!(size, VAR | REST) {
            blob.resize(size, 0);
        }
        blobs.push(blob);
        if size == REST {
            blobs.extend(&mut out);
        }
    }
    blobs
}

/// Checks number and sizes of a call's arguments: a blob that is missing or empty stands for a
/// null pointer.
pub fn check(call: &Call, args: &[Vec<u8>]) -> Result<(), Fault> {
    // What Init and Exit of IVE bring is not known and not needed.
    if call.module == IVE {
        return Ok(());
    }
    if args.len() > call.request.len() && call.request.last() != Some(&REST) {
        return Err(Fault::IllegalParam);
    }
    for (i, &size) in call.request.iter().enumerate() {
        match (size, args.get(i).map_or(0, Vec::len)) {
            (VAR | REST, _) => (),
            (_, 0) => return Err(Fault::NullPointer),
            (size, len) if size != len => return Err(Fault::IllegalParam),
            _ => (),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::table;

    #[test]
    fn full_size_also_on_failure() {
        let call = table::find(table::VDEC, 18).unwrap();
        let out = blobs(&call, Err(Fault::Empty));
        assert_eq!(out[0], 0x8008_0120_u32.to_le_bytes());
        assert_eq!(out[1], [0; 240]);
        let call = table::find(table::SYS, 45).unwrap();
        assert_eq!(blobs(&call, Err(Fault::NoBuffer)), [vec![0xff; 4]]);
        let call = table::find(table::SYS, 50).unwrap();
        assert_eq!(blobs(&call, Err(Fault::Unexist)), [vec![0; 8]]);
    }

    #[test]
    fn arguments() {
        let call = table::find(table::VDEC, 17).unwrap();
        let good = [vec![0; 4], vec![0; 56], vec![0; 4], vec![]];
        assert_eq!(check(&call, &good), Ok(()));
        assert_eq!(check(&call, &good[..3]), Ok(()));
        assert_eq!(check(&call, &good[..2]), Err(Fault::NullPointer));
        let mut bad = good.to_vec();
        bad[1].push(0);
        assert_eq!(check(&call, &bad), Err(Fault::IllegalParam));
        bad[1].clear();
        assert_eq!(check(&call, &bad), Err(Fault::NullPointer));
        assert_eq!(check(&call, &vec![vec![]; 5]), Err(Fault::IllegalParam));
    }
}
