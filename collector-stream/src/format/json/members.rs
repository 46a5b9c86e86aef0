//! The members of a list or an object, in order.

use serde::{
    Serialize,
    ser::{
        Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};
use serde_json::{Error, Result};

use super::writer::Writer;

/// Writes the members of a list or an object whose opening bracket is written.
pub(super) struct Members<'l> {
    pub(super) line: &'l mut Vec<u8>,
    /// Whether a member was written.
    pub(super) any: bool,
    /// The bracket that ends it.
    pub(super) close: &'static [u8],
}

impl Members<'_> {
    fn separate(&mut self) {
        if std::mem::replace(&mut self.any, true) {
            self.line.push(b',');
        }
    }

    fn item<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<()> {
        self.separate();
        item.serialize(Writer::append(self.line))
    }

    fn field<T: Serialize + ?Sized>(&mut self, field: &'static str, value: &T) -> Result<()> {
        if std::mem::replace(&mut self.any, true) {
            name(self.line, b",\"", field);
        } else {
            name(self.line, b"\"", field);
        }
        value.serialize(Writer::append(self.line))
    }

    fn close(self) {
        self.line.extend_from_slice(self.close);
    }
}

macro_rules! members {
    ($($trait:ident $method:ident($($name:ident)?) $each:ident;)*) => {$(
        impl $trait for Members<'_> {
            type Error = Error;
            type Ok = ();

            fn $method<T: Serialize + ?Sized>(&mut self, $($name: &'static str,)? value: &T) -> Result<()> {
                self.$each($($name,)? value)
            }

            fn end(self) -> Result<()> {
                self.close();
                Ok(())
            }
        }
    )*};
}

members! {
    SerializeSeq serialize_element() item;
    SerializeTuple serialize_element() item;
    SerializeTupleStruct serialize_field() item;
    SerializeTupleVariant serialize_field() item;
    SerializeStruct serialize_field(name) field;
    SerializeStructVariant serialize_field(name) field;
}

impl SerializeMap for Members<'_> {
    type Error = Error;
    type Ok = ();

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.separate();
        let begin = self.line.len();
        key.serialize(Writer::append(self.line))?;
        if self.line.get(begin) != Some(&b'"') {
            return Err(Error::custom("the name of a member is not a string"));
        }
        self.line.push(b':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(Writer::append(self.line))
    }

    fn end(self) -> Result<()> {
        self.close();
        Ok(())
    }
}

/// Writes a name that needs no escape, as names of fields do. `open` is its quotation mark, behind the comma if there is one.
#[inline]
pub(super) fn name(line: &mut Vec<u8>, open: &[u8], name: &str) {
    line.extend_from_slice(open);
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b"\":");
}
