// SPDX-License-Identifier: GPL-2.0

//! A directory in debugfs with files of text; `debugfs.c` says why it is not the kernel crate's.

use core::ptr;

use kernel::{
    bindings,
    prelude::*,
    seq_file::SeqFile,
    sync::Arc, //
};

// The empty structs that bindgen makes of opaque types are behind pointers only.
#[allow(improper_ctypes)]
extern "C" {
    fn ax650_debugfs_dir(name: *const c_char) -> *mut bindings::dentry;
    fn ax650_debugfs_file(dir: *mut bindings::dentry, name: *const c_char, file: *const c_void);
    fn ax650_debugfs_remove(dir: *mut bindings::dentry);
}

/// Writes the text of a file.
pub(crate) type Show<T> = fn(&T, &SeqFile) -> Result;

/// `struct ax650_debugfs_file`, and what is behind it.
#[repr(C)]
struct File<T> {
    callback: unsafe extern "C" fn(*const File<T>, *mut bindings::seq_file) -> c_int,
    target: Arc<T>,
    show: Show<T>,
}

/// A directory whose files tell of a `T`.
///
/// # Invariants
///
/// The files in debugfs have pointers to elements of `files`, which is not changed.
pub(crate) struct Dir<T> {
    /// May be an error; then there is no directory.
    dir: *mut bindings::dentry,
    _files: KVec<File<T>>,
}

// SAFETY: the directory may be removed on any thread, and `T` may be used on any.
unsafe impl<T: Send + Sync> Send for Dir<T> {}
// SAFETY: no methods.
unsafe impl<T: Send + Sync> Sync for Dir<T> {}

impl<T: Send + Sync> Dir<T> {
    /// Makes the directory `name` with `files`.  A kernel without debugfs goes without.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(name: &CStr, target: &Arc<T>, files: &[(&CStr, Show<T>)]) -> Result<Self> {
        let mut all = KVec::with_capacity(files.len(), GFP_KERNEL)?;
        for (_, show) in files {
            let file = File {
                callback: show_file::<T>,
                target: target.clone(),
                show: *show,
            };
            all.push(file, GFP_KERNEL)?;
        }
        // SAFETY: the name is copied.
        let dir = unsafe { ax650_debugfs_dir(name.as_char_ptr()) };
        for ((name, _), file) in files.iter().zip(all.iter()) {
            // SAFETY: the name is copied; `file` is a `File`, and outlives the file in debugfs, as the
            // fields of a `Dir` are dropped after its `drop` has run.
            unsafe { ax650_debugfs_file(dir, name.as_char_ptr(), ptr::from_ref(file).cast()) };
        }
        // INVARIANT: the elements stay where they are when the vector is moved.
        Ok(Self { dir, _files: all })
    }
}

impl<T> Drop for Dir<T> {
    fn drop(&mut self) {
        // SAFETY: made in `new`.  Waits for readers, who may take locks: none is held here.
        unsafe { ax650_debugfs_remove(self.dir) };
    }
}

/// # Safety
///
/// `file` is what [`Dir::new`] passes, and its directory has not been removed; `seq` is for this call
/// only.
unsafe extern "C" fn show_file<T>(file: *const File<T>, seq: *mut bindings::seq_file) -> c_int {
    // SAFETY: debugfs calls this only while the directory is there, which keeps `file`.
    let file = unsafe { &*file };
    // SAFETY: as per the caller.
    let seq = unsafe { SeqFile::from_raw(seq) };
    (file.show)(&file.target, seq).map_or_else(|e| e.to_errno(), |()| 0)
}
