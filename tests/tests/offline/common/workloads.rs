//! What the fixtures are recordings of.

/// A workload: its name, and the program that runs.
type Workload = (&'static str, &'static [&'static str]);

/// All of them. They need only `sh` and `perl`, which every Debian has, and live in `/tmp/collector-fixture`, which is in the
/// fixtures.
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
        // Two links, and MPTCP that is configured to use the second: a kernel task connects over it.
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
