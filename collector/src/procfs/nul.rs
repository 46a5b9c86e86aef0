//! Lists of strings that end in NUL: `/proc/<tgid>/cmdline` and `environ`, and what the kernel side sends of them.

use memchr::memchr_iter;

/// The strings in order and exactly: empty ones stay, duplicates stay, and so do entries of an environment with no `=`.
///
/// A NUL ends a string, so the last one begins no other; a last string without it (cut at a limit, or rewritten by the
/// process) counts too. No bytes are no strings.
///
/// A process may have written a title over its arguments (setproctitle). Where that took the last NUL, `cmdline` is one
/// string; where it was padded with NUL, it is one string and many empty ones. Neither can be told from arguments that
/// were given so, hence nothing is guessed: the arguments of an exec, from the kernel, are from before any rewriting.
pub fn split_nul(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut ends = memchr_iter(0, bytes);
    let mut begin = 0;
    std::iter::from_fn(move || {
        if begin >= bytes.len() {
            return None;
        }
        let end = ends.next().unwrap_or(bytes.len());
        let string = bytes.get(begin..end);
        begin = end + 1;
        string
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &[&str]) {
        let found: Vec<_> = split_nul(bytes).collect();
        let expected: Vec<_> = expected.iter().map(|string| string.as_bytes()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_argument_with_spaces_is_one_argument() {
        check(b"sh\0-c\0echo a b\0", &["sh", "-c", "echo a b"]);
    }

    #[test]
    fn empty_arguments_are_kept() {
        check(b"a\0\0b\0\0", &["a", "", "b", ""]);
        check(b"\0", &[""]);
    }

    #[test]
    fn no_bytes_are_no_arguments() {
        check(b"", &[]);
    }

    #[test]
    fn a_last_string_without_nul_counts() {
        check(b"a\0b", &["a", "b"]);
        check(b"nginx: master process", &["nginx: master process"]);
    }

    #[test]
    fn an_environment_keeps_duplicates_order_tabs_and_entries_with_no_equals_sign() {
        check(b"B=2\0A=1\0novalue\0A=3\0T=tab\t\0", &["B=2", "A=1", "novalue", "A=3", "T=tab\t"]);
    }

    proptest! {
        #[test]
        fn strings_that_are_joined_come_back(strings: Vec<Vec<u8>>) {
            let strings: Vec<Vec<u8>> =
                strings.into_iter().map(|s| s.into_iter().filter(|&byte| byte != 0).collect()).collect();
            let bytes: Vec<u8> = strings.iter().flat_map(|s| s.iter().copied().chain([0])).collect();
            prop_assert_eq!(split_nul(&bytes).collect::<Vec<_>>(), strings);
        }

        #[test]
        fn no_byte_is_lost(bytes: Vec<u8>) {
            let joined = split_nul(&bytes).collect::<Vec<_>>().join(&0);
            prop_assert_eq!(joined.as_slice(), bytes.strip_suffix(b"\0").unwrap_or(&bytes));
        }
    }
}
