//! Files of an inspected process: open, mapped, run; and what they are called once they are removed.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use collector_tests::live::{live_test, needs};

use super::{Subject, descriptors, inspect, leave_open, tool};

#[live_test(without_agent)]
fn descriptors_lead_where_ls_shows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("open (deleted)");
    let mut kept = fs::File::create(&path).unwrap();
    kept.write_all(b"12345").unwrap();
    let gone = directory.path().join("gone");
    let removed = fs::File::create(&gone).unwrap();
    fs::remove_file(&gone).unwrap();
    leave_open(&kept);
    leave_open(&removed);
    let subject = Subject::sleep();
    let reported = inspect(subject.pid());
    let fds = format!("/proc/{}/fd", subject.pid());
    for found in descriptors(&reported) {
        let said = fs::read_link(Path::new(&fds).join(found["fd"].to_string())).unwrap();
        let mark = if found["deleted"] == true { " (deleted)" } else { "" };
        assert_eq!(said.to_str().unwrap(), format!("{}{mark}", found["target"].as_str().unwrap()));
    }
    let listed = tool("ls", &[&fds]);
    assert_eq!(listed.lines().count(), descriptors(&reported).len());
    let of = |path: &Path| {
        let found = descriptors(&reported).iter().find(|found| found["target"] == path.to_str().unwrap());
        found.unwrap_or_else(|| panic!("{} is not among the descriptors", path.display()))
    };
    assert_eq!((&of(&path)["deleted"], &of(&gone)["deleted"]), (&false.into(), &true.into()));
    let open = of(&path);
    assert_eq!((&open["position"], &open["size_bytes"]), (&5.into(), &5.into()));
    assert_eq!((&open["access"], &open["kind"]), (&"write".into(), &"file".into()));
}

#[live_test]
fn a_removed_image_is_reported_by_its_path_with_the_digests_of_what_runs() {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("subject");
    fs::copy("/bin/sleep", &image).unwrap();
    let subject = Subject::of(Command::new(&image).arg("1000"));
    fs::remove_file(&image).unwrap();
    let reported = inspect(subject.pid());
    assert_eq!(reported["process"]["executable"], image.to_str().unwrap());
    assert_eq!(reported["process"]["exe"]["deleted"], true);
    let sum = tool("sha256sum", &["/bin/sleep"]);
    assert_eq!(reported["process"]["hash"]["sha256"].as_str(), sum.split_whitespace().next());
}

/// Maps a file of each name in a file system of its own, which it then takes out of its tree: the kernel prints `/NAME`.
const MAPS_FILES: &str = "\
import mmap, subprocess, sys
call = subprocess.check_call
directory, names = sys.argv[1], sys.argv[2:]
call(['mount', '--make-rprivate', '/'])
call(['mount', '-t', 'tmpfs', 'none', directory])
kept = []
for name in names:
    file = open(directory + '/' + name, 'w+b')
    file.truncate(4096)
    kept.append(mmap.mmap(file.fileno(), 4096))
call(['umount', '-l', directory])
print('ready', flush=True)
sys.stdin.read()
";

#[live_test(without_agent)]
fn a_mapped_file_of_any_name_is_reported_by_it() {
    needs::root();
    // The first two are no names of System V shared memory, and look it.
    let names = ["SYSV1", "SYSVzzzzzzzz", "a  b", "x (deleted) (deleted)"];
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "python3", "-c", MAPS_FILES]).arg(directory.path()).args(names);
    let mut subject = Subject(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    subject.0.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
    let reported = inspect(subject.pid());
    let mappings = reported["mappings"].as_array().unwrap();
    // Where they were, no file has these names: what ends so has lost it, once.
    for (path, deleted) in
        [("/SYSV1", false), ("/SYSVzzzzzzzz", false), ("/a  b", false), ("/x (deleted)", true)]
    {
        let found = mappings.iter().find(|mapping| mapping["path"] == path);
        let found = found.unwrap_or_else(|| panic!("{path} is not among {mappings:?}"));
        assert_eq!((&found["deleted"], &found["size_bytes"]), (&deleted.into(), &4096.into()));
    }
}

#[live_test(without_agent)]
fn a_mapped_file_that_is_named_like_a_removed_one_keeps_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("x (deleted)");
    assert!(Command::new("cp").arg("/bin/sleep").arg(&image).status().unwrap().success());
    let subject = Subject::of(Command::new(&image).arg("1000"));
    let mapped = || {
        let reported = inspect(subject.pid());
        let mappings = reported["mappings"].as_array().unwrap().clone();
        let found = mappings.into_iter().find(|mapping| mapping["path"] == image.to_str().unwrap());
        found.unwrap_or_else(|| panic!("{} is not mapped", image.display()))
    };
    assert_eq!(mapped()["deleted"], false);
    fs::remove_file(&image).unwrap();
    assert_eq!(mapped()["deleted"], true);
}
