//! Filters in the kernel: what a rule leaves out is not in the stream, everything else is, and the process table knows of both.

mod limits;
mod machine;
mod selection;

use collector_tests::{
    agent::Agent, live::live_test, truth::cgroups::ContainerCgroup, workload::spawn::Plan,
};
use serde_json::json;

use self::machine::{
    ALL, Machine, NONE, USER, cgroup_name, config, counter, end, lines, live, reported_filters,
    spawn_below_maker, stop,
};

/// The rule in both directions: of the two lives it takes the first away, or leaves it alone.
#[track_caller]
fn check(rule: &str, matching: impl Fn() -> u32, other: impl Fn() -> u32) {
    for (flag, expected) in [("--exclude", (NONE, ALL)), ("--only", (ALL, NONE))] {
        let agent = Agent::start(&[flag, rule]);
        let (matching, other) = (matching(), other());
        let run = stop(agent);
        assert_eq!((lines(&run, matching), lines(&run, other)), expected, "{flag} {rule}");
        let word = format!("{} {rule}", flag.trim_start_matches('-'));
        assert_eq!(reported_filters(&run), Some(json!([word])));
        for action in ["exec", "exit", "connect"] {
            assert!(counter(&run, &format!("{action}.filtered")) >= 1, "{flag} {rule}: {action}");
        }
        assert_eq!(run.of_action("loss").count(), 0, "a rule is no loss");
    }
}

#[live_test]
fn a_user_is_excluded_or_the_only_one_kept() {
    let machine = Machine::new();
    let user = Plan { user: Some(USER), ..machine.plan("noisy") };
    check(&format!("uid={USER}"), || live(&user), || live(&machine.plan("noisy")));
}

#[live_test]
fn a_name_is_excluded_or_the_only_one_kept() {
    let machine = Machine::new();
    check("comm=noisy", || live(&machine.plan("noisy")), || live(&machine.plan("quiet")));
}

#[live_test]
fn an_image_is_excluded_or_the_only_one_kept_by_its_path_its_directory_or_a_prefix() {
    let machine = Machine::new();
    let (noisy, quiet) = (|| live(&machine.plan("noisy")), || live(&machine.plan("quiet")));
    check(&format!("image={}", machine.path("noisy")), noisy, quiet);
    check(&format!("image={}*", machine.path("noi")), noisy, quiet);
    let below = machine.images.subdirectory("below");
    machine.images.copy("below/quiet", 0o755);
    let below_it = || live(&machine.plan("below/quiet"));
    check(&format!("image={}", below.display()), below_it, quiet);
}

#[live_test]
fn children_are_excluded_or_the_only_ones_kept_by_the_image_of_their_parent() {
    let machine = Machine::new();
    let below = || {
        let (maker, child) = spawn_below_maker(&machine.plan_below_maker("noisy"));
        end(maker);
        child
    };
    check(&format!("parent={}", machine.path("maker")), below, || live(&machine.plan("noisy")));
}

#[live_test]
fn a_fork_is_judged_by_the_image_that_it_runs_and_the_parent_that_it_has() {
    let machine = Machine::new();
    for rule in ["image", "parent"] {
        let rule = format!("{rule}={}", machine.path("maker"));
        let agent = Agent::start(&["--event", "fork,exec,exit", "--exclude", &rule]);
        let (maker, child) = spawn_below_maker(&machine.plan_below_maker("noisy"));
        let maker = end(maker);
        let run = stop(agent);
        // The maker's own fork runs the image of this test, and is its child.
        assert_eq!(run.of(maker, "fork").len(), 1, "{rule}");
        assert_eq!(run.of(child, "fork").len(), 0, "{rule}");
        // By its exec the child has another image, and the same parent.
        let reported = usize::from(rule.starts_with("image"));
        assert_eq!(lines(&run, child), [reported, reported, 0, 0], "{rule}");
    }
}

#[live_test]
fn a_cgroup_is_excluded_or_the_only_one_kept_with_those_below_it_by_its_path_or_its_id() {
    let machine = Machine::new();
    let name = cgroup_name("there");
    let cgroup = ContainerCgroup::below(&name);
    let (inside, outside) = (|| live(&machine.plan_in("noisy", &cgroup)), || live(&machine.plan("noisy")));
    check(&format!("cgroup=/{name}"), inside, outside);
    check(&format!("cgroup={}", cgroup.id_above()), inside, outside);
}

#[live_test]
fn a_cgroup_that_is_made_while_the_agent_runs_and_made_again_has_the_rules_on_its_path() {
    let machine = Machine::new();
    let name = cgroup_name("later");
    let inside = || live(&machine.plan_in("noisy", &ContainerCgroup::below(&name)));
    check(&format!("cgroup=/{name}"), inside, || live(&machine.plan("noisy")));
    // Another id, in the same run.
    let agent = Agent::start(&["--exclude", &format!("cgroup=/{name}")]);
    let pids = [inside(), inside()];
    let run = stop(agent);
    assert_eq!(pids.map(|pid| lines(&run, pid)), [NONE, NONE]);
}

