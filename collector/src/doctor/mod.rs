//! `collector doctor`: whether the agent can run here, what fails and what to do.
//!
//! Each file reads one group of facts and judges them in separate functions, so tests get every verdict without root and
//! without an odd kernel. The checks leave nothing behind: they attach the programs for a moment.

mod check;
mod kernel;
mod namespace;
mod privileges;
mod programs;
mod report;
mod surroundings;

use self::privileges::Privileges;
pub use self::{
    check::{Check, Status},
    report::{Report, Verdict},
};
use crate::{
    filter::Filter,
    load::{self, LoadOptions},
};

/// As large as an agent's ring: where the kernel counts maps against a limit, a small one proves little.
const RING_BYTES: u32 = 8 << 20;

/// Makes every check, for a run with this filter. Checks that need privileges say so if the process has none.
#[must_use]
pub fn examine(filter: &Filter) -> Report {
    let release = kernel::release();
    let version = kernel::version(&release);
    let privileges = Privileges::read();
    let tried =
        LoadOptions { ring_bytes: RING_BYTES, connections: true, kernel_log: 0, filter: filter.clone() };
    let probe = privileges.suffice().then(|| load::probe(&tried));
    let mut checks = vec![
        kernel::release_check(&release, programs::processes_attached(&probe)),
        kernel::btf_check(&load::lacking_fields()),
        privileges.check(),
        kernel::lockdown(),
        privileges::memlock(version),
        kernel::jit(),
        kernel::statistics(),
        surroundings::cgroup2(),
        surroundings::proc(&privileges.missing),
        privileges.ring_buffer_check(),
        programs::object_check(load::object_len()),
    ];
    checks.extend(surroundings::filters(filter));
    checks.extend(programs::checks(&probe));
    Report::new(checks)
}
