//! `cargo xtask vm`: the live tests on other kernels, in emulated machines. Kernels come from Debian's mirror into
//! target/vm and are not installed.

mod arch;
mod archive;
mod costs;

mod cross;
mod emulator;
mod guest;
mod initramfs;
mod kernel;
mod mirror;
mod page;
mod programs;
mod report;
mod series;
mod unpacked;
mod userland;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};

pub(crate) use self::arch::Arch;
use self::costs::Costs;
use self::cross::Cross;
use self::emulator::Emulator;
use self::guest::{Guest, Outcome};
use self::initramfs::Contents;
use self::kernel::Kernel;
use self::mirror::Mirror;
use self::programs::TestPrograms;
use self::report::Report;
pub(crate) use self::series::Series;
use self::userland::Userland;
use crate::agent::{self, Profile};
use crate::packages;
use crate::setup::Needs;
use crate::step;
use crate::workspace;

/// Guests at a time. A guest has two CPUs and uses little more than one of the host's.
const AT_A_TIME: usize = 2;

/// The options of `cargo xtask vm`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Series of kernels: MAJOR.MINOR for the newest of that series, or `latest`
    /// [default: 5.10,6.1,6.12,latest; of aarch64 6.12].
    #[arg(long, value_name = "SERIES", value_delimiter = ',')]
    kernel: Vec<Series>,
    /// The architecture of the guests. The agent and the tests are cross-built if it is not this machine's.
    #[arg(long, value_enum, default_value_t = Arch::X86_64)]
    arch: Arch,
    /// Only these modules of tests/tests/live and tests/tests/guest, as `live::exec`; `*` stands for anything.
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "*")]
    test: Vec<String>,
    /// Accept the features and verifier costs of these kernels, and write them into the tree.
    #[arg(long)]
    accept: bool,
}

/// Installs what guests need.
pub(crate) fn set_up(arch: Arch) -> Result<()> {
    packages::install(packages::vm())?;
    Emulator::ready(arch).map(drop)
}

/// Runs the live tests on each kernel. A failure of one does not stop the others; the error names the
/// kernels that failed.
pub(crate) fn run(options: &Options) -> Result<()> {
    let Options { kernel: wanted, arch, test, accept } = options;
    mirror::check_tools()?;
    packages::install(packages::vm())?;
    let emulator = Emulator::ready(*arch)?;
    let cache = workspace::target("vm").join(arch.name());
    let mirror = Mirror::ask(&cache.join("mirror"), *arch)?;
    let (agent, tests) = build(*arch, &mirror, &cache, test)?;
    programs::say_left_out();
    let kernels = fetch(&mirror, *arch, wanted, &cache.join("kernels"))?;
    let userland = Userland::of(*arch, &mirror, &cache)?;
    let contents = Contents::gather(&agent, &tests, &userland, &cache)?;
    let outcomes = all(&kernels, |kernel| {
        run_one(*arch, &emulator, kernel, &contents, &cache.join("runs").join(&kernel.release))
    });
    let mut failed: Vec<String> = Vec::new();
    let mut reports = Vec::new();
    for (kernel, outcome) in kernels.iter().zip(outcomes) {
        match outcome {
            Ok(report) => reports.push((kernel, report)),
            Err(error) => {
                step::say(format_args!("{}: {error:#}", kernel.release));
                failed.push(kernel.to_string());
            }
        }
    }
    // The results of a failed run must not be accepted.
    if *accept && failed.is_empty() {
        accept_all(*arch, &reports)?;
    } else {
        failed.extend(dearer(*arch, &reports)?);
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join("; "));
    }
    step::say(format_args!("vm: the live tests passed on {} kernels", kernels.len()));
    Ok(())
}

/// Builds the agent and the tests for the guests' architecture.
fn build(arch: Arch, mirror: &Mirror, cache: &Path, test: &[String]) -> Result<(PathBuf, TestPrograms)> {
    if arch.is_here() {
        let agent = agent::build(Profile::Release, Needs::Tests)?;
        return Ok((agent, programs::build(workspace::cargo(), None, test)?));
    }
    let cross = Cross::ready(arch, mirror, cache)?;
    Ok((cross.agent()?, programs::build(cross.cargo(), Some(&arch.target()), test)?))
}

fn fetch(mirror: &Mirror, arch: Arch, wanted: &[Series], cache: &Path) -> Result<Vec<Kernel>> {
    let flavour = format!("cloud-{}", arch.debian());
    let series = if wanted.is_empty() { arch.series() } else { wanted.to_vec() };
    series.iter().map(|series| Kernel::fetch(mirror, series, &flavour, cache)).collect()
}

/// Runs `run` for each kernel, some at a time, and returns the results in the order of the kernels.
fn all<T: Send>(kernels: &[Kernel], run: impl Fn(&Kernel) -> Result<T> + Sync) -> Vec<Result<T>> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(kernel) = kernels.get(place) else { break };
                    let outcome = run(kernel);
                    // A thread that panicked has failed the run already.
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((place, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(place, _)| *place);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn run_one(
    arch: Arch,
    emulator: &Emulator,
    kernel: &Kernel,
    contents: &Contents,
    directory: &Path,
) -> Result<Report> {
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let initramfs = directory.join("initramfs");
    contents.write(&kernel.modules()?, &initramfs)?;
    step::say(format_args!("{}: booting", kernel.release));
    let begin = Instant::now();
    let guest = Guest { arch, emulator, image: &kernel.image()?, initramfs: &initramfs, directory };
    let Outcome { code, said } = guest.run()?;
    let took = begin.elapsed().as_secs();
    let report = Report::read(&said);
    if code != 0 {
        for (test, _) in report.tests.iter().filter(|(_, passed)| !passed) {
            step::say(format_args!("{}: {test} failed", kernel.release));
        }
        bail!("exit {code} after {took} s; all of it is in {}\n{}", directory.display(), guest::tail(&said));
    }
    step::say(format_args!(
        "{}: {} modules of tests passed after {took} s",
        kernel.release,
        report.tests.len()
    ));
    Ok(report)
}

/// Describes each program that costs a kernel's verifier too much more than was accepted.
fn dearer(arch: Arch, reports: &[(&Kernel, Report)]) -> Result<Vec<String>> {
    let costs = Costs::read()?;
    let faults = reports.iter().flat_map(|(kernel, report)| {
        let faults = costs.faults(&arch.kernel(&kernel.series), &report.costs);
        faults.into_iter().map(move |fault| format!("on {kernel} {fault}"))
    });
    Ok(faults.collect())
}

fn accept_all(arch: Arch, reports: &[(&Kernel, Report)]) -> Result<()> {
    if let Some((kernel, _)) = reports.iter().find(|(_, report)| report.costs.is_empty()) {
        bail!("nothing of {kernel} can be accepted without its costs, which guest::kernel reports");
    }
    let mut costs = Costs::read()?;
    for (kernel, report) in reports {
        costs.accept(&arch.kernel(&kernel.series), &report.costs);
    }
    costs.write()?;
    let columns: Vec<(String, Report)> =
        reports.iter().map(|(kernel, report)| (kernel.release.clone(), report.clone())).collect();
    page::write(arch, &columns)
}
