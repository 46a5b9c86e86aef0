//! Records tests/fixtures anew, as root: `cargo run -p collector-tests --example record_fixtures`, or with `FIXTURE=name` one of
//! them. Then `UPDATE_GOLDEN=1 cargo test -p collector-tests --test offline` writes what they are replayed to; read each
//! difference.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the person who records sees the panic"
)]

#[path = "../../tests/offline/common/mod.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod common;
mod trim;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use collector_tests::agent::Agent;
use tempfile::TempDir;

use common::{fixture, recording::Recording, workloads::WORKLOADS};

/// Where the workloads live. The path is in the fixtures.
const HOME: &str = "/tmp/collector-fixture";

/// Records each workload to a fixture of its own.
fn main() {
    let date = run("date", &["+%F"]);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let kernel: Vec<&str> = release.split('.').take(2).collect();
    let wanted = std::env::var("FIXTURE").ok();
    for (what, command) in
        WORKLOADS.iter().filter(|(what, _)| wanted.as_deref().is_none_or(|wanted| wanted == *what))
    {
        for old in fixture::recordings(what) {
            fs::remove_file(old.with_extension("golden.jsonl")).ok();
            fs::remove_file(old).unwrap();
        }
        let recording = record(command);
        let name = format!("{what}-{}-{}.rec", kernel.join("."), date.trim());
        recording.write(&fixture::directory().join(name));
    }
}

fn record(command: &[&str]) -> Recording {
    furnish();
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("recording");
    let agent = Agent::start(&["--event", "fork,exec,exit,connect", "--record", path.to_str().unwrap()]);
    // None of this process's environment gets into the repository.
    let child = Command::new(command[0])
        .args(&command[1..])
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin:/usr/sbin"), ("HOME", "/root"), ("LC_ALL", "C")])
        .current_dir(HOME)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let root = child.id();
    // Its descendants hold its stdout until each has ended, which the kernel records before it closes their files.
    child.wait_with_output().unwrap();
    let run = agent.stop();
    assert!(run.status.success(), "{run}");
    forsake();
    trim::trim(&Recording::read(&path), root)
}

/// Makes the files and the networks of the workloads.
fn furnish() {
    forsake();
    let home = Path::new(HOME);
    fs::create_dir_all(home.join("bin")).unwrap();
    for name in ["bin/tool", "bin/gone"] {
        run("cp", &["/bin/true", home.join(name).to_str().unwrap()]);
    }
    fs::write(home.join("script.sh"), "#!/bin/sh -e\nexit 0\n").unwrap();
    fs::set_permissions(home.join("script.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    run(
        "sh",
        &[
            "-ec",
            "for end in near far; do
                ip netns add fixture-$end
                ip -n fixture-$end link set lo up
            done
            for link in 1 2; do
                ip link add near$link netns fixture-near type veth peer name far$link netns fixture-far
                for end in near:1 far:2; do
                    ip -n fixture-${end%:*} addr add 10.78.$link.${end#*:}/24 dev ${end%:*}$link
                    ip -n fixture-${end%:*} link set ${end%:*}$link up
                done
            done
            for end in near far; do
                ip netns exec fixture-$end sysctl -q -w net.mptcp.enabled=1
                ip -n fixture-$end mptcp limits set subflow 2 add_addr_accepted 2
            done
            ip -n fixture-near route add 10.78.1.2 via 10.78.2.2 dev near2 metric 9
            ip -n fixture-near mptcp endpoint add 10.78.2.1 dev near2 subflow",
        ],
    );
}

/// Removes them.
fn forsake() {
    run("sh", &["-c", "for end in near far; do ip netns del fixture-$end 2> /dev/null; done; true"]);
    run("rm", &["-rf", HOME]);
}

#[track_caller]
fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
