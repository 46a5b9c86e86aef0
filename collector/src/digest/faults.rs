//! Each system call of a digest fails in turn, in each way that it may: the result is the digest of the image or a reason why
//! there is none, and it comes soon.
//!
//! A run without a fault records which calls there are.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt as _, symlink},
    panic::catch_unwind,
    path::Path,
    time::{Duration, Instant},
};

use collector_common::FileIdentity;
use rustix::fs::{AtFlags, StatxFlags};

use super::{
    job::{Digest, Job},
    limits::DigestLimits,
    locator::FileLocator,
    observed_file::ObservedFile,
    proof::device,
    reader::ImageReader,
    text_busy::TextBusy,
};
use crate::{
    checksum::Algorithms,
    event::{HashSource, Timestamp},
    fact::Reason,
    fake_proc::StatLine,
    file_calls::faulty::{Call, Fault, watched},
    procfs::{Proc, StartTicks},
    text::Text,
};

/// The process and its parent; both began in this tick.
const TGID: u32 = 100;
const PARENT: u32 = 50;
const TICK: StartTicks = StartTicks(5);
/// No bounded read takes this long.
const TOO_LONG: Duration = Duration::from_secs(10);
/// Where the image is in the memory of its process: behind the first page.
const ADDRESS: usize = 4096;
/// Mount namespace of both.
const MNT: u32 = 4_026_531_841;

/// What proves or finds the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It was not changed since.
    Untouched,
    /// It had just been changed, and runs.
    Fresh,
    /// The kernel side sends another device than stat(2) shows.
    OtherDevice,
    /// Its process is gone.
    Path,
    /// Its process lost its file.
    Memory,
}

/// A fake /proc of the process, unless it is gone, and of its parent; the image is in the root of both.
struct World {
    directory: tempfile::TempDir,
    way: Way,
}

