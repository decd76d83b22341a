// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which threads go first when this machine has less CPU than the card would have.

use std::sync::OnceLock;

/// How far above all work heartbeat and control are.  Only a privileged process may.
const URGENT: libc::c_int = -10;
/// How far below the messages between host and card.
const BACKGROUND: libc::c_int = 5;

/// The priority that this process was started with.
fn own() -> libc::c_int {
    static OWN: OnceLock<libc::c_int> = OnceLock::new();
    // SAFETY: plain system call; it cannot fail for the process itself.
    *OWN.get_or_init(|| unsafe { libc::getpriority(libc::PRIO_PROCESS as _, libc::getpid() as _) })
}

fn set(offset: libc::c_int) -> bool {
    let nice = own() + offset;
    // SAFETY: plain system calls; on Linux the priority is that of the calling thread.
    unsafe {
        let thread = libc::syscall(libc::SYS_gettid) as libc::id_t;
        libc::setpriority(libc::PRIO_PROCESS as _, thread, nice) == 0
    }
}

/// Puts the calling thread before all others of the card, if this process may.  Returns whether it
/// could.
pub fn urgent() -> bool {
    set(URGENT)
}

/// Gives the calling thread, and all threads that it starts from now on, the usual priority.
pub fn usual() -> bool {
    set(0)
}

/// Puts the calling thread, and all threads that it starts from now on, behind what host and card say
/// to each other: for threads that compute for long.
pub fn background() -> bool {
    set(BACKGROUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_compute_are_behind_and_hand_that_on() {
        fn nice() -> libc::c_int {
            // SAFETY: as above.
            unsafe {
                let thread = libc::syscall(libc::SYS_gettid) as libc::id_t;
                libc::getpriority(libc::PRIO_PROCESS as _, thread)
            }
        }
        let before = nice();
        let worker = std::thread::spawn(|| {
            assert!(background());
            (nice(), std::thread::spawn(nice).join().unwrap())
        });
        let behind = own() + BACKGROUND;
        assert_eq!(worker.join().unwrap(), (behind, behind));
        assert_eq!(nice(), before, "other threads are as they were");
    }
}
