//! What the tests of faults are made of.

pub(crate) mod losses;
pub(crate) mod shell;
pub(crate) mod stopped;
