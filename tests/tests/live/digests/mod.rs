//! The digests of images of every kind are those of the bytes that run, or there is a reason.
//!
//! The agent is held still while an image is run and then taken away, so that it always comes too late.

mod served;
mod swap;
mod swaps;
mod work;

use std::{
    fs,
    path::{Path, PathBuf},
};

use collector_tests::{
    agent::Agent,
    digests::{Change, Held, Reported, SETTLED, end, plan, run, start, write_settled},
    live::live_test,
    workload::{
        images::{self, HOLD, Images},
        mounts::{Jail, Mounted},
        spawn::{Child, Image},
        tiny,
    },
};

use crate::programs::SUBJECT;

/// An agent that reports execs, and a directory of images.
fn agent_and_images() -> (Agent, Images) {
    (Agent::start(&["--event", "exec"]), Images::new(SUBJECT))
}

/// A shell of its own bytes, and those bytes.
fn shell(images: &Images, path: &Path, trailer: &str) -> Vec<u8> {
    let contents = images.shell_with(trailer);
    write_settled(path, &contents.bytes);
    contents.bytes.clone()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn hold(path: &Path) -> Child {
    start(&[text(path), "-c", HOLD])
}

#[live_test]
fn a_running_image_has_its_own_digests_whatever_happens_to_its_name() {
    let (agent, images) = agent_and_images();
    let path = |name| images.path(name);
    let changes: [Change; 5] = [
        ("running", |_| ()),
        ("renamed over", |path| {
            fs::write(path.with_extension("other"), "another file").unwrap();
            fs::rename(path.with_extension("other"), path).unwrap();
        }),
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("removed and made again", |path| {
            let bytes = fs::read(path).unwrap();
            fs::remove_file(path).unwrap();
            fs::write(path, [&bytes[..bytes.len() - 1], b"?"].concat()).unwrap();
        }),
        ("linked", |path| fs::hard_link(path, path.with_extension("link")).unwrap()),
    ];
    let bytes = changes.map(|(name, _)| shell(&images, &path(name), name));
    let held = Held::still(&agent);
    let children = changes.map(|(name, change)| {
        let child = hold(&path(name));
        change(&path(name));
        child
    });
    drop(held);
    for ((child, bytes), (name, _)) in children.iter().zip(&bytes).zip(changes) {
        Reported::of(&agent, child.pid, text(&path(name))).expect(name, bytes, "exe");
    }
    end(agent);
}

#[live_test]
fn an_image_in_memory_has_the_digests_of_its_bytes() {
    let (agent, images) = agent_and_images();
    let contents = images.shell_with("in memory");
    let mut plan = plan(&["sh", "-c", HOLD]);
    plan.image = Image::Descriptor(images::memfd("payload", &contents));
    let mut child = plan.spawn();
    child.ready();
    Reported::of(&agent, child.pid, "/memfd:payload").expect("memfd", &contents.bytes, "exe");
    end(agent);
}

#[live_test]
fn an_image_in_a_chroot_has_its_digests_while_it_runs_and_afterwards() {
    let (agent, images) = agent_and_images();
    let jail = Jail::new(&images.subdirectory("jail"));
    let (lives, gone) = (jail.directory.join("lives"), jail.directory.join("gone"));
    let bytes = shell(&images, &lives, "in a jail");
    write_settled(&gone, &tiny::image("in a jail"));
    let held = Held::still(&agent);
    let child = start(&["/usr/sbin/chroot", text(&jail.directory), "/lives", "-c", HOLD]);
    let pid = run(&["/usr/sbin/chroot", text(&jail.directory), "/gone", "0"]);
    drop(held);
    Reported::of(&agent, child.pid, text(&lives)).expect("chrooted", &bytes, "exe");
    Reported::of(&agent, pid, text(&gone)).expect("chrooted and gone", &tiny::image("in a jail"), "path");
    end(agent);
}

/// A shell that holds a mount namespace in which `over` is what `inner` is outside.
fn namespace(inner: &Path, over: &Path) -> Child {
    let script = format!("mount --bind {} {} && {HOLD}", inner.display(), over.display());
    start(&["/usr/bin/unshare", "-m", "sh", "-c", &script])
}

#[live_test]
fn an_image_whose_path_is_hidden_by_a_mount_is_found_through_another_process_of_its_namespace() {
    let (agent, images) = agent_and_images();
    let (inner, over) = (images.subdirectory("inner"), images.subdirectory("over"));
    // What the host has under the same path is a decoy.
    for (directory, trailer) in [(&inner, "inside"), (&over, "outside")] {
        write_settled(&directory.join("lives"), &images.shell_with(trailer).bytes);
        write_settled(&directory.join("gone"), &tiny::image(trailer));
    }
    let keeper = namespace(&inner, &over);
    let enter = format!("--mount=/proc/{}/ns/mnt", keeper.pid);
    let (lives, gone) = (over.join("lives"), over.join("gone"));
    let held = Held::still(&agent);
    let child = start(&["/usr/bin/nsenter", &enter, text(&lives), "-c", HOLD]);
    let pid = run(&["/usr/bin/nsenter", &enter, text(&gone), "0"]);
    drop(held);
    Reported::of(&agent, child.pid, text(&lives)).expect("lives", &images.shell_with("inside").bytes, "exe");
    Reported::of(&agent, pid, text(&gone)).expect("gone", &tiny::image("inside"), "path");
    end(agent);
}

#[live_test]
fn an_image_whose_namespace_is_gone_with_its_mounts_has_no_digest_and_not_that_of_the_host_s_file() {
    let (agent, images) = agent_and_images();
    let over = images.subdirectory("over");
    write_settled(&over.join("gone"), &tiny::image("outside"));
    write_settled(&images.path("source"), &tiny::image("inside!"));
    let script = format!(
        "mount -t tmpfs none {over} && cp {source} {over}/gone && sleep 0.1 && exec {over}/gone 0",
        over = over.display(),
        source = images.path("source").display()
    );
    let held = Held::still(&agent);
    let pid = run(&["/usr/bin/unshare", "-m", "sh", "-c", &script]);
    drop(held);
    Reported::of(&agent, pid, text(&over.join("gone"))).expect_none("gone with its namespace", "exited");
    end(agent);
}

/// stat(2) shows the overlay's own device where both layers are on one file system, and another one where they are not.
#[live_test]
fn an_image_on_an_overlay_has_its_digests_while_it_runs_and_afterwards() {
    let (agent, images) = agent_and_images();
    for (number, lower) in [None, Some(())].into_iter().enumerate() {
        let parent = images.subdirectory(&format!("overlay {number}"));
        fs::create_dir_all(parent.join("lower")).unwrap();
        let _lower = lower.map(|()| Mounted::tmpfs(&parent.join("lower")));
        let below = shell(&images, &parent.join("lower/below"), "below");
        write_settled(&parent.join("lower/gone"), &tiny::image("below"));
        let overlay = Mounted::overlay(&parent);
        let at = |name: &str| overlay.directory.join(name);
        let above = shell(&images, &at("above"), "above");
        let held = Held::still(&agent);
        let children = ["below", "above"].map(|name| hold(&at(name)));
        let pid = run(&[text(&at("gone")), "0"]);
        drop(held);
        Reported::of(&agent, children[0].pid, text(&at("below"))).expect("below", &below, "exe");
        Reported::of(&agent, children[1].pid, text(&at("above"))).expect("above", &above, "exe");
        Reported::of(&agent, pid, text(&at("gone"))).expect("gone", &tiny::image("below"), "path");
    }
    end(agent);
}

#[live_test]
fn an_image_in_a_tmpfs_has_its_digests_though_it_is_removed() {
    let (agent, images) = agent_and_images();
    let memory = Mounted::tmpfs(&images.subdirectory("memory"));
    let path = memory.directory.join("image");
    let bytes = shell(&images, &path, "in a tmpfs");
    let held = Held::still(&agent);
    let child = hold(&path);
    fs::remove_file(&path).unwrap();
    drop(held);
    Reported::of(&agent, child.pid, text(&path)).expect("removed", &bytes, "exe");
    end(agent);
    drop(child);
}

#[live_test]
fn a_process_that_is_gone_has_the_digests_of_its_file_and_never_of_another_one() {
    let (agent, images) = agent_and_images();
    let changes: [Change; 5] = [
        ("untouched", |_| ()),
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("renamed over", |path| {
            let other = path.with_extension("other");
            write_settled(&other, &tiny::image("renamed ever"));
            fs::rename(other, path).unwrap();
        }),
        ("rewritten", |path| {
            let before = fs::metadata(path).unwrap().modified().unwrap();
            fs::write(path, tiny::image("rewritter")).unwrap();
            fs::File::options().write(true).open(path).unwrap().set_modified(before).unwrap();
        }),
        ("a link", |path| {
            fs::rename(path, path.with_extension("real")).unwrap();
            std::os::unix::fs::symlink("/bin/true", path).unwrap();
        }),
    ];
    for (name, _) in changes {
        write_settled(&images.path(name), &tiny::image(name));
    }
    let held = Held::still(&agent);
    let pids = changes.map(|(name, change)| {
        let pid = run(&[text(&images.path(name)), "0"]);
        change(&images.path(name));
        pid
    });
    drop(held);
    for (pid, (name, _)) in pids.into_iter().zip(changes) {
        let reported = Reported::of(&agent, pid, text(&images.path(name)));
        if name == "untouched" {
            reported.expect(name, &tiny::image(name), "path");
        } else {
            reported.expect_none(name, "exited");
        }
    }
    end(agent);
}

#[live_test]
fn a_file_that_was_made_right_before_its_exec_has_its_digests_if_it_still_runs() {
    let (agent, images) = agent_and_images();
    let paths: Vec<PathBuf> = (0..20).map(|number| images.path(&format!("fresh {number}"))).collect();
    for (number, path) in paths.iter().enumerate() {
        let contents = images.shell_with(&number.to_string());
        images.file(&format!("fresh {number}"), &contents);
        let child = hold(path);
        Reported::of(&agent, child.pid, text(path)).expect("fresh", &contents.bytes, "exe");
    }
    std::thread::sleep(SETTLED);
    end(agent);
}
