//! Processes that exit at once, by their numbers: what each is made of, and what the stream must say of it. The program
//! that makes them and the test that reads of them both ask here.

use std::path::{Path, PathBuf};

/// How a process of the storm is made, or ends. Below [`EVEN`], five of six are plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// By an absolute path.
    Plain,
    /// Exec by a thread of a forked process that is not its leader.
    NotLeader,
    /// 4 KB of environment.
    LongEnv,
    /// Two execs in one pid.
    Double,
    /// 100 KB of arguments.
    LongArgs,
    /// An image in memory, of its own bytes.
    Memfd,
    /// An unlinked image, of its own bytes.
    Deleted,
    /// By a path relative to another working directory.
    Relative,
    /// By a symbolic link.
    Symlink,
    /// By a script.
    Script,
    /// By a descriptor of a file.
    Fexecve,
    /// Arguments that want to be misread.
    Hostile,
    /// Killed by a signal.
    Killed,
    /// Another user.
    User,
    /// 20 KB of arguments.
    MoreArgs,
    /// A 32-bit image.
    Compat,
    /// Forked by a thread of its parent that is not the leader.
    ByThread,
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// A path, as execve(2) is given it.
    Path(String),
    /// A descriptor of this file.
    Descriptor(String),
    /// A descriptor of this file, which is made for it and unlinked before.
    Unlinked(String),
    /// A memfd of this name, made for it.
    Memfd(String),
}

/// One image of a process, as the stream must report it.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// `process.executable`
    pub executable: String,
    /// `process.comm`: the last part of what execve(2) was given. Of a descriptor, kernels before 6.14 say its number.
    pub comm: Option<String>,
    /// What is at the end of the file: [`super::tiny::image`].
    pub trailer: String,
    /// `process.script`
    pub script: Option<String>,
    /// `process.args`
    pub args: Vec<Vec<u8>>,
}

/// A process to be made.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its number.
    pub number: u32,
    /// How it is made.
    pub kind: Kind,
    /// What is run.
    pub run: Run,
    /// argv, as execve(2) is given it.
    pub args: Vec<Vec<u8>>,
    /// envp.
    pub env: Vec<Vec<u8>>,
    /// Working directory.
    pub directory: PathBuf,
    /// What the stream must say, for each exec.
    pub shown: Vec<Shown>,
}

/// From this number on, all kinds have the same share.
pub const EVEN: u32 = 1_600_000;
/// The user and group of [`Kind::User`].
pub const USER: u32 = 65_534;
/// The code with which [`Kind::Script`] ends, which is on the `#!` line.
pub const SCRIPT_CODE: u8 = 55;

/// The name of the 32-bit image.
const COMPAT: &str = "tiny32";

const HOSTILE: [&[u8]; 12] = [
    b"",
    b"two words",
    b"line\nfeed",
    b"it's \"quoted\" \\",
    b"$HOME `id` !!",
    b"\x80\xff",
    b"cut \xc3",
    "naïve 日本語 🦀 \u{202e}".as_bytes(),
    b"",
    b"\x1b[31m\x01\x7f",
    b"a=b",
    b"",
];

impl Kind {
    fn of(number: u32) -> Self {
        let share = if number < EVEN { 100 } else { 16 };
        match number % share {
            0 => Self::NotLeader,
            1 => Self::LongEnv,
            2 => Self::Double,
            3 if number % 200 == 3 || number >= EVEN => Self::LongArgs,
            4 => Self::Memfd,
            5 => Self::Deleted,
            6 => Self::Relative,
            7 => Self::Symlink,
            8 => Self::Script,
            9 => Self::Fexecve,
            10 => Self::Hostile,
            11 => Self::Killed,
            12 => Self::User,
            13 => Self::MoreArgs,
            // Programs for i386 run on x86-64 alone.
            14 if cfg!(target_arch = "x86_64") => Self::Compat,
            15 => Self::ByThread,
            _ => Self::Plain,
        }
    }
}

/// Makes the files that the storm runs, in `directory`.
pub fn furnish(directory: &Path) {
    let image = super::tiny::image("");
    super::tiny::write(&directory.join("tiny"), &image);
    super::tiny::write(&directory.join("second"), &super::tiny::image("second"));
    super::tiny::write(&directory.join(COMPAT), &super::tiny32::image());
    let interpreter = directory.join("tiny");
    let script = format!("#!{} {SCRIPT_CODE}\nnot read\n", interpreter.display());
    super::tiny::write(&directory.join("script"), script.as_bytes());
    std::os::unix::fs::symlink("tiny", directory.join("link")).unwrap();
    std::fs::create_dir(directory.join("sub")).unwrap();
}

