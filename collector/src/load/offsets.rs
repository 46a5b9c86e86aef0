//! Looks up every row of [`Offsets::FIELDS`] in the running kernel's types.

use collector_common::{ABSENT, Field, FieldKind, Need, Offsets};
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::{btf::Types, error::LoadError, part::Degraded, vmlinux::read_vmlinux};

/// The features that this kernel's types lack fields for; an error if the agent cannot do without them. Takes no
/// privilege.
pub fn lacking_fields() -> Result<Vec<Degraded>, LoadError> {
    find(&read_vmlinux().map_err(LoadError::NoBtf)?).map(|found| found.degraded)
}

/// The offsets of the running kernel.
#[derive(Debug)]
pub(super) struct ResolvedOffsets {
    /// The offsets.
    pub(super) offsets: Offsets,
    /// Features for which the kernel's structures lack fields.
    pub(super) degraded: Vec<Degraded>,
}

/// Finds the offsets in the bytes of /sys/kernel/btf/vmlinux.
pub(super) fn find(vmlinux: &[u8]) -> Result<ResolvedOffsets, LoadError> {
    let types = Types::parse(vmlinux)?;
    let mut missing = Vec::new();
    let mut degraded = Vec::new();
    let answers: Vec<u32> = Offsets::FIELDS
        .iter()
        .map(|field| {
            let answer = look_up(&types, field);
            match (answer, field.need) {
                (None, Need::Required) => missing.push(field.path),
                (None, Need::Feature(feature)) => degraded.push(Degraded {
                    feature: feature.to_owned(),
                    reason: format!("this kernel's types have no {}", field.path),
                }),
                (None, Need::Fallback) | (Some(_), _) => {}
            }
            answer.unwrap_or(ABSENT)
        })
        .collect();
    if missing.is_empty() && !ids_in_a_row(&types) {
        missing.push("cred.uid to cred.fsgid in their order (CONFIG_RANDSTRUCT)");
    }
    if !missing.is_empty() {
        return Err(LoadError::NoFields { fields: missing });
    }
    // The table declares the fields of the structure in this order, so the sizes agree.
    let offsets = Offsets::read_from_bytes(answers.as_bytes()).unwrap_or(Offsets::NONE);
    Ok(ResolvedOffsets { offsets, degraded })
}

/// Whether the eight ids of `struct cred` are one block, as the programs read them. A kernel may shuffle its structures.
fn ids_in_a_row(types: &Types<'_>) -> bool {
    let names = ["uid", "gid", "suid", "sgid", "euid", "egid", "fsuid", "fsgid"];
    let offsets: Vec<_> = names.iter().filter_map(|name| types.bit_offset("cred", &[name])).collect();
    offsets.len() == names.len() && offsets.is_sorted_by(|one, next| one + u32::BITS == *next)
}

fn look_up(types: &Types<'_>, field: &Field) -> Option<u32> {
    field.path.split('|').find_map(|path| {
        let mut names = path.split('.');
        let structure = names.next()?;
        let members: Vec<&str> = names.collect();
        match field.kind {
            FieldKind::Size => types.size(structure),
            FieldKind::Arguments => types.tracepoint_arguments(structure),
            FieldKind::BitOffset => types.bit_offset(structure, &members),
            FieldKind::Offset => types.bit_offset(structure, &members).map(|bits| bits / 8),
        }
    })
}
