//! A directory that looks like /proc.

use std::{
    fmt, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// Nanoseconds of a clock tick: `USER_HZ` is 100.
const TICK_NS: u64 = 10_000_000;

/// A fake /proc. It is gone when it is dropped.
#[derive(Debug)]
pub(crate) struct FakeProc {
    directory: TempDir,
}

/// A process as /proc shows it.
#[derive(Clone, Debug)]
pub(crate) struct Shown<'a> {
    /// Its id.
    pub(crate) pid: u32,
    /// Its start, in nanoseconds since boot; /proc cuts it to ticks.
    pub(crate) start_ns: u64,
    /// Its parent's id.
    pub(crate) ppid: u32,
    /// `task->flags`.
    pub(crate) flags: u32,
    /// Its name.
    pub(crate) comm: &'a str,
    /// argv.
    pub(crate) args: &'a [&'a str],
    /// The environment.
    pub(crate) env: &'a [&'a str],
    /// Where it works; not made.
    pub(crate) cwd: &'a str,
}

impl FakeProc {
    /// With no process in it.
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The directory of a process.
    pub(crate) fn of(&self, pid: u32) -> PathBuf {
        self.path().join(pid.to_string())
    }

    /// Adds a process. Its image, `exe`, is left out: see [`Self::add_exe`].
    pub(crate) fn add(&self, shown: &Shown<'_>) {
        let directory = self.of(shown.pid);
        fs::create_dir_all(directory.join("ns")).unwrap();
        let write = |name: &str, content: &[u8]| fs::write(directory.join(name), content).unwrap();
        write("stat", StatLine::from(shown).to_string().as_bytes());
        write("status", status(shown).as_bytes());
        write("comm", format!("{}\n", shown.comm).as_bytes());
        write("cmdline", &nul_ended(shown.args));
        write("environ", &nul_ended(shown.env));
        write("cgroup", b"0::/system.slice/app.service\n");
        write("maps", b"00400000-00401000 r-xp 00000000 08:01 12 /srv/app/bin/app\n");
        symlink(shown.cwd, directory.join("cwd")).unwrap();
        for (name, inode) in [
            ("mnt", 4_026_531_832_u32),
            ("pid", 4_026_531_836),
            ("net", 4_026_531_840),
            ("user", 4_026_531_837),
            ("uts", 4_026_531_838),
            ("ipc", 4_026_531_839),
            ("cgroup", 4_026_531_835),
        ] {
            symlink(format!("{name}:[{inode}]"), directory.join("ns").join(name)).unwrap();
        }
    }

    /// Adds the link to the image of a process, and the file that it leads to; answers with the file's path.
    pub(crate) fn add_exe(&self, pid: u32) -> PathBuf {
        let image = self.path().canonicalize().unwrap().join(format!("image-of-{pid}"));
        fs::write(&image, "#!").unwrap();
        symlink(&image, self.of(pid).join("exe")).unwrap();
        image
    }
}

fn nul_ended(strings: &[&str]) -> Vec<u8> {
    strings.iter().flat_map(|string| [string.as_bytes(), b"\0"].concat()).collect()
}

/// What /proc/PID/stat says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatLine<'a> {
    pub(crate) pid: u32,
    pub(crate) comm: &'a str,
    pub(crate) state: char,
    pub(crate) ppid: u32,
    pub(crate) flags: u32,
    pub(crate) start_ns: u64,
}

impl<'a> From<&Shown<'a>> for StatLine<'a> {
    fn from(&Shown { pid, comm, ppid, flags, start_ns, .. }: &Shown<'a>) -> Self {
        Self { pid, comm, state: 'S', ppid, flags, start_ns }
    }
}

impl fmt::Display for StatLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, comm, state, ppid, flags, start_ns } = self;
        let ticks = start_ns / TICK_NS;
        write!(f, "{pid} ({comm}) {state} {ppid} {pid} {pid} 0 -1 {flags} ")?;
        writeln!(f, "1 2 3 4 50 60 7 8 20 0 1 0 {ticks} 1024 9 0 0")
    }
}

/// As Linux 6.18 writes it, 2026-11-23.
fn status(shown: &Shown<'_>) -> String {
    let Shown { pid, ppid, comm, .. } = shown;
    format!(
        "Name:\t{comm}\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t{pid}\nNgid:\t0\nPid:\t{pid}\nPPid:\t{ppid}\n\
         TracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t64\nGroups:\t0\nNStgid:\t{pid}\nNSpid:\t{pid}\n\
         NSpgid:\t{pid}\nNSsid:\t{pid}\nKthread:\t0\nThreads:\t1\nSigQ:\t0/7823\nSigPnd:\t0000000000000000\n\
         ShdPnd:\t0000000000000000\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n\
         SigCgt:\t0000000000000000\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000400\n\
         CapEff:\t0000000000000400\nCapBnd:\t0000000000000400\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\n\
         Seccomp:\t0\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1\nMems_allowed:\t00000001\n\
         Mems_allowed_list:\t0\nvoluntary_ctxt_switches:\t1\nnonvoluntary_ctxt_switches:\t0\n"
    )
}
