//! Secrets out of environments and arguments, before anything of them is kept.
//!
//! A value goes by the name before it: `DB_PASSWORD=…`, `--api-key=…`, `--token …`, `Authorization: …`, `?a=1&api_key=…`, and
//! the password of a URL. What stands alone, with no name, cannot be told from any other text; nor can what follows an option of one letter
//! (`-pSECRET`), which is something else with every program.

mod names;
mod url;

use std::borrow::Cow;

use memchr::memchr3;

use self::{
    names::Names,
    url::{split_at, split_once},
};
use crate::procfs::split_nul;

/// What stands in the place of a value.
pub const REDACTED: &str = "[redacted]";

/// Names of secrets, unless the configuration lists others.
pub const SECRET: [&str; 13] = [
    "*PASSWORD*",
    "*PASSWD*",
    "*PASSPHRASE*",
    "*SECRET*",
    "*TOKEN*",
    "*CREDENTIAL*",
    "*AUTHORIZATION*",
    "*COOKIE*",
    "*APIKEY*",
    "*_KEY",
    "*_KEY_*",
    "KEY",
    "KEY_*",
];

/// Names of variables that [`Mode::Allow`] shows, unless the configuration lists others.
pub const HARMLESS: [&str; 10] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "LANG", "LC_*", "TERM", "TZ"];

/// Whose values are hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Those whose names match the list.
    Names,
    /// Of the environment all but those whose names are allowed; of arguments those whose names match the list.
    Allow,
    /// None.
    Off,
}

/// Hides values.
#[derive(Clone, Debug)]
pub struct Redactor {
    mode: Mode,
    secret: Names,
    allowed: Names,
}

impl Redactor {
    /// By lists of names, each of which may begin and end with a `*`.
    #[must_use]
    pub fn new(mode: Mode, secret: &[String], allowed: &[String]) -> Self {
        // In doubt it is hidden.
        Self { mode, secret: Names::new(secret, true), allowed: Names::new(allowed, false) }
    }

