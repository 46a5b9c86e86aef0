//! A guest: boots it, waits for its end, and reads its output.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::arch::Arch;
use super::emulator::Emulator;
use crate::step;

/// A guest that runs longer hangs. All live tests take seven minutes where two guests have two cores.
const LIMIT: Duration = Duration::from_mins(20);

const MEMORY_MIB: u32 = 2048;

/// The emulated CPU is old and vulnerable to Meltdown. With the kernel's protection, each system call
/// flushes the emulator's page table cache twice: the tests of filters took 92 s of CPU with it, and 70
/// without.
const QUICK: &str = "mitigations=off";

/// Since 6.12 Debian's kernels let only a tracer write into another process's code, and tests do that.
const FORCE: &str = "proc_mem.force_override=always";

/// The last line of a finished guest, before its exit code.
const VERDICT: &str = "init: exit ";

/// What is booted, and where its output is kept.
pub(super) struct Guest<'a> {
    pub(super) arch: Arch,
    pub(super) emulator: &'a Emulator,
    pub(super) image: &'a Path,
    pub(super) initramfs: &'a Path,
    /// Has the files `console` (output of the kernel) and `out` (output of the tests).
    pub(super) directory: &'a Path,
}

impl Guest<'_> {
    /// Boots it, waits for its end, and returns the output and exit code of its tests. A guest without an
    /// exit code is an error.
    pub(super) fn run(&self) -> Result<Outcome> {
        let (console, out) = (self.directory.join("console"), self.directory.join("out"));
        for file in [&console, &out] {
            File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
        }
        let mut qemu = self.qemu(&console, &out);
        let stderr = self.directory.join("qemu");
        qemu.stderr(File::create(&stderr).with_context(|| format!("cannot write {}", stderr.display()))?);
        let status = wait(&mut qemu)?;
        let said = read(&out)?;
        match verdict(&said) {
            Some(code) => Ok(Outcome { code, said }),
            None => bail!(
                "{}\nthe kernel's last lines:\n{}\nthe tests':\n{}\nqemu's:\n{}",
                status.map_or_else(
                    || format!("no end after {} s", LIMIT.as_secs()),
                    |status| format!("it ended without an exit code, {status}")
                ),
                tail(&read(&console)?),
                tail(&said),
                tail(&read(&stderr)?),
            ),
        }
    }

    /// It has no disk, no network card and no folder of the host. KVM is not used, since /dev/kvm may
    /// exist and stall.
    fn qemu(&self, console: &Path, out: &Path) -> Command {
        let mut qemu = self.emulator.command();
        // An old CPU is emulated faster than a new one: the tests of filters on two kernels took 77 s, not
        // 84.
        let (machine, terminal): (&[&str], &str) = match self.arch {
            Arch::X86_64 => (&["-cpu", "Nehalem"], "ttyS0"),
            Arch::Aarch64 => (&["-machine", "virt", "-cpu", "max,pauth-impdef=on"], "ttyAMA0"),
        };
        qemu.args(machine)
            .args(["-accel", "tcg,thread=multi", "-smp", "2", "-m", &MEMORY_MIB.to_string()])
            .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
            .args(["-serial", &format!("file:{}", console.display())])
            .args(self.second_terminal(out))
            .arg("-kernel")
            .arg(self.image)
            .arg("-initrd")
            .arg(self.initramfs)
            .args(["-append", &format!("console={terminal} panic=-1 quiet {QUICK} {FORCE}")]);
        qemu
    }

    /// The port for the output of the tests. The machine `virt` has one serial port, so there it is a port
    /// of virtio.
    fn second_terminal(&self, out: &Path) -> Vec<String> {
        match self.arch {
            Arch::X86_64 => vec!["-serial".to_owned(), format!("file:{}", out.display())],
            Arch::Aarch64 => [
                "-device",
                "virtio-serial-pci",
                "-chardev",
                &format!("file,id=out,path={}", out.display()),
                "-device",
                "virtconsole,chardev=out",
            ]
            .map(str::to_owned)
            .to_vec(),
        }
    }
}

/// A finished guest.
pub(super) struct Outcome {
    /// 0 when all tests passed.
    pub(super) code: i32,
    /// The output on its second terminal.
    pub(super) said: String,
}

/// Waits for qemu's end; `None` where it had to be killed.
fn wait(qemu: &mut Command) -> Result<Option<ExitStatus>> {
    let shown = step::shown(qemu);
    let end = Instant::now() + LIMIT;
    let mut child =
        Killed(qemu.stdin(Stdio::null()).spawn().with_context(|| format!("cannot start {shown}"))?);
    while Instant::now() < end {
        if let Some(status) = child.0.try_wait().with_context(|| format!("cannot wait for {shown}"))? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(None)
}

/// Ends the guest when it is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It has ended already, or this ends it.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn read(file: &PathBuf) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
}

/// The exit code in the last line; `None` where the guest did not finish.
fn verdict(said: &str) -> Option<i32> {
    said.trim_end().lines().last()?.strip_prefix(VERDICT)?.parse().ok()
}

/// The last lines.
pub(super) fn tail(said: &str) -> String {
    const LINES: usize = 60;
    let lines: Vec<&str> = said.lines().collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_the_last_line() {
        assert_eq!(verdict("test x ... ok\ninit: exit 0\n"), Some(0));
        assert_eq!(verdict("init: exit 1\n\n"), Some(1));
    }

    #[test]
    fn a_guest_that_stops_in_the_middle_has_no_verdict() {
        assert_eq!(verdict(""), None);
        assert_eq!(verdict("test x ... ok\n"), None);
        assert_eq!(verdict("init: exit 0\nand then some\n"), None);
    }
}
