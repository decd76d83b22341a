// SPDX-License-Identifier: MIT OR Apache-2.0

//! The tables under `/proc/ax_proc` on the card.  The notes do not know the real format; these
//! show the card's real state.

use std::fmt::Write;

use crate::flow::links::End;
use crate::ivps::{self, MAX_GROUPS as MAX_IVPS_GROUPS};
use crate::pool::{Kind, PoolInfo};
use crate::vdec::{GroupRow, MAX_GROUPS};
use crate::venc::rate::Goal;
use crate::venc::{ChannelRow, MAX_CHANNELS};

/// Columns, each as wide as its widest cell.
fn table(out: &mut String, title: &str, head: &[&str], rows: &[Vec<String>]) {
    let width = |i: usize| {
        let cells = rows.iter().filter_map(|r| r.get(i)).map(String::len);
        cells.chain(head.get(i).map(|h| h.len())).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        for (cell, width) in cells.zip(&widths) {
            let _ = write!(out, " {cell:>width$}");
        }
        out.push('\n');
    };
    line(&mut [format!("-----{title}-----").as_str()].into_iter());
    line(&mut head.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    out.push('\n');
}

macro_rules! row {
    ($($cell:expr),* $(,)?) => { vec![$($cell.to_string()),*] };
}

/// `vdec`.
pub fn vdec(groups: &[GroupRow]) -> String {
    let mut out = String::new();
    let used = row![MAX_GROUPS, groups.len()];
    table(&mut out, "MODULE INFO", &["MaxGrp", "UsedGrp"], &[used]);
    let rows: Vec<_> = groups
        .iter()
        .map(|g| {
            let state = if g.receiving { "start" } else { "stop" };
            row![
                g.id,
                g.session,
                vdec_name(g.codec),
                g.max_size.0,
                g.max_size.1,
                g.size.0,
                g.size.1,
                state,
                g.input_bytes,
                g.received,
                g.decoded,
                g.errors
            ]
        })
        .collect();
    let head = [
        "GrpID",
        "Session",
        "Type",
        "MaxW",
        "MaxH",
        "Width",
        "Height",
        "State",
        "LeftBytes",
        "RecvStream",
        "DecFrame",
        "Error",
    ];
    table(&mut out, "GRP STATE", &head, &rows);
    let rows: Vec<_> = groups
        .iter()
        .flat_map(|g| {
            let channels = g.channels.iter().enumerate().filter(|(_, c)| c.0);
            channels.map(|(i, c)| row![g.id, i, c.1, c.2, c.3])
        })
        .collect();
    let head = ["GrpID", "ChnID", "LeftPics", "UserHold", "GetFrame"];
    table(&mut out, "CHN STATE", &head, &rows);
    out
}

fn vdec_name(codec: u32) -> &'static str {
    match codec {
        96 => "H264",
        265 => "H265",
        1002 => "MJPEG",
        _ => "JPEG",
    }
}

/// `venc`, and `jenc` for the channels that make JPEG images.
pub fn venc(channels: &[ChannelRow], jpeg: bool) -> String {
    let channels: Vec<_> = channels
        .iter()
        .filter(|c| c.codec.is_jpeg() == jpeg)
        .collect();
    let mut out = String::new();
    let used = row![MAX_CHANNELS, channels.len()];
    table(&mut out, "MODULE INFO", &["MaxChn", "UsedChn"], &[used]);
    let rows: Vec<_> = channels
        .iter()
        .map(|c| {
            let name = format!("{:?}", c.codec).to_uppercase();
            let state = if c.receiving { "start" } else { "stop" };
            row![c.id, c.session, name, c.size.0, c.size.1, state]
        })
        .collect();
    let head = ["ChnID", "Session", "Type", "Width", "Height", "State"];
    table(&mut out, "CHN ATTR", &head, &rows);
    let rows: Vec<_> = channels
        .iter()
        .map(|c| {
            let (mode, kbps) = match c.rate.goal {
                Goal::Constant { kbps } => ("CBR", kbps),
                Goal::Variable { max_kbps } => ("VBR", max_kbps),
                Goal::Adaptive { max_kbps } => ("AVBR", max_kbps),
                Goal::Capped { max_kbps, .. } => ("CVBR", max_kbps),
                Goal::Average { kbps } => ("ABR", kbps),
                Goal::Fixed { .. } | Goal::Quality => ("FIXQP", 0),
            };
            row![
                c.id,
                mode,
                kbps,
                c.rate.gop,
                c.rate.source_fps,
                c.rate.fps,
                c.rate.qp.0,
                c.rate.qp.1
            ]
        })
        .collect();
    let head = [
        "ChnID",
        "RcMode",
        "BitRate(kbps)",
        "Gop",
        "SrcFps",
        "DstFps",
        "MinQp",
        "MaxQp",
    ];
    table(&mut out, "CHN RC INFO", &head, &rows);
    let rows: Vec<_> = channels
        .iter()
        .map(|c| {
            row![
                c.id,
                c.received.0,
                c.received.1,
                c.waiting,
                c.encoded.0,
                c.encoded.1,
                c.packets.0,
                c.packets.1,
                c.errors
            ]
        })
        .collect();
    let head = [
        "ChnID", "RecvPic", "DropPic", "LeftPic", "EncPack", "EncBytes", "LeftPack", "UserHold",
        "Error",
    ];
    table(&mut out, "CHN STATE", &head, &rows);
    out
}

