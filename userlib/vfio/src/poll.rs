// SPDX-License-Identifier: GPL-2.0

//! Looking again and again, with a limit.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Looks until `look` finds something, at first every `least`, then less and less often; nothing after `limit`.
pub(crate) fn until<T, E>(
    least: Duration,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    const MOST: Duration = Duration::from_millis(100);
    let begun = Instant::now();
    loop {
        // The time before the look: whoever was kept from looking looks once more.
        let passed = begun.elapsed();
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        if passed >= limit {
            return Ok(None);
        }
        sleep((passed / 8).clamp(least, MOST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends() {
        let ms = Duration::from_millis;
        let mut looks = 0;
        let found: Result<_, ()> = until(ms(1), ms(10_000), || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        });
        assert_eq!(found, Ok(Some(3)));
        let nothing: Result<Option<()>, ()> = until(ms(1), ms(5), || Ok(None));
        assert_eq!(nothing, Ok(None));
        assert_eq!(until::<(), _>(ms(1), ms(5), || Err("gone")), Err("gone"));
    }
}
