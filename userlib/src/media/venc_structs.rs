// SPDX-License-Identifier: MIT OR Apache-2.0

//! Structures of the card's encoder, byte for byte (LP64 layout, [rpc 7.6]); as those of [`super::structs`].

use super::structs::{structure, Field};

structure! {
    /// `AX_VENC_MOD_ATTR_T`: set-up of the encoder module.
    VencModule(20) {
        /// 1 video, 2 JPEG, 3 both.
        0 => kind / with_kind: u32,
        /// Threads.
        16 => threads / with_threads: u32,
    }
}

structure! {
    /// `AX_VENC_CHN_ATTR_T`: an encoder.  From 100 on lies the structure of its rate control, see
    /// [`VencChannel::with_rate`].
    VencChannel(224) {
        /// Codec number.
        0 => codec / with_codec: u32,
        /// Columns of the largest picture.
        4 => max_width / with_max_width: u32,
        /// Rows of the largest picture.
        8 => max_height / with_max_height: u32,
        /// Bytes of the output buffer, 0: the card's choice.
        16 => buffer_size / with_buffer_size: u32,
        /// Profile number.
        20 => profile / with_profile: u32,
        /// Level number.
        24 => level / with_level: u32,
        /// Tier of H.265; 0: main.
        28 => tier / with_tier: u32,
        /// Columns of the source.
        36 => width / with_width: u32,
        /// Rows of the source.
        40 => height / with_height: u32,
        /// 1: pictures come by call, not from another module.
        64 => link_mode / with_link_mode: u32,
        /// Pictures that may wait.
        72 => input_fifo / with_input_fifo: u8,
        /// Packets that may wait.
        73 => output_fifo / with_output_fifo: u8,
        /// Rate control number.
        84 => rate_control / with_rate_control: u32,
        /// Quantiser of the first picture, -1: the card's choice.
        88 => first_qp / with_first_qp: i32,
        /// Pictures per second, in.
        92 => source_rate / with_source_rate: f32,
        /// Pictures per second, out.
        96 => target_rate / with_target_rate: f32,
        /// 0: the GOP is an intra picture and predicted ones.
        192 => gop_mode / with_gop_mode: u32,
    }
}

/// Where the structure of the rate control is, in [`VencChannel`].
const RATE: std::ops::Range<usize> = 100..192;

impl VencChannel {
    /// Puts in the structure of the rate control that [`VencChannel::rate_control`] names.
    ///
    /// # Panics
    ///
    /// If it is longer than any of them.
    pub fn with_rate(mut self, rate: &[u8]) -> Self {
        let room = &mut self.0[RATE];
        room[..rate.len()].copy_from_slice(rate);
        room[rate.len()..].fill(0);
        self
    }

    /// Returns the structure of the rate control, and what is behind it.
    pub fn rate(&self) -> &[u8] {
        &self.0[RATE]
    }
}

structure! {
    /// `AX_VENC_H264_CBR_T` and `AX_VENC_H265_CBR_T`: a constant bit rate.
    VencCbr(60) {
        /// Pictures from one intra picture to the next.
        0 => gop / with_gop: u32,
        /// Seconds over which the rate holds; 0: the card's choice.
        4 => seconds / with_seconds: u32,
        /// kbit/s.
        8 => bit_rate / with_bit_rate: u32,
        /// Largest quantiser.
        12 => max_qp / with_max_qp: u32,
        /// Smallest quantiser.
        16 => min_qp / with_min_qp: u32,
        /// Largest quantiser of intra pictures.
        20 => max_intra_qp / with_max_intra_qp: u32,
        /// Smallest quantiser of intra pictures.
        24 => min_intra_qp / with_min_intra_qp: u32,
        /// Largest ratio of intra to predicted pictures.
        28 => max_intra_ratio / with_max_intra_ratio: u32,
        /// Smallest ratio of intra to predicted pictures.
        32 => min_intra_ratio / with_min_intra_ratio: u32,
        /// Quantiser of intra pictures, relative.
        36 => intra_qp_delta / with_intra_qp_delta: i32,
        /// Range of that.
        40 => idr_qp_range / with_idr_qp_range: u32,
    }
}

