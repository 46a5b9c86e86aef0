//! Reads the kernel's own types (BTF) as far as it takes to find a field: documentation/bpf/btf.rst of the kernel.
//!
//! Not by a library: aya parses the same bytes, but keeps the members of structures private; crate btfparse takes 80 to
//! 190 ms for the types of 6.18, where this takes 4 to 9 ms of a start of 100 ms. Nothing here trusts the bytes: a length
//! or an offset that leads outside them is an error.

use std::collections::HashMap;

/// Why the types could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BtfError {
    /// The bytes do not begin like BTF of this machine's byte order.
    #[error("no BTF of this machine's byte order")]
    NotBtf,
    /// A section, a type or a string leads outside the bytes.
    #[error("BTF is cut short at byte {at}")]
    CutShort {
        /// Where.
        at: usize,
    },
    /// A kind of type that is newer than this reader, which cannot know its length.
    #[error("BTF has a type of kind {kind}, which is not known")]
    UnknownKind {
        /// The number of the kind.
        kind: u32,
    },
}

const MAGIC: u32 = 0xeb9f;

/// Kinds of `include/uapi/linux/btf.h` that lead to members.
const PTR: u32 = 2;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const RESTRICT: u32 = 11;
const FUNC_PROTO: u32 = 13;
const TYPE_TAG: u32 = 18;

/// Bytes of a type without the part that depends on its kind, and of a member of a structure.
const TYPE_LEN: usize = 12;
const MEMBER_LEN: usize = 12;
/// Longest chain of typedefs that is followed.
const DEPTH_MAX: usize = 16;
/// Most anonymous structures of one structure that are searched: `task_struct` has some twenty.
const ANONYMOUS_MAX: usize = 512;

/// A type, as it is encoded.
#[derive(Clone, Copy)]
struct Type {
    name: u32,
    info: u32,
    /// Size in bytes, or the id of another type, depending on the kind.
    size_or_type: u32,
    /// Where the part that depends on the kind begins.
    tail: usize,
}

impl Type {
    fn kind(self) -> u32 {
        (self.info >> 24) & 0x1f
    }

    fn vlen(self) -> usize {
        usize::try_from(self.info & 0xffff).unwrap_or(0)
    }

    /// Whether the upper byte of a member's offset is the size of a bit field.
    fn has_bit_fields(self) -> bool {
        self.info >> 31 == 1
    }
}

/// The types of a kernel.
pub struct Types<'a> {
    bytes: &'a [u8],
    strings: usize,
    types: Vec<Type>,
    /// Structures, unions and typedefs by name; several may have the same name.
    by_name: HashMap<&'a [u8], Vec<usize>>,
}

