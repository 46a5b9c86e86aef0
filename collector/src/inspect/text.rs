//! An inspection for people: sections of aligned lines, with units.

use std::io;

use super::{
    model::{Descriptor, End, Inspection, Limit, Socket},
    page::Page,
};
use crate::event::Timestamp;

/// How many mappings are shown; JSON has all.
const MAPPINGS: usize = 40;

impl Inspection {
    /// Writes it in sections. Characters that a terminal obeys or hides are escaped: a process chooses much of this text.
    pub fn write_text(&self, out: &mut impl io::Write, colour: bool) -> io::Result<()> {
        let mut page = Page::new(out, colour);
        self.process(&mut page)?;
        self.origin(&mut page)?;
        self.state(&mut page)?;
        self.memory(&mut page)?;
        self.counts(&mut page)?;
        self.lists(&mut page)?;
        self.gaps(&mut page)
    }

    fn process(&self, page: &mut Page<'_, impl io::Write>) -> io::Result<()> {
        let process = &*self.process;
        let name = process.name.as_ref().or(process.comm.as_ref());
        let title = format!(
            "process {} {}",
            process.pid.unwrap_or(0),
            name.map_or_else(String::new, ToString::to_string)
        );
        page.section(&title)?;
        page.optional("state", self.status.as_ref().map(|status| status.state.name()))?;
        page.optional("kernel task", process.is_kernel.filter(|&kernel| kernel).map(|_| "yes"))?;
        page.optional("pid in namespace", process.vpid)?;
        page.optional("comm", process.comm.as_ref())?;
        let deleted = process.exe.as_ref().is_some_and(|exe| exe.deleted == Some(true));
        let mark = if deleted { " (deleted)" } else { "" };
        page.optional("executable", process.executable.as_ref().map(|path| format!("{path}{mark}")))?;
        page.optional("command line", process.command_line.as_ref())?;
        page.optional("working directory", process.working_directory.as_ref())?;
        page.optional("root", self.root.as_ref())?;
        page.optional("started", process.start.map(Timestamp::to_rfc3339))?;
        for (title, user) in [("user", &process.user), ("real user", &process.real_user)] {
            page.optional(title, user.as_ref().map(|user| named(user.id.as_deref(), user.name.as_deref())))?;
        }
        page.optional(
            "group",
            process.group.as_ref().map(|group| named(group.id.as_deref(), group.name.as_deref())),
        )?;
        page.optional("cgroup", process.cgroup.as_ref().and_then(|cgroup| cgroup.path.as_ref()))?;
        page.optional("container", self.container.as_ref().and_then(|container| container.id.as_ref()))?;
        if let Some(hash) = &process.hash {
            page.optional("md5", hash.md5.as_ref())?;
            page.optional("sha1", hash.sha1.as_ref())?;
            page.optional("sha256", hash.sha256.as_ref())?;
        }
        Ok(())
    }

    /// What the process has from those above it.
    fn origin(&self, page: &mut Page<'_, impl io::Write>) -> io::Result<()> {
        let process = &*self.process;
        for ancestor in process.ancestors.iter().flat_map(|line| line.iter()) {
            let name = ancestor.executable.as_ref().or(ancestor.comm.as_ref());
            let name = name.map_or_else(String::new, ToString::to_string);
            page.line("ancestor", format_args!("{} {name}", ancestor.pid.unwrap_or(0)))?;
        }
        let variables = process.env_vars.as_ref();
        for variable in variables.iter().flat_map(|variables| variables.iter()) {
            page.line("environment", variable)?;
        }
        Ok(())
    }

