//! Secrets within URLs, forms and connection strings: `scheme://user:password@host/?a=1&api_key=…#token=…`.

use memchr::memchr;

use super::words::REDACTED;

/// A name of a parameter, or of a variable in the value of an option, begins behind one of these.
const BEFORE_A_NAME: &[u8] = b"?#;&=";

/// The position of the password in `scheme://user:password@host`: begin and end.
pub(super) fn password(text: &[u8]) -> Option<(usize, usize)> {
    let (scheme, rest) = split_once(text, b"://")?;
    let authority = rest.split(|byte| b"/?# ".contains(byte)).next()?;
    let at = authority.iter().rposition(|&byte| byte == b'@')?;
    let (user, password) = split_at(authority.get(..at)?, b':')?;
    let begin = scheme.len() + 3 + user.len() + 1;
    (!password.is_empty()).then_some((begin, begin + password.len()))
}

/// The text with the values of secret parameters hidden; `None` if there is none. Names that end before `checked` are known
/// to be none.
///
/// A value extends to the next `&`, because a password may contain all else: a `#` behind it is hidden too.
pub(super) fn parameters(text: &[u8], checked: usize, is_secret: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let (mut shown, mut kept, mut from) = (Vec::new(), 0, checked);
    while let Some(end) = find(b'=', text, from) {
        let before = text.get(..end)?;
        let begin = before.iter().rposition(|byte| BEFORE_A_NAME.contains(byte)).map_or(0, |at| at + 1);
        from = end + 1;
        if is_secret(before.get(begin..)?) {
            shown.extend_from_slice(text.get(kept..from)?);
            shown.extend_from_slice(REDACTED.as_bytes());
            kept = find(b'&', text, from).unwrap_or(text.len());
            from = kept;
        }
    }
    if kept == 0 {
        return None;
    }
    shown.extend_from_slice(text.get(kept..)?);
    Some(shown)
}

fn find(byte: u8, text: &[u8], from: usize) -> Option<usize> {
    memchr(byte, text.get(from..)?).map(|at| from + at)
}

/// The texts before and behind the first `separator`.
pub(super) fn split_at(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    split_once(text, &[separator])
}

/// [`split_at`] with a separator of more than one byte.
pub(super) fn split_once<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let starts = |&at: &usize| text.get(at..).is_some_and(|rest| rest.starts_with(separator));
    let at = memchr::memchr_iter(*separator.first()?, text).find(starts)?;
    Some((text.get(..at)?, text.get(at + separator.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::{parameters, password};

    #[track_caller]
    fn check(given: &str, expected: &str) {
        let shown = parameters(given.as_bytes(), 0, |name| name.eq_ignore_ascii_case(b"key"));
        let shown = shown.map(|shown| String::from_utf8(shown).unwrap());
        assert_eq!(shown.as_deref().unwrap_or(given), expected);
        assert_eq!(shown.is_none(), given == expected);
    }

    #[test]
    fn each_parameter_is_judged_by_its_own_name() {
        check("https://h/?a=1&key=x&b=2", "https://h/?a=1&key=[redacted]&b=2");
        check("https://h/?key=x&KEY=y", "https://h/?key=[redacted]&KEY=[redacted]");
        check("/path?monkey=x&keys=2&key", "/path?monkey=x&keys=2&key");
    }

    #[test]
    fn a_fragment_a_form_and_a_connection_string_have_parameters_too() {
        check("https://h/#a=1&key=x", "https://h/#a=1&key=[redacted]");
        check("https://h/?a=1#key=x", "https://h/?a=1#key=[redacted]");
        check("user=me&key=x", "user=me&key=[redacted]");
        check("jdbc:x://h;user=me;key=x", "jdbc:x://h;user=me;key=[redacted]");
        check("--env=KEY=x", "--env=KEY=[redacted]");
    }

    #[test]
    fn everything_that_may_belong_to_a_value_is_hidden() {
        check("?key=a=b;c#d&e=1", "?key=[redacted]&e=1");
        check("?key=&key=", "?key=[redacted]&key=[redacted]");
    }

    #[test]
    fn a_password_is_between_user_and_host() {
        assert_eq!(password(b"a://b:cd@e"), Some((6, 8)));
        assert_eq!(password(b"a://b@e:1/c:d@f"), None);
    }
}
