// SPDX-License-Identifier: MIT OR Apache-2.0

//! Structures of the card's media interface, byte for byte (LP64 layout, [rpc 7.6]).
//!
//! A structure is its bytes; fields are read and written at their offsets, as the notes list them.  What has no
//! name here stays as it came, so that a structure can be handed back to the card unchanged.

/// A number with a fixed size, little endian.
pub trait Field: Sized {
    const SIZE: usize;
    fn get(bytes: &[u8]) -> Self;
    fn put(self, bytes: &mut [u8]);
}

macro_rules! field {
    ($($type:ty)*) => { $(
        impl Field for $type {
            const SIZE: usize = size_of::<Self>();
            fn get(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("the size of the field"))
            }
            fn put(self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }
        }
    )* };
}
field!(u8 i16 u32 i32 u64 f32);

/// Declares a structure: `offset => name / setter: type`.
macro_rules! structure {
    ($(#[$meta:meta])* $name:ident($size:literal) {
        $($(#[$field_meta:meta])* $offset:literal => $get:ident / $set:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub struct $name([u8; $size]);

        #[allow(dead_code)] // of each field only what is needed is used
        impl $name {
            /// Bytes of the structure.
            pub const SIZE: usize = $size;

            /// Makes a structure of zeros.
            pub fn new() -> Self {
                Self([0; $size])
            }

            /// Reads a structure as it came from the card; `None` if the size is wrong.
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                Some(Self(bytes.try_into().ok()?))
            }

            /// Returns the structure as it goes to the card.
            pub fn as_bytes(&self) -> &[u8; $size] {
                &self.0
            }

            $(
                $(#[$field_meta])*
                pub fn $get(&self) -> $type {
                    Field::get(&self.0[$offset..$offset + <$type>::SIZE])
                }

                $(#[$field_meta])*
                pub fn $set(mut self, value: $type) -> Self {
                    const { assert!($offset + <$type>::SIZE <= $size) };
                    Field::put(value, &mut self.0[$offset..$offset + <$type>::SIZE]);
                    self
                }
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($get), &self.$get()))*.finish_non_exhaustive()
            }
        }
    };
}

structure! {
    /// `AX_VIDEO_FRAME_INFO_T`: a picture in card memory.  It begins with `AX_VIDEO_FRAME_T`.
    VideoFrame(240) {
        /// Visible columns.
        0 => width / with_width: u32,
        /// Visible rows.
        4 => height / with_height: u32,
        /// Pixel format; [`super::FORMAT_NV12`].
        8 => format / with_format: u32,
        /// Compression; 0 none.
        16 => compress_mode / with_compress_mode: u32,
        /// Bytes from one row of luma to the next.
        32 => luma_stride / with_luma_stride: u32,
        /// Bytes from one row of chroma to the next.
        36 => chroma_stride / with_chroma_stride: u32,
        /// Card address of luma.
        56 => luma / with_luma: u64,
        /// Card address of chroma.
        64 => chroma / with_chroma: u64,
        /// Pool block of luma, 0 for none.
        164 => block / with_block: u32,
        /// First visible column.
        176 => crop_x / with_crop_x: i16,
        /// First visible row.
        178 => crop_y / with_crop_y: i16,
        /// Visible columns, 0: all.
        180 => crop_width / with_crop_width: i16,
        /// Visible rows, 0: all.
        182 => crop_height / with_crop_height: i16,
        /// Presentation time, as it was sent with the stream.
        192 => pts / with_pts: u64,
        /// Number of the picture.
        200 => sequence / with_sequence: u64,
        /// Handed through.
        208 => user_data / with_user_data: u64,
        /// Bytes of the picture.
        228 => frame_size / with_frame_size: u32,
        /// Not 0: the stream has ended.
        236 => end_of_stream / with_end_of_stream: u32,
    }
}

structure! {
    /// `AX_VDEC_MOD_ATTR_T`: set-up of the decoder module.
    VdecModule(16) {
        /// Groups at a time.
        0 => max_groups / with_max_groups: u32,
        /// 1: video.
        4 => module / with_module: u32,
    }
}

structure! {
    /// `AX_VDEC_GRP_ATTR_T`: a decoder.
    VdecGroup(56) {
        /// Codec number.
        0 => codec / with_codec: u32,
        /// 1: whole pictures, one per packet.
        4 => input_mode / with_input_mode: u32,
        /// Columns of the largest picture.
        8 => max_width / with_max_width: u32,
        /// Rows of the largest picture.
        12 => max_height / with_max_height: u32,
        /// Bytes of the input buffer.
        16 => stream_buffer / with_stream_buffer: u32,
        /// 1: the card makes the pool of pictures.
        20 => auto_pool / with_auto_pool: u32,
    }
}

structure! {
    /// `AX_VDEC_CHN_ATTR_T`: an output of a decoder.
    VdecChannel(68) {
        /// Columns.
        0 => width / with_width: u32,
        /// Rows.
        4 => height / with_height: u32,
        /// Bytes from row to row.
        8 => stride / with_stride: u32,
        /// Finished pictures that may wait to be fetched.
        32 => fifo_depth / with_fifo_depth: u32,
        /// Pictures in the pool.
        36 => buffers / with_buffers: u32,
        /// Bytes of each.
        40 => buffer_size / with_buffer_size: u32,
        /// 0: as in the stream.
        44 => output_mode / with_output_mode: u32,
        /// [`super::FORMAT_NV12`].
        48 => format / with_format: u32,
    }
}

structure! {
    /// `AX_VDEC_STREAM_T`: a packet for a decoder.
    VdecStream(56) {
        /// Presentation time.
        0 => pts / with_pts: u64,
        /// 1: the picture is complete.
        16 => end_of_frame / with_end_of_frame: u32,
        /// 1: nothing follows.
        20 => end_of_stream / with_end_of_stream: u32,
        /// Bytes.
        28 => size / with_size: u32,
        /// Card address, 0: the bytes come with the call.
        40 => address / with_address: u64,
        /// Handed through.
        48 => user_data / with_user_data: u64,
    }
}

structure! {
    /// `AX_VDEC_GRP_PARAM_T`: how a decoder works.
    VdecParam(12) {
        /// 0: display order.
        0 => output_order / with_output_order: u32,
        /// 0: all kinds of pictures.
        4 => mode / with_mode: u32,
        /// Pictures per second.
        8 => frame_rate / with_frame_rate: f32,
    }
}

structure! {
    /// `AX_VDEC_GRP_STATUS_T`: what a decoder has done so far.
    VdecStatus(80) {
        /// Packets that wait.
        8 => waiting / with_waiting: u32,
        /// Packets received.
        28 => received / with_received: u32,
        /// Pictures decoded.
        32 => decoded / with_decoded: u32,
        /// Data that is no stream of the codec.
        48 => format_errors / with_format_errors: i32,
        /// Pictures of a size that is not allowed.
        52 => size_errors / with_size_errors: i32,
        /// Streams with features that the decoder lacks.
        56 => unsupported / with_unsupported: i32,
        /// Packets that are no pictures.
        60 => packet_errors / with_packet_errors: i32,
        /// Pictures with damaged or missing references.
        64 => reference_errors / with_reference_errors: i32,
        /// Pictures larger than their buffers.
        68 => buffer_errors / with_buffer_errors: i32,
        /// Packets larger than the stream's buffer.
        72 => stream_errors / with_stream_errors: i32,
    }
}

structure! {
    /// `AX_VDEC_DEC_ONE_FRM_T`: one JPEG picture to be decoded.
    VdecOneFrame(296) {
        /// Bytes of the JPEG.
        28 => size / with_size: u32,
        /// Card address of the JPEG.
        40 => address / with_address: u64,
        /// Columns.
        56 => width / with_width: u32,
        /// Rows.
        60 => height / with_height: u32,
        /// Pixel format of the picture.
        64 => format / with_format: u32,
        /// Bytes from one row of luma to the next.
        88 => luma_stride / with_luma_stride: u32,
        /// Bytes from one row of chroma to the next.
        92 => chroma_stride / with_chroma_stride: u32,
        /// Card address of luma.
        112 => luma / with_luma: u64,
        /// Card address of chroma.
        120 => chroma / with_chroma: u64,
        /// Bytes of the picture.
        284 => frame_size / with_frame_size: u32,
        /// 0: as it is.
        288 => output_mode / with_output_mode: u32,
        /// Pixel format wanted.
        292 => output_format / with_output_format: u32,
    }
}

pub(super) use structure;