    fn state(&self, page: &mut Page<'_, impl io::Write>) -> io::Result<()> {
        let Some(status) = &self.status else { return Ok(()) };
        page.section("status")?;
        page.line("threads", status.threads)?;
        page.optional("traced by", status.tracer_pid)?;
        page.optional("no new privileges", status.no_new_privs.map(|set| if set { "yes" } else { "no" }))?;
        page.optional("seccomp", status.seccomp.as_ref())?;
        page.optional("cpus", status.cpus_allowed.as_ref())?;
        page.optional("switches", status.voluntary_switches.map(|count| format!("{count} voluntary")))?;
        page.optional("", status.involuntary_switches.map(|count| format!("{count} involuntary")))?;
        for (title, signals) in [
            ("signals pending", &status.signals.pending),
            ("signals blocked", &status.signals.blocked),
            ("signals ignored", &status.signals.ignored),
            ("signals caught", &status.signals.caught),
            ("capabilities", &status.capabilities.effective),
        ] {
            page.optional(title, (!signals.is_empty()).then(|| signals.join(" ")))?;
        }
        Ok(())
    }

    fn memory(&self, page: &mut Page<'_, impl io::Write>) -> io::Result<()> {
        let Some(memory) = &self.memory else { return Ok(()) };
        page.section("memory")?;
        page.line("virtual", bytes(memory.virtual_bytes))?;
        page.line("resident", bytes(memory.resident_bytes))?;
        page.optional("peak resident", memory.peak_resident_bytes.map(bytes))?;
        page.line("shared", bytes(memory.shared_bytes))?;
        page.line("data", bytes(memory.data_bytes))?;
        page.optional("swapped", memory.swap_bytes.map(bytes))?;
        if let Some(rollup) = &memory.rollup {
            page.line("proportional", bytes(rollup.pss_bytes))?;
            page.line("private dirty", bytes(rollup.private_dirty_bytes))?;
            page.line("anonymous", bytes(rollup.anonymous_bytes))?;
        }
        Ok(())
    }

    fn counts(&self, page: &mut Page<'_, impl io::Write>) -> io::Result<()> {
        if let Some(cpu) = &self.cpu {
            page.section("cpu")?;
            page.line("user", seconds(cpu.user_ns))?;
            page.line("system", seconds(cpu.system_ns))?;
            page.line("nice", cpu.nice)?;
            page.line("faults", format_args!("{} minor, {} major", cpu.minor_faults, cpu.major_faults))?;
        }
        if let Some(io) = &self.io {
            page.section("io")?;
            let calls = |count, calls| format!("{} in {calls} calls", bytes(count));
            page.line("read", calls(io.read_chars, io.read_calls))?;
            page.line("written", calls(io.written_chars, io.write_calls))?;
            page.line("from storage", bytes(io.read_bytes))?;
            page.line("to storage", bytes(io.written_bytes))?;
        }
        if let Some(limits) = &self.limits {
            page.section("limits")?;
            for limit in limits {
                page.line(limit.name, limits_of(limit))?;
            }
        }
        Ok(())
    }

    fn lists(&self, page: &mut Page<'_, impl io::Write>) -> io::Result<()> {
        if let Some(threads) = &self.threads {
            page.section(&format!("threads ({})", threads.len()))?;
            for thread in threads {
                let (user, system) = (seconds(thread.user_ns), seconds(thread.system_ns));
                let (state, comm) = (thread.state.name(), &thread.comm);
                page.line(
                    &thread.tid.to_string(),
                    format_args!("{state:<10} {user:>10} {system:>10}  {comm}"),
                )?;
            }
        }
        if let Some(stack) = self.kernel_stack.as_ref().filter(|stack| !stack.is_empty()) {
            page.section("kernel stack")?;
            stack.iter().try_for_each(|frame| page.line("", frame))?;
        }
        if let Some(mappings) = &self.mappings {
            page.section(&format!("mappings ({})", mappings.len()))?;
            for mapping in mappings.iter().take(MAPPINGS) {
                let mark = if mapping.deleted { " (deleted)" } else { "" };
                let value =
                    format!("{} {:>3}  {}{mark}", mapping.permissions, mapping.mappings, mapping.path);
                page.line(&bytes(mapping.size_bytes), value)?;
            }
            if mappings.len() > MAPPINGS {
                page.line("", format_args!("and {} more: --format json", mappings.len() - MAPPINGS))?;
            }
        }
        if let Some(descriptors) = &self.descriptors {
            page.section(&format!("descriptors ({})", descriptors.len()))?;
            descriptors.iter().try_for_each(|found| page.line(&found.fd.to_string(), descriptor(found)))?;
        }
        Ok(())
    }

