//! The verdict on each fact that a kernel may report.

use std::io;

use super::{Check, btf_check, jit_check, lockdown_check, release, release_check, statistics_check};
use crate::{
    doctor::check::Status,
    load::{Degraded, LoadError},
};

#[track_caller]
fn check(found: &Check, status: Status, words: &str) {
    assert_eq!(found.status, status, "{found:?}");
    let affects = found.affects.as_deref().unwrap_or("");
    assert!(found.found.contains(words) || affects.contains(words), "{found:?}");
    assert_eq!(found.status == Status::Ok, found.advice.is_none(), "advice where it is not ok: {found:?}");
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

#[test]
fn linux_5_8_is_new_enough_and_5_7_is_not() {
    check(&release_check("5.8.0", false), Status::Ok, "5.8.0");
    check(&release_check("5.7.19-amd64", false), Status::Fail, "5.8");
    check(&release_check("7.3.1-cloud-amd64", false), Status::Ok, "7.3.1");
}

#[test]
fn an_old_kernel_with_bpf_carried_back_is_believed_once_the_hooks_were_attached() {
    check(&release_check("4.18.0-553.el8.x86_64", true), Status::Ok, "4.18");
}

#[test]
fn a_release_that_is_no_version_is_left_to_the_other_checks() {
    check(&release_check("custom", false), Status::Ok, "custom");
}

#[test]
fn the_release_is_known_without_proc() {
    let in_proc = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(release(), in_proc.trim_end());
}

#[test]
fn types_with_every_field_are_ok() {
    check(&btf_check(&Ok(Vec::new())), Status::Ok, "vmlinux");
}

#[test]
fn optional_fields_that_are_missing_are_a_warning_with_each_feature_once() {
    let lack = |field: &str| Degraded {
        feature: "subreapers".to_owned(),
        reason: format!("this kernel's types have no {field}"),
    };
    let found = btf_check(&Ok(vec![lack("a.b"), lack("a.c")]));
    check(&found, Status::Warn, "a.c");
    assert_eq!(found.affects.as_deref(), Some("events come without: subreapers"));
}

#[test]
fn a_required_field_that_is_missing_is_a_failure_that_names_it() {
    let error = LoadError::NoFields { fields: vec!["task_struct.tgid"] };
    check(&btf_check(&Err(error)), Status::Fail, "task_struct.tgid");
}

#[test]
fn a_kernel_without_types_is_a_failure() {
    let found = btf_check(&Err(LoadError::NoBtf(not_found())));
    check(&found, Status::Fail, "/sys/kernel/btf/vmlinux");
    assert!(found.advice.is_some_and(|advice| advice.contains("CONFIG_DEBUG_INFO_BTF")));
}

#[test]
fn lockdown_of_confidentiality_is_a_failure_and_of_integrity_is_not() {
    let modes = |text: &str| lockdown_check(Ok(text.to_owned()));
    check(&modes("none integrity [confidentiality]\n"), Status::Fail, "confidentiality");
    check(&modes("none [integrity] confidentiality\n"), Status::Ok, "integrity");
    check(&modes("[none] integrity confidentiality\n"), Status::Ok, "none");
}

#[test]
fn a_kernel_without_lockdown_is_ok() {
    check(&lockdown_check(Err(not_found())), Status::Ok, "not built in");
}

#[test]
fn statistics_that_are_on_are_noted_and_no_more() {
    check(&statistics_check(&Ok("1\n".to_owned())), Status::Ok, "costs");
    check(&statistics_check(&Ok("0\n".to_owned())), Status::Ok, "off");
    check(&statistics_check(&Err(not_found())), Status::Ok, "cannot read");
}

#[test]
fn an_interpreter_in_place_of_the_compiler_is_a_warning() {
    check(&jit_check(&Ok("0\n".to_owned())), Status::Warn, "speed");
    check(&jit_check(&Ok("1\n".to_owned())), Status::Ok, "on");
    check(&jit_check(&Err(io::ErrorKind::PermissionDenied.into())), Status::Ok, "not known");
}