impl<'a> Types<'a> {
    /// Finds the position of each type.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        if word(bytes, 0)? & 0xffff != MAGIC {
            return Err(BtfError::NotBtf);
        }
        let header = offset(bytes, 4)?;
        let begin = header + offset(bytes, 8)?;
        let end = begin + offset(bytes, 12)?;
        let strings = header + offset(bytes, 16)?;
        // Type 0 is void, which is not encoded.
        let void = Type { name: 0, info: 0, size_or_type: 0, tail: 0 };
        let mut this = Self { bytes, strings, types: vec![void], by_name: HashMap::new() };
        let mut at = begin;
        while at < end {
            let found = Type {
                name: word(bytes, at)?,
                info: word(bytes, at + 4)?,
                size_or_type: word(bytes, at + 8)?,
                tail: at + TYPE_LEN,
            };
            if matches!(found.kind(), STRUCT | UNION | TYPEDEF) {
                this.by_name.entry(this.string(found.name)?).or_default().push(this.types.len());
            }
            at = found.tail + tail_len(found)?;
            this.types.push(found);
        }
        Ok(this)
    }

    /// Bits from the start of `structure` to the member at the end of the path. Members of anonymous structures and unions
    /// count as those of the outer structure.
    #[must_use]
    pub fn bit_offset(&self, structure: &str, members: &[&str]) -> Option<u32> {
        self.named(structure).find_map(|id| {
            let mut here = id;
            let mut bits = 0u32;
            for member in members {
                let (offset, inner) = self.member(here, member.as_bytes(), &mut Vec::new())?;
                bits = bits.checked_add(offset)?;
                here = inner;
            }
            Some(bits)
        })
    }

    /// Size of a structure in bytes.
    #[must_use]
    pub fn size(&self, structure: &str) -> Option<u32> {
        self.named(structure)
            .filter_map(|id| self.types.get(id))
            .find(|found| matches!(found.kind(), STRUCT | UNION))
            .map(|found| found.size_or_type)
    }

    /// Number of arguments that a BTF tracepoint passes to a program: those of `btf_trace_NAME` without the first, which is
    /// the kernel's own.
    #[must_use]
    pub fn tracepoint_arguments(&self, tracepoint: &str) -> Option<u32> {
        self.named(&format!("btf_trace_{tracepoint}")).find_map(|id| {
            let pointer = self.types.get(self.followed(id))?;
            let function = self.types.get(usize::try_from(pointer.size_or_type).ok()?)?;
            let is_function = pointer.kind() == PTR && function.kind() == FUNC_PROTO;
            is_function.then(|| u32::try_from(function.vlen()).ok())??.checked_sub(1)
        })
    }

    fn named(&self, name: &str) -> impl Iterator<Item = usize> {
        self.by_name.get(name.as_bytes()).into_iter().flatten().copied()
    }

    /// Offset in bits and type of a member. Each structure is `searched` once: a structure that holds itself many times would
    /// never end.
    fn member(&self, structure: usize, name: &[u8], searched: &mut Vec<usize>) -> Option<(u32, usize)> {
        let structure = self.followed(structure);
        let outer = self.types.get(structure)?;
        if searched.len() > ANONYMOUS_MAX
            || searched.contains(&structure)
            || !matches!(outer.kind(), STRUCT | UNION)
        {
            return None;
        }
        searched.push(structure);
        (0..outer.vlen()).find_map(|nth| {
            let at = outer.tail + nth * MEMBER_LEN;
            let member = self.string(word(self.bytes, at).ok()?).ok()?;
            let inner = offset(self.bytes, at + 4).ok()?;
            let raw = word(self.bytes, at + 8).ok()?;
            let bits = if outer.has_bit_fields() { raw & 0x00ff_ffff } else { raw };
            if member == name {
                Some((bits, inner))
            } else if member.is_empty() {
                let (further, found) = self.member(inner, name, searched)?;
                Some((bits.checked_add(further)?, found))
            } else {
                None
            }
        })
    }

    /// The type behind typedefs and qualifiers.
    fn followed(&self, id: usize) -> usize {
        let mut here = id;
        for _ in 0..DEPTH_MAX {
            match self.types.get(here) {
                Some(found) if matches!(found.kind(), TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG) => {
                    here = usize::try_from(found.size_or_type).unwrap_or(0);
                }
                _ => break,
            }
        }
        here
    }

    fn string(&self, name: u32) -> Result<&'a [u8], BtfError> {
        let at = self.strings.saturating_add(usize::try_from(name).unwrap_or(usize::MAX));
        let rest = self.bytes.get(at..).ok_or(BtfError::CutShort { at })?;
        let len = rest.iter().position(|&byte| byte == 0).ok_or(BtfError::CutShort { at })?;
        rest.get(..len).ok_or(BtfError::CutShort { at })
    }
}

/// Bytes of the part that depends on the kind.
fn tail_len(found: Type) -> Result<usize, BtfError> {
    Ok(match found.kind() {
        // Forward, pointer, typedef, qualifiers, function, float, tag.
        2 | 7..=12 | 16 | 18 => 0,
        // Integer, variable, declaration tag.
        1 | 14 | 17 => 4,
        3 => 12,
        STRUCT | UNION | 15 | 19 => found.vlen() * 12,
        6 | FUNC_PROTO => found.vlen() * 8,
        kind => return Err(BtfError::UnknownKind { kind }),
    })
}

fn word(bytes: &[u8], at: usize) -> Result<u32, BtfError> {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    found.map(|word| u32::from_ne_bytes(*word)).ok_or(BtfError::CutShort { at })
}

fn offset(bytes: &[u8], at: usize) -> Result<usize, BtfError> {
    usize::try_from(word(bytes, at)?).map_err(|_| BtfError::CutShort { at })
}

#[cfg(test)]
mod tests;