    /// A variable of the environment, and whether its value was hidden.
    #[must_use]
    pub fn variable<'a>(&self, variable: &'a [u8]) -> (Cow<'a, [u8]>, bool) {
        let Some((name, _)) = split_at(variable, b'=') else { return (variable.into(), false) };
        let hidden = match self.mode {
            Mode::Off => false,
            Mode::Names => self.secret.have(name),
            Mode::Allow => !self.allowed.have(name),
        };
        if hidden {
            (self.with_value_hidden(name, b"="), true)
        } else {
            self.within(variable, name.len() + 1)
        }
    }

    /// Whether anything is hidden of arguments that each end in NUL.
    #[must_use]
    pub fn hides_in(&self, arguments: &[u8]) -> bool {
        if self.mode == Mode::Off {
            return false;
        }
        let any_marked = is_marked(arguments);
        let mut before = None;
        split_nul(arguments).any(|argument| {
            let before = before.replace(argument);
            // Where none has a mark, only what goes by the argument before it is hidden.
            if any_marked { self.argument(argument, before).1 } else { self.is_asked_for(argument, before) }
        })
    }

    /// An argument, and whether a part of it was hidden. `before` is the argument before it.
    #[must_use]
    pub fn argument<'a>(&self, argument: &'a [u8], before: Option<&[u8]>) -> (Cow<'a, [u8]>, bool) {
        if self.mode == Mode::Off {
            return (argument.into(), false);
        }
        if self.is_asked_for(argument, before) {
            return (REDACTED.as_bytes().into(), true);
        }
        if !is_marked(argument) {
            return (argument.into(), false);
        }
        let mut checked = 0;
        for separator in [&b"="[..], b": "] {
            let Some((name, _)) = split_once(argument, separator) else { continue };
            let is_name = !name.iter().any(|byte| b" ?#&;".contains(byte));
            if is_name && self.secret.have(without_dashes(name)) {
                return (self.with_value_hidden(name, separator), true);
            }
            checked = if is_name && separator == b"=" { name.len() + 1 } else { checked };
        }
        if argument.contains(&b' ') { self.line(argument) } else { self.within(argument, checked) }
    }

    /// A command line in one argument, as `sh -c` has it: each of its words as an argument.
    fn line<'a>(&self, line: &'a [u8]) -> (Cow<'a, [u8]>, bool) {
        if !self.words(line).any(|(_, hidden)| hidden) {
            return (line.into(), false);
        }
        let shown: Vec<_> = self.words(line).map(|(word, _)| word).collect();
        (shown.join(&b' ').into(), true)
    }

    fn words<'a>(&self, line: &'a [u8]) -> impl Iterator<Item = (Cow<'a, [u8]>, bool)> {
        let mut before = None;
        line.split(|&byte| byte == b' ').map(move |word| self.argument(word, before.replace(word)))
    }

    /// Whether the argument is a secret by the one before it.
    fn is_asked_for(&self, argument: &[u8], before: Option<&[u8]>) -> bool {
        !argument.starts_with(b"-") && before.is_some_and(|before| self.asks_for_a_secret(before))
    }

    /// Whether the argument is an option whose value is the next argument: `--password`, and `-password` as the flags of Go
    /// and Java are. An option of one letter tells nothing: `-p` is a port here and a password there.
    fn asks_for_a_secret(&self, argument: &[u8]) -> bool {
        let name = without_dashes(argument);
        argument.starts_with(b"-") && name.len() > 1 && !argument.contains(&b'=') && self.secret.have(name)
    }

    /// The name may be a URL with its own secret: `https://user:password@host/?A=…`.
    fn with_value_hidden<'a>(&self, name: &[u8], separator: &[u8]) -> Cow<'a, [u8]> {
        let (name, _) = self.within(name, 0);
        [&name, separator, REDACTED.as_bytes()].concat().into()
    }

    /// Hides the password of a URL, and the parameters that are secrets; the names before `checked` are none.
    fn within<'a>(&self, text: &'a [u8], checked: usize) -> (Cow<'a, [u8]>, bool) {
        if self.mode == Mode::Off {
            return (text.into(), false);
        }
        let shown: Cow<'a, [u8]> = url::password(text).map_or(text.into(), |(begin, end)| {
            let parts = [text.get(..begin), Some(REDACTED.as_bytes()), text.get(end..)];
            parts.into_iter().flatten().collect::<Vec<_>>().concat().into()
        });
        let hidden = matches!(shown, Cow::Owned(_));
        // Places are others behind a password that was hidden.
        let checked = if hidden { 0 } else { checked };
        match url::parameters(&shown, checked, |name| self.secret.have(without_dashes(name))) {
            Some(shown) => (shown.into(), true),
            None => (shown, hidden),
        }
    }
}

/// Whether there is one of the bytes that part a name from its value, a user from a password, or words: most arguments have
/// none, and so no secret of their own.
fn is_marked(text: &[u8]) -> bool {
    memchr3(b'=', b':', b' ', text).is_some()
}

