//! A value of any type that can be read, made out of bytes: [`any`] gives a reader what it wants next, instead of
//! looking for it in a text. A field that is added to the schema is made here by itself.

use std::{fmt, net::IpAddr};

use collector::event::Timestamp;
use serde::{
    de::{
        self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
        SeqAccess, VariantAccess, Visitor,
    },
    forward_to_deserialize_any,
};

/// Most members of a list or a map.
const MEMBERS: u8 = 4;

/// The value that these bytes make: the same bytes the same value. Where they end, zeros follow.
pub(crate) fn any<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refused> {
    T::deserialize(&mut Source { rest: bytes, field: "" })
}

/// A type that wants what is not made here, or does not accept what is.
#[derive(Debug)]
pub(crate) struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

struct Source<'a> {
    rest: &'a [u8],
    /// The name of the field whose value is wanted.
    field: &'static str,
}

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    fn number(&mut self) -> u64 {
        // Small ones too, and often: the first byte says how many follow.
        (0..self.byte() % 9).fold(0, |number, _| (number << 8) | u64::from(self.byte()))
    }

    fn text(&mut self) -> String {
        match self.field {
            "schema" => "collector/1.0".to_owned(),
            "@timestamp" | "start" | "end" | "ctime" => Timestamp(self.number().cast_signed()).to_rfc3339(),
            "ip" => self.address().to_string(),
            "entity_id" => self.entity_id(),
            "exec_id" => format!("{}:{}", self.entity_id(), self.number()),
            // Of a record. That of a user or a container may look the same.
            "id" => format!("{}:{}", self.any_text(), self.number()),
            // Of these a NUL is the end, for the kernel and for us.
            "args" | "env_vars" => self.any_text().replace('\0', ""),
            _ => self.any_text(),
        }
    }

    fn any_text(&mut self) -> String {
        let len = usize::from(self.byte() % 32).min(self.rest.len());
        let (text, rest) = self.rest.split_at(len);
        self.rest = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    fn entity_id(&mut self) -> String {
        let [high, low] = [(); 2].map(|()| self.number());
        let digits = format!("{high:016x}{low:016x}");
        [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
    }

    fn address(&mut self) -> IpAddr {
        if self.byte().is_multiple_of(2) {
            return IpAddr::from(std::array::from_fn::<u8, 4, _>(|_| self.byte()));
        }
        IpAddr::from(std::array::from_fn::<u8, 16, _>(|_| self.byte()))
    }
}

/// Answers with a number that was cut to the type.
macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            let number = self.number().to_le_bytes();
            let mut bytes = [0; size_of::<$type>()];
            bytes.iter_mut().zip(number).for_each(|(to, from)| *to = from);
            visitor.$visit(<$type>::from_le_bytes(bytes))
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Source<'_> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(Refused(format!("field {:?}: a type that is not made here", self.field)))
    }

    numbers! {
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_bool(self.byte() % 2 == 1)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_string(self.text())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_string(self.text())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        if self.byte().is_multiple_of(2) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let left = self.byte() % MEMBERS;
        visitor.visit_seq(Members { source: self, left })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let left = self.byte() % MEMBERS;
        visitor.visit_map(Members { source: self, left })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_map(Fields { source: self, fields })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let chosen = usize::from(self.byte()) % variants.len().max(1);
        visitor.visit_enum(Chosen(variants.get(chosen).copied().unwrap_or_default()))
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// The members of a list or a map that are still to come.
struct Members<'a, 'b> {
    source: &'a mut Source<'b>,
    left: u8,
}

impl<'de> SeqAccess<'de> for Members<'_, '_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.source).map(Some)
    }
}

impl<'de> MapAccess<'de> for Members<'_, '_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        self.source.field = "";
        seed.deserialize(&mut *self.source).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        seed.deserialize(&mut *self.source)
    }
}

/// The fields of a structure that are still to come: each of them does.
struct Fields<'a, 'b> {
    source: &'a mut Source<'b>,
    fields: &'static [&'static str],
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        let Some((field, rest)) = self.fields.split_first() else { return Ok(None) };
        (self.source.field, self.fields) = (field, rest);
        seed.deserialize((*field).into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        seed.deserialize(&mut *self.source)
    }
}

/// A variant without content, the only kind that the schema has.
struct Chosen(&'static str);

impl<'de> EnumAccess<'de> for Chosen {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Refused> {
        Ok((seed.deserialize(self.0.into_deserializer())?, self))
    }
}

impl<'de> VariantAccess<'de> for Chosen {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Refused> {
        Err(Refused(format!("variant {}: it has a content", self.0)))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Refused> {
        Err(Refused(format!("variant {}: it has a content", self.0)))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Refused> {
        Err(Refused(format!("variant {}: it has a content", self.0)))
    }
}
