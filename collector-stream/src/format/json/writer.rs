//! JSON as `serde_json` writes it, byte for byte, but cheaper for events: names of fields need no escapes, most strings have
//! none, and the JSON of a shared part is made once. `serde_json` writes everything else.

use std::fmt::{self, Display, Write as _};

use collector_event::shared;
use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::{Error, Result};

use super::members::{Members, name};

/// Appends a value to a line.
pub(super) struct Writer<'l> {
    pub(super) line: &'l mut Vec<u8>,
    /// Whether it copies bytes as JSON, and writes nothing for none: it asks a shared part for its JSON.
    verbatim: bool,
}

impl<'l> Writer<'l> {
    /// Appends to this line.
    pub(super) fn append(line: &'l mut Vec<u8>) -> Self {
        Self { line, verbatim: false }
    }

    fn number(self, number: impl itoa::Integer) {
        self.line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    fn other(self, value: &(impl Serialize + ?Sized)) -> Result<()> {
        serde_json::to_writer(self.line, value)
    }

    fn open(self, open: u8, close: &'static [u8]) -> Members<'l> {
        self.line.push(open);
        Members { line: self.line, any: false, close }
    }

    /// Writes a shared part: the JSON of it that was made before, or a new one that is kept for the next time.
    fn shared(self, part: &(impl Serialize + ?Sized)) -> Result<()> {
        let Self { line, .. } = self;
        let begin = line.len();
        shared::serialize_encoded(part, Writer { line, verbatim: true })?;
        if line.len() > begin {
            return Ok(());
        }
        part.serialize(Writer::append(line))?;
        let json = line.get(begin..).unwrap_or_default().into();
        shared::keep_encoded(part, json, Writer { line, verbatim: true })
    }

    /// Writes `{"variant":`, which stands before the content of the variant.
    fn variant(&mut self, variant: &str) {
        name(self.line, b"{\"", variant);
    }
}

/// `fmt::Write` over a `Vec`, without `io::Write`'s error path.
struct Text<'l>(&'l mut Vec<u8>);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Whether JSON needs no escape in this string.
fn is_plain(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks();
    let marks = words.iter().fold(0, |all, word| all | marks(*word));
    let marks = marks
        | match text.last_chunk() {
            // It overlaps the last whole word, which is cheaper than byte by byte.
            Some(last) => self::marks(*last),
            None => rest.iter().fold(0, |all, &byte| all | self::marks([byte; WORD])),
        };
    marks == 0
}

/// Bytes that are checked at once.
const WORD: usize = 8;

/// Not 0 when JSON escapes one of these bytes. It does eight subtractions at once: a byte that borrows is marked, unless its
/// highest bit was set. A borrow may mark the bytes behind it too, which does not change the answer.
fn marks(word: [u8; WORD]) -> u64 {
    let each = |byte: u8| u64::from_ne_bytes([byte; WORD]);
    let word = u64::from_ne_bytes(word);
    let below = |word: u64, least: u8| word.wrapping_sub(each(least)) & !word;
    let is = |byte: u8| below(word ^ each(byte), 1);
    (below(word, b' ') | is(b'"') | is(b'\\')) & each(0x80)
}

macro_rules! numbers {
    ($($method:ident $type:ty;)*) => {$(
        fn $method(self, number: $type) -> Result<()> {
            self.number(number);
            Ok(())
        }
    )*};
}

macro_rules! others {
    ($($method:ident $type:ty;)*) => {$(
        fn $method(self, value: $type) -> Result<()> {
            self.other(&value)
        }
    )*};
}

impl<'l> Serializer for Writer<'l> {
    type Error = Error;
    type Ok = ();
    type SerializeMap = Members<'l>;
    type SerializeSeq = Members<'l>;
    type SerializeStruct = Members<'l>;
    type SerializeStructVariant = Members<'l>;
    type SerializeTuple = Members<'l>;
    type SerializeTupleStruct = Members<'l>;
    type SerializeTupleVariant = Members<'l>;

    numbers! {
        serialize_i8 i8;
        serialize_i16 i16;
        serialize_i32 i32;
        serialize_i64 i64;
        serialize_u8 u8;
        serialize_u16 u16;
        serialize_u32 u32;
        serialize_u64 u64;
    }

    others! {
        serialize_bool bool;
        serialize_char char;
        serialize_f32 f32;
        serialize_f64 f64;
    }

