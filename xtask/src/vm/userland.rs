//! The programs that tests call in a guest, and the libraries of these and of the tests. They come from
//! this machine, or from Debian's packages for a guest of another architecture.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::arch::Arch;
use super::mirror::Mirror;
use crate::step;
use crate::workspace;

/// The packages of the programs that tests call, and of `libgcc_s`, which Rust programs need.
const PACKAGES: [&str; 9] =
    ["bash", "busybox-static", "coreutils", "dash", "iproute2", "libgcc-s1", "mount", "procps", "util-linux"];

/// Folders of programs, in the order of a guest's `PATH`.
const DIRECTORIES: [&str; 4] = ["usr/sbin", "usr/bin", "sbin", "bin"];

pub(super) enum Userland {
    Here,
    /// Unpacked packages.
    Debian {
        arch: Arch,
        root: PathBuf,
    },
}

/// A file for the guest.
pub(super) struct Taken {
    /// Its path in the guest.
    pub(super) path: PathBuf,
    /// The file of this machine that it is copied from.
    pub(super) source: PathBuf,
}

impl Userland {
    pub(super) fn of(arch: Arch, mirror: &Mirror, cache: &Path) -> Result<Self> {
        if arch.is_here() {
            return Ok(Self::Here);
        }
        let root = cache.join("userland");
        mirror.unpack(&mirror.with_needed(&PACKAGES)?, &root)?;
        Ok(Self::Debian { arch, root })
    }

    /// Finds a program by its name.
    pub(super) fn program(&self, name: &str) -> Result<Taken> {
        match self {
            Self::Here => match workspace::on_path(name) {
                Some(path) => Ok(Taken { source: path.clone(), path }),
                None => bail!("this machine has no program {name}, which the guest needs"),
            },
            Self::Debian { root, .. } => {
                let places = DIRECTORIES.map(|directory| Path::new(directory).join(name));
                let found = places.into_iter().map(|place| (below(root, &place), place));
                match found.into_iter().find(|(source, _)| source.is_file()) {
                    Some((source, place)) => Ok(Taken { source, path: Path::new("/").join(place) }),
                    None => bail!("no program {name} in the packages {}", PACKAGES.join(" ")),
                }
            }
        }
    }

    /// The libraries of these programs, and the loader.
    pub(super) fn libraries<'a>(&self, programs: impl Iterator<Item = &'a Path>) -> Result<Vec<Taken>> {
        match self {
            Self::Here => {
                let libraries = linked(programs)?;
                Ok(libraries.into_iter().map(|path| Taken { source: path.clone(), path }).collect())
            }
            // ldd(1) runs the program, which this machine cannot; so all libraries of the packages are
            // taken, which are few.
            Self::Debian { arch, root } => all(root, &arch.gnu()),
        }
    }

    /// The program without its debug information, which is most of its size.
    pub(super) fn stripped(&self, program: &Path, scratch: &Path) -> Result<Vec<u8>> {
        let strip = match self {
            Self::Here => "strip".to_owned(),
            Self::Debian { arch, .. } => format!("{}-strip", arch.gnu()),
        };
        let out = scratch.join("stripped");
        step::ask(Command::new(strip).arg("--strip-debug").arg("-o").arg(&out).arg(program))?;
        fs::read(&out).with_context(|| format!("cannot read {}", out.display()))
    }
}

/// Resolves a path in unpacked packages. An absolute link starts at their root, not at this machine's.
fn below(root: &Path, place: &Path) -> PathBuf {
    let file = root.join(place);
    match fs::read_link(&file) {
        Ok(target) if target.is_absolute() => root.join(target.strip_prefix("/").unwrap_or(&target)),
        _ => file,
    }
}

/// Reads the libraries and the loader from ldd(1): `NAME => PATH (ADDRESS)`, and `PATH (ADDRESS)` for the
/// loader.
fn linked<'a>(programs: impl Iterator<Item = &'a Path>) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = Vec::new();
    for program in programs {
        let said = step::ask(Command::new("ldd").arg(program))?;
        found.extend(said.lines().filter_map(library));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn library(line: &str) -> Option<PathBuf> {
    let path = line.split_whitespace().find(|word| word.starts_with('/'))?;
    Some(path.into())
}

/// All libraries of unpacked packages, links included, and the loader, which programs name by its path in
/// /lib.
fn all(root: &Path, gnu: &str) -> Result<Vec<Taken>> {
    let mut found = Vec::new();
    for directory in ["lib".to_owned(), format!("lib/{gnu}"), format!("usr/lib/{gnu}")] {
        let reading = || format!("cannot read {}", root.join(&directory).display());
        for entry in fs::read_dir(root.join(&directory)).with_context(reading)? {
            let source = entry.with_context(reading)?.path();
            let Some(name) = source.file_name().and_then(|name| name.to_str()) else { continue };
            if name.contains(".so") && source.is_file() {
                found.push(Taken { path: Path::new("/").join(&directory).join(name), source });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ldd_names_libraries_and_the_loader() {
        let line = "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)";
        assert_eq!(library(line), Some("/lib/x86_64-linux-gnu/libc.so.6".into()));
        assert_eq!(
            library("\t/lib64/ld-linux-x86-64.so.2 (0x7f)"),
            Some("/lib64/ld-linux-x86-64.so.2".into())
        );
        assert_eq!(library("\tlinux-vdso.so.1 (0x00007ffd)"), None);
    }

    #[test]
    fn a_link_in_unpacked_packages_stays_inside_them() {
        let root = std::env::temp_dir().join(format!("xtask-links-{}", std::process::id()));
        fs::create_dir_all(root.join("sbin")).unwrap();
        std::os::unix::fs::symlink("/bin/ip", root.join("sbin/ip")).unwrap();
        std::os::unix::fs::symlink("dash", root.join("sbin/sh")).unwrap();
        assert_eq!(below(&root, Path::new("sbin/ip")), root.join("bin/ip"));
        assert_eq!(below(&root, Path::new("sbin/sh")), root.join("sbin/sh"));
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn all_libraries_of_unpacked_packages_are_taken() {
        let root = std::env::temp_dir().join(format!("xtask-userland-{}", std::process::id()));
        for (directory, file) in
            [("lib", "ld-linux.so.1"), ("lib/x-linux-gnu", "libc.so.6"), ("usr/lib/x-linux-gnu", "perl")]
        {
            fs::create_dir_all(root.join(directory)).unwrap();
            fs::write(root.join(directory).join(file), "").unwrap();
        }
        let paths: Vec<PathBuf> =
            all(&root, "x-linux-gnu").unwrap().into_iter().map(|taken| taken.path).collect();
        assert_eq!(paths, [Path::new("/lib/ld-linux.so.1"), Path::new("/lib/x-linux-gnu/libc.so.6")]);
        fs::remove_dir_all(&root).unwrap();
    }
}
