//! The cgroup v2 hierarchy, and a cgroup of a test's own in it.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};

use super::procfs;

/// Where cgroup v2 is mounted, if it is: the first such line of /proc/self/mountinfo.
pub fn mount() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    mounts.lines().find_map(|line| {
        let (fields, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then(|| PathBuf::from(fields.split(' ').nth(4).unwrap()))
    })
}

/// `process.cgroup` of a process.
pub fn of(pid: u32) -> Option<Value> {
    let text = fs::read_to_string(procfs::file(pid, "cgroup")).ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    let directory = mount()?.join(path.trim_start_matches('/'));
    Some(json!({ "id": fs::metadata(directory).ok()?.ino(), "path": path }))
}

/// A cgroup named as the runtime of a container would; removed at the end.
#[derive(Debug)]
pub struct ContainerCgroup {
    parent: PathBuf,
    leaf: PathBuf,
    /// The 64 digits of the container's id.
    pub container_id: String,
}

impl ContainerCgroup {
    /// Of docker with systemd: `…/docker-<64 hex digits>.scope`.
    pub fn docker() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique = COUNT.fetch_add(1, Ordering::Relaxed);
        Self::below(&format!("collector-test-{}-{unique}", process::id()))
    }

    /// The same, below a cgroup of this name.
    pub fn below(name: &str) -> Self {
        let mount = mount().unwrap_or_else(|| panic!("no cgroup2 in /proc/self/mountinfo"));
        let parent = mount.join(name);
        let container_id = super::files::hex(&sha256(name.as_bytes()));
        let leaf = parent.join(format!("docker-{container_id}.scope"));
        fs::create_dir(&parent).unwrap_or_else(|error| panic!("cannot make {}: {error}", parent.display()));
        fs::create_dir(&leaf).unwrap_or_else(|error| panic!("cannot make {}: {error}", leaf.display()));
        Self { parent, leaf, container_id }
    }

    /// The id of the cgroup that it is below.
    pub fn id_above(&self) -> u64 {
        fs::metadata(&self.parent).unwrap().ino()
    }

    /// The file that a process writes `0` to in order to move in.
    pub fn procs(&self) -> fs::File {
        fs::File::options().write(true).open(self.leaf.join("cgroup.procs")).unwrap()
    }
}

impl Drop for ContainerCgroup {
    fn drop(&mut self) {
        // A process that has just ended may still be in it for a moment.
        for _ in 0..500 {
            if remove(&self.leaf) && remove(&self.parent) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        eprintln!("{} is left behind", self.leaf.display());
    }
}

fn remove(directory: &Path) -> bool {
    fs::remove_dir(directory).is_ok() || !directory.exists()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).into()
}
