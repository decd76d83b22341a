// SPDX-License-Identifier: MIT OR Apache-2.0

//! Codec threads give way to the card's service, whose heartbeat and answers may not be late.

/// Steps that a codec thread is nicer than the rest of the program.
const NICER: i32 = 5;

/// Makes the calling thread, and those that it starts, nicer: on Linux each thread has a nice value of
/// its own.
pub fn give_way() {
    // Fails where the nice value may not be changed; then nothing is worse than before.
    let _ = rustix::process::nice(NICER);
}

#[cfg(test)]
mod tests {
    /// D8: the thread alone is nicer, not its program.
    #[test]
    #[allow(non_snake_case)]
    fn D8_codec_threads_give_way() {
        let nice = || rustix::process::nice(0).unwrap();
        let before = nice();
        let inside = std::thread::spawn(move || {
            super::give_way();
            nice()
        });
        assert_eq!(inside.join().unwrap(), (before + super::NICER).min(19));
        assert_eq!(rustix::process::nice(0), Ok(before));
    }
}
