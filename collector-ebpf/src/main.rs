//! The kernel programs of collector: one file in `probes` for each hook.
//!
//! Every program does the same three things: it counts the event, gathers what would be lost, and emits one record.
//! Two things are absent on purpose: strings made for people, and anything that /proc can provide just as well later.
//!
//! - `probes` has the hooks and decides what an event is.
//! - `filter` decides which events are reported, where the user has rules.
//! - `kernel` has the only readers of kernel memory.
//! - `emit` and `maps` are the way out.
#![no_std]
#![no_main]
#![deny(unsafe_code)]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

mod emit;
mod filter;
mod kernel;
mod maps;
mod probes;

/// The licence that the kernel requires of a program that calls GPL-only helpers.
#[expect(unsafe_code, reason = "the loader finds the licence by its section")]
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // Never reached: the verifier refuses an endless loop, so a panic that could happen would keep the object from
    // loading.
    loop {}
}

// A build for the host (clippy makes one) links the standard library, and with it a panic handler and an entry point.
#[cfg(not(target_arch = "bpf"))]
extern crate std;

/// Entry point of a build for the host, which only lints the programs.
#[cfg(not(target_arch = "bpf"))]
#[expect(unsafe_code, reason = "the C runtime calls it by name")]
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    0
}
