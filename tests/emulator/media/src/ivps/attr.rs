// SPDX-License-Identifier: MIT OR Apache-2.0

//! Attributes of groups and channels.
//!
//! The notes give the sizes of these structures; what is here fits them, and Axera's programs, which
//! have been run against it.
//!
//! * `AX_IVPS_PIPELINE_ATTR_T` (3184): 0 u8 number of output channels, 2 u16 depth of the debug
//!   queue, 4 u8[5] depth of each channel's queue, 16 six rows of two filters of 264 bytes: the
//!   first row works on the group's picture, each other on what its channel gets of it.
//! * A filter (264): 0 engaged, 4 engine, 8 frame rate (source and target, f32), 16 crop, 20 the
//!   part (x, y, width, height of 16 bits), 28 width, 32 height, 36 stride, 40 format, 44
//!   compression, 52 in place, 56 [`Aspect`], 80 what an engine has of its own.
//! * `AX_IVPS_CHN_ATTR_T` (56): 0 frame rate, 8 width, 12 height, 16 stride, 20 format, 24
//!   [`Aspect`], 48 u8 depth of the channel's queue.  It has no compression.
//! * `AX_IVPS_CROP_INFO_T` (16): 0 enabled, 4 unit, 8 the part.
//!
//! Pictures are never compressed, whatever is asked for; the frame structure says so.

use ffmpeg_next::frame::Video;

use super::format::Format;
use super::image::Rect;
use super::pixels;
use super::scale::{fit, Aspect};
use crate::call::blobs::View;
use crate::call::errors::Fault;

/// Output channels of a group.
pub const CHANNELS: usize = 5;
/// Bytes of the pipeline structure before the filters.
const HEAD: usize = 16;
/// Filters of a row.
const FILTERS: usize = 2;
/// Where in the pipeline structure the depths of the queues are.
const DEPTHS: usize = 4;
/// Queue of a channel that names no depth.
const DEFAULT_DEPTH: usize = 4;

fn depth(n: u8) -> usize {
    match n {
        0 => DEFAULT_DEPTH,
        n => n.into(),
    }
}

/// One step of the way of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Filter {
    engaged: bool,
    /// Pictures per second that come and that go on; not limited if one is 0.
    rate: (f32, f32),
    crop: Option<[i32; 4]>,
    /// 0 for that of the source.
    size: (u32, u32),
    stride: u32,
    format: &'static Format,
    aspect: Aspect,
}

impl Filter {
    const SIZE: usize = 264;
    const LARGEST: u32 = 16384;

    fn parse(v: View) -> Result<Self, Fault> {
        let engaged = v.u32(0) != 0;
        let crop = (v.u32(16) != 0).then(|| part(v.at(20)));
        if !engaged {
            // What a filter that is not used says does not matter.
            return Ok(Self {
                rate: (v.f32(8), v.f32(12)),
                crop,
                ..Self::new(View(&[]), None, View(&[]), Aspect::STRETCH)?
            });
        }
        Ok(Self {
            engaged,
            ..Self::new(v.at(8), crop, v.at(28), Aspect::parse(v.at(56))?)?
        })
    }

    /// A filter that is not engaged; `output` has width, height, stride and format at its start.
    fn new(
        rate: View,
        crop: Option<[i32; 4]>,
        output: View,
        aspect: Aspect,
    ) -> Result<Self, Fault> {
        let format = Format::find(output.u32(12)).ok_or(Fault::NotSupported)?;
        let size = (output.u32(0), output.u32(4));
        if size.0.max(size.1) > Self::LARGEST {
            return Err(Fault::IllegalParam);
        }
        Ok(Self {
            engaged: false,
            rate: (rate.f32(0), rate.f32(4)),
            crop,
            size,
            stride: output.u32(8),
            format,
            aspect,
        })
    }

    /// Takes over what SetChnAttr brings.
    fn set(&mut self, v: View) -> Result<(), Fault> {
        *self = Self {
            engaged: true,
            ..Self::new(v, self.crop, v.at(8), Aspect::parse(v.at(24))?)?
        };
        Ok(())
    }

    /// Of the pictures that come, the part that goes on.
    fn share(&self) -> f32 {
        let (from, to) = self.rate;
        if self.engaged && from > 0.0 && to > 0.0 && to < from {
            to / from
        } else {
            1.0
        }
    }

    fn apply(&self, picture: Video, format: &Format) -> Result<Video, Fault> {
        let all = Rect::all(picture.width(), picture.height());
        let rect = match self.crop {
            Some(part) => Rect::inside(format, all, part)?,
            None => all,
        };
        let picture = pixels::cut(picture, rect, format)?;
        let own = |wanted, had| if wanted == 0 { had } else { wanted };
        let size = (own(self.size.0, rect.width), own(self.size.1, rect.height));
        fit(picture, self.format, size, &self.aspect)
    }
}

/// A picture on its way.
pub struct Picture {
    /// Its pixels.
    pub video: Video,
    /// Their format.
    pub format: &'static Format,
    /// Bytes from row to row that the last filter asks for, 0 for none.
    pub stride: u32,
}

impl Clone for Picture {
    fn clone(&self) -> Self {
        Self {
            video: self.video.clone(),
            ..*self
        }
    }
}

/// The way of pictures through a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// Channels in use.
    pub outputs: usize,
    /// Pictures that may wait in each.
    pub depths: [usize; CHANNELS],
    filters: [[Filter; FILTERS]; CHANNELS + 1],
}

