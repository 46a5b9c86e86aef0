//! An NFS mount's connection is the kernel's own. Server and client are both this machine's kernel, on loopback; a
//! guest of `cargo xtask vm` has them, so the test runs there and not with the others.

use std::{
    ffi::CString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use collector_tests::{
    agent::Agent,
    community_id::{TCP, community_id},
    events::Event,
    findings::Findings,
    live::{live_test, needs},
    stream_rules,
};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use serde_json::json;

/// Not NFS's own port, so that nothing else is taken for it.
const PORT: u16 = 20_049;

/// Whom the server takes the client for.
const DOMAIN: &str = "guest";

/// `include/uapi/linux/nfsd/export.h`: `NFSEXP_NOSUBTREECHECK`, `NFSEXP_FSID`, and `NFSEXP_INSECURE_PORT`.
const EXPORT_FLAGS: u32 = 0x0400 | 0x2000 | 0x0002;

/// Of the one file that is served.
const CONTENTS: &str = "over NFS";

/// The user that an unknown client's user is: nobody's.
const NOBODY: u32 = 65_534;

/// The kernel's NFS server with one folder, reached by NFS 4 alone. It needs no program beside it: what `mountd` would
/// answer is written into the kernel's caches beforehand.
struct Server {
    folder: PathBuf,
}

impl Server {
    fn start(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        // A file system that can be exported; the guest's first root cannot.
        mount("tmpfs", folder, "tmpfs", MountFlags::empty(), None).unwrap();
        fs::write(folder.join("file"), CONTENTS).unwrap();
        mount("nfsd", "/proc/fs/nfsd", "nfsd", MountFlags::empty(), None).unwrap();
        // Neither lock manager nor port mapper, which only the older versions need.
        write("/proc/fs/nfsd/versions", "-2 -3 +4 +4.1 +4.2");
        let path = folder.to_str().unwrap();
        // Seconds since 1970, far away.
        let expiry = i32::MAX;
        answer("auth.unix.ip", &format!("nfsd 127.0.0.1 {expiry} {DOMAIN}"));
        answer("nfsd.export", &format!("{DOMAIN} {path} {expiry} {EXPORT_FLAGS} {NOBODY} {NOBODY} 0"));
        // The root of NFS 4 is the folder with the number 0: kind 1 is a number of 32 bits.
        answer("nfsd.fh", &format!("{DOMAIN} 1 \\x00000000 {expiry} {path}"));
        write("/proc/fs/nfsd/portlist", &format!("tcp {PORT}"));
        write("/proc/fs/nfsd/threads", "1");
        Self { folder: folder.to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        write("/proc/fs/nfsd/threads", "0");
        unmount(&self.folder, UnmountFlags::DETACH).unwrap();
    }
}

fn write(file: &str, text: &str) {
    fs::write(file, format!("{text}\n"))
        .unwrap_or_else(|error| panic!("cannot write {text:?} to {file}: {error}"));
}

/// Puts an answer into one of the server's caches.
fn answer(cache: &str, text: &str) {
    write(&format!("/proc/net/rpc/{cache}/channel"), text);
}

#[live_test(alone)]
fn the_connection_of_an_nfs_mount_belongs_to_the_kernel() {
    needs::guest();
    let directory = tempfile::tempdir().unwrap();
    let _server = Server::start(&directory.path().join("export"));
    let place = directory.path().join("mount");
    fs::create_dir(&place).unwrap();
    let agent = Agent::start(&["--event", "connect"]);
    let options = format!("vers=4.2,proto=tcp,port={PORT},addr=127.0.0.1,clientaddr=127.0.0.1,sec=sys,soft");
    mount("127.0.0.1:/", &place, "nfs4", MountFlags::empty(), Some(&*CString::new(options).unwrap()))
        .unwrap();
    let is_it = |event: &Event| event.number_at("destination.port") == Some(PORT.into());
    let [connect, result] = ["connect", "connect-result"].map(|action| {
        agent.wait_for_any("the mount's connection", |event| event.action() == action && is_it(event))
    });
    // Not read: for a while after its start the server opens no file, in case a client claims a lock of an earlier run.
    assert_eq!(fs::metadata(place.join("file")).unwrap().len(), u64::try_from(CONTENTS.len()).unwrap());
    unmount(&place, UnmountFlags::empty()).unwrap();
    let run = agent.stop().expect_success();

    let mut findings = stream_rules::check(&run.events);
    for event in [&connect, &result] {
        kernel_connection(&mut findings, event);
    }
    let id = result.at("connection.id");
    findings.equal("connection.id (of the result)", "the result", id, connect.at("connection.id"));
    findings.equal("event.outcome", "the result", result.at("event.outcome"), Some(&json!("success")));
    findings.conclude();
}

fn kernel_connection(findings: &mut Findings, event: &Event) {
    let whose = event.action();
    let port = event.number_at("source.port").and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
    let [source, destination] = [port, PORT].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    for (path, expected) in [
        ("network.kernel_connection", json!(true)),
        ("process.is_kernel", json!(true)),
        ("network.transport", json!("tcp")),
        ("network.type", json!("ipv4")),
        ("network.community_id", json!(community_id(source, destination, TCP))),
        ("source.ip", json!("127.0.0.1")),
        ("destination.ip", json!("127.0.0.1")),
        ("destination.port", json!(PORT)),
    ] {
        findings.equal(path, whose, event.at(path), Some(&expected));
    }
    findings.require("source.port", port != 0, || event.text.clone());
    for field in ["executable", "args", "env_vars", "hash"] {
        let path = format!("process.{field}");
        findings.equal(&path, whose, event.at(&path), None);
    }
}
