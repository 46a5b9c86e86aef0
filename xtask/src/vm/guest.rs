//! A guest: booted, watched, and read when it has ended.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::arch::Arch;
use super::emulator::Emulator;
use crate::step;

/// A guest that has not ended by then hangs. All live tests take seven minutes where two guests have two cores for themselves.
const LIMIT: Duration = Duration::from_mins(20);

const MEMORY_MIB: u32 = 2048;

/// On a CPU that leaks, as this old one, the kernel's pages are kept apart from those of processes, and the emulator forgets
/// where all pages are twice at each system call: the tests of filters took 92 s of CPU, and without it 70.
const QUICK: &str = "mitigations=off";

/// Since 6.12 Debian's kernels let only a tracer write to another's code, which tests do.
const FORCE: &str = "proc_mem.force_override=always";

/// The last line of a guest that came to its end, with its exit code behind.
const VERDICT: &str = "init: exit ";

/// What is booted, and where what it says is kept.
pub(super) struct Guest<'a> {
    pub(super) arch: Arch,
    pub(super) emulator: &'a Emulator,
    pub(super) image: &'a Path,
    pub(super) initramfs: &'a Path,
    /// Has `console`, what the kernel says, and `out`, what the tests say.
    pub(super) directory: &'a Path,
}

impl Guest<'_> {
    /// Boots it and waits for its end. What its tests said, whatever the verdict; the error is for one without.
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
                "{}\nthe kernel's last words:\n{}\nthe tests':\n{}\nqemu's:\n{}",
                status.map_or_else(
                    || format!("no end after {} s", LIMIT.as_secs()),
                    |status| format!("it ended without a verdict, {status}")
                ),
                tail(&read(&console)?),
                tail(&said),
                tail(&read(&stderr)?),
            ),
        }
    }

    /// No disk, no network card, no host's folder. /dev/kvm may be there and stall, so it is not asked.
    fn qemu(&self, console: &Path, out: &Path) -> Command {
        let mut qemu = self.emulator.command();
        // An old CPU is emulated faster than the newest: the tests of filters on two kernels at once took 77 s of 84.
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

    /// For what the tests say. The machine `virt` has one serial port, so there it is a port of virtio.
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

/// A guest that came to its end.
pub(super) struct Outcome {
    /// 0 when all tests passed.
    pub(super) code: i32,
    /// All that was written to its second terminal.
    pub(super) said: String,
}

/// `None` where it had to be killed.
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

/// A guest does not outlive what waits for it.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Either it has ended already, or this ends it.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn read(file: &PathBuf) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
}

/// The code in the last line; none where the guest did not get so far.
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