/// `ivps`.
pub fn ivps(groups: &[ivps::GroupRow]) -> String {
    let mut out = String::new();
    let used = row![MAX_IVPS_GROUPS, groups.len()];
    table(&mut out, "MODULE INFO", &["MaxGrp", "UsedGrp"], &[used]);
    let rows: Vec<_> = groups
        .iter()
        .map(|g| {
            let state = if g.started { "start" } else { "stop" };
            row![g.id, g.session, state, g.received]
        })
        .collect();
    let head = ["GrpID", "Session", "State", "RecvPic"];
    table(&mut out, "GRP STATE", &head, &rows);
    let rows: Vec<_> = groups
        .iter()
        .flat_map(|g| {
            let channels = g.channels.iter().enumerate().filter(|(_, c)| c.0);
            channels.map(|(i, c)| row![g.id, i, c.1, c.2, c.3, c.4])
        })
        .collect();
    let head = ["GrpID", "ChnID", "LeftPics", "UserHold", "GetFrame", "Lost"];
    table(&mut out, "CHN STATE", &head, &rows);
    out
}

/// `rgn` and `ive`, which nobody can use here.
pub fn unused() -> String {
    let mut out = String::new();
    let none = row!["no"];
    table(&mut out, "MODULE INFO", &["Present"], &[none]);
    out
}

/// `pool`.
pub fn pool(pools: &[PoolInfo]) -> String {
    let mut out = String::new();
    let rows: Vec<_> = pools
        .iter()
        .map(|p| {
            let kind = match p.kind {
                Kind::User => "user",
                Kind::Common => "common",
                Kind::Codec => "codec",
            };
            row![
                p.id,
                p.owner.session,
                kind,
                format!("{:#x}", p.phys),
                p.config.block_size,
                p.config.meta_size,
                p.config.count,
                p.used,
                u32::from(p.config.cached),
                p.config.partition,
                p.config.name
            ]
        })
        .collect();
    let head = [
        "PoolID",
        "Session",
        "Kind",
        "PhysAddr",
        "BlkSize",
        "MetaSize",
        "BlkCnt",
        "Used",
        "Cached",
        "Partition",
        "Name",
    ];
    table(&mut out, "POOL INFO", &head, &rows);
    out
}

/// `link_table`.
pub fn links(links: &[(End, End)]) -> String {
    let mut out = String::new();
    let rows: Vec<_> = links
        .iter()
        .map(|(s, t)| row![s.module, s.group, s.channel, t.module, t.group, t.channel])
        .collect();
    let head = ["SrcMod", "SrcGrp", "SrcChn", "DstMod", "DstGrp", "DstChn"];
    table(&mut out, "LINK TABLE", &head, &rows);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let end = |module, group, channel| End {
            module,
            group,
            channel,
        };
        let text = links(&[(end(8, 0, 0), end(7, 100_000, 12))]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], " SrcMod SrcGrp SrcChn DstMod DstGrp DstChn");
        assert_eq!(lines[2], "      8      0      0      7 100000     12");
    }
}
