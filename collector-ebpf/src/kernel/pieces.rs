//! The pieces of an exec's record: runs of bytes, one after the other.

use core::ptr;

use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use collector_common::{ARGS_SHORT, PATH_MAX, Piece};

use super::{address::Address, path};
use crate::maps::{ExecScratch, PIECES_BEGIN_MAX, walk::walk_of};

/// Keeps the index where a piece begins inside `ExecScratch::pieces`, and shows the verifier so.
const PIECES_MASK: u64 = PIECES_BEGIN_MAX as u64 - 1;
/// The same for the length of a copied string.
const PATH_MASK: u64 = PATH_MAX as u64 - 1;

/// A piece about which nothing is known.
const UNKNOWN: Piece = Piece { len: 0, full: Piece::UNKNOWN };

/// Walks the `struct path` at `path`, in the walk at `place`, and appends it to the pieces.
#[inline(always)]
pub fn append_path(scratch: &mut ExecScratch, place: u32, path: Address) -> Piece {
    let whole = path::walk(place, path);
    let Some(walk) = walk_of(place) else { return UNKNOWN };
    if walk.is_empty() {
        if !whole {
            // Bytes left over from an earlier exec must not be sent.
            return UNKNOWN;
        }
        walk.prepend(Address(0), 0);
    }
    let (from, len) = walk.found();
    let to = scratch.used & PIECES_MASK;
    // SAFETY: a piece begins below `PIECES_BEGIN_MAX` and a path is at most `PATH_MAX` bytes, so it ends inside.
    unsafe { from.copy_to(ptr::from_mut(&mut scratch.pieces[to as usize]).cast(), len as u32) };
    scratch.used = to + len;
    let len = len as u32;
    Piece { len, full: if whole { len } else { Piece::UNKNOWN } }
}

/// Appends the NUL-terminated string at `string` to the pieces, without its NUL.
#[inline(always)]
pub fn append_string(scratch: &mut ExecScratch, string: Address) -> Piece {
    let to = scratch.used & PIECES_MASK;
    let destination = ptr::from_mut(&mut scratch.pieces[to as usize]);
    // SAFETY: a piece begins below `PIECES_BEGIN_MAX`, and the array goes on for more than `PATH_MAX` bytes from there.
    let copied =
        unsafe { bpf_probe_read_kernel_str(destination.cast(), PATH_MAX as u32, string.0 as *const _) };
    if copied <= 0 {
        return UNKNOWN;
    }
    let len = (copied as u64 - 1) & PATH_MASK;
    scratch.used = to + len;
    Piece { len: len as u32, full: len as u32 }
}

/// Appends the process's own memory from `begin` to `end`, at most `max` bytes of it.
#[inline(always)]
pub fn append_user(scratch: &mut ExecScratch, (begin, end): (u64, u64), max: u32) -> Piece {
    let full = end.wrapping_sub(begin);
    // `MAX_ARG_STRLEN` and the stack limit keep this far below 4 GiB; an impossible range carries nothing.
    if begin == 0 || full > u32::MAX as u64 {
        return Piece::default();
    }
    let len = if full > max as u64 { max } else { full as u32 };
    let to = scratch.used & PIECES_MASK;
    let destination = ptr::from_mut(&mut scratch.pieces[to as usize]);
    // SAFETY: a piece begins below `PIECES_BEGIN_MAX` and `max` is at most `ARGS_MAX`, so it ends inside `pieces`.
    let read = unsafe { Address(begin).copy_user_to(destination.cast(), len) };
    let len = if read { len } else { 0 };
    scratch.used = to + len as u64;
    Piece { len, full: full as u32 }
}

/// Drops the environment from the pieces, and all but the beginning of the arguments.
#[inline(always)]
pub fn shorten(scratch: &mut ExecScratch) {
    let record = &mut scratch.record;
    if record.args.len > ARGS_SHORT as u32 {
        record.args.len = ARGS_SHORT as u32;
    }
    record.env.len = 0;
    let before = record.path.len as u64 + record.cwd.len as u64 + record.script.len as u64;
    scratch.used = before + record.args.len as u64;
}
