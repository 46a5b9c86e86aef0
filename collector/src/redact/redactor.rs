//! Finds the secrets in a variable or an argument, and hides their values.

use std::borrow::Cow;

use memchr::memchr3;

use super::{
    name_list::NameList,
    url::{self, split_at, split_once},
    words::REDACTED,
};
use crate::procfs::split_nul;

/// Which values are hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Mode {
    /// Those whose names are in the list.
    Names,
    /// In the environment all but those with an allowed name; in arguments those whose names are in the list.
    Allow,
    /// None.
    Off,
}

/// Hides values.
#[derive(Clone, Debug)]
pub struct Redactor {
    mode: Mode,
    secret: NameList,
    allowed: NameList,
}

impl Redactor {
    /// From lists of names. Each may begin and end with a `*`.
    #[must_use]
    pub fn new(mode: Mode, secret: &[String], allowed: &[String]) -> Self {
        // In doubt a value is hidden.
        Self { mode, secret: NameList::new(secret, true), allowed: NameList::new(allowed, false) }
    }

    /// A variable of the environment, and whether its value was hidden.
    #[must_use]
    pub fn variable<'a>(&self, variable: &'a [u8]) -> (Cow<'a, [u8]>, bool) {
        let Some((name, _)) = split_at(variable, b'=') else { return (variable.into(), false) };
        let hidden = match self.mode {
            Mode::Off => false,
            Mode::Names => self.secret.contain(name),
            Mode::Allow => !self.allowed.contain(name),
        };
        if hidden {
            (self.with_value_hidden(name, b"="), true)
        } else {
            self.within(variable, name.len() + 1)
        }
    }

    /// Whether any argument has a part to hide. Each argument ends in NUL.
    #[must_use]
    pub fn hides_in(&self, arguments: &[u8]) -> bool {
        if self.mode == Mode::Off {
            return false;
        }
        let any_separator = has_separator(arguments);
        let mut before = None;
        split_nul(arguments).any(|argument| {
            let before = before.replace(argument);
            // Without a separator, only an argument that follows the option of a secret is hidden.
            if any_separator {
                self.argument(argument, before).1
            } else {
                self.follows_a_secret_option(argument, before)
            }
        })
    }

    /// An argument, and whether a part of it was hidden. `before` is the argument before it.
    #[must_use]
    pub fn argument<'a>(&self, argument: &'a [u8], before: Option<&[u8]>) -> (Cow<'a, [u8]>, bool) {
        if self.mode == Mode::Off {
            return (argument.into(), false);
        }
        if self.follows_a_secret_option(argument, before) {
            return (REDACTED.as_bytes().into(), true);
        }
        if !has_separator(argument) {
            return (argument.into(), false);
        }
        let mut checked = 0;
        for separator in [&b"="[..], b": "] {
            let Some((name, _)) = split_once(argument, separator) else { continue };
            let is_name = !name.iter().any(|byte| b" ?#&;".contains(byte));
            if is_name && self.secret.contain(without_dashes(name)) {
                return (self.with_value_hidden(name, separator), true);
            }
            checked = if is_name && separator == b"=" { name.len() + 1 } else { checked };
        }
        if argument.contains(&b' ') { self.line(argument) } else { self.within(argument, checked) }
    }

    /// A command line in one argument, as for `sh -c`: each of its words is treated as an argument.
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

    /// Whether the argument is the value of the option before it, and that one is a secret's.
    fn follows_a_secret_option(&self, argument: &[u8], before: Option<&[u8]>) -> bool {
        !argument.starts_with(b"-") && before.is_some_and(|before| self.is_secret_option(before))
    }

    /// Whether the argument is an option of a secret whose value is the next argument: `--password`, or `-password` in the style
    /// of Go and Java. An option of one letter does not count: `-p` is a port here and a password there.
    fn is_secret_option(&self, argument: &[u8]) -> bool {
        let name = without_dashes(argument);
        argument.starts_with(b"-") && name.len() > 1 && !argument.contains(&b'=') && self.secret.contain(name)
    }

    /// Hides the value. The name may be a URL with its own secret: `https://user:password@host/?A=…`.
    fn with_value_hidden<'a>(&self, name: &[u8], separator: &[u8]) -> Cow<'a, [u8]> {
        let (name, _) = self.within(name, 0);
        [&name, separator, REDACTED.as_bytes()].concat().into()
    }

    /// Hides the password of a URL and the parameters that are secrets. Names that end before `checked` are known to be none.
    fn within<'a>(&self, text: &'a [u8], checked: usize) -> (Cow<'a, [u8]>, bool) {
        if self.mode == Mode::Off {
            return (text.into(), false);
        }
        let shown: Cow<'a, [u8]> = url::password(text).map_or(text.into(), |(begin, end)| {
            let parts = [text.get(..begin), Some(REDACTED.as_bytes()), text.get(end..)];
            parts.into_iter().flatten().collect::<Vec<_>>().concat().into()
        });
        let hidden = matches!(shown, Cow::Owned(_));
        // A hidden password moves all positions behind it.
        let checked = if hidden { 0 } else { checked };
        match url::parameters(&shown, checked, |name| self.secret.contain(without_dashes(name))) {
            Some(shown) => (shown.into(), true),
            None => (shown, hidden),
        }
    }
}

/// Whether the text has a byte that separates a name from its value, a user from a password, or words. Most arguments have
/// none, and so no secret of their own.
fn has_separator(text: &[u8]) -> bool {
    memchr3(b'=', b':', b' ', text).is_some()
}

fn without_dashes(name: &[u8]) -> &[u8] {
    let dashes = name.iter().take_while(|&&byte| byte == b'-').count();
    name.get(dashes..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::words::{HARMLESS, SECRET},
        Mode, Redactor,
    };

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
    fn values_with_names_of_secrets_are_hidden() {
        for name in ["DB_PASSWORD", "password", "Secret_1", "GITHUB_TOKEN", "API_KEY", "MY_APIKEY", "KEY"] {
            variable(Mode::Names, &format!("{name}=x=y"), &format!("{name}=[redacted]"));
        }
    }

    #[test]
    fn other_values_are_shown() {
        for kept in ["PATH=/bin", "KEYBOARD=de", "PWD=/", "MONKEY", "HOME=", "=x", ""] {
            variable(Mode::Names, kept, kept);
        }
    }

    #[test]
    fn an_allow_list_hides_every_other_value() {
        variable(Mode::Allow, "PATH=/bin", "PATH=/bin");
        variable(Mode::Allow, "EDITOR=vi", "EDITOR=[redacted]");
        variable(Mode::Allow, "no value", "no value");
    }

    #[test]
    fn mode_off_hides_nothing() {
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
    fn an_option_with_one_dash_and_a_name_can_be_of_a_secret_and_one_of_a_letter_cannot() {
        arguments(
            &["vault", "-token", "x", "-Dapi.password=y", "-p", "80", "-pz"],
            &["vault", "-token", "[redacted]", "-Dapi.password=[redacted]", "-p", "80", "-pz"],
        );
    }

    #[test]
    fn only_the_secret_is_hidden_in_a_command_line() {
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
