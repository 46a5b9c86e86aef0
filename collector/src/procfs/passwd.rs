//! `/etc/passwd` and `/etc/group`: names of users and groups. In both, the third field is the id.

/// The longest name that is accepted. `useradd` allows 32, glibc has `LOGIN_NAME_MAX` at 256.
const NAME_LEN: usize = 256;

/// The ids and names in the order of the file. If an id occurs twice, the C library uses the first.
///
/// Skips comments, broken lines, and the `+` and `-` lines of NIS. A name need not be UTF-8.
pub fn names(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    bytes.split(|&byte| byte == b'\n').filter_map(entry)
}

/// `name:password:id:…`
fn entry(line: &[u8]) -> Option<(u32, &[u8])> {
    let mut fields = line.trim_ascii_start().split(|&byte| byte == b':');
    let name = fields.next().filter(|name| !name.is_empty() && name.len() <= NAME_LEN)?;
    if matches!(name.first(), Some(b'#' | b'+' | b'-')) {
        return None;
    }
    let digits = fields.nth(1).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    Some((str::from_utf8(digits).ok()?.parse().ok()?, name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &[(u32, &[u8])]) {
        assert_eq!(names(bytes).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_third_field_is_the_id_in_both_files() {
        check(b"root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:::\n", &[(0, b"root"), (33, b"www-data")]);
        check(b"adm:x:4:syslog,me\nempty:x:5:", &[(4, b"adm"), (5, b"empty")]);
    }

    #[test]
    fn comments_and_broken_lines_are_skipped() {
        check(
            b"# root:x:0:0\n\nno colon\na:x\n:x:1:\nb:x::\nc:x:-1:\nd:x:+1:\ne:x:4294967296:\nf:x: 1:\n",
            &[],
        );
    }

    #[test]
    fn lines_of_nis_are_skipped() {
        check(b"+::::::\n+@admins::0:0\n-mallory:x:5:\n", &[]);
    }

    #[test]
    fn a_name_need_not_be_utf_8() {
        check(b"j\xf6rg:x:7:7\n", &[(7, b"j\xf6rg")]);
    }

    #[test]
    fn a_name_of_a_megabyte_is_skipped() {
        check(&[&vec![b'a'; 1 << 20], b":x:1:".as_slice()].concat(), &[]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_a_panic(bytes: Vec<u8>) {
            let _ = names(&bytes).count();
        }
    }
}
