//! Parts of an event that many events share.

use std::{borrow::Cow, fmt, ops::Deref, sync::Arc, sync::OnceLock};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A part that many events share: made once, and made into JSON once, when the first of them is written.
///
/// A process and what surrounds it are on each of its events, on those of its children, and on theirs.
pub struct Shared<T>(Arc<Part<T>>);

struct Part<T> {
    value: T,
    /// `None` inside where the value cannot be JSON, which no type here leads to.
    json: OnceLock<Option<Box<RawValue>>>,
}

impl<T> Shared<T> {
    /// Whether both are one, not merely alike.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(Part { value, json: OnceLock::new() }))
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
        let made = self.0.json.get_or_init(|| serde_json::value::to_raw_value(&self.0.value).ok());
        match made {
            Some(json) => json.serialize(serializer),
            None => self.0.value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Into::into)
    }
}

impl<T: JsonSchema> JsonSchema for Shared<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::Shared;

    #[test]
    fn it_is_written_as_what_it_holds_each_time() {
        let shared = Shared::from(vec!["a\"b".to_owned(), "ü".to_owned()]);
        for _ in 0..2 {
            assert_eq!(serde_json::to_string(&shared).unwrap(), r#"["a\"b","ü"]"#);
        }
        assert_eq!(serde_json::from_str::<Shared<Vec<String>>>(r#"["a\"b","ü"]"#).unwrap(), shared);
    }

    #[test]
    fn a_copy_is_the_same_and_an_equal_one_is_not() {
        let shared = Shared::from(7);
        assert!(shared.clone().is(&shared));
        assert!(!Shared::from(7).is(&shared));
    }
}
