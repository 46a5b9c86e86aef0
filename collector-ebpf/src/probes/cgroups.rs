//! Cgroups that are made and removed: `cgroup_mkdir` and `cgroup_rmdir`. Attached where there are rules on cgroups, as a
//! unit that starts again has a new cgroup under the old path.
//!
//! The kernel calls the first before anybody sees the directory, so no process is in it yet.

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
