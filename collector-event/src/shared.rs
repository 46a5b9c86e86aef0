//! Parts of events that many events share, and the door by which an encoder reuses what it made of them.
//!
//! A process and its surroundings are on each of its events, on those of its children, and on theirs. [`Shared`] makes such a
//! part once. Any serde format writes it as the value that it holds. An encoder that writes many events can do better: it
//! recognises [`NAME`] in `serialize_newtype_struct`, and writes the bytes that it made of this part before. The bytes
//! are kept with the part, so only one encoder in a process should use this door; the JSON encoder of `collector-stream` does.

use std::{cell::Cell, fmt, ops::Deref, sync::Arc, sync::OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name that a shared part has in `serialize_newtype_struct`.
pub const NAME: &str = "collector_event::Shared";

/// A part that many events share. Cloning is cheap; two clones are the same part.
pub struct Shared<T>(Arc<Part<T>>);

struct Part<T> {
    value: T,
    /// What the encoder made of the value.
    encoded: OnceLock<Box<[u8]>>,
}

impl<T> Shared<T> {
    /// Whether both are the same part, rather than equal ones.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(Part { value, encoded: OnceLock::new() }))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Default> Default for Shared<T> {
    fn default() -> Self {
        T::default().into()
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.value.fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        self.is(other) || self.0.value == other.0.value
    }
}

impl<T: Eq> Eq for Shared<T> {}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(NAME, &*self.0)
    }
}

impl<T: Serialize> Serialize for Part<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match REQUEST.replace(Request::Value) {
            Request::Value => self.value.serialize(serializer),
            Request::Encoded => match self.encoded.get() {
                Some(encoded) => serializer.serialize_bytes(encoded),
                None => serializer.serialize_none(),
            },
            Request::Keep => {
                // Another thread may have kept the same bytes meanwhile.
                let _ = self.encoded.set(ENCODED.take());
                serializer.serialize_none()
            }
        }
    }
}

/// What an encoder of this thread requests of the next part. The encoder sets it right before it serializes the part, and the part
/// takes it first of all, so no other part and no other encoder sees it.
#[derive(Clone, Copy)]
enum Request {
    Value,
    Encoded,
    Keep,
}

thread_local! {
    static REQUEST: Cell<Request> = const { Cell::new(Request::Value) };
    static ENCODED: Cell<Box<[u8]>> = Cell::default();
}

/// Serializes what is kept with a part as bytes, or as none where nothing is kept. `part` is the value that an encoder is
/// given with the name [`NAME`].
///
/// # Errors
///
/// Those of the serializer.
pub fn serialize_encoded<T: Serialize + ?Sized, S: Serializer>(
    part: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    REQUEST.set(Request::Encoded);
    part.serialize(serializer)
}

/// Keeps with a part what an encoder made of it. `part` is the value that an encoder is given with the name [`NAME`]; the serializer is
/// given none.
///
/// # Errors
///
/// Those of the serializer.
pub fn keep_encoded<T: Serialize + ?Sized, S: Serializer>(
    part: &T,
    encoded: Box<[u8]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    ENCODED.set(encoded);
    REQUEST.set(Request::Keep);
    part.serialize(serializer)
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::Shared;

    #[test]
    fn any_format_writes_it_as_the_value_that_it_holds() {
        let shared = Shared::from(vec!["a\"b".to_owned(), "ü".to_owned()]);
        for _ in 0..2 {
            assert_eq!(serde_json::to_string(&shared).unwrap(), r#"["a\"b","ü"]"#);
        }
        assert_eq!(serde_json::from_str::<Shared<Vec<String>>>(r#"["a\"b","ü"]"#).unwrap(), shared);
        let mut bytes = Vec::new();
        ciborium::into_writer(&shared, &mut bytes).unwrap();
        assert_eq!(ciborium::from_reader::<Shared<Vec<String>>, _>(&*bytes).unwrap(), shared);
    }

    #[test]
    fn a_clone_is_the_same_part_and_an_equal_one_is_not() {
        let shared = Shared::from(7);
        assert!(shared.clone().is(&shared));
        assert!(!Shared::from(7).is(&shared));
    }
}