impl Pipeline {
    /// Reads the structure.
    pub fn parse(v: View) -> Result<Self, Fault> {
        let outputs = usize::from(v.u8(0));
        if !(1..=CHANNELS).contains(&outputs) {
            return Err(Fault::IllegalParam);
        }
        let mut depths = [DEFAULT_DEPTH; CHANNELS];
        for (i, room) in depths.iter_mut().enumerate() {
            *room = depth(v.u8(DEPTHS + i));
        }
        let none = Filter::new(View(&[]), None, View(&[]), Aspect::STRETCH)?;
        let mut filters = [[none; FILTERS]; CHANNELS + 1];
        for (row, filters) in filters.iter_mut().enumerate().take(outputs + 1) {
            for (i, filter) in filters.iter_mut().enumerate() {
                *filter = Filter::parse(v.at(HEAD + (row * FILTERS + i) * Filter::SIZE))?;
            }
        }
        Ok(Self {
            outputs,
            depths,
            filters,
        })
    }

    /// SetChnAttr of a channel's filter; the same in the structure `raw` that was read.
    pub fn set_filter(
        &mut self,
        raw: &mut [u8],
        channel: usize,
        index: u32,
        attr: View,
    ) -> Result<(), Fault> {
        let index = index as usize;
        let filter = self.filters[channel + 1].get_mut(index);
        filter.ok_or(Fault::IllegalParam)?.set(attr)?;
        self.depths[channel] = depth(attr.u8(48));
        let start = HEAD + ((channel + 1) * FILTERS + index) * Filter::SIZE;
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(room) = raw.get_mut(at..at + bytes.len()) {
                room.copy_from_slice(bytes);
            }
        };
        put(start, &1_u32.to_le_bytes());
        put(start + 8, attr.0.get(..8).unwrap_or_default());
        put(start + 28, attr.0.get(8..24).unwrap_or_default());
        put(start + 56, attr.0.get(24..48).unwrap_or_default());
        put(DEPTHS + channel, &[attr.u8(48)]);
        Ok(())
    }

    /// The attribute of a channel's filter, out of the structure `raw`.
    pub fn filter_attr(raw: &[u8], channel: usize, index: u32) -> Result<Vec<u8>, Fault> {
        if index as usize >= FILTERS {
            return Err(Fault::IllegalParam);
        }
        let start = HEAD + ((channel + 1) * FILTERS + index as usize) * Filter::SIZE;
        let filter = raw.get(start..start + Filter::SIZE);
        let filter = filter.ok_or(Fault::NotConfig)?;
        let depth = [View(raw).u8(DEPTHS + channel), 0, 0, 0, 0, 0, 0, 0];
        Ok([&filter[8..16], &filter[28..44], &filter[56..80], &depth].concat())
    }

    /// Of the pictures that come, the part that leaves by a channel.
    pub fn share(&self, channel: usize) -> f32 {
        let rows = [&self.filters[0], &self.filters[channel + 1]];
        rows.into_iter().flatten().map(Filter::share).product()
    }

    /// What the group's filters make of a picture.
    pub fn common(&self, picture: Picture) -> Result<Picture, Fault> {
        Self::row(&self.filters[0], picture)
    }

    /// What the filters of a channel make of it.
    pub fn channel(&self, channel: usize, picture: Picture) -> Result<Picture, Fault> {
        Self::row(&self.filters[channel + 1], picture)
    }

    fn row(filters: &[Filter], mut picture: Picture) -> Result<Picture, Fault> {
        for filter in filters.iter().filter(|f| f.engaged) {
            picture = Picture {
                video: filter.apply(picture.video, picture.format)?,
                format: filter.format,
                stride: filter.stride,
            };
        }
        Ok(picture)
    }
}

/// SetGrpCrop: the part, if there is to be one.
pub fn group_crop(v: View) -> Result<Option<[i32; 4]>, Fault> {
    match (v.u32(0), v.u32(4)) {
        (0, _) => Ok(None),
        (_, 0) => Ok(Some(part(v.at(8)))),
        // Thousandths of the picture, perhaps.
        _ => Err(Fault::NotSupported),
    }
}

/// A rectangle of 16-bit numbers: x, y, width, height.
pub(super) fn part(v: View) -> [i32; 4] {
    let size = |at| i32::from(v.i16(at) as u16);
    [v.i16(0).into(), v.i16(2).into(), size(4), size(6)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::table::{find, IVPS};

    /// What these structures are taken to hold fills them: no field lies beyond the end, and nothing
    /// that is left over has the size of another filter or channel.
    #[test]
    fn the_readings_have_the_sizes_of_the_notes() {
        let argument = |api, i: usize| find(IVPS, api).unwrap().request[i];
        let rows = CHANNELS + 1;
        assert_eq!(HEAD + rows * FILTERS * Filter::SIZE, argument(5, 1));
        // The depths of the queues.
        const { assert!(DEPTHS + CHANNELS <= HEAD) };
        // In a filter: frame rate, size to format, aspect ratio; together with a depth that fills 8
        // bytes they are the attribute.
        let (rate, output, aspect) = (8..16, 28..44, 56..80);
        assert!(aspect.end <= Filter::SIZE);
        assert_eq!(aspect.len(), Aspect::SIZE);
        let fields = rate.len() + output.len() + aspect.len();
        assert_eq!((fields, fields + 8), (48, argument(30, 3)));
        assert_eq!(Aspect::SIZE, argument(54, 2));
        let part = 4 * size_of::<i16>();
        assert_eq!(8 + part, argument(28, 1), "a crop");
        assert_eq!(16 + part, Aspect::SIZE, "its rectangle is its end");
    }
}
