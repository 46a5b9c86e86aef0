//! The JSON Schema of the stream: exactly what this version writes. Readers accept more, see [`Event`].

use std::borrow::Cow;

use schemars::{
    JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema, transform::RecursiveTransform,
};

use crate::{EntityId, Event, EventId, ExecId, SCHEMA, SchemaVersion, Shared, Strings, Timestamp};

/// The JSON Schema of an event. A field that is not known is absent, never null.
#[must_use]
pub fn json_schema() -> Schema {
    schema_of::<Event>()
}

/// The JSON Schema of a type whose optional fields are absent rather than null.
#[must_use]
pub fn schema_of<T: JsonSchema>() -> Schema {
    let mut settings = SchemaSettings::draft2020_12();
    settings.transforms.push(Box::new(RecursiveTransform(remove_null)));
    settings.transforms.push(Box::new(RecursiveTransform(refuse_other_fields)));
    settings.into_generator().into_root_schema_for::<T>()
}

fn remove_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(types) = object.get_mut("type").and_then(|types| types.as_array_mut()) {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(choices) = object.get_mut("anyOf").and_then(|choices| choices.as_array_mut()) {
        choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
    }
}

fn refuse_other_fields(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if object.contains_key("properties") {
        object.entry("additionalProperties").or_insert(false.into());
    }
}

/// Types that are written as text of this pattern.
macro_rules! text_schemas {
    ($($type:ident $pattern:literal $description:literal;)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $description })
            }
        }
    )*};
}

text_schemas! {
    EntityId r"^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$" "OCSF Common Process Identifier";
    ExecId r"^[0-9a-f-]{36}:[0-9]+$" "<entity_id>:<ns since boot of the exec>";
    EventId r"^[^:]*:[0-9]+:[0-9]+$" "<boot id>:<agent start, ns since boot>:<sequence>";
}

impl JsonSchema for SchemaVersion {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SchemaVersion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "const": SCHEMA })
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{9}Z$",
            "description": "RFC 3339, UTC, nanoseconds",
        })
    }
}

/// Types that are described as the type that they are written as.
macro_rules! schema_as {
    ($([$($parameter:ident)?] $type:ty => $other:ty;)*) => {$(
        impl$(<$parameter: JsonSchema>)? JsonSchema for $type {
            fn inline_schema() -> bool {
                <$other>::inline_schema()
            }

            fn schema_name() -> Cow<'static, str> {
                <$other>::schema_name()
            }

            fn schema_id() -> Cow<'static, str> {
                <$other>::schema_id()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                <$other>::json_schema(generator)
            }
        }
    )*};
}

schema_as! {
    [] Strings => Vec<String>;
    [T] Shared<T> => T;
}
