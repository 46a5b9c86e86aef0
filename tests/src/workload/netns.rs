//! Two network namespaces joined by two veth pairs; removed at the end.

use std::{
    fs::File,
    process::{self, Command},
    sync::Arc,
};

/// Addresses of the client, one on each link.
pub const CLIENT: [&str; 2] = ["10.77.1.1", "10.77.2.1"];
/// Addresses of the server, one on each link.
pub const SERVER: [&str; 2] = ["10.77.1.2", "10.77.2.2"];

/// A client's and a server's namespace.
#[derive(Debug)]
pub struct Pair {
    client: String,
    server: String,
}

impl Pair {
    /// Joined and up, with MPTCP allowed.
    pub fn new() -> Self {
        let name = |end| format!("collector-test-{}-{end}", process::id());
        let pair = Self { client: name("client"), server: name("server") };
        for namespace in [&pair.client, &pair.server] {
            ip(&["netns", "add", namespace]);
            ip(&["-n", namespace, "link", "set", "lo", "up"]);
        }
        for link in [0, 1] {
            let (near, far) = (format!("near{link}"), format!("far{link}"));
            let (client, server) = (&pair.client, &pair.server);
            ip(&[
                "link", "add", &near, "netns", client, "type", "veth", "peer", "name", &far, "netns", server,
            ]);
            for (namespace, device, address) in [(client, near, CLIENT[link]), (server, far, SERVER[link])] {
                ip(&["-n", namespace, "addr", "add", &format!("{address}/24"), "dev", &device]);
                ip(&["-n", namespace, "link", "set", &device, "up"]);
            }
        }
        for namespace in [&pair.client, &pair.server] {
            ip(&["netns", "exec", namespace, "sysctl", "-q", "-w", "net.mptcp.enabled=1"]);
            ip(&["-n", namespace, "mptcp", "limits", "set", "subflow", "2", "add_addr_accepted", "2"]);
        }
        // The second link must also lead to the server's first address, where the second subflow is to go; as a route
        // that only a socket bound to that link takes.
        let detour = ["-n", &pair.client, "route", "add", "10.77.1.0/24", "via", SERVER[1], "dev", "near1"];
        ip(&[&detour[..], &["metric", "9"]].concat());
        ip(&["-n", &pair.client, "mptcp", "endpoint", "add", CLIENT[1], "dev", "near1", "subflow"]);
        pair
    }

    /// The client's namespace, to move into.
    pub fn client(&self) -> Arc<File> {
        open(&self.client)
    }

    /// The server's namespace, to move into.
    pub fn server(&self) -> Arc<File> {
        open(&self.server)
    }
}

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for namespace in [&self.client, &self.server] {
            let removed = Command::new("ip").args(["netns", "del", namespace]).status();
            if !removed.is_ok_and(|status| status.success()) {
                eprintln!("network namespace {namespace} is left behind");
            }
        }
    }
}

fn open(namespace: &str) -> Arc<File> {
    Arc::new(File::open(format!("/run/netns/{namespace}")).unwrap())
}

fn ip(args: &[&str]) {
    let output =
        Command::new("ip").args(args).output().unwrap_or_else(|error| panic!("cannot run ip: {error}"));
    assert!(output.status.success(), "ip {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}
