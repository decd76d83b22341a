// SPDX-License-Identifier: MIT OR Apache-2.0

//! The device tree of a machine, changed so that the kernel sees another one.

use anyhow::{ensure, Context, Result};

/// Words of the header, by their place: total size, and offset and size of what comes last.
const TOTAL: usize = 1;
const STRUCTURE: (usize, usize) = (2, 9);
const STRINGS: (usize, usize) = (3, 8);
const MAGIC: u32 = 0xd00d_feed;

/// Copies a flattened device tree, without its spare room; every property of the name `from` gets
/// the name `to`, which is as long.
pub fn rename_property(tree: &[u8], from: &str, to: &str) -> Result<Vec<u8>> {
    ensure!(from.len() == to.len(), "{from} and {to} differ in length");
    let mut tree = pack(tree)?;
    // All properties of a name share one string.
    let name = [b"\0", from.as_bytes(), b"\0"].concat();
    let at = tree
        .windows(name.len())
        .position(|w| w == name)
        .with_context(|| format!("the device tree has no {from}"))?;
    let place = tree.get_mut(at + 1..=at + to.len()).context("no room")?;
    place.copy_from_slice(to.as_bytes());
    Ok(tree)
}

/// Cuts the spare room off.  QEMU leaves a MiB and doubles what it is given, and the kernel takes no
/// more than two.
fn pack(tree: &[u8]) -> Result<Vec<u8>> {
    ensure!(word(tree, 0)? == MAGIC, "not a device tree");
    let end = |(offset, size): (usize, usize)| -> Result<usize> {
        let end = word(tree, offset)?.checked_add(word(tree, size)?);
        Ok(end.context("a part of the device tree has no end")? as usize)
    };
    let len = end(STRUCTURE)?.max(end(STRINGS)?);
    let mut packed = tree
        .get(..len)
        .context("the device tree is cut off")?
        .to_vec();
    let total = packed
        .get_mut(4 * TOTAL..4 * TOTAL + 4)
        .context("cut off")?;
    total.copy_from_slice(&u32::try_from(len)?.to_be_bytes());
    Ok(packed)
}

fn word(tree: &[u8], index: usize) -> Result<u32> {
    let bytes = tree.get(4 * index..).and_then(|rest| rest.first_chunk());
    let bytes = bytes.context("the device tree has no whole header")?;
    Ok(u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header, an empty structure block, two names, and room.
    fn tree() -> Vec<u8> {
        let strings = b"reg\0dma-coherent\0";
        let words = [
            MAGIC,
            1000,
            40,
            44,
            0,
            17,
            16,
            0,
            strings.len() as u32,
            4,
            9,
        ];
        let mut tree: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
        tree.extend(strings);
        tree.resize(1000, 0);
        tree
    }

    #[test]
    fn renames_and_packs() {
        let renamed = rename_property(&tree(), "dma-coherent", "dma-different").is_err();
        assert!(renamed, "another length");
        let renamed = rename_property(&tree(), "dma-coherent", "dma-coherenT").unwrap();
        assert_eq!(renamed.len(), 61);
        assert_eq!(word(&renamed, TOTAL).unwrap(), 61);
        assert!(renamed.ends_with(b"reg\0dma-coherenT\0"));
        assert!(rename_property(&renamed, "dma-coherent", "dma-coherenT").is_err());
    }

    #[test]
    fn refuses_what_is_none() {
        assert!(pack(&[]).is_err());
        assert!(pack(&[0; 100]).is_err());
        assert!(pack(&tree()[..50]).is_err());
    }
}
