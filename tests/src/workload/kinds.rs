//! Ten kinds of process, and for each sample of them what its maker knows: the stream must say exactly that.

use std::{fs, path::Path, sync::Arc};

use super::{
    images::{Contents, HOLD, Images, open},
    spawn::{Image, Plan},
};
use crate::truth::cgroups::ContainerCgroup;

/// How a process is made, or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// By an absolute path.
    AbsolutePath,
    /// By a path relative to the working directory.
    RelativePath,
    /// By a symbolic link.
    Symlink,
    /// A script, of the shell or of another interpreter.
    Script,
    /// An image that `memfd_create(2)` made.
    Memfd,
    /// An image that has been unlinked.
    DeletedImage,
    /// By a descriptor of a file.
    Fexecve,
    /// 20 KB of arguments.
    LongArgs,
    /// Arguments and environment that want to be misread.
    HostileArgs,
    /// Killed by a signal.
    Killed,
}

impl Kind {
    /// All ten.
    pub const ALL: [Self; 10] = [
        Self::AbsolutePath,
        Self::RelativePath,
        Self::Symlink,
        Self::Script,
        Self::Memfd,
        Self::DeletedImage,
        Self::Fexecve,
        Self::LongArgs,
        Self::HostileArgs,
        Self::Killed,
    ];
}

/// How a sample is made to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It exits with this code.
    Exit(u8),
    /// It is sent this signal.
    Signal(i32),
}

/// Signals whose default is to end a process, and their names.
pub const SIGNALS: [(i32, &str); 10] = [
    (libc::SIGKILL, "SIGKILL"),
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGQUIT, "SIGQUIT"),
    (libc::SIGUSR1, "SIGUSR1"),
    (libc::SIGALRM, "SIGALRM"),
    (libc::SIGSYS, "SIGSYS"),
];

/// One process to be made.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Of which kind.
    pub kind: Kind,
    /// How it is made.
    pub plan: Plan,
    /// argv as the kernel has it in the end: of a script, the interpreter's.
    pub args: Vec<Vec<u8>>,
    /// `process.executable`
    pub executable: String,
    /// `process.script`
    pub script: Option<String>,
    /// `process.exe.deleted`; `None` where the contract can be read both ways.
    pub deleted: Option<bool>,
    /// `process.exe.memfd`
    pub memfd: bool,
    /// What is in the image.
    pub image: Arc<Contents>,
    /// `container.id`
    pub container_id: Option<String>,
    /// How it ends.
    pub end: End,
    /// What it does before it ends: commands of the subject, with their answers.
    pub work: Vec<(&'static str, &'static str)>,
}

impl Sample {
    /// Sample `number` of a kind. Every third is another user, every fifth in a container's cgroup.
    pub fn new(kind: Kind, number: usize, images: &Images, cgroup: &ContainerCgroup) -> Self {
        let mut sample = match kind {
            Kind::AbsolutePath => absolute(images, number),
            Kind::RelativePath => relative(images, number),
            Kind::Symlink => symlink(images, number),
            Kind::Script => script(images, number),
            Kind::Memfd => memfd(images, number),
            Kind::DeletedImage => deleted(images, number),
            Kind::Fexecve => fexecve(images, number),
            Kind::LongArgs => long_args(images, number),
            Kind::HostileArgs => hostile_args(images, number),
            Kind::Killed => killed(images, number),
        };
        sample.plan.env = environment(number);
        if number % 3 == 1 {
            sample.plan.user = Some(65_534);
        }
        if number % 5 == 2 {
            sample.plan.cgroup = Some(Arc::new(cgroup.procs()));
            sample.container_id = Some(cgroup.container_id.clone());
        }
        sample
    }

    /// The subject, which is what it seems, with its path as `args[0]`.
    fn subject(kind: Kind, images: &Images, number: usize) -> Self {
        Self::of(kind, &images.path("subject"), &images.subject, number)
    }

