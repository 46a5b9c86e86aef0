//! The agent's binary: builds it with the kernel object inside, and runs it as root.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::kernel_object;
use crate::privilege::Privilege;
use crate::setup::{self, Needs};
use crate::step;
use crate::workspace;

/// How the agent is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Release,
    Dev,
}

impl Profile {
    pub(crate) fn from_debug_flag(debug: bool) -> Self {
        if debug { Self::Dev } else { Self::Release }
    }

    fn binary(self) -> PathBuf {
        match self {
            Self::Release => workspace::target("release/collector"),
            Self::Dev => workspace::target("debug/collector"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dev => "dev",
        }
    }
}

/// Sets up what `needs` names, builds the kernel object, then the agent. Returns the agent's path.
pub(crate) fn build(profile: Profile, needs: Needs) -> Result<PathBuf> {
    let tools = setup::machine(needs)?;
    kernel_object::build(&tools, env::consts::ARCH)?;
    step::say("agent: building");
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--package", "collector", "--profile", profile.name()]);
    step::show(&mut cargo).context("cannot build the agent")?;
    Ok(profile.binary())
}

/// Builds the agent and prints its path, for scripts.
pub(crate) fn build_and_print(profile: Profile) -> Result<()> {
    let binary = build(profile, Needs::Build)?;
    step::say("agent: built");
    writeln!(io::stdout(), "{}", binary.display()).context("cannot write the agent's path to stdout")
}

/// Builds the agent, then becomes `collector run ARGS` as root. Returns only if that fails.
pub(crate) fn run(args: &[OsString]) -> Result<()> {
    let binary = build(Profile::Release, Needs::Build)?;
    let mut words = vec![OsString::from("run")];
    words.extend_from_slice(args);
    let mut agent = Privilege::find().command(binary.as_os_str(), &words, &settings())?;
    step::say(format_args!("agent: {}", step::shown(&agent)));
    let error = agent.exec();
    Err(error).with_context(|| format!("cannot start {}", step::shown(&agent)))
}

/// The names of the variables that the agent reads and sudo would drop.
fn settings() -> Vec<String> {
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| name.starts_with("COLLECTOR_") || name == "RUST_LOG").collect()
}
