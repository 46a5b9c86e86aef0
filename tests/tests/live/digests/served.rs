//! Images on a file system that a test serves itself: root cannot read it, or it lies about its files.

use std::fs;

use collector_tests::{
    digests::{Held, Reported, end, plan},
    live::{live_test, needs},
    workload::{
        fuse::{Open, Served},
        images::{HOLD, Images},
        tiny,
    },
};

use super::{agent_and_images, hold, text};

const USER: u32 = 65_534;

/// A file system that only [`USER`] may enter.
fn served(images: &Images, bytes: Vec<u8>) -> Served {
    let directory = images.subdirectory("served");
    Served::mount(&directory, bytes, Open::ToUser(USER))
}

/// Row 17: where the file could not be opened, the digest of nothing was written and no other source was tried.
#[live_test]
fn an_image_that_root_cannot_open_has_a_reason_and_not_the_digest_of_nothing() {
    needs::fuse();
    let (agent, images) = agent_and_images();
    let served = served(&images, images.shell_with("served").bytes.clone());
    assert!(fs::read(served.path()).is_err(), "root can read it");
    let mut plan = plan(&[text(&served.path()), "-c", HOLD]);
    plan.user = Some(USER);
    let mut child = plan.spawn();
    child.ready();
    Reported::of(&agent, child.pid, text(&served.path())).expect_none("served", "denied");
    end(agent);
    drop(child);
}

/// Row 18: a dump had no bytes, ever, and the mappings of a file whose path begins the same were taken for the image's.
#[live_test]
fn a_dump_of_an_image_that_root_cannot_open_has_its_bytes_and_those_of_no_other_file() {
    needs::fuse();
    let (agent, images) = agent_and_images();
    let served = served(&images, tiny::sleeper("served"));
    let mut plan = plan(&[text(&served.path())]);
    plan.user = Some(USER);
    let sleeper = plan.spawn();
    Reported::of(&agent, sleeper.pid, text(&served.path())).expect(
        "dumped",
        &tiny::sleeper("served"),
        "memory",
    );

    // A process that has changed a byte of its own code does not map the file any more.
    let held = Held::still(&agent);
    let changed = plan.spawn();
    let entry = 0x40_0000 + 120;
    let memory = fs::File::options().write(true).open(format!("/proc/{}/mem", changed.pid)).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&memory, &tiny::sleeper("")[120..121], entry).unwrap();
    drop(held);
    Reported::of(&agent, changed.pid, text(&served.path())).expect_none("changed", "denied");
    end(agent);
    drop((sleeper, changed));
}

#[live_test]
fn a_file_system_that_lies_about_its_files_gets_no_digest_of_an_earlier_exec() {
    needs::fuse();
    let (agent, images) = agent_and_images();
    let bytes = ["first ", "second"].map(|trailer| images.shell_with(trailer).bytes.clone());
    let directory = images.subdirectory("served");
    let served = Served::mount(&directory, bytes[0].clone(), Open::ToAll);
    let path = served.path();
    let first = hold(&path);
    Reported::of(&agent, first.pid, text(&path)).expect("first", &bytes[0], "exe");
    drop(first);
    served.replace(bytes[1].clone());
    let second = hold(&path);
    Reported::of(&agent, second.pid, text(&path)).expect("second", &bytes[1], "exe");
    end(agent);
    drop(second);
}