#[live_test]
fn rules_of_one_key_are_alternatives_those_of_two_keys_must_all_match_and_an_exclusion_wins() {
    let machine = Machine::new();
    let (noisy, quiet) = (machine.path("noisy"), machine.path("quiet"));
    let text = format!(
        "[filter]\nonly = [\"image={noisy}\", \"image={quiet}\", \"uid=0\", \"uid={USER}\"]\nexclude = [\"uid={USER}\"]\n"
    );
    let agent = Agent::start(&["--config", config(&machine, &text).to_str().unwrap()]);
    let kept = [live(&machine.plan("noisy")), live(&machine.plan("quiet"))];
    let user = |name| live(&Plan { user: Some(USER), ..machine.plan(name) });
    let left_out = [live(&machine.plan("subject")), user("noisy"), user("quiet")];
    let run = stop(agent);
    assert_eq!(kept.map(|pid| lines(&run, pid)), [ALL; 2]);
    assert_eq!(left_out.map(|pid| lines(&run, pid)), [NONE; 3]);
}

/// The process table has all of an excluded process: as a parent it has the same fields as without the rule.
#[live_test]
fn a_child_of_an_excluded_process_has_it_as_its_parent_with_all_fields() {
    let machine = Machine::new();
    let parents = [&["--exclude", "comm=maker"][..], &[]].map(|flags| {
        let agent = Agent::start(flags);
        let plan = machine.plan_below_maker("noisy");
        let (maker, child) = spawn_below_maker(&plan);
        let pid = end(maker);
        let run = stop(agent);
        assert_eq!(lines(&run, pid) == NONE, !flags.is_empty());
        assert_eq!(lines(&run, child), ALL);
        for action in ["exec", "exit", "connect", "connect-result"] {
            let event = &run.of(child, action)[0];
            assert_eq!(event.number_at("process.parent.pid"), Some(pid.into()), "{}", event.text);
            let above =
                event.at("process.ancestors").and_then(|ancestors| ancestors.get(0)?.get("pid")?.as_u64());
            assert_eq!(above, Some(pid.into()), "{}", event.text);
            let missing = event.at("capture.missing").map(ToString::to_string).unwrap_or_default();
            assert!(!missing.contains("process.parent") && !missing.contains("[0]"), "{}", event.text);
        }
        let mut parent = run.of(child, "exec")[0].at("process.parent").unwrap().clone();
        let fields: Vec<String> = parent.as_object().unwrap().keys().cloned().collect();
        // Those that no two processes share.
        for field in ["pid", "entity_id", "exec_id", "start"] {
            parent.as_object_mut().unwrap().remove(field);
        }
        (fields, parent)
    });
    assert_eq!(parents[0], parents[1]);
    assert_eq!(parents[0].1["executable"], json!(machine.path("maker")));
    assert_eq!(parents[0].1["args"][1], json!("-c"));
}

/// An exit goes with the exec; a connect is judged when it is made.
#[live_test]
fn a_process_that_becomes_another_user_is_judged_anew_for_its_connects_and_ends_as_it_began() {
    let machine = Machine::new();
    for (flag, expected) in [("--exclude", [1, 1, 0, 0]), ("--only", [0, 0, 1, 1])] {
        let agent = Agent::start(&[flag, &format!("uid={USER}")]);
        let mut child = machine.plan("noisy").spawn();
        child.ready();
        child.send(&format!("become {USER}"));
        assert_eq!(child.answer(), "changed");
        let pid = end(child);
        assert_eq!(lines(&stop(agent), pid), expected, "{flag}");
    }
}

#[live_test]
fn what_ran_before_the_agent_is_judged_by_the_image_and_the_parent_that_it_has() {
    let machine = Machine::new();
    let of_noisy = format!("image={}", machine.path("noisy"));
    let of_maker = format!("parent={}", machine.path("maker"));
    let [mut noisy, mut quiet] = ["noisy", "quiet"].map(|name| machine.plan(name).spawn());
    noisy.ready();
    quiet.ready();
    let (maker, below) = spawn_below_maker(&machine.plan_below_maker("quiet"));
    let mut other_maker = machine.plan("maker").spawn();
    other_maker.send("echo ready");
    other_maker.ready();
    let agent = Agent::start(&["--snapshot", "--exclude", &of_noisy, "--exclude", &of_maker]);
    let (noisy, quiet, maker) = (end(noisy), end(quiet), end(maker));
    // Made only now, by a parent whose fork and exec were not seen.
    other_maker.send(&format!("sh -c 'echo $$; exec {}'; exit", machine.path("quiet")));
    let later = other_maker.answer().parse().unwrap();
    other_maker.ready();
    end(other_maker);
    let run = stop(agent);
    let reported =
        [noisy, quiet, maker, below, later].map(|pid| (run.of(pid, "snapshot").len(), lines(&run, pid)));
    // The maker itself makes no connect.
    assert_eq!(reported, [(0, NONE), (1, [0, 1, 1, 1]), (1, [0, 1, 0, 0]), (0, NONE), (0, NONE)]);
}

#[live_test]
fn a_cgroup_id_that_is_not_there_is_refused_with_what_to_do() {
    let run = Agent::try_start(&["--exclude", "cgroup=4242424242"]).unwrap_err();
    assert_eq!(run.exit_code(), Some(78), "{run}");
    assert!(run.stderr.contains("4242424242") && run.stderr.contains("ls -di"), "{run}");
}

#[live_test]
fn without_filters_the_stream_says_nothing_of_them() {
    let machine = Machine::new();
    let agent = Agent::start(&[]);
    let pid = live(&machine.plan("noisy"));
    let run = stop(agent);
    assert_eq!(lines(&run, pid), ALL);
    assert_eq!(reported_filters(&run), None);
    let stop = &run.events.last().unwrap().text;
    assert!(!stop.contains("limited"), "{stop}");
}
