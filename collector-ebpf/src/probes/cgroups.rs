//! Cgroups that are made and removed: `cgroup_mkdir` and `cgroup_rmdir`. Attached only if there are rules on cgroups:
//! a unit that is restarted has a new cgroup with the old path.
//!
//! The kernel calls the first before the directory is visible, so no process is in it yet.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{filter, kernel::Address};

/// `TP_PROTO(struct cgroup *cgrp, const char *path)`
#[btf_tracepoint(function = "cgroup_mkdir")]
fn cgroup_mkdir(context: BtfTracePointContext) -> i32 {
    filter::cgroup_made(Address(context.arg(0)), Address(context.arg(1)));
    0
}

/// `TP_PROTO(struct cgroup *cgrp, const char *path)`
#[btf_tracepoint(function = "cgroup_rmdir")]
fn cgroup_rmdir(context: BtfTracePointContext) -> i32 {
    filter::cgroup_gone(Address(context.arg(0)));
    0
}
