//! Shells below each other: processes that make a child, run another image or end on command.

use collector_tests::{
    truth::process,
    workload::spawn::{Child, Plan},
};
use serde_json::Value;

/// A shell that reads its commands from this test, or the innermost of several.
#[derive(Debug)]
pub(crate) struct Shell {
    outermost: Child,
    /// The innermost: it takes the commands.
    pub(crate) pid: u32,
    children: u32,
}

impl Shell {
    /// A child of this test.
    pub(crate) fn start(image: &str) -> Self {
        let mut plan = Plan::of(image);
        plan.env.push(b"PATH=/usr/bin:/bin".to_vec());
        let outermost = plan.spawn();
        Self { pid: outermost.pid, outermost, children: 0 }
    }

    /// Makes another shell below the innermost, which takes the commands from now on. The one above does nothing more.
    pub(crate) fn nest(&mut self) {
        self.begin("/bin/sh -c 'echo begun; exec /bin/sh'; exec sleep 1000");
    }

    /// Runs another image in the same process: a shell too.
    pub(crate) fn become_image(&mut self, image: &str) {
        let before = self.pid;
        self.begin(&format!("exec {image} -c 'echo begun; exec {image}'"));
        assert_eq!(self.pid, before);
    }

    /// Makes a child that ends at once, and answers with an argument that no other process has.
    pub(crate) fn make_child(&mut self) -> String {
        self.children += 1;
        let mark = format!("child {} of {}", self.children, self.pid);
        // The shell waits for it, so that it makes a child in any case.
        self.outermost.send(&format!("/bin/true '{mark}'; echo done"));
        assert_eq!(self.outermost.answer(), "done");
        mark
    }

    /// The ids of the innermost and of all above it, as /proc has them.
    pub(crate) fn line(&self) -> Vec<Value> {
        let above = process::ancestors(self.pid);
        let above = above.iter().map(|ancestor| ancestor.fields["entity_id"].clone());
        let own = collector_tests::truth::procfs::entity_id(self.pid);
        [Value::from(own)].into_iter().chain(above).collect()
    }

    /// Waits for the shell that this command starts before sending anything else, which the shell above would read.
    fn begin(&mut self, command: &str) {
        self.outermost.send(command);
        assert_eq!(self.outermost.answer(), "begun");
        self.outermost.send("echo $$");
        self.pid = self.outermost.answer().parse().unwrap();
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if self.pid != self.outermost.pid {
            kill(self.pid);
        }
    }
}

/// Ends a process that is not a child of this test, and waits until it is gone.
pub(crate) fn kill_and_wait(pid: u32) {
    kill(pid);
    collector_tests::wait::until("the end of a shell", || {
        collector_tests::truth::procfs::Stat::read(pid).is_none().then_some(())
    });
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}
