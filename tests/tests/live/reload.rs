//! What a reload of the configuration changes.

use std::{fs, path::PathBuf};

use collector_tests::{
    agent::Agent,
    digests::{Reported, end, plan, start, write_settled},
    live::live_test,
    truth::files,
    wait::until,
    workload::{
        images::{HOLD, Images},
        tiny,
    },
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::programs::SUBJECT;

/// An agent with a configuration file that can be written anew.
struct Reloaded {
    agent: Agent,
    config: PathBuf,
    number: usize,
    images: Images,
}

impl Reloaded {
    fn with(text: &str) -> Self {
        let images = Images::new(SUBJECT);
        let config = images.path("collector.toml");
        fs::write(&config, text).unwrap();
        let agent =
            Agent::start(&["--event", "exec,exit", "--log", "info", "--config", config.to_str().unwrap()]);
        Self { agent, config, number: 0, images }
    }

    /// Writes the file anew and has it read.
    fn reload(&self, text: &str) {
        fs::write(&self.config, text).unwrap();
        let agent = Pid::from_raw(self.agent.pid().try_into().unwrap()).unwrap();
        kill_process(agent, Signal::HUP).unwrap();
    }

    /// The names of the digests that an image has which is run now.
    fn names(&mut self) -> Vec<String> {
        self.number += 1;
        let path = self.images.path(&format!("image {}", self.number));
        write_settled(&path, &tiny::sleeper(&self.number.to_string()));
        let child = plan(&[path.to_str().unwrap()]).spawn();
        names(Reported::of(&self.agent, child.pid, path.to_str().unwrap()).hash.as_ref())
    }

    #[track_caller]
    fn wait_for(&mut self, expected: &[&str]) {
        until(&format!("digests {expected:?}"), || (self.names() == expected).then_some(()));
    }
}

fn names(hash: Option<&Value>) -> Vec<String> {
    hash.and_then(Value::as_object).map(|hash| hash.keys().cloned().collect()).unwrap_or_default()
}

/// Row 19: algorithms that were switched on later were never computed for processes that were known.
#[live_test]
fn a_reload_of_the_algorithms_holds_for_later_execs_and_for_processes_that_run_already() {
    let mut reloaded = Reloaded::with("checksums.algorithms = []");
    let path = reloaded.images.path("known");
    let shell = reloaded.images.shell_with("known");
    write_settled(&path, &shell.bytes);
    let mut known = start(&[path.to_str().unwrap(), "-c", HOLD]);
    Reported::of(&reloaded.agent, known.pid, path.to_str().unwrap()).expect_none("switched off", "disabled");
    assert_eq!(reloaded.names(), [""; 0]);

    reloaded.reload("checksums.algorithms = [\"md5\", \"sha256\"]");
    reloaded.wait_for(&["md5", "sha256"]);
    // The same file, run once more; and the end of the process that was known before.
    let again = start(&[path.to_str().unwrap(), "-c", HOLD]);
    let reported = Reported::of(&reloaded.agent, again.pid, path.to_str().unwrap());
    let all = files::hashes(&shell.bytes);
    let expected = json!({ "md5": all["md5"], "sha256": all["sha256"] });
    assert_eq!(reported.hash, Some(expected.clone()));
    known.send("exit 3");
    let exit = reloaded.agent.wait_for(known.pid, "the exit", |event| event.action() == "exit");
    assert_eq!(exit.at("process.hash"), Some(&expected), "{}", exit.text);

    reloaded.reload("checksums.algorithms = [\"sha1\"]");
    reloaded.wait_for(&["sha1"]);
    reloaded.reload("checksums.algorithms = []");
    reloaded.wait_for(&[]);
    end(reloaded.agent);
}

#[live_test]
fn a_wrong_configuration_is_reported_and_the_old_one_stays_and_settings_that_need_a_restart_are_named() {
    let mut reloaded = Reloaded::with("checksums.algorithms = [\"sha1\"]");
    reloaded.reload("checksums.algorithms = [\"sha1\", \"crc32\"]");
    // What is rejected is reported; until then the agent may not have read it.
    reloaded.agent.wait_for_stderr("unknown variant `crc32`");
    assert_eq!(reloaded.names(), ["sha1"]);
    reloaded.reload("snapshot = true\nchecksums.algorithms = [\"md5\"]");
    reloaded.wait_for(&["md5"]);
    let run = reloaded.agent.stop().expect_success();
    for part in
        ["unknown variant `crc32`", "line 1, column", "the old configuration stays", "restart: snapshot"]
    {
        assert!(run.stderr.contains(part), "no {part:?} in {}", run.stderr);
    }
}
