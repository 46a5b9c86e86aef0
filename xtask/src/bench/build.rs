//! Builds a real C project with `make -j2`, in turn with and without the agent: the sources of zstd in its
//! Rust crate.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::bench::peers::Peer;
use crate::bench::report::{self, median};
use crate::bench::scratch;
use crate::step;

const CRATE: &str = "zstd-sys";
/// Pinned, so that runs of different days build the same.
const VERSION: &str = "2.0.16+zstd.1.5.7";

/// The whole library, with the optimization level of its own tests.
const MAKEFILE: &str = "\
SOURCES := $(wildcard $(ZSTD)/lib/common/*.c $(ZSTD)/lib/compress/*.c $(ZSTD)/lib/decompress/*.c $(ZSTD)/lib/dictBuilder/*.c)
OBJECTS := $(notdir $(SOURCES:.c=.o))
vpath %.c $(sort $(dir $(SOURCES)))
all: $(OBJECTS)
%.o: %.c
\tcc -O1 -DZSTD_DISABLE_ASM=1 -I$(ZSTD)/lib -c $< -o $@
";

/// The median ratio of wall times.
pub(super) fn build(rounds: u32) -> Result<()> {
    let sources = sources()?;
    let scratch = scratch()?;
    // The first build fills the page cache.
    make(&sources, scratch.path())?;
    let (mut ratios, mut bare_seconds) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let before = make(&sources, scratch.path())?;
        let agent = Peer::Agent.start(scratch.path())?;
        let with = make(&sources, scratch.path())?;
        agent.stop_unread()?;
        let after = make(&sources, scratch.path())?;
        step::say(format_args!(
            "build: round {round}: {before:.2} s, {with:.2} s with the agent, {after:.2} s"
        ));
        ratios.push(with / f64::midpoint(before, after));
        bare_seconds.extend([before, after]);
    }
    let (Some(ratio), Some(bare)) = (median(ratios), median(bare_seconds)) else { return Ok(()) };
    let measured = format!("{ratio:.3} (zstd, {bare:.1} s without, {rounds} rounds)");
    report::put_goal("wall time of a build of C with `make -j2`, against none", &measured)
}

/// Builds everything and returns the seconds.
fn make(sources: &Path, directory: &Path) -> Result<f64> {
    let objects = directory.join("objects");
    drop(fs::remove_dir_all(&objects));
    fs::create_dir(&objects).with_context(|| format!("cannot make {}", objects.display()))?;
    let makefile = objects.join("Makefile");
    fs::write(&makefile, MAKEFILE).with_context(|| format!("cannot write {}", makefile.display()))?;
    let mut command = Command::new("make");
    command.args(["-s", "-j2"]).arg(format!("ZSTD={}", sources.display())).current_dir(&objects);
    let begin = Instant::now();
    step::ask(&mut command)?;
    Ok(begin.elapsed().as_secs_f64())
}

/// The folder of zstd in cargo's registry, after cargo has fetched the crate.
fn sources() -> Result<PathBuf> {
    let project = crate::workspace::target("bench-zstd");
    let src = project.join("src");
    fs::create_dir_all(&src).with_context(|| format!("cannot make {}", src.display()))?;
    let manifest = project.join("Cargo.toml");
    let text = format!(
        "[package]\nname = \"bench-zstd\"\nedition = \"2024\"\n[dependencies]\n{CRATE} = \"={}\"\n[workspace]\n",
        VERSION.split('+').next().unwrap_or(VERSION)
    );
    fs::write(&manifest, text).with_context(|| format!("cannot write {}", manifest.display()))?;
    fs::write(src.join("lib.rs"), "").context("cannot write an empty library")?;
    let mut fetch = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    step::ask(fetch.arg("fetch").arg("--manifest-path").arg(&manifest))?;
    find().with_context(|| format!("{CRATE} {VERSION} is fetched, but not in cargo's registry"))
}

fn find() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))?;
    let registries = fs::read_dir(home.join("registry/src")).ok()?;
    let folders =
        registries.flatten().map(|registry| registry.path().join(format!("{CRATE}-{VERSION}/zstd")));
    folders.into_iter().find(|folder| folder.is_dir())
}
