//! `collector inspect`: the same facts as ps(1), ss(8) and ls(1) tell, and what it says where it cannot tell them.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by a panic")]

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::AsFd as _,
        unix::{fs::PermissionsExt as _, net::UnixStream},
    },
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::Instant,
};

use collector_tests::{agent, live::live_or_skip, wait, workload::netns::Pair};
use serde_json::Value;

/// A child that is killed and reaped at the end.
struct Subject(Child);

impl Subject {
    /// `sleep`, with what this process leaves open to it. It sleeps already, and maps no more files.
    fn sleep() -> Self {
        let subject = Self::of(Command::new("sleep").arg("1000"));
        wait::until("a sleep that sleeps", || {
            fs::read_to_string(format!("/proc/{}/stat", subject.pid()))
                .ok()
                .filter(|stat| stat.contains(") S "))
        });
        subject
    }

    fn of(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        // A fork by another test's thread has, until its exec, all files that are being written here.
        let child = wait::until("an image that nobody has open for writing", || match command.spawn() {
            Err(busy) if busy.kind() == ErrorKind::ExecutableFileBusy => None,
            answer => Some(answer.unwrap()),
        });
        // Since std waits for the exec, /proc tells of the new image from here on.
        Self(child)
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(pid: u32, args: &[&str]) -> Output {
    agent::command(&["inspect", &pid.to_string()]).args(args).output().unwrap()
}

/// What is told of a process that stays.
#[track_caller]
fn inspect(pid: u32) -> Value {
    let output = run(pid, &["--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn tool(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Leaves a descriptor open to the children that are started from now on.
fn leave_open(descriptor: &impl std::os::fd::AsFd) {
    rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::empty()).unwrap();
}

fn descriptors(told: &Value) -> &[Value] {
    told["descriptors"].as_array().unwrap()
}

#[test]
fn an_inspection_says_what_ps_says() {
    let subject = Subject::sleep();
    let told = inspect(subject.pid());
    let format = "pid=,ppid=,uid=,gid=,nlwp=,comm=,nice=,vsz=";
    let said = tool("ps", &["-o", format, "-p", &subject.pid().to_string()]);
    let said: Vec<&str> = said.split_whitespace().collect();
    let process = &told["process"];
    let ours = [
        process["pid"].to_string(),
        process["parent"]["pid"].to_string(),
        process["user"]["id"].as_str().unwrap().to_owned(),
        process["group"]["id"].as_str().unwrap().to_owned(),
        told["status"]["threads"].to_string(),
        process["comm"].as_str().unwrap().to_owned(),
        told["cpu"]["nice"].to_string(),
        (told["memory"]["virtual_bytes"].as_u64().unwrap() / 1024).to_string(),
    ];
    assert_eq!(said, ours);
    assert_eq!(process["args"], serde_json::json!(["sleep", "1000"]));
    assert_eq!(told["status"]["state"], "sleeping");
}

#[test]
fn the_digests_are_those_of_the_image() {
    let subject = Subject::sleep();
    let told = inspect(subject.pid());
    let sum = tool("sha256sum", &[&format!("/proc/{}/exe", subject.pid())]);
    assert_eq!(told["process"]["hash"]["sha256"].as_str(), sum.split_whitespace().next());
}

#[test]
fn descriptors_lead_where_ls_says() {
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
    let told = inspect(subject.pid());
    let fds = format!("/proc/{}/fd", subject.pid());
    for found in descriptors(&told) {
        let said = fs::read_link(Path::new(&fds).join(found["fd"].to_string())).unwrap();
        let mark = if found["deleted"] == true { " (deleted)" } else { "" };
        assert_eq!(said.to_str().unwrap(), format!("{}{mark}", found["target"].as_str().unwrap()));
    }
    let listed = tool("ls", &[&fds]);
    assert_eq!(listed.lines().count(), descriptors(&told).len());
    let of = |path: &Path| {
        let found = descriptors(&told).iter().find(|found| found["target"] == path.to_str().unwrap());
        found.unwrap_or_else(|| panic!("{} is not among the descriptors", path.display()))
    };
    assert_eq!((&of(&path)["deleted"], &of(&gone)["deleted"]), (&false.into(), &true.into()));
    let open = of(&path);
    assert_eq!((&open["position"], &open["size_bytes"]), (&5.into(), &5.into()));
    assert_eq!((&open["access"], &open["kind"]), (&"write".into(), &"file".into()));
}

#[test]
fn sockets_are_what_ss_says() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let udp = UdpSocket::bind("[::1]:0").unwrap();
    let (near, far) = UnixStream::pair().unwrap();
    for descriptor in [listener.as_fd(), client.as_fd(), udp.as_fd(), near.as_fd()] {
        leave_open(&descriptor);
    }
    let subject = Subject::sleep();
    let told = inspect(subject.pid());
    let said = tool("ss", &["-tuanpH"]);
    let socket = |descriptor: std::os::fd::BorrowedFd<'_>| {
        let inode = rustix::fs::fstat(descriptor).unwrap().st_ino;
        let found = descriptors(&told).iter().find(|found| found["inode"] == inode).unwrap();
        found["socket"].clone()
    };
    for (descriptor, state) in
        [(listener.as_fd(), "LISTEN"), (client.as_fd(), "ESTAB"), (udp.as_fd(), "UNCONN")]
    {
        let found = socket(descriptor);
        let address = found["local"]["address"].as_str().unwrap();
        let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        let local = format!("{address}:{}", found["local"]["port"]);
        let subject = format!("pid={},", subject.pid());
        let line = said
            .lines()
            .find(|line| line.split_whitespace().nth(4) == Some(local.as_str()) && line.contains(&subject));
        let line = line.unwrap_or_else(|| panic!("{local} is not in {said}"));
        let fields: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(fields[1], state);
        assert_eq!(fields[2], found["recv_queue"].to_string());
        assert_eq!(found["uid"], rustix::process::getuid().as_raw());
        if state == "ESTAB" {
            let remote = &found["remote"];
            assert_eq!(fields[5], format!("{}:{}", remote["address"].as_str().unwrap(), remote["port"]));
            assert_eq!(found["state"], "ESTABLISHED");
        }
    }
    let unix = socket(near.as_fd());
    // `UNIX-STREAM` since Linux 5.15, which gave it a protocol of its own.
    assert!(["UNIX", "UNIX-STREAM"].contains(&unix["protocol"].as_str().unwrap()), "{unix}");
    assert_eq!(unix["kind"], "stream");
    assert_eq!(unix["remote"]["inode"], rustix::fs::fstat(&far).unwrap().st_ino);
}

#[test]
fn a_thousand_sockets_take_one_dump_for_each_family_and_50_ms() {
    const SOCKETS: usize = 1_000;
    let limit = rustix::process::Rlimit { current: Some(4096), maximum: Some(4096) };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let sockets: Vec<UdpSocket> = (0..SOCKETS).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    sockets.iter().for_each(leave_open);
    let subject = Subject::sleep();
    drop(sockets);
    let file = tempfile::NamedTempFile::new().unwrap();
    // `times` of a shell tells what its children took: of this process they would be those of other tests as well.
    let script = r#""$0" inspect "$1" --format json >"$2" && times"#;
    let times = tool(
        "sh",
        &[
            "-c",
            script,
            agent::binary().to_str().unwrap(),
            &subject.pid().to_string(),
            file.path().to_str().unwrap(),
        ],
    );
    let took: f64 = times.lines().nth(1).unwrap().split_whitespace().map(milliseconds).sum();
    let told: Value = serde_json::from_slice(&fs::read(file.path()).unwrap()).unwrap();
    let known = descriptors(&told).iter().filter(|found| found["socket"]["local"]["port"].is_u64()).count();
    assert!(known >= SOCKETS, "{known} sockets have an end");
    let dumps = told["sockets"]["dumps"].as_array().unwrap();
    let mut families: Vec<String> =
        dumps.iter().map(|dump| format!("{}{}", dump["family"], dump["protocol"])).collect();
    let asked = families.len();
    families.sort();
    families.dedup();
    assert_eq!(families.len(), asked, "{dumps:?}");
    assert!(asked <= 7, "{dumps:?}");
    eprintln!("1,000 sockets: {took} ms of CPU, {asked} dumps");
    assert!(took < 50.0, "{took} ms of CPU");
}

/// Of what `times` prints: `0m0.012s`.
fn milliseconds(time: &str) -> f64 {
    let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
    minutes.parse::<f64>().unwrap() * 60_000.0 + seconds.parse::<f64>().unwrap() * 1_000.0
}

#[test]
fn sockets_of_another_network_namespace_are_told_right() {
    if !live_or_skip() {
        return;
    }
    let pair = Pair::new();
    let namespace = pair.server();
    let mut command = Command::new("python3");
    let script = "import socket,sys,time\ns=socket.socket()\ns.bind(('10.77.1.2',4321))\ns.listen(7)\n\
                  print('ready',flush=True)\ntime.sleep(1000)";
    command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped());
    let into = namespace.clone();
    // A thread's children begin in its namespace.
    let started = thread::spawn(move || {
        let kind = Some(rustix::thread::LinkNameSpaceType::Network);
        rustix::thread::move_into_link_name_space(into.as_fd(), kind).unwrap();
        command.spawn().unwrap()
    });
    let mut subject = Subject(started.join().unwrap());
    let mut ready = [0; 5];
    subject.0.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    let told = inspect(subject.pid());
    // Those of other tests, which it has inherited, are of another namespace.
    let listens = |found: &&Value| found["socket"]["local"]["port"] == 4321;
    let sockets: Vec<&Value> = descriptors(&told).iter().filter(listens).collect();
    assert_eq!(sockets.len(), 1, "{sockets:?}");
    let socket = &sockets[0]["socket"];
    assert_eq!((&socket["state"], &socket["local"]["port"]), (&"LISTEN".into(), &4321.into()));
    assert_eq!(socket["local"]["address"], "10.77.1.2");
    assert_eq!(socket["send_queue"], 7);
    let inode = rustix::fs::fstat(&*namespace).unwrap().st_ino;
    assert_eq!(told["sockets"]["net_namespace"], inode);
}

#[test]
fn a_zombie_is_shown_as_one_and_has_not_vanished() {
    let mut subject = Subject::sleep();
    subject.0.kill().unwrap();
    wait::until("the child is a zombie", || {
        fs::read_to_string(format!("/proc/{}/stat", subject.pid())).ok().filter(|stat| stat.contains(") Z "))
    });
    let told = inspect(subject.pid());
    assert_eq!(told["status"]["state"], "zombie");
    assert_eq!(told["vanished"], false);
    assert_eq!(told["process"]["comm"], "sleep");
}

#[test]
fn of_a_process_that_ends_half_way_what_was_read_is_printed_and_the_exit_code_is_1() {
    // When the inspection is half way depends on the machine: each try ends the process a little later, beyond the time
    // that a whole one takes, and then from the beginning again.
    let whole = Subject::sleep();
    let begin = Instant::now();
    inspect(whole.pid());
    let step = begin.elapsed() / 80;
    let half_way = (0..400).map(|number| step * (number % 100)).find_map(|delay| {
        let mut subject = Subject::sleep();
        let mut inspection = agent::command(&["inspect", &subject.pid().to_string(), "--format", "json"]);
        let inspection = inspection.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        thread::sleep(delay);
        subject.0.kill().unwrap();
        subject.0.wait().unwrap();
        let output = inspection.wait_with_output().unwrap();
        (output.status.code() == Some(1) && !output.stdout.is_empty()).then_some((subject.pid(), output))
    });
    let (pid, output) = half_way.expect("no process ended while it was read");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["vanished"], true);
    assert_eq!(told["process"]["pid"], pid);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("process {pid} ended while it was read")), "{said}");
}

