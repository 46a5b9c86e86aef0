//! The OCSF Common Process Identifier (CPID): an id of a process that every tool on the machine computes the same way.
//!
//! Specification: <https://github.com/ocsf/common-process-id>, section "Linux".

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::key::KernelTimeNs;
use crate::event::EntityId;

/// The CPID of a process. `vpid` is its id in its innermost PID namespace, whose inode number is `pid_namespace`.
///
/// Two lives of one id that begin in the same clock tick (10 ms) have the same CPID; the specification wants it so.
#[must_use]
pub fn entity_id(boot: Uuid, pid_namespace: u32, start: KernelTimeNs, vpid: u32) -> EntityId {
    let mut hasher = Sha256::new();
    hasher.update(boot.as_bytes());
    for number in [u64::from(pid_namespace), start.to_ticks().0, u64::from(vpid)] {
        hasher.update(number.to_ne_bytes());
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let bytes = digest.first_chunk().copied().unwrap_or_default();
    Builder::from_custom_bytes(bytes).into_uuid().into()
}

#[cfg(test)]
mod tests {
    use super::{KernelTimeNs, entity_id};

    #[test]
    fn the_id_equals_the_example_of_the_specification() {
        let boot = "2899dae4-4fa4-4eef-95b6-6bc95325f61a".parse().unwrap();
        let start = KernelTimeNs(555_580_000_000);
        assert_eq!(
            entity_id(boot, 4_026_532_263, start, 29).to_string(),
            "b770a0ed-8463-822c-b5f6-30d9081ddbd9"
        );
    }
}
