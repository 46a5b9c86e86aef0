//! argv: the exact list, and the line that a shell would parse back into it.

use std::{borrow::Cow, sync::Arc};

use shlex::Quoter;

use crate::{event::Strings, procfs::split_nul, redact::Redactor, text::Text};

/// The name under which a program restarts itself (`AppImage`, Electron).
const SELF: &[u8] = b"/proc/self/exe";

/// argv.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Args {
    /// Each argument as events show it.
    pub shown: Strings,
    /// All of them joined by spaces and quoted.
    pub command_line: Arc<str>,
    /// Arguments whose shown form is not exact: their places and exact bytes.
    pub inexact: Vec<(usize, Box<[u8]>)>,
    /// Places of the arguments that have a hidden part.
    pub redacted: Vec<usize>,
}

impl Args {
    /// From strings that each end in NUL. `executable` replaces `/proc/self/exe` as argv\[0\]. Secrets are hidden and not kept.
    #[must_use]
    pub(super) fn new(bytes: &[u8], executable: Option<&Text>, redactor: &Redactor) -> Self {
        let executable = executable.filter(|_| split_nul(bytes).next() == Some(SELF));
        let mut args = match str::from_utf8(bytes) {
            Ok(text) if executable.is_none() && !redactor.hides_in(bytes) => {
                Self { shown: Strings::new(text), ..Self::default() }
            }
            Ok(_) | Err(_) => Self::from_inexact(bytes, executable, redactor),
        };
        args.command_line = command_line(&args.shown);
        args
    }

    /// From arguments whose shown form may not be exact.
    fn from_inexact(bytes: &[u8], executable: Option<&Text>, redactor: &Redactor) -> Self {
        let mut args = Self::default();
        let mut before = None;
        let mut shown = String::with_capacity(bytes.len());
        for (place, argument) in split_nul(bytes).enumerate() {
            let name = executable.filter(|_| place == 0);
            let (kept, hidden) = match name {
                Some(_) => (argument.into(), false),
                None => redactor.argument(argument, before),
            };
            let text = name.map_or_else(|| String::from_utf8_lossy(&kept), |name| Cow::from(&**name.shown()));
            args.inexact.extend((text.as_bytes() != &*kept).then(|| (place, (&*kept).into())));
            args.redacted.extend(hidden.then_some(place));
            shown.extend([&text, "\0"]);
            before = Some(argument);
        }
        args.shown = Strings::new(&shown);
        args
    }
}

fn command_line(shown: &Strings) -> Arc<str> {
    // A NUL is the only thing that cannot be quoted, and an argument cannot contain one.
    let quoter = Quoter::new().allow_nul(true);
    let mut line = String::with_capacity(2 * shown.size());
    for argument in shown {
        if is_bare(argument) {
            line.push_str(argument);
        } else {
            line.push_str(&quoter.quote(argument).unwrap_or_default());
        }
        line.push(' ');
    }
    line.strip_suffix(' ').unwrap_or_default().into()
}

/// Whether an argument surely needs no quotes, as most do. shlex decides for the others.
fn is_bare(argument: &str) -> bool {
    let is_bare =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-'..=b'/' | b':' | b'@' | b'_');
    !argument.is_empty() && argument.bytes().all(is_bare)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::{Args, Redactor};
    use crate::{redact::Mode, text::Text};

    fn open() -> Redactor {
        Redactor::new(Mode::Off, &[], &[])
    }

    #[track_caller]
    fn check(bytes: &[u8], shown: &[&str], command_line: &str) {
        let args = Args::new(bytes, None, &open());
        assert_eq!(args.shown.iter().collect::<Vec<_>>(), shown);
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
    fn each_character_is_quoted_as_shlex_quotes_it() {
        for character in (1..=u8::MAX).map(char::from) {
            for argument in [format!("{character}"), format!("a{character}b"), format!("'{character}")] {
                check(argument.as_bytes(), &[&argument], &shlex::try_quote(&argument).unwrap());
            }
        }
    }

    #[test]
    fn no_arguments_are_an_empty_list() {
        check(b"", &[], "");
    }

    #[test]
    fn an_argument_that_is_not_utf8_is_shown_with_replacements_and_kept_exactly() {
        let args = Args::new(b"a\0\x80\xff\0", None, &open());
        assert_eq!(args.shown.iter().nth(1), Some("\u{fffd}\u{fffd}"));
        assert_eq!(args.inexact, [(1, b"\x80\xff".as_slice().into())]);
    }

    #[test]
    fn the_path_replaces_proc_self_exe_as_the_name() {
        let args = Args::new(b"/proc/self/exe\0/proc/self/exe\0", Some(&Text::new(b"/opt/app")), &open());
        assert_eq!(args.shown.iter().collect::<Vec<_>>(), ["/opt/app", "/proc/self/exe"]);
        assert_eq!(args.inexact, [(0, b"/proc/self/exe".as_slice().into())]);
    }

    proptest! {
        #[test]
        fn a_shell_parses_the_line_back_into_the_arguments(args in vec("[^\0]{0,12}", 0..8)) {
            let bytes: Vec<u8> = args.iter().flat_map(|argument| [argument.as_bytes(), b"\0"].concat()).collect();
            let line = Args::new(&bytes, None, &open()).command_line;
            prop_assert_eq!(&shlex::try_join(args.iter().map(String::as_str)).unwrap(), &*line);
            prop_assert_eq!(shlex::split(&line).unwrap(), args);
        }

        #[test]
        fn arguments_look_the_same_whether_another_is_hidden_or_not(args in vec("[a-cTOKEN=: -]{0,9}", 0..8)) {
            let redactor = Redactor::new(Mode::Names, &["TOKEN".to_owned()], &[]);
            let bytes: Vec<u8> = args.iter().flat_map(|argument| [argument.as_bytes(), b"\0"].concat()).collect();
            let found = Args::new(&bytes, None, &redactor);
            prop_assert_eq!(&found, &Args { command_line: found.command_line.clone(), ..Args::from_inexact(&bytes, None, &redactor) });
        }
    }
}