#[test]
fn a_kernel_task_says_that_it_is_one() {
    let kthreadd = fs::read_to_string("/proc/2/comm").unwrap_or_default();
    if kthreadd.trim() != "kthreadd" {
        assert!(live_or_skip(), "no kernel task is to be seen in this PID namespace");
        return;
    }
    let told = inspect(2);
    assert_eq!(told["process"]["is_kernel"], true);
    assert_eq!(told["capture"]["missing"]["process.executable"], "kernel_task");
}

#[test]
fn the_id_of_a_thread_is_answered_with_its_process() {
    let output = thread::spawn(|| {
        let tid = rustix::thread::gettid().as_raw_nonzero().get();
        run(u32::try_from(tid).unwrap(), &[])
    });
    let output = output.join().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(&format!("is a thread of process {}", std::process::id())), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn no_such_process_is_a_failure_with_a_clear_word() {
    let output = run(4_000_000_000, &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), said.as_str()),
        (Some(1), "collector: there is no process 4000000000\n")
    );
}

#[test]
fn what_is_no_number_is_a_usage_error() {
    let output = agent::command(&["inspect", "me"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn an_unprivileged_user_is_told_what_can_be_read_and_what_not() {
    if !rustix::process::geteuid().is_root() {
        assert!(!live_or_skip());
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = directory.path().join("collector");
    fs::copy(agent::binary(), &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    let subject = Subject::sleep();
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(&copy)
        .args(["inspect", &subject.pid().to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["process"]["comm"], "sleep");
    assert_eq!(told["process"]["args"][0], "sleep");
    assert_eq!(told["status"]["threads"], 1);
    for field in ["descriptors", "io", "process.executable", "process.env_vars", "process.hash"] {
        assert_eq!(told["capture"]["missing"][field], "denied", "{field}: {}", told["capture"]["missing"]);
    }
}

#[test]
fn a_removed_image_is_told_by_its_path_with_the_digests_of_what_runs() {
    if !live_or_skip() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("subject");
    fs::copy("/bin/sleep", &image).unwrap();
    let subject = Subject::of(Command::new(&image).arg("1000"));
    fs::remove_file(&image).unwrap();
    let told = inspect(subject.pid());
    assert_eq!(told["process"]["executable"], image.to_str().unwrap());
    assert_eq!(told["process"]["exe"]["deleted"], true);
    let sum = tool("sha256sum", &["/bin/sleep"]);
    assert_eq!(told["process"]["hash"]["sha256"].as_str(), sum.split_whitespace().next());
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

#[test]
fn a_mapped_file_of_any_name_is_told_by_it() {
    if !rustix::process::geteuid().is_root() {
        assert!(!live_or_skip());
        return;
    }
    // The first two are no names of System V shared memory, and look it.
    let names = ["SYSV1", "SYSVzzzzzzzz", "a  b", "x (deleted) (deleted)"];
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "python3", "-c", MAPS_FILES]).arg(directory.path()).args(names);
    let mut subject = Subject(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    subject.0.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
    let told = inspect(subject.pid());
    let mappings = told["mappings"].as_array().unwrap();
    // Where they were, no file has these names: what ends so has lost it, once.
    for (path, deleted) in
        [("/SYSV1", false), ("/SYSVzzzzzzzz", false), ("/a  b", false), ("/x (deleted)", true)]
    {
        let found = mappings.iter().find(|mapping| mapping["path"] == path);
        let found = found.unwrap_or_else(|| panic!("{path} is not among {mappings:?}"));
        assert_eq!((&found["deleted"], &found["size_bytes"]), (&deleted.into(), &4096.into()));
    }
}

#[test]
fn a_mapped_file_that_is_named_as_a_removed_one_has_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("x (deleted)");
    assert!(Command::new("cp").arg("/bin/sleep").arg(&image).status().unwrap().success());
    let subject = Subject::of(Command::new(&image).arg("1000"));
    let mapped = || {
        let told = inspect(subject.pid());
        let mappings = told["mappings"].as_array().unwrap().clone();
        let found = mappings.into_iter().find(|mapping| mapping["path"] == image.to_str().unwrap());
        found.unwrap_or_else(|| panic!("{} is not mapped", image.display()))
    };
    assert_eq!(mapped()["deleted"], false);
    fs::remove_file(&image).unwrap();
    assert_eq!(mapped()["deleted"], true);
}

#[test]
fn what_is_printed_follows_the_schema() {
    let schema = agent::command(&["schema", "--of", "inspect"]).output().unwrap();
    let schema: Value = serde_json::from_slice(&schema.stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let subject = Subject::sleep();
    for pid in [subject.pid(), std::process::id()] {
        let told = inspect(pid);
        let errors: Vec<String> = validator.iter_errors(&told).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[test]
fn text_has_no_colours_in_a_pipe() {
    let subject = Subject::sleep();
    let output = run(subject.pid(), &["--format", "text"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\x1b'));
    for section in ["process ", "status", "memory", "cpu", "limits", "threads (1)", "descriptors ("] {
        assert!(text.lines().any(|line| line.starts_with(section)), "{section} is not in {text}");
    }
}
