//! How much a test makes: less on an emulated machine.

use std::{
    env,
    io::{self, Write as _},
    num::NonZero,
    thread,
};

/// By how many times tests make less of what they make. `cargo xtask vm` sets it in its guests.
const SCALE: &str = "COLLECTOR_TESTS_SCALE";

/// Whether this is a guest of `cargo xtask vm`.
pub fn is_emulated() -> bool {
    env::var_os(SCALE).is_some()
}

/// How many of a thing a test makes: `count`, divided by `COLLECTOR_TESTS_SCALE` where that is set, but at least one. A
/// smaller number is printed, since the name of a test may state the full one.
///
/// # Panics
///
/// When the variable is not a number above 0.
pub fn scaled(count: u32) -> u32 {
    scaled_to(count, 1)
}

/// As [`scaled`], but at least `least`.
///
/// # Panics
///
/// When the variable is not a number above 0.
pub fn scaled_to(count: u32, least: u32) -> u32 {
    let Ok(scale) = env::var(SCALE) else { return count };
    let scale: NonZero<u32> =
        scale.parse().unwrap_or_else(|_| panic!("{SCALE}={scale} is not a number above 0"));
    let fewer = (count / scale).max(least);
    let test = thread::current();
    let _ = writeln!(io::stderr(), "scaled: {}: {fewer} for {count}", test.name().unwrap_or("a live test"));
    fewer
}
