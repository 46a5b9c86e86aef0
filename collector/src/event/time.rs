//! Points in time, as text with nanoseconds.

use std::borrow::Cow;

use jiff::{Timestamp as Instant, fmt::temporal::DateTimePrinter};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Nanoseconds since 1970, UTC; RFC 3339 with nine digits when written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

static PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(9));

impl Timestamp {
    /// As RFC 3339 in UTC with nanoseconds.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        // Every `i64` of nanoseconds is inside the range of years that the library prints.
        Instant::from_nanosecond(self.0.into())
            .map(|instant| PRINTER.timestamp_to_string(&instant))
            .unwrap_or_default()
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let instant: Instant = text.parse().map_err(de::Error::custom)?;
        i64::try_from(instant.as_nanosecond()).map(Self).map_err(de::Error::custom)
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

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn a_timestamp_has_nine_digits_even_where_they_are_zero() {
        assert_eq!(Timestamp(0).to_rfc3339(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(Timestamp(1_700_000_000_000_000_001).to_rfc3339(), "2023-11-14T22:13:20.000000001Z");
    }

    #[test]
    fn what_is_written_is_read_back() {
        let written = serde_json::to_string(&Timestamp(1_700_000_000_123_456_789)).unwrap();
        assert_eq!(
            serde_json::from_str::<Timestamp>(&written).unwrap(),
            Timestamp(1_700_000_000_123_456_789)
        );
    }
}