structure! {
    /// `AX_VENC_H264_VBR_T` and `AX_VENC_H265_VBR_T`: steady quality below a bit rate.
    VencVbr(60) {
        /// Pictures from one intra picture to the next.
        0 => gop / with_gop: u32,
        /// Seconds over which the rate is measured.
        4 => seconds / with_seconds: u32,
        /// kbit/s, at most.
        8 => max_bit_rate / with_max_bit_rate: u32,
        /// Step of quality.
        12 => quality / with_quality: u32,
        /// Largest quantiser.
        16 => max_qp / with_max_qp: u32,
        /// Smallest quantiser.
        20 => min_qp / with_min_qp: u32,
        /// Largest quantiser of intra pictures.
        24 => max_intra_qp / with_max_intra_qp: u32,
        /// Smallest quantiser of intra pictures.
        28 => min_intra_qp / with_min_intra_qp: u32,
        /// Quantiser of intra pictures, relative.
        32 => intra_qp_delta / with_intra_qp_delta: i32,
        /// Range of that.
        36 => idr_qp_range / with_idr_qp_range: u32,
        /// Percent of the rate from which on quantisers grow.
        56 => change_position / with_change_position: u32,
    }
}

structure! {
    /// `AX_VENC_H264_AVBR_T` and `AX_VENC_H265_AVBR_T`: as VBR, and less for still scenes.
    VencAvbr(64) {
        /// Pictures from one intra picture to the next.
        0 => gop / with_gop: u32,
        /// Seconds over which the rate is measured.
        4 => seconds / with_seconds: u32,
        /// kbit/s, at most.
        8 => max_bit_rate / with_max_bit_rate: u32,
        /// Largest quantiser.
        12 => max_qp / with_max_qp: u32,
        /// Smallest quantiser.
        16 => min_qp / with_min_qp: u32,
        /// Largest quantiser of intra pictures.
        20 => max_intra_qp / with_max_intra_qp: u32,
        /// Smallest quantiser of intra pictures.
        24 => min_intra_qp / with_min_intra_qp: u32,
        /// Quantiser of intra pictures, relative.
        28 => intra_qp_delta / with_intra_qp_delta: i32,
        /// Range of that.
        32 => idr_qp_range / with_idr_qp_range: u32,
        /// Percent of the rate from which on quantisers grow.
        52 => change_position / with_change_position: u32,
        /// Percent of the rate that a still scene keeps.
        56 => min_still_percent / with_min_still_percent: u32,
        /// Largest quantiser of still scenes.
        60 => max_still_qp / with_max_still_qp: u32,
    }
}

structure! {
    /// `AX_VENC_H264_CVBR_T` and `AX_VENC_H265_CVBR_T`: a variable rate with limits in the long run.
    VencCvbr(92) {
        /// Pictures from one intra picture to the next.
        0 => gop / with_gop: u32,
        /// Seconds over which the rate is measured.
        4 => seconds / with_seconds: u32,
        /// Largest quantiser.
        8 => max_qp / with_max_qp: u32,
        /// Smallest quantiser.
        12 => min_qp / with_min_qp: u32,
        /// Largest quantiser of intra pictures.
        16 => max_intra_qp / with_max_intra_qp: u32,
        /// Smallest quantiser of intra pictures.
        20 => min_intra_qp / with_min_intra_qp: u32,
        /// Smallest step of the quantiser.
        24 => min_qp_delta / with_min_qp_delta: u32,
        /// Largest step of the quantiser.
        28 => max_qp_delta / with_max_qp_delta: u32,
        /// Largest ratio of intra to predicted pictures.
        32 => max_intra_ratio / with_max_intra_ratio: u32,
        /// Smallest ratio of intra to predicted pictures.
        36 => min_intra_ratio / with_min_intra_ratio: u32,
        /// kbit/s, at most.
        40 => max_bit_rate / with_max_bit_rate: u32,
        /// Length of the short run.
        44 => short_time / with_short_time: u32,
        /// Length of the long run.
        48 => long_time / with_long_time: u32,
        /// kbit/s in the long run, at most.
        52 => long_max_bit_rate / with_long_max_bit_rate: u32,
        /// kbit/s in the long run, at least.
        56 => long_min_bit_rate / with_long_min_bit_rate: u32,
        /// Quantiser of intra pictures, relative.
        84 => intra_qp_delta / with_intra_qp_delta: i32,
        /// Range of that.
        88 => idr_qp_range / with_idr_qp_range: u32,
    }
}

