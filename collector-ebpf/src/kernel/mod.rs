//! The only readers of kernel memory.
//!
//! An [`Address`] is a number, not a pointer: nothing here dereferences one. Every read goes through
//! `bpf_probe_read_kernel`, which checks the access and fills the destination with zeros where it fails. So a structure
//! that is freed under the reader costs a field, never the program.

#![expect(unsafe_code, reason = "reads kernel memory")]

mod address;
pub mod context;
pub mod file;
pub mod offsets;
pub mod path;
pub mod pieces;
pub mod task;

pub use address::Address;
pub(crate) use offsets::offset;
