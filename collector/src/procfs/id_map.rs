//! `/proc/<tgid>/uid_map` and `gid_map`: how the user namespace of a process numbers users and groups.
//!
//! The kernel's records have the host's ids. A container with its own user namespace numbers them differently (its
//! root may be the host's 100000), and its `/etc/passwd` uses its own numbers.

/// The id inside the namespace for an id of the reader; `None` if it is not mapped.
///
/// Each line is: first id inside, first id outside (as the namespace of the reader numbers it), count.
#[must_use]
pub fn inside(map: &[u8], outside: u32) -> Option<u32> {
    map.split(|&byte| byte == b'\n').find_map(|line| {
        let mut numbers = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).map(number);
        let (first_inside, first_outside, count) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let offset = outside.checked_sub(first_outside).filter(|&offset| offset < count)?;
        first_inside.checked_add(offset)
    })
}

fn number(digits: &[u8]) -> Option<u32> {
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Rootless containers: the user is root inside, and a range of further ids is mapped as well.
    const ROOTLESS: &str = "         0       1000          1\n         1     100000      65536\n";

    #[track_caller]
    fn check(map: &str, outside: u32, expected: Option<u32>) {
        assert_eq!(inside(map.as_bytes(), outside), expected);
    }

    #[test]
    fn the_initial_namespace_maps_each_id_to_itself() {
        check("         0          0 4294967295\n", 0, Some(0));
        check("         0          0 4294967295\n", 1000, Some(1000));
    }

    #[test]
    fn a_rootless_container_has_its_own_root() {
        check(ROOTLESS, 1000, Some(0));
        check(ROOTLESS, 100_000, Some(1));
        check(ROOTLESS, 165_535, Some(65_536));
    }

    #[test]
    fn an_id_outside_every_range_is_not_mapped() {
        check(ROOTLESS, 0, None);
        check(ROOTLESS, 165_536, None);
        check("", 0, None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_a_panic(bytes: Vec<u8>, outside: u32) {
            let _ = inside(&bytes, outside);
        }

        #[test]
        fn no_numbers_overflow(a: u32, b: u32, c: u32, outside: u32) {
            let _ = inside(format!("{a} {b} {c}").as_bytes(), outside);
        }
    }
}
