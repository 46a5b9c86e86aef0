//! What the fixtures are recordings of, and how they are made anew:
//!
//! `cargo run -p collector-tests --example record_fixtures` as root, then the tests with `UPDATE_GOLDEN=1`, then a
//! look at each difference.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use collector_tests::agent::Agent;
use tempfile::TempDir;

use super::{fixture, tape::Tape, trim::trim};

/// Where the workloads are at home. The path is in the fixtures.
const HOME: &str = "/tmp/collector-fixture";

/// A happening: its name, and the program that makes it happen.
type Workload = (&'static str, &'static [&'static str]);

/// All of them. Only `sh` and `perl` are asked for, which a Debian always has.
pub(crate) const WORKLOADS: &[Workload] = &[
    ("exec-absolute-path", &["/bin/sh", "-c", "/bin/true first 'the second one'; exit 3"]),
    ("exec-relative-path", &["/bin/sh", "-c", "cd bin && ./tool x; ../bin/tool y; PATH=. tool z; exit 0"]),
    (
        "exec-script",
        &[
            "/bin/sh",
            "-c",
            "./script.sh a; /tmp/collector-fixture/script.sh b; cd bin; ../script.sh c; exit 0",
        ],
    ),
    (
        "exec-memfd",
        &[
            "/usr/bin/perl",
            "-e",
            r#"my $name = "payload"; my $fd = syscall(319, $name, 0); open my $to, ">&=", $fd; open my $from, "<", "/bin/true";
            local $/; print {$to} <$from>; $to->flush; exec {"/proc/self/fd/$fd"} "payload", "from memory""#,
        ],
    ),
    (
        "exec-deleted",
        &[
            "/usr/bin/perl",
            "-e",
            r#"open F, "<", "bin/gone"; unlink "bin/gone"; exec {"/proc/self/fd/" . fileno F} "gone""#,
        ],
    ),
    (
        "exec-hostile-argv",
        &[
            "/usr/bin/perl",
            "-e",
            r#"$ENV{FIXTURE_B} = "\xff=="; $ENV{FIXTURE_A} = " a \t"; exec {"/bin/true"} "/proc/self/exe", "",
            "two words", "line\nbreak", "\x1b[31mred", "\xff\xfe", "it's", "\$(reboot)", "-", "\xc3\xa4", """#,
        ],
    ),
    (
        "exec-by-thread",
        &["/usr/bin/perl", "-Mthreads", "-e", r#"threads->create(sub { exec "/bin/true", "x" })->join"#],
    ),
    ("exec-twice", &["/bin/sh", "-c", "exec env -i HOME=/nowhere sh -c 'exec /bin/true last'"]),
    (
        "exit-by-signal",
        &["/bin/sh", "-c", "ulimit -c 0; sh -c 'kill -KILL $$'; sh -c 'kill -SEGV $$'; exit 0"],
    ),
    ("fork-without-exec", &["/usr/bin/perl", "-e", "if (fork) { wait } else { exit 7 }"]),
    ("parent-exits-first", &["/bin/sh", "-c", "sh -c 'sleep 0.1; /bin/true orphan; exit 0' & exit 0"]),
    (
        "connect-tcp",
        &[
            "/usr/bin/perl",
            "-MSocket=:all",
            "-e",
            r#"sub at { getsockname $_[0] } sub tcp { socket my $s, $_[0], SOCK_STREAM, 0; $s }
            sub in4 { pack_sockaddr_in $_[0], inet_aton "127.0.0.1" }
            sub in6 { pack_sockaddr_in6 $_[0], inet_pton AF_INET6, $_[1] }
            my $l4 = tcp AF_INET; bind $l4, in4 0; listen $l4, 9; my ($p4) = unpack_sockaddr_in at $l4;
            my $l6 = tcp AF_INET6; bind $l6, in6 0, "::1"; listen $l6, 9; my ($p6) = unpack_sockaddr_in6 at $l6;
            my @kept; sub to { push @kept, my $s = tcp $_[0]; connect $s, $_[1] }
            to AF_INET, in4 $p4; to AF_INET6, in6 $p6, "::1"; to AF_INET6, in6 $p4, "::ffff:127.0.0.1";
            to AF_INET, in4 1; to AF_INET6, in6 1, "::1"; to AF_INET6, in6 1, "::ffff:127.0.0.1""#,
        ],
    ),
    (
        "connect-tcp-given-up",
        &[
            "/usr/bin/perl",
            "-MSocket=:all",
            "-MFcntl",
            "-e",
            r#"sub tcp { socket my $s, AF_INET, SOCK_STREAM, 0; $s }
            my $l = tcp; bind $l, pack_sockaddr_in 0, inet_aton "127.0.0.1"; listen $l, 0;
            my $first = tcp; connect $first, getsockname $l;
            my $second = tcp; fcntl $second, F_SETFL, O_NONBLOCK; connect $second, getsockname $l; close $second"#,
        ],
    ),
    (
        "connect-udp",
        &[
            "/usr/bin/perl",
            "-MSocket=:all",
            "-e",
            r#"sub udp { socket my $s, $_[0], SOCK_DGRAM, 0; $s }
            sub in4 { pack_sockaddr_in $_[0], inet_aton "127.0.0.1" }
            sub in6 { pack_sockaddr_in6 $_[0], inet_pton AF_INET6, $_[1] }
            my $c = udp AF_INET; connect $c, in4 9;
            my $s = udp AF_INET; send $s, "a", 0, in4 $_ for 9, 9, 10;
            my $b = udp AF_INET; bind $b, in4 0; send $b, "a", 0, in4 9;
            my $six = udp AF_INET6; send $six, "a", 0, in6 9, "::1";
            my $mapped = udp AF_INET6; send $mapped, "a", 0, in6 9, "::ffff:127.0.0.1""#,
        ],
    ),
    (
        // Two links, and MPTCP that is told to use the second: a kernel task connects over it.
        "connect-by-the-kernel",
        &[
            "/bin/sh",
            "-c",
            r#"perl='use Socket qw(:all); socket my $s, AF_INET, SOCK_STREAM, 262;'
            ip netns exec fixture-far perl -e "$perl"'
            bind $s, pack_sockaddr_in 99, INADDR_ANY; listen $s, 9; accept my $c, $s; sysread $c, $_, 9; select undef, undef, undef, 0.3' &
            ip netns exec fixture-near perl -e "$perl"' my $to = pack_sockaddr_in 99, inet_aton "10.78.1.2";
            bind $s, pack_sockaddr_in 0, inet_aton "10.78.1.1"; for (1 .. 50) { last if connect $s, $to; select undef, undef, undef, 0.02 }
            syswrite $s, "a"; select undef, undef, undef, 0.5'; wait"#,
        ],
    ),
];

/// Records each happening to a fixture of its own.
pub(crate) fn record_all() {
    let date = run("date", &["+%F"]);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let kernel: Vec<&str> = release.split('.').take(2).collect();
    let wanted = std::env::var("FIXTURE").ok();
    for (what, command) in
        WORKLOADS.iter().filter(|(what, _)| wanted.as_deref().is_none_or(|wanted| wanted == *what))
    {
        for old in fixture::recordings(what) {
            fs::remove_file(old.with_extension("golden.jsonl")).ok();
            fs::remove_file(old).unwrap();
        }
        let tape = record(command);
        let name = format!("{what}-{}-{}.rec", kernel.join("."), date.trim());
        tape.write(&fixture::directory().join(name));
    }
}

fn record(command: &[&str]) -> Tape {
    furnish();
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("recording");
    let agent = Agent::start(&["--event", "fork,exec,exit,connect", "--record", path.to_str().unwrap()]);
    // None of this process's environment gets into the repository.
    let child = Command::new(command[0])
        .args(&command[1..])
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin:/usr/sbin"), ("HOME", "/root"), ("LC_ALL", "C")])
        .current_dir(HOME)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let root = child.id();
    // Its descendants hold its stdout until each has ended, which the kernel tells before it closes their files.
    child.wait_with_output().unwrap();
    let run = agent.stop();
    assert!(run.status.success(), "{run}");
    forsake();
    trim(&Tape::read(&path), root)
}

/// Makes the files and the networks of the workloads.
fn furnish() {
    forsake();
    let home = Path::new(HOME);
    fs::create_dir_all(home.join("bin")).unwrap();
    for name in ["bin/tool", "bin/gone"] {
        run("cp", &["/bin/true", home.join(name).to_str().unwrap()]);
    }
    fs::write(home.join("script.sh"), "#!/bin/sh -e\nexit 0\n").unwrap();
    fs::set_permissions(home.join("script.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    run(
        "sh",
        &[
            "-ec",
            "for end in near far; do
                ip netns add fixture-$end
                ip -n fixture-$end link set lo up
            done
            for link in 1 2; do
                ip link add near$link netns fixture-near type veth peer name far$link netns fixture-far
                for end in near:1 far:2; do
                    ip -n fixture-${end%:*} addr add 10.78.$link.${end#*:}/24 dev ${end%:*}$link
                    ip -n fixture-${end%:*} link set ${end%:*}$link up
                done
            done
            for end in near far; do
                ip netns exec fixture-$end sysctl -q -w net.mptcp.enabled=1
                ip -n fixture-$end mptcp limits set subflow 2 add_addr_accepted 2
            done
            ip -n fixture-near route add 10.78.1.2 via 10.78.2.2 dev near2 metric 9
            ip -n fixture-near mptcp endpoint add 10.78.2.1 dev near2 subflow",
        ],
    );
}

/// Removes them.
fn forsake() {
    run("sh", &["-c", "for end in near far; do ip netns del fixture-$end 2> /dev/null; done; true"]);
    run("rm", &["-rf", HOME]);
}

#[track_caller]
fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