    fn of(kind: Kind, path: &Path, image: &Arc<Contents>, number: usize) -> Self {
        let path = text(path);
        let mut plan = Plan::of(&path);
        plan.args.push(format!("{kind:?}").into());
        plan.args.push(number.to_string().into());
        Self {
            kind,
            args: plan.args.clone(),
            plan,
            image: Arc::clone(image),
            executable: path,
            script: None,
            deleted: Some(false),
            memfd: false,
            container_id: None,
            end: End::Exit(u8::try_from(number % 256).unwrap()),
            work: Vec::new(),
        }
    }

    fn with_args(mut self, args: Vec<Vec<u8>>) -> Self {
        self.plan.args.clone_from(&args);
        self.args = args;
        self
    }

    /// A shell that is given the script [`HOLD`].
    fn with_hold(self, name: &str) -> Self {
        self.with_args([name, "-c", HOLD, "sh", ""].map(Into::into).to_vec())
    }
}

/// Some have a name that looks deleted, and some run as the owner or with the group of the file.
fn absolute(images: &Images, number: usize) -> Sample {
    let (name, mode) = match number % 10 {
        3 => (format!("live-{number} (deleted)"), 0o755),
        4 => (format!("setuid-{number}"), 0o4755),
        5 => (format!("setgid-{number}"), 0o2711),
        _ => {
            // CPU time and memory that show against those of the fork before the exec.
            let work = vec![("burn 60", "burnt"), ("touch 40", "touched")];
            return Sample { work, ..Sample::subject(Kind::AbsolutePath, images, number) };
        }
    };
    Sample::of(Kind::AbsolutePath, &images.copy(&name, mode), &images.subject, number)
}

fn relative(images: &Images, number: usize) -> Sample {
    let mut sample = Sample::subject(Kind::RelativePath, images, number);
    let (directory, path) = match number % 3 {
        0 => (images.directory(), "./subject"),
        1 => (images.subdirectory("sub"), "../subject"),
        _ => (images.subdirectory("a b\nç"), "./.././a b\nç//../subject"),
    };
    sample.plan.directory = directory;
    sample.plan.image = Image::Path(path.into());
    let args = vec![path.into(), number.to_string().into()];
    sample.with_args(args)
}

fn symlink(images: &Images, number: usize) -> Sample {
    let link = images.symlink(&format!("link-to-subject-{number}"));
    let mut sample = Sample::subject(Kind::Symlink, images, number);
    sample.plan.image = Image::Path(text(&link).into());
    let args = vec![text(&link).into(), "through a link".into()];
    sample.with_args(args)
}

/// Scripts of the shell, and of the subject with an argument on the `#!` line; named absolutely and relatively.
fn script(images: &Images, number: usize) -> Sample {
    let (interpreter, image, option, body) = if number.is_multiple_of(2) {
        ("/bin/sh".to_owned(), &images.shell, None, HOLD)
    } else {
        (text(&images.path("subject")), &images.subject, Some("one option"), "not read")
    };
    let line = option.map_or(interpreter.clone(), |option| format!("{interpreter} {option}"));
    let name = format!("script-{number}.sh");
    let script = images.script(&name, &format!("#!{line}\n{body}\n"));
    let real = fs::canonicalize(&interpreter).unwrap();
    let mut sample = Sample::of(Kind::Script, &real, image, number);
    let given = if number % 4 < 2 {
        text(&script)
    } else {
        sample.plan.directory = images.directory();
        format!("./{name}")
    };
    sample.plan.image = Image::Path(given.clone().into());
    sample.plan.args = ["replaced by the kernel", "first", ""].map(Into::into).to_vec();
    let head = [Some(interpreter.as_str()), option, Some(&given)];
    sample.args = head.into_iter().flatten().chain(["first", ""]).map(Into::into).collect();
    sample.script = Some(text(&script));
    sample
}

/// Each of its own bytes, so a digest of another one shows. A memfd never had a name, so its `deleted` can be read both
/// ways.
fn memfd(images: &Images, number: usize) -> Sample {
    let name = format!("in memory {number}");
    let image = images.shell_with(&name);
    let mut sample = Sample::of(Kind::Memfd, Path::new("/"), &image, number);
    sample.plan.image = Image::Descriptor(super::images::memfd(&name, &image));
    sample.executable = format!("/memfd:{name}");
    sample.memfd = true;
    sample.deleted = None;
    sample.with_hold("from memory")
}

