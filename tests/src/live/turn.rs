//! Which live tests run at the same time.
//!
//! A test that makes as much load as the machine can bear, or that measures, takes its turn alone; all others share.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Held for as long as a test runs: read by tests that share the machine, written by one that has it alone.
static MACHINE: RwLock<()> = RwLock::new(());

/// A test's turn, until it is dropped.
#[derive(Debug)]
pub(super) enum Turn {
    /// Other tests may run.
    Shared { _machine: RwLockReadGuard<'static, ()> },
    /// No other test runs.
    Alone { _machine: RwLockWriteGuard<'static, ()> },
}

impl Turn {
    /// Waits until the test may run.
    pub(super) fn take(alone: bool) -> Self {
        // A test that panicked before has left nothing half done: the lock holds no data.
        if alone {
            Self::Alone { _machine: MACHINE.write().unwrap_or_else(PoisonError::into_inner) }
        } else {
            Self::Shared { _machine: MACHINE.read().unwrap_or_else(PoisonError::into_inner) }
        }
    }
}