impl World {
    fn new(way: Way) -> Self {
        let world = Self { directory: tempfile::tempdir().unwrap(), way };
        fs::create_dir(world.path("root")).unwrap();
        fs::write(world.path("root/image"), world.content()).unwrap();
        let line: &[u32] = if way == Way::Path { &[PARENT] } else { &[PARENT, TGID] };
        for tgid in line {
            world.show(*tgid);
        }
        world
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn content(&self) -> Vec<u8> {
        format!("{:?} ", self.way).into_bytes().repeat(300)
    }

    fn show(&self, tgid: u32) {
        let of = |name: &str| self.path(&format!("{tgid}/{name}"));
        fs::create_dir_all(of("ns")).unwrap();
        let parent = if tgid == TGID { PARENT } else { 1 };
        let stat = StatLine { tgid, comm: "a", state: 'S', parent, start_ticks: TICK.0 };
        fs::write(of("stat"), stat.text()).unwrap();
        symlink(format!("mnt:[{MNT}]"), of("ns/mnt")).unwrap();
        symlink(self.path("root"), of("root")).unwrap();
        // A link to itself cannot be opened, like an image that its file system does not deliver.
        let exe = if self.way == Way::Memory { of("exe") } else { self.path("root/image") };
        symlink(exe, of("exe")).unwrap();
        let file = self.identity();
        let (major, minor) = (file.device >> 20, file.device & 0xf_ffff);
        fs::write(of("mountinfo"), format!("{} 1 {major}:{minor} / / rw - x x rw\n", self.mount())).unwrap();
        let (begin, end, inode) = (ADDRESS, 3 * ADDRESS, file.inode);
        let smaps = format!(
            "{begin:08x}-{end:08x} r-xp 00000000 {major:02x}:{minor:02x} {inode} /image\n\
            Size: 8 kB\nAnonymous: 0 kB\nSwap: 0 kB\nVmFlags: rd ex mr mw me \n"
        );
        fs::write(of("smaps"), smaps).unwrap();
        let mut memory = [vec![0; ADDRESS], self.content()].concat();
        memory.resize(end, 0);
        fs::write(of("mem"), memory).unwrap();
    }

    fn mount(&self) -> u64 {
        let image = fs::File::open(self.path("root/image")).unwrap();
        rustix::fs::statx(image, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).unwrap().stx_mnt_id
    }

    /// As the kernel side saw the image.
    fn identity(&self) -> FileIdentity {
        let image = self.path("root/image");
        let stat = fs::metadata(&image).unwrap();
        let found = rustix::fs::statx(rustix::fs::CWD, &image, AtFlags::empty(), StatxFlags::BASIC_STATS);
        FileIdentity {
            device: device(&found.unwrap()) + u32::from(self.way == Way::OtherDevice),
            inode: stat.ino(),
            size: stat.size(),
            ctime_s: stat.ctime(),
            ctime_ns: stat.ctime_nsec().try_into().unwrap(),
            links: u32::from(self.way != Way::Memory),
            ..FileIdentity::default()
        }
    }

    fn job(&self) -> Job {
        let file = self.identity();
        let later_s = if self.way == Way::Fresh { 0 } else { 100 };
        let at = (file.ctime_s + later_s) * 1_000_000_000 + i64::from(file.ctime_ns);
        let file = ObservedFile::new(file, 1, Timestamp(at));
        let locator = FileLocator {
            tgid: TGID,
            start: TICK,
            parent: Some((PARENT, TICK)),
            mnt: Some(MNT),
            path: Some(Text::new(b"/image")),
        };
        Job { key: file.key(Algorithms::ALL), file, locator, limits: DigestLimits::default() }
    }

    /// The result with one fault, and the calls.
    fn read(&self, job: &Job, fault: Option<(usize, Fault)>) -> (Result<Digest, Reason>, Vec<Call>) {
        let proc = Proc::at(self.directory.path()).unwrap();
        watched(fault, || ImageReader::new(&proc, TextBusy(true)).read(job).map(|proved| proved.digest))
    }
}

/// Repeats the run once for each call and each of its faults.
#[track_caller]
fn check_all(way: Way, source: HashSource) {
    let world = World::new(way);
    let job = world.job();
    let (whole, calls) = world.read(&job, None);
    let whole = whole.unwrap();
    assert_eq!((whole.source, whole.hashes.sha256.clone()), (source, Some(sha256(&world.content()))));
    let mut problems = BTreeSet::new();
    for (number, call) in calls.iter().enumerate() {
        for fault in call.faults() {
            let on = format!("{fault:?} of {number} {} {:?}", call.name, call.path);
            let began = Instant::now();
            let done = catch_unwind(|| world.read(&job, Some((number, *fault))).0);
            match done {
                Err(_) => drop(problems.insert(format!("a panic on {on}"))),
                Ok(Ok(digest)) if digest.hashes != whole.hashes => {
                    problems.insert(format!("a wrong digest on {on}"));
                }
                // The event has the reason.
                Ok(Ok(_) | Err(_)) => {}
            }
            if began.elapsed() > TOO_LONG {
                problems.insert(format!("{:?} on {on}", began.elapsed()));
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

fn sha256(bytes: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("content");
    fs::write(&file, bytes).unwrap();
    let output = std::process::Command::new("sha256sum").arg(Path::new(&file)).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn each_call_may_fail_for_an_unchanged_image() {
    check_all(Way::Untouched, HashSource::Exe);
}

#[test]
fn each_call_may_fail_for_an_image_that_its_process_proves() {
    check_all(Way::Fresh, HashSource::Exe);
}

#[test]
fn each_call_may_fail_for_an_image_whose_device_comes_from_the_mounts() {
    check_all(Way::OtherDevice, HashSource::Exe);
}

#[test]
fn each_call_may_fail_for_an_image_whose_process_is_gone() {
    check_all(Way::Path, HashSource::Path);
}

#[test]
fn each_call_may_fail_for_an_image_that_is_only_in_memory() {
    check_all(Way::Memory, HashSource::Memory);
}
