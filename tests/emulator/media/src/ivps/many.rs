// SPDX-License-Identifier: MIT OR Apache-2.0

//! CropResizeV2 and V3: several pictures out of one.
//!
//! V2 has the source, boxes of 8 bytes (x, y, width, height of 16 bits), their number, as many target
//! frames, and the aspect ratio; V3 has no boxes and takes all of the source for each target.  The
//! frames may come in one blob or in one each; they go back as they came.

use super::attr::part;
use super::scale::{fit, Aspect};
use super::Ivps;
use crate::call::answer::{Answer, Outcome};
use crate::call::blobs::{Args, View};
use crate::call::errors::{Area, Fault};
use crate::memory::frame::FRAME_SIZE;
use crate::memory::session::Owner;

/// Most pictures of one call.
const MAX_TARGETS: usize = 32;
/// Bytes of a box.
const BOX_SIZE: usize = 8;

impl Ivps {
    /// Serves CropResizeV2 (`boxes`) or V3.
    pub(super) fn resize_many(&self, owner: Owner, args: Args, boxes: bool) -> Outcome {
        let first = if boxes { 3 } else { 2 };
        let targets = args.0.get(first..args.0.len().saturating_sub(1));
        // One blob at least, also where none has come.
        let as_came = match targets {
            Some(targets @ [_, ..]) => targets.to_vec(),
            _ => vec![Vec::new()],
        };
        let done = self.each_target(owner, args, boxes, &as_came);
        match done {
            Ok(frames) => {
                self.link.count("ivps_pictures", frames.len() as u64);
                let all = frames.concat();
                let mut rest = all.as_slice();
                let blobs = as_came.iter().map(|blob| {
                    let (this, left) = rest.split_at(blob.len().min(rest.len()));
                    rest = left;
                    this.to_vec()
                });
                Answer::all(blobs.collect())
            }
            Err(fault) => {
                self.link.count("ivps_refused", 1);
                Answer::failed_with(Area::Ivps, fault, as_came)
            }
        }
    }

    fn each_target(
        &self,
        owner: Owner,
        args: Args,
        boxes: bool,
        targets: &[Vec<u8>],
    ) -> Result<Vec<Vec<u8>>, Fault> {
        let count = args.u32(if boxes { 2 } else { 1 }) as usize;
        let frames = targets.concat();
        if !(1..=MAX_TARGETS).contains(&count) || frames.len() != count * FRAME_SIZE {
            return Err(Fault::IllegalParam);
        }
        if boxes && args.bytes(1).len() != count * BOX_SIZE {
            return Err(Fault::IllegalParam);
        }
        let aspect = args.0.last().filter(|blob| blob.len() == Aspect::SIZE);
        let aspect = Aspect::parse(View(aspect.ok_or(Fault::IllegalParam)?))?;
        let dram = self.link.dram();
        let source = self.picture(owner, args.view(0))?;
        let from = &source.image;
        let mut done = Vec::new();
        for (i, raw) in frames.chunks_exact(FRAME_SIZE).enumerate() {
            let target = self.picture(owner, View(raw))?;
            let to = &target.image;
            let rect = if boxes {
                from.part(part(args.view(1).at(i * BOX_SIZE)))?
            } else {
                from.crop(&source.frame)?
            };
            let video = from.read(dram, rect)?;
            let video = fit(video, to.format, (to.width, to.height), &aspect)?;
            to.write(dram, to.all(), &video)?;
            done.push(to.describe(target.raw, &source.frame));
        }
        Ok(done)
    }
}
