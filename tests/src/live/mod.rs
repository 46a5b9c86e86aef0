//! The harness of the tests that run the agent on the kernel of this machine: `#[live_test]`, what such a test needs, and
//! which of them may run at the same time.

mod harness;
pub mod needs;
mod scale;
mod turn;

pub use collector_tests_macros::live_test;
#[doc(hidden)]
pub use inventory;

pub use self::{
    harness::{LiveTest, main},
    scale::{is_emulated, scaled, scaled_to},
};