impl Shown {
    /// The bytes of the image.
    pub fn image(&self) -> Vec<u8> {
        if self.executable.ends_with(COMPAT) {
            return super::tiny32::image();
        }
        super::tiny::image(&self.trailer)
    }
}

impl Made {
    /// Process `number`, of the files in `home`.
    pub fn new(number: u32, home: &str) -> Self {
        let kind = Kind::of(number);
        let file = |name: &str| format!("{home}/{name}");
        let digits = number.to_string();
        let mut args: Vec<Vec<u8>> = [&*file("tiny"), &digits].map(Into::into).to_vec();
        let mut shown = Shown { executable: file("tiny"), ..Shown::default() };
        let mut run = Run::Path(file("tiny"));
        let mut env = environment(number);
        let mut directory = PathBuf::from(home);
        let mut again = None;
        match kind {
            Kind::Plain | Kind::NotLeader | Kind::User | Kind::ByThread => {}
            Kind::Compat => {
                args = [&*file(COMPAT), &digits].map(Into::into).to_vec();
                shown.executable = file(COMPAT);
                run = Run::Path(file(COMPAT));
            }
            Kind::MoreArgs => args.extend(hundreds_of_bytes(200)),
            Kind::LongEnv => {
                env.extend((0..40).map(|line| format!("LINE_{line}={number:0>93}").into_bytes()));
            }
            Kind::Double => {
                let second = [&*file("second"), &digits].map(Into::into).to_vec();
                args = vec![file("tiny").into(), format!("{number}x").into()];
                args.extend_from_slice(&second);
                again = Some(Shown {
                    executable: file("second"),
                    comm: Some("second".to_owned()),
                    trailer: "second".into(),
                    args: second,
                    ..shown.clone()
                });
            }
            Kind::LongArgs => args.extend(hundreds_of_bytes(1_024)),
            Kind::Memfd => {
                shown.trailer = format!("storm-{number}");
                shown.executable = format!("/memfd:{}", shown.trailer);
                run = Run::Memfd(shown.trailer.clone());
            }
            Kind::Deleted => {
                shown.trailer = format!("gone-{number}");
                shown.executable = file(&shown.trailer);
                run = Run::Unlinked(shown.executable.clone());
            }
            Kind::Relative => {
                directory.push("sub");
                run = Run::Path("./..//tiny".into());
            }
            Kind::Symlink => run = Run::Path(file("link")),
            Kind::Script => {
                run = Run::Path(file("script"));
                shown.script = Some(file("script"));
            }
            Kind::Fexecve => run = Run::Descriptor(file("tiny")),
            Kind::Hostile => args.extend(HOSTILE.iter().map(|bytes| bytes.to_vec())),
            Kind::Killed => args = vec![file("tiny").into(), format!("{number}s").into()],
        }
        if let Run::Path(path) = &run {
            shown.comm = path.rsplit('/').next().map(str::to_owned);
        }
        shown.args.clone_from(&args);
        if kind == Kind::Script {
            // The kernel puts the interpreter, its option and the script where args[0] was.
            let head = [file("tiny"), SCRIPT_CODE.to_string(), file("script")].map(Into::into);
            shown.args.splice(..1, head);
        }
        let shown = [Some(shown), again].into_iter().flatten().collect();
        Self { number, kind, run, args, env, directory, shown }
    }

    /// The code that it ends with, unless it is killed.
    pub fn exit_code(&self) -> Option<u8> {
        match self.kind {
            Kind::Killed => None,
            Kind::Script => Some(SCRIPT_CODE),
            _ => Some(self.number.to_le_bytes()[0]),
        }
    }
}

/// Arguments that are 100 bytes with their NUL.
fn hundreds_of_bytes(count: u32) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|index| format!("{index:0>99}").into_bytes())
}

/// The usual, and one name twice.
fn environment(number: u32) -> Vec<Vec<u8>> {
    let ends = [format!("STORM={number}"), format!("STORM=-{number}")].map(String::into_bytes);
    let usual = ["PATH=/usr/bin:/bin", "LC_ALL=C"].map(|entry| entry.as_bytes().to_vec());
    let [first, last] = ends;
    [first].into_iter().chain(usual).chain([last]).collect()
}
