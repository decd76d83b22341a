// SPDX-License-Identifier: GPL-2.0

//! What pictures in requests name: memory, and blocks.

use super::{
    check_card_range,
    Names,
    Refusal,
    Result, //
};
use crate::wire::grants::{
    picture::Picture,
    Kind,
    Named,
    Thing, //
};

/// Names the memory of an `AX_VIDEO_FRAME_T` that a call writes.
pub(super) fn written(frame: &[u8], names: &mut Names<'_>) -> Result<'static, ()> {
    let picture = known(Picture::read(frame), names)?;
    ranges(&picture, names)
}

/// Names the memory of the `AX_VIDEO_FRAME_T` of images that the image processor reads or writes.
pub(super) fn processed(frame: &[u8], names: &mut Names<'_>) -> Result<'static, ()> {
    let picture = known(Picture::read_image(frame), names)?;
    ranges(&picture, names)
}

fn ranges(picture: &Picture, names: &mut Names<'_>) -> Result<'static, ()> {
    picture
        .planes()
        .try_for_each(|(address, plane)| names.range(address, plane.size((0, 0))))
}

/// Names the memory of an `AX_VIDEO_FRAME_T` that an encoder reads.
pub(super) fn encoded(frame: &[u8], encoder: Thing, names: &mut Names<'_>) -> Result<'static, ()> {
    let picture = known(Picture::read(frame), names)?;
    picture.planes().try_for_each(|(address, plane)| {
        check_card_range(address, plane.size((0, 0)))?;
        names.add(Named::Source {
            encoder,
            address,
            plane,
        })
    })
}

fn known(picture: Option<Picture>, names: &mut Names<'_>) -> Result<'static, Picture> {
    let picture = picture.ok_or(Refusal::Privileged(0))?;
    for block in picture.blocks.into_iter().filter(|block| *block != 0) {
        names.thing(Thing::new(Kind::Block, block))?;
    }
    Ok(picture)
}
