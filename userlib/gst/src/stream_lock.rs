// SPDX-License-Identifier: MIT OR Apache-2.0

//! The lock of the base classes of codecs, under which frames are finished.

use gst::glib;
use gst::glib::translate::ToGlibPtr;
use gst::prelude::*;

/// A base class of codecs.
pub trait StreamLocked: IsA<gst::Element> + Send + Sync {
    /// Returns its lock.
    fn stream_lock(&self) -> *mut glib::ffi::GRecMutex;
}

impl StreamLocked for gst_video::VideoDecoder {
    fn stream_lock(&self) -> *mut glib::ffi::GRecMutex {
        let decoder: *mut gst_video::ffi::GstVideoDecoder = self.to_glib_none().0;
        // SAFETY: the object is borrowed, so its field is there, initialised by its base class.
        unsafe { &raw mut (*decoder).stream_lock }
    }
}

impl StreamLocked for gst_video::VideoEncoder {
    fn stream_lock(&self) -> *mut glib::ffi::GRecMutex {
        let encoder: *mut gst_video::ffi::GstVideoEncoder = self.to_glib_none().0;
        // SAFETY: the object is borrowed, so its field is there, initialised by its base class.
        unsafe { &raw mut (*encoder).stream_lock }
    }
}

/// The stream lock of a codec, held.  It can be taken several times by one thread.
pub struct StreamLock<'a> {
    lock: *mut glib::ffi::GRecMutex,
    _codec: std::marker::PhantomData<&'a ()>,
}

impl<'a> StreamLock<'a> {
    /// Takes the lock of a codec, unless another thread has it.
    pub fn try_of(codec: &'a impl StreamLocked) -> Option<Self> {
        let lock = codec.stream_lock();
        // SAFETY: an initialised lock of an object that outlives this.
        let taken = unsafe { glib::ffi::g_rec_mutex_trylock(lock) };
        (taken != glib::ffi::GFALSE).then_some(Self {
            lock,
            _codec: std::marker::PhantomData,
        })
    }
}

impl Drop for StreamLock<'_> {
    fn drop(&mut self) {
        // SAFETY: it was taken by this thread, as the type cannot be sent.
        unsafe { glib::ffi::g_rec_mutex_unlock(self.lock) }
    }
}