structure! {
    /// `AX_VENC_H264_QVBR_T` and `AX_VENC_H265_QVBR_T`: quality as the picture needs it, around a rate.
    VencQvbr(12) {
        /// Pictures from one intra picture to the next.
        0 => gop / with_gop: u32,
        /// Seconds over which the rate is measured.
        4 => seconds / with_seconds: u32,
        /// kbit/s aimed at.
        8 => target_bit_rate / with_target_bit_rate: u32,
    }
}

structure! {
    /// `AX_VENC_H264_QPMAP_T` and `AX_VENC_H265_QPMAP_T`: quantisers by a map that comes with each picture.
    VencQpMap(28) {
        /// Pictures from one intra picture to the next.
        0 => gop / with_gop: u32,
        /// Seconds over which the rate is measured.
        4 => seconds / with_seconds: u32,
        /// kbit/s aimed at.
        8 => target_bit_rate / with_target_bit_rate: u32,
        /// What becomes of a block's quantiser.
        12 => block_control / with_block_control: u32,
        /// Absolute or relative quantisers.
        16 => qp_type / with_qp_type: u32,
        /// What the map is made of.
        20 => block_type / with_block_type: u32,
        /// Size of a block.
        24 => block_unit / with_block_unit: u32,
    }
}

structure! {
    /// `AX_VENC_H264_FIXQP_T` and `AX_VENC_H265_FIXQP_T`: quantisers that never change.
    VencFixQp(16) {
        /// Pictures from one intra picture to the next.
        0 => gop / with_gop: u32,
        /// Of intra pictures.
        4 => intra_qp / with_intra_qp: u32,
        /// Of predicted pictures.
        8 => predicted_qp / with_predicted_qp: u32,
        /// Of pictures that are predicted both ways.
        12 => both_ways_qp / with_both_ways_qp: u32,
    }
}

structure! {
    /// `AX_VENC_MJPEG_CBR_T` and `AX_VENC_MJPEG_VBR_T`: a bit rate for JPEG pictures.
    VencMjpegRate(16) {
        /// Seconds over which the rate is measured.
        0 => seconds / with_seconds: u32,
        /// kbit/s; of VBR the largest.
        4 => bit_rate / with_bit_rate: u32,
        /// Largest quantiser.
        8 => max_qp / with_max_qp: u32,
        /// Smallest quantiser.
        12 => min_qp / with_min_qp: u32,
    }
}

structure! {
    /// `AX_VENC_MJPEG_FIXQP_T`: a quantiser for JPEG pictures.
    VencMjpegFixQp(4) {
        /// The quantiser; 0: the card's choice.
        0 => qp / with_qp: u32,
    }
}

structure! {
    /// `AX_VENC_RC_PARAM_T`: the rate control of an encoder at work.
    VencRateParam(120) {
        /// Rate control number.
        16 => rate_control / with_rate_control: u32,
        /// Pictures per second, in.
        20 => source_rate / with_source_rate: f32,
        /// Pictures per second, out.
        24 => target_rate / with_target_rate: f32,
    }
}

impl VencRateParam {
    /// Where the structure of the rate control is.
    const RATE: std::ops::Range<usize> = 28..120;

    /// Puts in the structure of the rate control that [`VencRateParam::rate_control`] names.
    ///
    /// # Panics
    ///
    /// If it is longer than any of them.
    pub fn with_rate(mut self, rate: &[u8]) -> Self {
        let room = &mut self.0[Self::RATE];
        room[..rate.len()].copy_from_slice(rate);
        room[rate.len()..].fill(0);
        self
    }
}

structure! {
    /// `AX_VENC_STREAM_T`: a packet of an encoder.
    VencStream(1200) {
        /// Card address of the bytes.
        0 => address / with_address: u64,
        /// How many.
        16 => size / with_size: u32,
        /// Presentation time, as it was sent with the picture.
        24 => pts / with_pts: u64,
        /// Number of the packet.
        32 => sequence / with_sequence: u64,
        /// Handed through.
        40 => user_data / with_user_data: u64,
        /// Codec number.
        48 => codec / with_codec: u32,
        /// 0 intra, 1 predicted, 2 predicted both ways, 3 virtual intra, 4 not coded.
        52 => picture_type / with_picture_type: u32,
        /// NAL units.
        60 => nal_units / with_nal_units: u32,
    }
}

#[cfg(test)]
mod tests;