fn deleted(images: &Images, number: usize) -> Sample {
    let name = format!("unlinked-{number}");
    let image = images.shell_with(&name);
    let path = images.file(&name, &image);
    let mut sample = Sample::of(Kind::DeletedImage, &path, &image, number);
    sample.plan.image = Image::Descriptor(open(&path));
    fs::remove_file(&path).unwrap();
    sample.deleted = Some(true);
    sample.with_hold("unlinked")
}

fn fexecve(images: &Images, number: usize) -> Sample {
    let path = images.copy(&format!("by descriptor {}", number % 7), 0o755);
    let mut sample = Sample::of(Kind::Fexecve, &path, &images.subject, number);
    sample.plan.image = Image::Descriptor(open(&path));
    let args = vec!["a name of its own choice".into(), "-".into()];
    sample.with_args(args)
}

/// 20 KB as one argument, as 100, as 5,000, and as 10,000 empty ones.
fn long_args(images: &Images, number: usize) -> Sample {
    let mut args = vec![b"long".to_vec()];
    args.extend(match number % 4 {
        0 => vec![vec![b'x'; 20_000]],
        1 => (0..100).map(|index| format!("{index:0>200}").into_bytes()).collect(),
        2 => (0..5_000).map(|index| format!("{index:03}").into_bytes()).collect(),
        _ => vec![Vec::new(); 10_000],
    });
    Sample::subject(Kind::LongArgs, images, number).with_args(args)
}

/// What has been split, cut, interpreted or refused by one monitor or another.
const HOSTILE: [&[u8]; 26] = [
    b"",
    b"two words",
    b"tab\there",
    b"line\nfeed",
    b"carriage\rreturn",
    b"it's",
    b"\"double\"",
    b"back\\slash\\",
    b"$HOME ${X:-y} `id` $(id) !!",
    b"\x1b[31mred\x1b[0m\x1b]0;title\x07",
    b"\x80",
    b"\xff\xfe and text",
    b"cut \xc3",
    b"surrogate \xed\xa0\x80",
    "naïve 日本語 🦀 \u{202e}".as_bytes(),
    b"-",
    b"--",
    b"* ? [a] ~ #",
    b";|&<>(){}",
    b"%s%n%0",
    b"\x01\x02\x7f",
    b"a=b",
    b" leading and trailing ",
    b"\n",
    b"{\"json\":\"\\u0000\"}",
    b"'\\''",
];

/// Each sample begins at another one, so each is first, last and `args[0]` somewhere.
fn hostile_args(images: &Images, number: usize) -> Sample {
    let mut args: Vec<Vec<u8>> = HOSTILE.iter().map(|bytes| bytes.to_vec()).collect();
    args.rotate_left(number % HOSTILE.len());
    Sample::subject(Kind::HostileArgs, images, number).with_args(args)
}

/// The shell: a program in Rust catches the first `SIGSEGV` that it is sent.
fn killed(images: &Images, number: usize) -> Sample {
    let (signal, _) = SIGNALS[number % SIGNALS.len()];
    let shell = fs::canonicalize("/bin/sh").unwrap();
    let mut sample = Sample::of(Kind::Killed, &shell, &images.shell, number).with_hold("killed");
    sample.end = End::Signal(signal);
    // Every other one may leave a core, in its working directory.
    sample.plan.core_dump = (number / SIGNALS.len()).is_multiple_of(2);
    sample.plan.directory = images.subdirectory("cores");
    sample
}

/// Small, and hostile: duplicates, entries with no `=`, empty values and names, bytes that are not UTF-8.
fn environment(number: usize) -> Vec<Vec<u8>> {
    let mut env: Vec<Vec<u8>> = [
        &b"PATH=/usr/bin:/bin"[..],
        b"TWICE=1",
        b"TWICE=2",
        b"a word with no equals sign",
        b"EMPTY=",
        b"=no name",
        b"LINES=one\ntwo\ttab\t",
        b"BYTES=\x80\xff",
        b"UNICODE=\xe6\x97\xa5",
        b"A=B=C",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    env.push(format!("NUMBER={number}").into_bytes());
    env.rotate_left(number % 11);
    if number % 10 == 9 {
        env.clear();
    }
    env
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