    fn serialize_str(self, text: &str) -> Result<()> {
        if !is_plain(text.as_bytes()) {
            return self.other(text);
        }
        self.line.push(b'"');
        self.line.extend_from_slice(text.as_bytes());
        self.line.push(b'"');
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<()> {
        if !self.verbatim {
            return self.other(bytes);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<()> {
        let begin = self.line.len();
        self.line.push(b'"');
        write!(Text(self.line), "{value}").map_err(Error::custom)?;
        if self.line.get(begin + 1..).is_some_and(is_plain) {
            self.line.push(b'"');
            return Ok(());
        }
        self.line.truncate(begin);
        self.other(&value.to_string())
    }

    fn serialize_none(self) -> Result<()> {
        if self.verbatim { Ok(()) } else { self.serialize_unit() }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<()> {
        self.other(&())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<()> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<()> {
        if name == shared::NAME { self.shared(value) } else { value.serialize(self) }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        self.variant(variant);
        value.serialize(Writer::append(self.line))?;
        self.line.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Members<'l>> {
        Ok(self.open(b'[', b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Members<'l>> {
        Ok(self.open(b'[', b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Members<'l>> {
        Ok(self.open(b'[', b"]"))
    }

    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Members<'l>> {
        self.variant(variant);
        Ok(self.open(b'[', b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members<'l>> {
        Ok(self.open(b'{', b"}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'l>> {
        Ok(self.open(b'{', b"}"))
    }

    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Members<'l>> {
        self.variant(variant);
        Ok(self.open(b'{', b"}}"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use collector_event::Shared;
    use proptest::{collection::vec, prelude::*};
    use serde::Serialize;
    use serde_json::json;

    use super::Writer;

    #[track_caller]
    fn check(value: &impl Serialize) {
        let mut line = Vec::new();
        value.serialize(Writer::append(&mut line)).unwrap();
        assert_eq!(str::from_utf8(&line).unwrap(), serde_json::to_string(value).unwrap());
    }

    #[derive(Serialize)]
    struct Unit;

    #[derive(Serialize)]
    struct Pair(u8, i64);

    #[derive(Serialize)]
    enum Any {
        Unit,
        One(Option<char>),
        Two(u16, f64),
        Fields { a: (), b: Vec<bool> },
    }

    #[test]
    fn each_shape_is_written_as_serde_json_writes_it() {
        check(&json!({"a": [1, -2, 3.5, null, true], "b": {}, "c": [], "d\n": "x\"\\\u{1}ü"}));
        check(&(Unit, Pair(1, i64::MIN), u64::MAX, 1.5f32, i8::MIN));
        check(&[Any::Unit, Any::One(Some('"')), Any::Two(1, f64::NAN), Any::One(None)]);
        check(&Any::Fields { a: (), b: vec![true, false] });
        check(&named());
        check(&format_args!("a {} b", "\"\t"));
        check(&format_args!("a {} b", 7));
    }

    fn named() -> BTreeMap<&'static str, (&'static str, Option<()>)> {
        BTreeMap::from([("x", ("y", None)), ("\u{7f}", ("\u{2028}", Some(())))])
    }

    #[test]
    fn a_shared_part_is_written_from_its_kept_json_the_second_time() {
        let inner = Shared::from(vec!["a\"b".to_owned()]);
        let shared = Shared::from(vec![inner.clone(), inner.clone()]);
        for _ in 0..2 {
            check(&(&shared, &inner, Some(&shared)));
        }
    }

    #[test]
    fn a_key_that_is_no_string_is_refused() {
        let mut line = Vec::new();
        assert!(BTreeMap::from([((1, 2), 3)]).serialize(Writer::append(&mut line)).is_err());
    }

    #[test]
    fn each_byte_is_plain_or_not_at_each_place() {
        for byte in 0..=u8::MAX {
            let expected = byte >= b' ' && byte != b'"' && byte != b'\\';
            for (len, place) in (1..20).flat_map(|len| (0..len).map(move |place| (len, place))) {
                for around in [b' ', b'#', 0x7f, 0xff] {
                    let mut text = vec![around; len];
                    text[place] = byte;
                    assert_eq!(super::is_plain(&text), expected, "{text:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_strings_are_written_as_serde_json_writes_them(texts in vec(any::<String>(), 0..4)) {
            let mut line = Vec::new();
            texts.serialize(Writer::append(&mut line)).unwrap();
            prop_assert_eq!(line, serde_json::to_vec(&texts).unwrap());
        }
    }
}
