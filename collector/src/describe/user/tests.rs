//! Names from files of a fake host and a fake container.

use std::cell::Cell;
use std::fs;

use tempfile::TempDir;

use super::*;

const HOST: u32 = 1;
const CONTAINER: u32 = 2;

/// A host with a user `root`, and a container where the same id is `toor`.
struct World {
    host: TempDir,
    container: TempDir,
    start: Instant,
    users: Users,
    opened: Cell<u32>,
}

impl World {
    fn new() -> Self {
        let root = |name: &str| {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir(root.path().join("etc")).unwrap();
            fs::write(root.path().join("etc/passwd"), format!("{name}:x:0:0\nlater:x:0:0\n")).unwrap();
            fs::write(root.path().join("etc/group"), "wheel:x:0:\n").unwrap();
            root
        };
        let (host, container) = (root("root"), root("toor"));
        let users = Users::new(host.path().to_owned(), Some(HOST));
        Self { host, container, start: Instant::now(), users, opened: Cell::new(0) }
    }

    /// The name of user 0 at `seconds`, with a process of the container that can be read.
    #[track_caller]
    fn check(&mut self, seconds: u64, mnt_ns: u32, expected: Option<&str>) {
        let now = self.start + Duration::from_secs(seconds);
        let name = self.users.user(now, Some(mnt_ns), 0, |path| {
            self.opened.set(self.opened.get() + 1);
            match File::open(self.container.path().join(path)) {
                Ok(file) => Ok(Some(file)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        });
        assert_eq!(name.as_deref(), expected);
    }

    /// The name of user 0 in the container at `seconds`, if the process is gone before it is read.
    #[track_caller]
    fn check_gone(&mut self, seconds: u64, expected: Option<&str>) {
        let now = self.start + Duration::from_secs(seconds);
        assert_eq!(self.users.user(now, Some(CONTAINER), 0, |_| Err(())).as_deref(), expected);
    }
}

#[test]
fn the_host_and_a_container_have_their_own_names() {
    let mut world = World::new();
    world.check(0, HOST, Some("root"));
    assert_eq!(world.opened.get(), 0);
    world.check(0, CONTAINER, Some("toor"));
    let group = world.users.group(world.start, Some(CONTAINER), 0, |path| {
        File::open(world.container.path().join(path)).map(Some)
    });
    assert_eq!(group.as_deref(), Some("wheel"));
}

#[test]
fn a_change_shows_after_a_second_and_not_before() {
    let mut world = World::new();
    for (mnt_ns, root, old) in
        [(HOST, world.host.path(), "root"), (CONTAINER, world.container.path(), "toor")]
            .map(|(mnt_ns, root, old)| (mnt_ns, root.to_owned(), old))
    {
        world.check(0, mnt_ns, Some(old));
        fs::write(root.join("etc/passwd"), "admin:x:0:0\n").unwrap();
        world.check(0, mnt_ns, Some(old));
        world.check(1, mnt_ns, Some("admin"));
    }
}

#[test]
fn a_file_is_opened_once_a_second() {
    let mut world = World::new();
    for _ in 0..10 {
        world.check(0, CONTAINER, Some("toor"));
    }
    assert_eq!(world.opened.get(), 1);
    world.check(1, CONTAINER, Some("toor"));
    assert_eq!(world.opened.get(), 2);
}

#[test]
fn a_process_that_is_gone_does_not_hide_the_names_from_the_next() {
    let mut world = World::new();
    world.check_gone(0, None);
    world.check(0, CONTAINER, Some("toor"));
}

#[test]
fn names_outlive_short_processes_for_a_bounded_time() {
    let mut world = World::new();
    world.check(0, CONTAINER, Some("toor"));
    world.check_gone(9, Some("toor"));
    world.check_gone(10, None);
}

#[test]
fn a_missing_file_has_no_names_and_is_cached() {
    let mut world = World::new();
    fs::remove_file(world.container.path().join("etc/passwd")).unwrap();
    world.check(0, CONTAINER, None);
    world.check(0, CONTAINER, None);
    assert_eq!(world.opened.get(), 1);
}

#[test]
fn a_huge_file_has_no_names() {
    let mut world = World::new();
    let path = world.container.path().join("etc/passwd");
    fs::write(&path, vec![b'\n'; usize::try_from(FILE_LEN).unwrap() + 1]).unwrap();
    world.check(0, CONTAINER, None);
    let many_short_names: Vec<_> = (0..200_000).map(|id| format!("a:x:{id}:")).collect();
    fs::write(&path, many_short_names.join("\n")).unwrap();
    world.check(1, CONTAINER, None);
}

#[test]
fn a_name_that_is_not_utf_8_is_repaired() {
    let mut world = World::new();
    fs::write(world.container.path().join("etc/passwd"), b"j\xf6rg:x:0:0\n").unwrap();
    world.check(0, CONTAINER, Some("j\u{fffd}rg"));
}

#[test]
fn a_full_cache_evicts_the_namespace_not_used_for_longest() {
    let mut world = World::new();
    world.check(0, HOST, Some("root"));
    for mnt_ns in 0..u32::try_from(CAPACITY).unwrap() {
        world.check(0, CONTAINER + mnt_ns, Some("toor"));
        world.check(0, HOST, Some("root"));
    }
    assert_eq!(world.users.tables.len(), CAPACITY);
    let opened = world.opened.get();
    world.check(0, CONTAINER, Some("toor"));
    assert_eq!(world.opened.get(), opened + 1);
}
