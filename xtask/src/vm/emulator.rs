//! The emulator: the installed one, otherwise Debian's package unpacked below target. The package is not
//! installed, since apt would remove parts of another version that are in use.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::arch::Arch;
use super::unpacked;
use crate::packages;
use crate::step;
use crate::workspace;

/// The package's folders of libraries and firmware.
const LIBRARIES: [&str; 2] = ["lib", "usr/lib"];
const FIRMWARE: [&str; 2] = ["usr/share/qemu", "usr/share/seabios"];

/// An emulator that can be called.
pub(super) struct Emulator {
    program: PathBuf,
    /// The folder that it was unpacked into; `None` for an installed one.
    root: Option<PathBuf>,
}

impl Emulator {
    pub(super) fn ready(arch: Arch) -> Result<Self> {
        let (name, package) = match arch {
            Arch::X86_64 => ("qemu-system-x86_64", "qemu-system-x86"),
            Arch::Aarch64 => ("qemu-system-aarch64", "qemu-system-arm"),
        };
        if let Some(program) = workspace::on_path(name) {
            return Ok(Self { program, root: None });
        }
        let root = workspace::target("vm/tools").join(package);
        let program = root.join("usr/bin").join(name);
        if !program.exists() {
            step::say(format_args!(
                "packages: {package} is not installed; unpacking it below target/vm/tools"
            ));
            packages::offered(package)?;
            let needed = unpacked::with_needed(Command::new("apt-get"), &[package])?;
            unpacked::unpack(Command::new("apt-get"), &needed, &root)
                .with_context(|| format!("cannot get {package}; install {name} by hand"))?;
        }
        Ok(Self { program, root: Some(root) })
    }

    pub(super) fn command(&self) -> Command {
        let mut emulator = Command::new(&self.program);
        if let Some(root) = &self.root {
            let libraries =
                LIBRARIES.map(|below| root.join(below).join(format!("{}-linux-gnu", env::consts::ARCH)));
            let [first, second] = libraries.map(PathBuf::into_os_string);
            let path: OsString = [first, ":".into(), second].into_iter().collect();
            emulator.env("LD_LIBRARY_PATH", path);
            for firmware in FIRMWARE {
                emulator.arg("-L").arg(root.join(firmware));
            }
        }
        emulator
    }
}