fn without_dashes(name: &[u8]) -> &[u8] {
    let dashes = name.iter().take_while(|&&byte| byte == b'-').count();
    name.get(dashes..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{HARMLESS, Mode, Redactor, SECRET};

    fn redactor(mode: Mode) -> Redactor {
        Redactor::new(mode, &SECRET.map(str::to_owned), &HARMLESS.map(str::to_owned))
    }

    #[track_caller]
    fn variable(mode: Mode, given: &str, expected: &str) {
        let redactor = redactor(mode);
        let (shown, hidden) = redactor.variable(given.as_bytes());
        assert_eq!((String::from_utf8_lossy(&shown).as_ref(), hidden), (expected, given != expected));
    }

    #[track_caller]
    fn arguments(given: &[&str], expected: &[&str]) {
        let redactor = redactor(Mode::Names);
        let mut before: Option<&str> = None;
        let shown: Vec<_> = given
            .iter()
            .map(|argument| {
                let (shown, _) = redactor.argument(argument.as_bytes(), before.map(str::as_bytes));
                before = Some(argument);
                String::from_utf8_lossy(&shown).into_owned()
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn values_of_names_like_those_of_secrets_are_hidden() {
        for name in ["DB_PASSWORD", "password", "Secret_1", "GITHUB_TOKEN", "API_KEY", "MY_APIKEY", "KEY"] {
            variable(Mode::Names, &format!("{name}=x=y"), &format!("{name}=[redacted]"));
        }
    }

    #[test]
    fn other_values_stay() {
        for kept in ["PATH=/bin", "KEYBOARD=de", "PWD=/", "MONKEY", "HOME=", "=x", ""] {
            variable(Mode::Names, kept, kept);
        }
    }

    #[test]
    fn with_an_allow_list_every_other_value_is_hidden() {
        variable(Mode::Allow, "PATH=/bin", "PATH=/bin");
        variable(Mode::Allow, "EDITOR=vi", "EDITOR=[redacted]");
        variable(Mode::Allow, "no value", "no value");
    }

    #[test]
    fn switched_off_nothing_is_hidden() {
        variable(Mode::Off, "PASSWORD=x", "PASSWORD=x");
        variable(Mode::Off, "A=http://u:p@h/", "A=http://u:p@h/");
    }

    #[test]
    fn options_with_secrets_are_hidden_in_both_forms() {
        arguments(
            &["mysql", "--password=x", "--api-key", "y", "--token", "--verbose", "-v", "z"],
            &["mysql", "--password=[redacted]", "--api-key", "[redacted]", "--token", "--verbose", "-v", "z"],
        );
        arguments(&["docker", "-e", "PASSWORD=x"], &["docker", "-e", "PASSWORD=[redacted]"]);
    }

    #[test]
    fn an_option_with_one_dash_and_a_name_asks_for_a_secret_and_one_of_a_letter_does_not() {
        arguments(
            &["vault", "-token", "x", "-Dapi.password=y", "-p", "80", "-pz"],
            &["vault", "-token", "[redacted]", "-Dapi.password=[redacted]", "-p", "80", "-pz"],
        );
    }

    #[test]
    fn of_a_command_line_in_one_argument_only_the_secret_is_hidden() {
        arguments(
            &["sh", "-c", "curl  --api-key=x --token y https://a:x@b/ -o z"],
            &["sh", "-c", "curl  --api-key=[redacted] --token [redacted] https://a:[redacted]@b/ -o z"],
        );
    }

    #[test]
    fn a_url_with_a_password_and_a_key_shows_neither() {
        arguments(
            &["curl", "https://me:x@host/?a=1&api_key=y&b=2#token=z"],
            &["curl", "https://me:[redacted]@host/?a=1&api_key=[redacted]&b=2#token=[redacted]"],
        );
        arguments(&["a://b:a-very-long-phrase@c/d=token=e"], &["a://b:[redacted]@c/d=token=[redacted]"]);
        arguments(&["password=x: y"], &["password=[redacted]"]);
        variable(Mode::Allow, "http://me:x@host/?A=y", "http://me:[redacted]@host/?A=[redacted]");
    }

    #[test]
    fn headers_and_urls_with_secrets_are_hidden() {
        arguments(
            &["curl", "-H", "Authorization: Bearer x", "https://me:x@host/p@th", "https://host/a:b@c"],
            &[
                "curl",
                "-H",
                "Authorization: [redacted]",
                "https://me:[redacted]@host/p@th",
                "https://host/a:b@c",
            ],
        );
        variable(
            Mode::Names,
            "DATABASE=postgres://me:a@b@host/db",
            "DATABASE=postgres://me:[redacted]@host/db",
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_no_secret_gets_through(value in proptest::collection::vec(1u8.., 1..40)) {
            let redactor = redactor(Mode::Names);
            let _ = redactor.argument(&value, Some(&value));
            let variable = [b"X_SECRET=", value.as_slice()].concat();
            let (shown, hidden) = redactor.variable(&variable);
            prop_assert!(hidden);
            prop_assert_eq!(&*shown, b"X_SECRET=[redacted]");
        }
    }
}
