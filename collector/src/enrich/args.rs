//! argv: the list exactly, and the line that a shell would read back into it.

use std::sync::Arc;

use shlex::Quoter;

use super::redact::Redactor;
use crate::{procfs::split_nul, text::Text};

/// What a program that restarts itself is given as its own name (`AppImage`, Electron).
const SELF: &[u8] = b"/proc/self/exe";

/// argv.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Args {
    /// Each argument, as it is shown.
    pub shown: Arc<[Arc<str>]>,
    /// All of them joined by spaces and quoted.
    pub command_line: Arc<str>,
    /// Arguments that are shown otherwise than they are: their places and exact bytes.
    pub(super) inexact: Vec<(usize, Box<[u8]>)>,
    /// Places of the arguments of which a part was hidden.
    pub(super) redacted: Vec<usize>,
}

impl Args {
    /// From strings that each end in NUL. `executable` is shown in the place of `/proc/self/exe` as argv\[0\]; what is secret
    /// is hidden and not kept.
    #[must_use]
    pub(super) fn new(bytes: &[u8], executable: Option<&Text>, redactor: &Redactor) -> Self {
        let mut args =
            Self { shown: Arc::default(), command_line: Arc::default(), inexact: vec![], redacted: vec![] };
        let mut before = None;
        let mut shown: Vec<Arc<str>> = Vec::new();
        for (place, argument) in split_nul(bytes).enumerate() {
            let text = match executable {
                Some(executable) if place == 0 && argument == SELF => {
                    args.inexact.push((place, argument.into()));
                    executable.clone()
                }
                _ => {
                    let (kept, hidden) = redactor.argument(argument, before);
                    let text = Text::new(&kept);
                    args.inexact.extend(text.inexact().map(|exact| (place, exact.into())));
                    args.redacted.extend(hidden.then_some(place));
                    text
                }
            };
            before = Some(argument);
            shown.push(text.shown().clone());
        }
        args.command_line = command_line(&shown);
        args.shown = shown.into();
        args
    }
}

fn command_line(shown: &[Arc<str>]) -> Arc<str> {
    // A NUL, the one thing that cannot be quoted, cannot be in an argument either.
    let quoter = Quoter::new().allow_nul(true);
    quoter.join(shown.iter().map(|argument| &**argument)).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Args, Redactor};
    use crate::{enrich::redact::Mode, text::Text};

    fn open() -> Redactor {
        Redactor::new(Mode::Off, &[], &[])
    }

    #[track_caller]
    fn check(bytes: &[u8], shown: &[&str], command_line: &str) {
        let args = Args::new(bytes, None, &open());
        assert_eq!(args.shown.iter().map(|argument| &**argument).collect::<Vec<_>>(), shown);
        assert_eq!(&*args.command_line, command_line);
    }

    #[test]
    fn arguments_are_split_at_nul_alone() {
        check(b"sh\0-c\0a b  c\0", &["sh", "-c", "a b  c"], "sh -c 'a b  c'");
    }

    #[test]
    fn empty_arguments_are_kept() {
        check(b"a\0\0b\0\0", &["a", "", "b", ""], "a '' b ''");
    }

    #[test]
    fn no_arguments_are_an_empty_list() {
        check(b"", &[], "");
    }

    #[test]
    fn an_argument_that_is_no_utf8_is_shown_replaced_and_kept_exactly() {
        let args = Args::new(b"a\0\x80\xff\0", None, &open());
        assert_eq!(&*args.shown[1], "\u{fffd}\u{fffd}");
        assert_eq!(args.inexact, [(1, b"\x80\xff".as_slice().into())]);
    }

    #[test]
    fn proc_self_exe_as_the_name_is_shown_as_the_path_and_kept() {
        let args = Args::new(b"/proc/self/exe\0/proc/self/exe\0", Some(&Text::new(b"/opt/app")), &open());
        assert_eq!(
            args.shown.iter().map(|argument| &**argument).collect::<Vec<_>>(),
            ["/opt/app", "/proc/self/exe"]
        );
        assert_eq!(args.inexact, [(0, b"/proc/self/exe".as_slice().into())]);
    }

    proptest! {
        #[test]
        fn a_shell_reads_the_line_back_into_the_arguments(args in proptest::collection::vec("[^\0]{0,12}", 0..8)) {
            let bytes: Vec<u8> = args.iter().flat_map(|argument| [argument.as_bytes(), b"\0"].concat()).collect();
            let line = Args::new(&bytes, None, &open()).command_line;
            prop_assert_eq!(shlex::split(&line).unwrap(), args);
        }
    }
}
