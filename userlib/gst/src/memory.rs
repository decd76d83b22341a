// SPDX-License-Identifier: MIT OR Apache-2.0

//! Memory of GStreamer that is a picture on the card.  It stays there between elements of this plugin; who maps it gets
//! a copy.

use std::sync::{Arc, OnceLock};

use ax650::media::CardImage;
use gst::glib;
use gst::glib::translate::{from_glib_full, IntoGlib, ToGlibPtr};
use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::card::{Seat, LOG};

/// The feature of caps of pictures that are on the card.
pub const FEATURE: &str = "memory:AX650";
/// The type of such memory.
const TYPE: &std::ffi::CStr = c"AX650Memory";

/// A picture on the card.  Whoever has the buffer may read it there; nobody writes to it.
struct Picture {
    seat: Arc<Seat>,
    image: CardImage,
    /// What it looks like, once somebody has asked.
    copy: OnceLock<Option<Box<[u8]>>>,
}

/// The memory as C sees it.
#[repr(C)]
struct Raw {
    memory: gst::ffi::GstMemory,
    picture: *mut Picture,
}

impl Picture {
    /// Copies the picture to the host.
    fn fetch(&self) -> ax650::Result<Box<[u8]>> {
        let size = self.image.host_size();
        let buffer = self.seat.session().buffer(size)?;
        self.image.fetch(&buffer)?;
        let bytes = buffer.read()?[..size].into();
        Ok(bytes)
    }

    fn bytes(&self) -> Option<&[u8]> {
        let fetch = || {
            self.fetch()
                .inspect_err(|error| gst::error!(LOG, "{error}"))
                .ok()
        };
        self.copy.get_or_init(fetch).as_deref()
    }
}

/// Returns the features of caps of pictures that are on the card.
pub fn features() -> gst::CapsFeatures {
    gst::CapsFeatures::new([FEATURE])
}

/// Tells whether the next element wants pictures that stay on the card.
pub fn is_wanted(pad: &gst::Pad) -> bool {
    let caps = pad.peer_query_caps(None);
    // Who takes anything gets what anybody can read.
    !caps.is_any()
        && caps
            .iter_with_features()
            .any(|(_, features)| features.contains(FEATURE))
}

/// Makes a buffer of a picture.
pub fn buffer(seat: &Arc<Seat>, image: CardImage) -> Result<gst::Buffer, gst::FlowError> {
    let mut buffer = gst::Buffer::new();
    append(buffer.make_mut(), seat, image)?;
    Ok(buffer)
}

/// Puts a picture into a buffer that has none.
pub fn append(
    buffer: &mut gst::BufferRef,
    seat: &Arc<Seat>,
    image: CardImage,
) -> Result<(), gst::FlowError> {
    let layout = image.layout().map_err(|_| gst::FlowError::Error)?;
    let picture = Box::new(Picture {
        seat: seat.clone(),
        image,
        copy: OnceLock::new(),
    });
    let raw = Box::new(Raw {
        // SAFETY: a structure of numbers and pointers, which gst_memory_init fills in.
        memory: unsafe { std::mem::zeroed() },
        picture: Box::into_raw(picture),
    });
    let flags = gst::MemoryFlags::READONLY | gst::MemoryFlags::NO_SHARE;
    let allocator = ALLOCATOR.upcast_ref::<gst::Allocator>();
    let size = layout.size();
    let raw = Box::into_raw(raw).cast::<gst::ffi::GstMemory>();
    // SAFETY: `raw` begins with a GstMemory that nobody else has; the allocator frees it.
    let memory: gst::Memory = unsafe {
        gst::ffi::gst_memory_init(
            raw,
            flags.into_glib(),
            allocator.to_glib_none().0,
            std::ptr::null_mut(),
            size,
            0,
            0,
            size,
        );
        from_glib_full(raw)
    };
    buffer.append_memory(memory);
    let (offset, stride) = (layout.luma_size(), layout.stride as i32);
    gst_video::VideoMeta::add_full(
        buffer,
        gst_video::VideoFrameFlags::empty(),
        gst_video::VideoFormat::Nv12,
        layout.width,
        layout.height,
        &[0, offset],
        &[stride, stride],
    )
    .map_err(|_| gst::FlowError::Error)?;
    Ok(())
}

