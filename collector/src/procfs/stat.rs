//! `/proc/<tgid>/stat`: one line of numbers about a process.

/// The value of `AT_CLKTCK` on every supported architecture: include/asm-generic/param.h, `USER_HZ`.
const TICKS_PER_SECOND: u64 = 100;

/// When a process began, in clock ticks since boot, suspend included. Field 22 of `stat`.
///
/// Source: `task->start_boottime` rounded down to ticks, in the time namespace of the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StartTicks(pub u64);

impl StartTicks {
    /// From nanoseconds on `CLOCK_BOOTTIME`, as `task->start_boottime` has them. Rounds down as the kernel does.
    #[must_use]
    pub const fn from_boottime_ns(nanoseconds: u64) -> Self {
        Self(nanoseconds / (1_000_000_000 / TICKS_PER_SECOND))
    }

    /// When the tick began, in nanoseconds on `CLOCK_BOOTTIME`.
    #[must_use]
    pub const fn to_boottime_ns(self) -> u64 {
        self.0.saturating_mul(1_000_000_000 / TICKS_PER_SECOND)
    }
}

/// The fields of `stat` that the agent uses, by their names in proc(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat<'a> {
    /// 1: the id in the path.
    pub pid: u32,
    /// 2: the name, without its parentheses. The kernel escapes a newline as `\n` and a backslash as `\\` here, and
    /// prints a longer name than `task->comm` for a worker; the file `comm` escapes nothing.
    pub comm: &'a [u8],
    /// 3: the state, a letter.
    pub state: u8,
    /// 4: the parent's thread-group id; 0 for one outside the reader's PID namespace, and for pid 1 and 2.
    pub ppid: u32,
    /// 5: the process group; -1 once the task is being reaped.
    pub pgrp: i32,
    /// 6: the session; -1 once the task is being reaped.
    pub session: i32,
    /// 7: the controlling terminal, minor in bits 0..8 and 20..32, major in 8..20; 0 for none.
    pub tty_nr: i32,
    /// 9: `task->flags` (`PF_*`).
    pub flags: u32,
    /// 14: time in user mode, in clock ticks.
    pub utime: u64,
    /// 15: time in the kernel, in clock ticks.
    pub stime: u64,
    /// 20: threads that have not been reaped, the leader included.
    pub num_threads: u32,
    /// 22: when it began.
    pub starttime: StartTicks,
    /// 23: size of the virtual memory, in bytes.
    pub vsize: u64,
    /// 24: resident memory, in pages.
    pub rss: i64,
}

impl<'a> Stat<'a> {
    /// `None` if the bytes are not such a line.
    ///
    /// The comm may contain spaces and parentheses, so it ends at the last `)` of the line: nothing behind it has
    /// one.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let opening = line.iter().position(|&byte| byte == b'(')?;
        let closing = line.iter().rposition(|&byte| byte == b')')?;
        let pid = number(line.get(..opening)?.trim_ascii())?;
        let comm = line.get(opening + 1..closing)?;
        let rest = line.get(closing + 1..)?.trim_ascii();
        // Numbered as in proc(5): the state is field 3.
        let mut fields = (3..).zip(rest.split(|&byte| byte == b' '));
        let mut field = |wanted: u8| fields.find(|&(index, _)| index == wanted).map(|(_, value)| value);
        Some(Self {
            pid,
            comm,
            state: *field(3)?.first()?,
            ppid: number(field(4)?)?,
            pgrp: number(field(5)?)?,
            session: number(field(6)?)?,
            tty_nr: number(field(7)?)?,
            flags: number(field(9)?)?,
            utime: number(field(14)?)?,
            stime: number(field(15)?)?,
            num_threads: number(field(20)?)?,
            starttime: StartTicks(number(field(22)?)?),
            vsize: number(field(23)?)?,
            rss: number(field(24)?)?,
        })
    }

    /// Whether nothing of the process runs any more: it is a zombie, or being reaped.
    ///
    /// A leader that has ended before its threads shows as a zombie too, but its threads are still counted.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x') && self.num_threads <= 1
    }
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `/proc/2/stat` of Linux 6.18, 2026-11-23.
    const KTHREADD: &[u8] =
        b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 23 0 0 18446744073709551615 \
        0 0 0 0 0 0 0 2147483647 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

    /// The first 24 fields, with those that the tests vary.
    fn line(comm: &str, state: char, flags: u32, num_threads: u32) -> String {
        format!(
            "7 ({comm}) {state} 1 7 7 0 -1 {flags} 1 2 3 4 50 60 7 8 20 0 {num_threads} 0 4321 1024 9 0 0\n"
        )
    }

    /// Checks the comm, the parent and the start of a line.
    #[track_caller]
    fn check(line: &[u8], expected: Option<(&str, u32, u64)>) {
        let stat = Stat::parse(line);
        let found = stat.map(|stat| (stat.comm, stat.ppid, stat.starttime.0));
        assert_eq!(found, expected.map(|(comm, ppid, start)| (comm.as_bytes(), ppid, start)));
    }

    #[test]
    fn every_field_is_where_proc_5_says() {
        check(KTHREADD, Some(("kthreadd", 0, 23)));
        let bytes = line("a", 'S', 4, 3);
        let expected = Stat {
            pid: 7,
            comm: b"a",
            state: b'S',
            ppid: 1,
            pgrp: 7,
            session: 7,
            tty_nr: 0,
            flags: 4,
            utime: 50,
            stime: 60,
            num_threads: 3,
            starttime: StartTicks(4321),
            vsize: 1024,
            rss: 9,
        };
        assert_eq!(Stat::parse(bytes.as_bytes()), Some(expected));
    }

    #[test]
    fn comm_may_hold_spaces_and_parentheses() {
        check(line("a) b", 'S', 0, 1).as_bytes(), Some(("a) b", 1, 4321)));
        check(line(") R 99 (", 'S', 0, 1).as_bytes(), Some((") R 99 (", 1, 4321)));
        check(line("", 'S', 0, 1).as_bytes(), Some(("", 1, 4321)));
        check(line("()", 'S', 0, 1).as_bytes(), Some(("()", 1, 4321)));
    }

    #[test]
    fn a_cut_line_is_refused() {
        check(b"", None);
        check(b"7", None);
        check(b")7(", None);
        check(b"7 (a)", None);
        check(b"7 (a) S 1 7 7 0", None);
    }

    #[test]
    fn a_zombie_is_dead_but_not_one_whose_threads_run() {
        let is_dead =
            |state, threads| Stat::parse(line("a", state, 0, threads).as_bytes()).unwrap().is_dead();
        assert!(is_dead('Z', 1));
        assert!(is_dead('X', 0));
        assert!(!is_dead('S', 1));
        assert!(!is_dead('Z', 2));
    }

    #[test]
    fn ticks_are_rounded_down() {
        assert_eq!(StartTicks::from_boottime_ns(1_239_999_999), StartTicks(123));
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_a_panic(bytes: Vec<u8>) {
            let _ = Stat::parse(&bytes);
        }

        #[test]
        fn any_comm_comes_back(comm: Vec<u8>) {
            let bytes = [b"7 (", comm.as_slice(), b") S 1 7 7 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 9 0 0"].concat();
            prop_assert_eq!(Stat::parse(&bytes).map(|stat| stat.comm), Some(comm.as_slice()));
        }
    }
}
