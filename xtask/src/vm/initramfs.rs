//! The initramfs of a guest: the tests and the agent with their libraries, the programs that tests call,
//! modules, and files in /etc.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::archive::Archive;
use super::kernel::Module;
use super::programs::TestPrograms;
use super::userland::{Taken, Userland};

/// Programs that tests call by name.
const PROGRAMS: [&str; 17] = [
    "bash",
    "cat",
    "chroot",
    "cp",
    "ip",
    "ls",
    "mount",
    "nsenter",
    "ps",
    "setpriv",
    "sh",
    "sha256sum",
    "sleep",
    "ss",
    "true",
    "umount",
    "unshare",
];

/// Programs that busybox provides, where no test checks the program itself.
const BUSYBOX: [&str; 1] = ["sysctl"];

/// Links as in Debian: the folders of programs and libraries are below /usr.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// Divides the size of storms: under emulation, storms of twenty thousand processes would take minutes and
/// show nothing more.
const SCALE: u32 = 50;

/// The folder in which `guest_init` reads its orders.
const ORDERS: &str = "/guest";

/// Fixed, so that runs are alike; the format is that of machine-id(5).
const MACHINE_ID: &str = "c011ec70c011ec70c011ec70c011ec70\n";

/// The contents except the modules, gathered once for all kernels.
pub(super) struct Contents {
    /// Programs and other files, by their paths in the guest.
    files: Vec<(PathBuf, Vec<u8>)>,
    links: Vec<(PathBuf, PathBuf)>,
    orders: Vec<(&'static str, String)>,
    init: PathBuf,
}

impl Contents {
    pub(super) fn gather(
        agent: &Path,
        tests: &TestPrograms,
        userland: &Userland,
        scratch: &Path,
    ) -> Result<Self> {
        let own: Vec<&Path> = [tests.init.as_path(), agent]
            .into_iter()
            .chain(tests.tests.values().chain(&tests.others).map(PathBuf::as_path))
            .collect();
        let called: Vec<Taken> = PROGRAMS.iter().map(|name| userland.program(name)).collect::<Result<_>>()?;
        let mut contents = Self {
            files: Vec::new(),
            links: MERGED.map(|name| (Path::new("/").join(name), Path::new("usr").join(name))).to_vec(),
            orders: vec![
                ("tests", tests.orders()),
                (
                    "environment",
                    format!("COLLECTOR_BIN={}\nCOLLECTOR_TESTS_SCALE={SCALE}\n", agent.display()),
                ),
            ],
            init: tests.init.clone(),
        };
        for program in &own {
            contents.files.push(((*program).to_owned(), userland.stripped(program, scratch)?));
        }
        let programs = own.into_iter().chain(called.iter().map(|taken| taken.source.as_path()));
        for taken in userland.libraries(programs)?.iter().chain(&called) {
            contents.add(taken)?;
        }
        contents.add_busybox(&userland.program("busybox")?)?;
        for file in ["/etc/passwd", "/etc/group"] {
            contents.add(&Taken { path: file.into(), source: file.into() })?;
        }
        contents.files.push(("/etc/machine-id".into(), MACHINE_ID.into()));
        Ok(contents)
    }

    /// Adds a file of this machine, and the link by which it is called, if any.
    fn add(&mut self, Taken { path, source }: &Taken) -> Result<()> {
        let reading = || format!("cannot read {}", source.display());
        let file =
            if path == source { fs::canonicalize(source).with_context(reading)? } else { merged(path) };
        self.files.push((file.clone(), fs::read(source).with_context(reading)?));
        let merged = merged(path);
        if merged != file {
            self.links.push((merged, file));
        }
        Ok(())
    }

    fn add_busybox(&mut self, busybox: &Taken) -> Result<()> {
        self.add(busybox)?;
        self.links.extend(BUSYBOX.map(|name| (Path::new("/usr/bin").join(name), merged(&busybox.path))));
        Ok(())
    }

    /// Writes the archive for one kernel.
    pub(super) fn write(&self, modules: &[Module], file: &Path) -> Result<()> {
        let mut archive = Archive::default();
        for name in ["bin", "sbin", "lib", "lib64"] {
            archive.directory(&Path::new("/usr").join(name));
        }
        // Files before links: an entry that exists stays.
        for (path, bytes) in &self.files {
            archive.program(path, bytes.clone());
        }
        for (path, target) in &self.links {
            archive.symlink(path, target);
        }
        for name in ["dev", "proc", "sys", "tmp", "run", "root", "mnt"] {
            archive.directory(&Path::new("/").join(name));
        }
        let orders = Path::new(ORDERS);
        let mut order = Vec::new();
        for Module { name, object } in modules {
            let path = orders.join("lib").join(format!("{name}.ko"));
            archive.file(&path, object.clone());
            order.push(path);
        }
        archive.file(&orders.join("modules"), lines(&order).into());
        for (name, text) in &self.orders {
            archive.file(&orders.join(name), text.clone().into());
        }
        archive.symlink(Path::new("/init"), &self.init);
        let writing = || format!("cannot write {}", file.display());
        let mut out = BufWriter::new(File::create(file).with_context(writing)?);
        archive.write(&mut out)?;
        out.into_inner().map_err(std::io::IntoInnerError::into_error).with_context(writing).map(drop)
    }
}

fn lines(paths: &[PathBuf]) -> String {
    let mut lines: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    // A newline after the last line.
    lines.push(String::new());
    lines.join("\n")
}

/// `/usr/lib/x` for `/lib/x`, which is a link in the guest.
fn merged(path: &Path) -> PathBuf {
    let below = path.strip_prefix("/").unwrap_or(path);
    if MERGED.iter().any(|name| below.starts_with(name)) {
        Path::new("/usr").join(below)
    } else {
        path.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_programs_and_libraries_are_below_usr() {
        assert_eq!(merged(Path::new("/lib64/x")), Path::new("/usr/lib64/x"));
        assert_eq!(merged(Path::new("/usr/lib/x")), Path::new("/usr/lib/x"));
        assert_eq!(merged(Path::new("/library/x")), Path::new("/library/x"));
    }
}
