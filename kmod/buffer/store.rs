// SPDX-License-Identifier: GPL-2.0

//! What a buffer is made of.

use kernel::{
    mm::virt::VmaNew,
    page::PAGE_SIZE, //
};

use crate::glue::{
    dma::{
        Piece,
        Space, //
    },
    dmabuf::Import,
    pages::Pages,
    prelude::*, //
};

/// Pages, or memory of another driver.
pub(super) enum Store {
    Pages(Pages),
    Import(Import),
}

impl Store {
    /// Returns the bytes that are of use.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Pages(pages) => pages.size(),
            Self::Import(import) => import.size(),
        }
    }

    /// Returns the bytes that are paid for.
    pub(super) fn footprint(&self) -> u64 {
        let bytes = match self {
            Self::Pages(pages) => pages.count() * PAGE_SIZE,
            Self::Import(import) => import.size(),
        };
        bytes as u64
    }

    /// Returns whether the card may write to it.
    pub(super) fn is_writable(&self) -> bool {
        match self {
            Self::Pages(pages) => pages.is_writable(),
            Self::Import(import) => import.is_writable(),
        }
    }

    /// Returns the pages, if it is made of such.
    pub(super) fn pages(&self) -> Option<&Pages> {
        match self {
            Self::Pages(pages) => Some(pages),
            Self::Import(_) => None,
        }
    }

    /// Maps it for the card.
    ///
    /// # Errors
    ///
    /// Those of [`Space::map`] and [`Space::attach`].
    pub(super) fn map(&self, space: &Space) -> Result<(u64, KVVec<Piece>)> {
        match self {
            Self::Pages(pages) => space.map(pages),
            Self::Import(import) => space.attach(import),
        }
    }

    /// Copies `data` to `offset`.
    ///
    /// # Errors
    ///
    /// Those of [`Pages::write`] and [`Import::write`].
    pub(super) fn write(&self, offset: usize, data: &[u8]) -> Result {
        match self {
            Self::Pages(pages) => pages.write(offset, data),
            Self::Import(import) => import.write(offset, data),
        }
    }

    /// Copies from `offset` to `to`.
    ///
    /// # Errors
    ///
    /// Those of [`Pages::read`] and [`Import::read`].
    pub(super) fn read(&self, offset: usize, to: &mut [u8]) -> Result {
        match self {
            Self::Pages(pages) => pages.read(offset, to),
            Self::Import(import) => import.read(offset, to),
        }
    }

    /// Maps it from page `first` on into user space.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it can be mapped elsewhere only; those of [`Pages::map`].
    pub(super) fn mmap(&self, vma: &VmaNew, first: usize) -> Result {
        self.pages().ok_or(EINVAL)?.map(vma, first)
    }
}
