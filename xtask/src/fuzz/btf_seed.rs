//! The kernel's types cut down to those that the agent looks for: 5 MB become a few kilobytes, which a fuzzer can change.
//!
//! Documentation/bpf/btf.rst of the kernel has the format. Members that are not looked for are left out, so the offsets stay
//! but the sizes no longer agree; a reader that believes them must not break.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, Result, ensure};

/// A header without the two sections.
const HEADER_LEN: usize = 24;
const MAGIC_AND_VERSION: u32 = 0x0001_eb9f;

const STRUCT: u32 = 4;
const UNION: u32 = 5;
const TYPEDEF: u32 = 8;

/// A structure, a union or a typedef of the kernel.
struct Type<'a> {
    name: &'a [u8],
    info: u32,
    size_or_type: u32,
    /// Name, type and offset of each member.
    members: Vec<(&'a [u8], u32, u32)>,
}

/// The types that the table of offsets (its source) names, and what they hold.
pub(super) fn trimmed(vmlinux: &[u8], table: &str) -> Result<Vec<u8>> {
    let words: HashSet<&[u8]> = table
        .split('"')
        .skip(1)
        .step_by(2)
        .flat_map(|path| path.split(['.', '|']))
        .map(str::as_bytes)
        .collect();
    let types = parse(vmlinux)?;
    let mut kept = BTreeMap::new();
    let named = types.iter().filter(|(_, found)| found.kind() != TYPEDEF && words.contains(found.name));
    let mut wanted: Vec<u32> = named.map(|(id, _)| *id).collect();
    while let Some(id) = wanted.pop() {
        let Some(found) = types.get(&id).filter(|_| !kept.contains_key(&id)) else { continue };
        let new_id = u32::try_from(kept.len() + 1)?;
        kept.insert(id, new_id);
        if found.kind() == TYPEDEF {
            wanted.push(found.size_or_type);
        }
        wanted.extend(
            found.members.iter().filter(|(name, ..)| is_looked_for(name, &words)).map(|member| member.1),
        );
    }
    ensure!(!kept.is_empty(), "no structure of the table is among the kernel's types");
    Ok(Writer::default().write(&types, &kept, &words))
}

fn is_looked_for(member: &[u8], words: &HashSet<&[u8]>) -> bool {
    member.is_empty() || words.contains(member)
}

impl Type<'_> {
    fn kind(&self) -> u32 {
        self.info >> 24 & 0x1f
    }
}

fn parse(bytes: &[u8]) -> Result<HashMap<u32, Type<'_>>> {
    let header = index(bytes, 4)?;
    let begin = header + index(bytes, 8)?;
    let end = begin + index(bytes, 12)?;
    let strings = header + index(bytes, 16)?;
    let name = |at: usize| {
        let rest = bytes.get(strings + index(bytes, at)?..).context("a name outside the strings")?;
        rest.split(|&byte| byte == 0).next().context("a name without an end")
    };
    let mut types = HashMap::new();
    let mut at = begin;
    for id in 1.. {
        if at >= end {
            break;
        }
        let (info, size_or_type) = (word(bytes, at + 4)?, word(bytes, at + 8)?);
        let mut found = Type { name: name(at)?, info, size_or_type, members: Vec::new() };
        let members = usize::try_from(info & 0xffff)?;
        if matches!(found.kind(), STRUCT | UNION) {
            for member in 0..members {
                let at = at + 12 + member * 12;
                found.members.push((name(at)?, word(bytes, at + 4)?, word(bytes, at + 8)?));
            }
        }
        at += 12 + members * member_len(found.kind()) + extra_len(found.kind());
        if matches!(found.kind(), STRUCT | UNION | TYPEDEF) {
            types.insert(id, found);
        }
    }
    Ok(types)
}

/// Bytes of each member of a type of this kind: structures, enums, variables of sections, arguments of functions.
fn member_len(kind: u32) -> usize {
    match kind {
        STRUCT | UNION | 15 | 19 => 12,
        6 | 13 => 8,
        _ => 0,
    }
}

/// Bytes behind a type that has no members: an array, an integer, a variable, a tag.
fn extra_len(kind: u32) -> usize {
    match kind {
        3 => 12,
        1 | 14 | 17 => 4,
        _ => 0,
    }
}

fn word(bytes: &[u8], at: usize) -> Result<u32> {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).context("the types are cut short")?;
    Ok(u32::from_ne_bytes(*word))
}

fn index(bytes: &[u8], at: usize) -> Result<usize> {
    Ok(usize::try_from(word(bytes, at)?)?)
}

/// The new types and their names.
#[derive(Default)]
struct Writer {
    types: Vec<u8>,
    strings: Vec<u8>,
}

impl Writer {
    fn write(
        mut self,
        types: &HashMap<u32, Type<'_>>,
        kept: &BTreeMap<u32, u32>,
        words: &HashSet<&[u8]>,
    ) -> Vec<u8> {
        self.strings.push(0);
        let new_id = |id: &u32| kept.get(id).copied().unwrap_or(0);
        let mut in_order: Vec<(&u32, &u32)> = kept.iter().collect();
        in_order.sort_by_key(|(_, new_id)| **new_id);
        for found in in_order.iter().filter_map(|(id, _)| types.get(id)) {
            let members: Vec<_> =
                found.members.iter().filter(|(name, ..)| is_looked_for(name, words)).collect();
            let count = u32::try_from(members.len()).unwrap_or(0);
            let second =
                if found.kind() == TYPEDEF { new_id(&found.size_or_type) } else { found.size_or_type };
            let name = self.name(found.name);
            self.push([name, found.info & !0xffff | count, second]);
            for (name, id, offset) in members {
                let name = self.name(name);
                self.push([name, new_id(id), *offset]);
            }
        }
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(0);
        let (types_len, header_len) = (len(&self.types), u32::try_from(HEADER_LEN).unwrap_or(0));
        let header = [MAGIC_AND_VERSION, header_len, 0, types_len, types_len, len(&self.strings)];
        let header: Vec<u8> = header.into_iter().flat_map(u32::to_ne_bytes).collect();
        [header, self.types, self.strings].concat()
    }

    fn push(&mut self, words: [u32; 3]) {
        self.types.extend(words.into_iter().flat_map(u32::to_ne_bytes));
    }

    /// Where the name is, which is added if it is new.
    fn name(&mut self, name: &[u8]) -> u32 {
        let ended = [name, b"\0"].concat();
        let known = self.strings.windows(ended.len()).position(|window| window == ended);
        let at = known.unwrap_or_else(|| {
            self.strings.extend(&ended);
            self.strings.len() - ended.len()
        });
        u32::try_from(at).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{parse, trimmed};

    #[test]
    fn what_the_agent_looks_for_is_kept_and_the_rest_is_not() {
        let Ok(vmlinux) = fs::read("/sys/kernel/btf/vmlinux") else {
            eprintln!("skipped: this kernel does not tell its types");
            return;
        };
        let small = trimmed(&vmlinux, r#"x: Offset "task_struct.se.sum_exec_runtime" y"#).unwrap();
        assert!(small.len() < 4096);
        let types = parse(&small).unwrap();
        let task = types.values().find(|found| found.name == b"task_struct").unwrap();
        let (_, se, offset) = task.members.iter().find(|member| member.0 == b"se").unwrap();
        let whole = parse(&vmlinux).unwrap();
        let whole = whole.values().find(|found| found.name == b"task_struct").unwrap();
        assert!(whole.members.iter().any(|member| member.0 == b"se" && member.2 == *offset));
        assert!(types[se].members.iter().any(|member| member.0 == b"sum_exec_runtime"));
    }
}