    fn gaps(&self, page: &mut Page<'_, impl io::Write>) -> io::Result<()> {
        if self.capture.missing.is_empty() {
            return Ok(());
        }
        page.section("missing")?;
        let missing = self.capture.missing.iter();
        missing
            .map(|(field, reason)| (field, &reason.0))
            .try_for_each(|(field, reason)| page.gap(field, reason))
    }
}

fn named(id: Option<&str>, name: Option<&str>) -> String {
    let id = id.unwrap_or("?");
    name.map_or_else(|| id.to_owned(), |name| format!("{name} ({id})"))
}

/// A size in the largest unit of which there is at least one, to a tenth.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut tenths = u128::from(count) * 10;
    let mut unit = "B";
    for larger in UNITS {
        if tenths < 10_240 {
            break;
        }
        (tenths, unit) = (tenths / 1024, larger);
    }
    if unit == "B" { format!("{count} B") } else { format!("{}.{} {unit}", tenths / 10, tenths % 10) }
}

fn seconds(nanoseconds: u64) -> String {
    format!("{}.{:02} s", nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000 / 10_000_000)
}

fn limits_of(limit: &Limit) -> String {
    let value = |value: Option<u64>| match (value, limit.unit) {
        (None, _) => "unlimited".to_owned(),
        (Some(value), Some("bytes")) => bytes(value),
        (Some(value), unit) => format!("{value} {}", unit.unwrap_or_default()).trim_end().to_owned(),
    };
    format!("soft {:<18} hard {}", value(limit.soft), value(limit.hard))
}

fn descriptor(found: &Descriptor) -> String {
    let mark = if found.deleted { " (deleted)" } else { "" };
    let what = found.socket.as_ref().map_or_else(|| format!("{}{mark}", found.target), socket);
    let begin = format!("{:<12} {:<10} {what}", found.kind.name(), found.access.unwrap_or_default());
    let position = found.size_bytes.map(|size| {
        let position = bytes(found.position.unwrap_or(0));
        format!("{position} of {}", bytes(size))
    });
    let flags = found.flags.as_deref().filter(|flags| !flags.is_empty()).map(|flags| flags.join("|"));
    [Some(begin), position, flags].into_iter().flatten().collect::<Vec<_>>().join("  ")
}

fn socket(socket: &Socket) -> String {
    let kind = socket.kind.map_or_else(String::new, |kind| format!(" {kind}"));
    let begin = format!("{}{kind}", socket.protocol.as_deref().unwrap_or("socket"));
    let state = socket.state.as_ref().map(|state| format!(" {state}"));
    let local = socket.local.as_ref().map(|local| format!(" {}", end(local)));
    let remote = socket.remote.as_ref().map(|remote| format!(" → {}", end(remote)));
    let queues = socket.recv_queue.zip(socket.send_queue);
    let queues = queues.map(|(received, sent)| format!("  queues {received}/{sent}"));
    let owner = socket.uid.map(|uid| format!("  uid {uid}"));
    [Some(begin), state, local, remote, queues, owner].into_iter().flatten().collect()
}

fn end(end: &End) -> String {
    let address = end.host.as_ref().or(end.address.as_ref());
    let inode = || format!("[{}]", end.inode.unwrap_or(0));
    match (address, end.port) {
        (Some(address), Some(port)) if address.contains(':') => format!("[{address}]:{port}"),
        (Some(address), Some(port)) => format!("{address}:{port}"),
        _ => end.path.clone().unwrap_or_else(inode),
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, seconds};

    #[test]
    fn a_size_has_the_largest_unit_of_which_there_is_one() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "16383.9 PiB");
    }

    #[test]
    fn seconds_are_shown_to_the_tick() {
        assert_eq!(seconds(1_230_000_000), "1.23 s");
    }
}
