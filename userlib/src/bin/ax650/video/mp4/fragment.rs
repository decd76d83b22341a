// SPDX-License-Identifier: MIT OR Apache-2.0

//! Samples of movie fragments.

use super::fields::{boxes, find, Fields};
use super::movie::Defaults;
use super::tables::{Sample, MAX_SAMPLE};

/// Samples of a `moof` box that have nothing of their own, at most: pictures all of one size are rare.
const MAX_BARE: u32 = 1 << 12;

/// Reads the body of the `moof` box that begins at `at`; `end` is the decoding time at which the track's earlier samples
/// end, and becomes that at which these do.  As many samples as can be read, and what is wrong if that is not all.
pub fn samples(
    moof: &[u8],
    at: u64,
    defaults: Defaults,
    end: &mut i64,
) -> (Vec<Sample>, Option<&'static str>) {
    let mut samples = Vec::new();
    let (mut place, mut bare) = (at, MAX_BARE);
    for (_, traf) in boxes(moof).filter(|(kind, _)| kind == b"traf") {
        if fragment(
            traf,
            at,
            defaults,
            end,
            (&mut place, &mut bare),
            &mut samples,
        )
        .is_none()
        {
            return (samples, Some("a fragment is damaged"));
        }
    }
    (samples, None)
}

/// `place`: where the data of the fragment ahead ends, and where those of this one do.  `bare`: how many samples without
/// anything of their own there may be yet.
fn fragment(
    traf: &[u8],
    at: u64,
    mut defaults: Defaults,
    end: &mut i64,
    (place, bare): (&mut u64, &mut u32),
    samples: &mut Vec<Sample>,
) -> Option<()> {
    let mut header = Fields(find(traf, b"tfhd")?);
    let (_, flags) = header.version()?;
    let ours = header.u32()? == defaults.track;
    let base = match flags {
        _ if flags & 1 != 0 => header.u64()?,
        _ if flags & 0x2_0000 != 0 => at,
        _ => *place,
    };
    for (flag, value) in [
        (2, &mut defaults.entry),
        (8, &mut defaults.duration),
        (0x10, &mut defaults.size),
        (0x20, &mut defaults.flags),
    ] {
        if flags & flag != 0 {
            *value = header.u32()?;
        }
    }
    if let Some(mut time) = find(traf, b"tfdt").filter(|_| ours).map(Fields) {
        let (version, _) = time.version()?;
        *end = i64::try_from(time.long(version)?).ok()?;
    }
    *place = base;
    for (_, trun) in boxes(traf).filter(|(kind, _)| kind == b"trun") {
        let mut run = Fields(trun);
        let (_, flags) = run.version()?;
        let count = run.u32()?;
        if flags & 1 != 0 {
            *place = base.checked_add_signed(run.i32()?.into())?;
        }
        let first = match flags & 4 {
            0 => None,
            _ => Some(run.u32()?),
        };
        // Samples that have nothing of their own take no bytes here, so the count may be anything.
        if flags & 0xF00 == 0 {
            if !ours {
                let bytes = u64::from(defaults.size).checked_mul(count.into())?;
                *place = place.checked_add(bytes)?;
                continue;
            }
            *bare = bare.checked_sub(count)?;
        }
        for number in 0..count {
            let mut field = |flag: u32, default: u32| match flags & flag {
                0 => Some(default),
                _ => run.u32(),
            };
            let duration = field(0x100, defaults.duration)?;
            let size = field(0x200, defaults.size).filter(|size| *size <= MAX_SAMPLE)?;
            let mut about = field(0x400, defaults.flags)?;
            if let Some(first) = first.filter(|_| number == 0) {
                about = first;
            }
            let shift = field(0x800, 0)? as i32;
            if ours {
                let time = end.checked_add(shift.into())?;
                if size > 0 {
                    samples.push(Sample {
                        offset: *place,
                        size,
                        time,
                        duration,
                        // Not a "difference" sample.
                        key: about & 0x1_0000 == 0,
                        entry: defaults.entry.saturating_sub(1),
                    });
                }
                *end = end.checked_add(duration.into())?;
            }
            *place = place.checked_add(size.into())?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(kind: &[u8; 4], words: &[u32], inner: &[u8]) -> Vec<u8> {
        let body: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        let size = (8 + body.len() + inner.len()) as u32;
        [&size.to_be_bytes()[..], kind, &body, inner].concat()
    }

    fn moof() -> Vec<u8> {
        let other = [
            block(b"tfhd", &[0x2_0010, 1, 5], &[]),
            block(b"trun", &[1, 3, 100], &[]),
        ]
        .concat();
        let ours = [
            block(b"tfhd", &[0x2_0008, 2, 512], &[]),
            block(b"tfdt", &[0x100_0000, 0, 4096], &[]),
            block(b"trun", &[0xA05, 2, 200, 0, 10, 1024, 20, 0], &[]),
            block(b"trun", &[0x200, 1, 30], &[]),
        ]
        .concat();
        [block(b"traf", &[], &other), block(b"traf", &[], &ours)].concat()
    }

    fn defaults() -> Defaults {
        Defaults {
            track: 2,
            entry: 1,
            duration: 1,
            size: 1,
            flags: 0x1_0000,
        }
    }

    #[test]
    fn samples_of_one_track() {
        let mut end = 7;
        let (samples, problem) = samples(&moof(), 1000, defaults(), &mut end);
        assert_eq!((problem, end), (None, 4096 + 3 * 512));
        let parts: Vec<_> = samples
            .iter()
            .map(|sample| (sample.offset, sample.size, sample.time, sample.key))
            .collect();
        assert_eq!(
            parts,
            [
                (1200, 10, 5120, true),
                (1210, 20, 4608, false),
                (1230, 30, 5120, false)
            ]
        );
    }

    #[test]
    fn cut_fragments_end_early() {
        let moof = moof();
        for length in 0..moof.len() {
            let (samples, _) = samples(&moof[..length], u64::MAX - 9, defaults(), &mut 0);
            assert!(samples.len() <= 3);
        }
        let huge = [
            block(b"tfhd", &[0x2_0000, 2], &[]),
            block(b"trun", &[0, u32::MAX], &[]),
        ]
        .concat();
        let (samples, problem) = samples(&block(b"traf", &[], &huge), 0, defaults(), &mut 0);
        assert!(samples.is_empty() && problem.is_some());
    }

    /// Many runs of 16 bytes each that tell of a million samples.
    #[test]
    fn no_memory_for_samples_that_are_only_counted() {
        let runs = |track| {
            let mut traf = block(b"tfhd", &[0x2_0010, track, 1], &[]);
            for _ in 0..4 {
                traf.extend(block(b"trun", &[0, 1 << 20], &[]));
            }
            block(b"traf", &[], &traf)
        };
        let (all, problem) = samples(&runs(2), 0, defaults(), &mut 0);
        assert!(all.len() <= MAX_BARE as usize && problem.is_some());
        // Those of another track are nobody's business, but for where they end.
        let ours = block(
            b"traf",
            &[],
            &[
                block(b"tfhd", &[0, 2], &[]),
                block(b"trun", &[0x200, 1, 7], &[]),
            ]
            .concat(),
        );
        let (all, problem) = samples(&[runs(1), ours].concat(), 10, defaults(), &mut 0);
        assert_eq!(problem, None);
        let places: Vec<_> = all.iter().map(|sample| sample.offset).collect();
        assert_eq!(places, [10 + (4 << 20)]);
    }
}
