//! BTF that is made by hand, and any bytes.

use proptest::prelude::*;

use super::{BtfError, Types};

/// BTF with `struct outer { int a; struct { int b; int c; }; struct inner i; int flag:1; }` and
/// `struct inner { int x; int y; }`, as the kernel lays it out.
fn example() -> Vec<u8> {
    let strings = b"\0outer\0a\0b\0c\0i\0inner\0x\0y\0flag\0int\0";
    let name = |wanted: &str| {
        let wanted = [wanted.as_bytes(), b"\0"].concat();
        u32::try_from(strings.windows(wanted.len()).position(|window| window == wanted).unwrap()).unwrap()
    };
    let int = [name("int"), 1 << 24, 4, 32].to_vec();
    let inner =
        [vec![name("inner"), (4 << 24) | 2, 8], vec![name("x"), 1, 0], vec![name("y"), 1, 32]].concat();
    let nameless = [vec![0, (4 << 24) | 2, 8], vec![name("b"), 1, 0], vec![name("c"), 1, 32]].concat();
    let outer = [
        vec![name("outer"), (1 << 31) | (4 << 24) | 4, 24],
        vec![name("a"), 1, 0],
        vec![0, 3, 32],
        vec![name("i"), 2, 96],
        vec![name("flag"), 1, (1 << 24) | 0xa1],
    ]
    .concat();
    let types: Vec<u8> =
        [int, inner, nameless, outer].concat().into_iter().flat_map(u32::to_ne_bytes).collect();
    let types_len = u32::try_from(types.len()).unwrap();
    let strings_len = u32::try_from(strings.len()).unwrap();
    let header = [0xeb9f | (1 << 16), 24, 0, types_len, types_len, strings_len];
    let header: Vec<u8> = header.into_iter().flat_map(u32::to_ne_bytes).collect();
    [header, types, strings.to_vec()].concat()
}

#[track_caller]
fn check(structure: &str, members: &[&str], bits: Option<u32>) {
    let bytes = example();
    assert_eq!(Types::parse(&bytes).unwrap().bit_offset(structure, members), bits);
}

#[test]
fn a_member_is_found_by_name() {
    check("outer", &["a"], Some(0));
}

#[test]
fn a_member_of_an_anonymous_structure_belongs_to_the_outer_one() {
    check("outer", &["c"], Some(64));
}

#[test]
fn a_path_leads_into_a_member() {
    check("outer", &["i", "y"], Some(128));
}

#[test]
fn the_offset_of_a_bit_field_does_not_include_its_size() {
    check("outer", &["flag"], Some(161));
}

#[test]
fn a_missing_member_or_structure_is_not_found() {
    check("outer", &["z"], None);
    check("nobody", &["a"], None);
}

#[test]
fn a_structure_that_holds_itself_is_searched_once() {
    let strings = b"\0outer\0";
    let members = 4000;
    let mut types = vec![1, (4 << 24) | members, 8];
    (0..members).for_each(|_| types.extend([0, 1, 0]));
    let types_len = u32::try_from(types.len() * 4).unwrap();
    let header = [0xeb9f | (1 << 16), 24, 0, types_len, types_len, 7];
    let words = header.into_iter().chain(types).flat_map(u32::to_ne_bytes);
    let bytes: Vec<u8> = words.chain(*strings).collect();
    assert_eq!(Types::parse(&bytes).unwrap().bit_offset("outer", &["a"]), None);
}

#[test]
fn other_bytes_are_refused() {
    assert_eq!(Types::parse(b"\x7fELF____").err(), Some(BtfError::NotBtf));
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = Types::parse(&bytes);
    }

    #[test]
    fn any_changed_byte_is_parsed_without_a_panic(at in 0usize..200, value: u8) {
        let mut bytes = example();
        let at = at % bytes.len();
        bytes[at] = value;
        if let Ok(types) = Types::parse(&bytes) {
            let _ = types.bit_offset("outer", &["i", "y"]);
        }
    }
}