/// Returns a handle of the picture in a buffer of the same session.
pub fn image(buffer: &gst::BufferRef, seat: &Arc<Seat>) -> Option<CardImage> {
    if buffer.n_memory() != 1 {
        return None;
    }
    let raw = buffer.peek_memory(0).as_ptr();
    // SAFETY: the buffer and its memory are borrowed.
    let is_ours = unsafe { gst::ffi::gst_memory_is_type(raw.cast_mut(), TYPE.as_ptr()) };
    if is_ours == glib::ffi::GFALSE {
        return None;
    }
    // SAFETY: memory of this type is a Raw, whose picture lives as long as it.
    let picture = unsafe { &*(*raw.cast::<Raw>()).picture };
    Arc::ptr_eq(&picture.seat, seat).then(|| picture.image.clone())
}

/// Maps a picture for reading.
///
/// # Safety
///
/// `memory` must be one of this allocator.
unsafe extern "C" fn map(
    memory: *mut gst::ffi::GstMemory,
    _size: usize,
    flags: gst::ffi::GstMapFlags,
) -> glib::ffi::gpointer {
    if flags & gst::ffi::GST_MAP_WRITE != 0 {
        return std::ptr::null_mut();
    }
    // SAFETY: a Raw, by the caller; its picture lives as long as it.
    let picture = unsafe { &*(*memory.cast::<Raw>()).picture };
    let bytes = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| picture.bytes()));
    let bytes = bytes.ok().flatten();
    bytes.map_or(std::ptr::null_mut(), |bytes| {
        bytes.as_ptr().cast_mut().cast()
    })
}

/// Unmaps a picture; the copy stays for the next.
unsafe extern "C" fn unmap(_memory: *mut gst::ffi::GstMemory) {}

mod imp {
    use super::*;

    #[derive(Debug, Default)]
    pub struct Allocator;

    #[glib::object_subclass]
    impl ObjectSubclass for Allocator {
        const NAME: &'static str = "Ax650Allocator";
        type Type = super::Allocator;
        type ParentType = gst::Allocator;
    }

    impl ObjectImpl for Allocator {
        fn constructed(&self) {
            self.parent_constructed();
            let allocator = self.obj();
            let raw: *mut gst::ffi::GstAllocator =
                allocator.upcast_ref::<gst::Allocator>().to_glib_none().0;
            // SAFETY: the object is new: nobody else knows it.
            unsafe {
                (*raw).mem_type = TYPE.as_ptr();
                (*raw).mem_map = Some(map);
                (*raw).mem_unmap = Some(unmap);
                (*raw).object.flags |= gst::ffi::GST_ALLOCATOR_FLAG_CUSTOM_ALLOC;
            }
        }
    }

    impl GstObjectImpl for Allocator {}

    // SAFETY: `free` frees just what `buffer` has made; nothing else makes memory of this allocator.
    unsafe impl AllocatorImpl for Allocator {
        unsafe fn alloc(
            &self,
            _size: usize,
            _params: &gst::AllocationParams,
        ) -> *mut gst::ffi::GstMemory {
            // Pictures come from decoders only.
            std::ptr::null_mut()
        }

        unsafe fn free(&self, memory: *mut gst::ffi::GstMemory) {
            // SAFETY: a Raw with its picture, both made by Box, and this was the last reference.
            unsafe {
                let raw = Box::from_raw(memory.cast::<Raw>());
                drop(Box::from_raw(raw.picture));
            }
        }
    }
}

glib::wrapper! {
    /// The allocator that pictures on the card belong to; it allocates nothing itself.
    pub struct Allocator(ObjectSubclass<imp::Allocator>) @extends gst::Allocator, gst::Object;
}

static ALLOCATOR: std::sync::LazyLock<Allocator> = std::sync::LazyLock::new(glib::Object::new);
