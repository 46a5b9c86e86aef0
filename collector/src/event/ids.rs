//! Ids of processes, of their images and of records, as they are written.

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::process::EntityId;

/// `process.exec_id`: a process, and when its image was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExecId {
    /// The process.
    pub entity_id: EntityId,
    /// When it called exec, or was forked, in nanoseconds since boot.
    pub begun_ns: u64,
}

/// `event.id`: a run of the agent, and the place of the record in its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventId {
    /// `<boot id>:<agent start, ns since boot>`
    pub run: Arc<str>,
    /// [`Meta::sequence`](super::Meta::sequence)
    pub sequence: u64,
}

/// An id does not have the form of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no id of that kind")]
pub struct IdError;

impl fmt::Display for ExecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entity_id.fmt(f)?;
        number(self.begun_ns, f)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.run)?;
        number(self.sequence, f)
    }
}

/// The last part. These ids are on every line, and a number by `{}` costs five times as much.
fn number(number: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(":")?;
    f.write_str(itoa::Buffer::new().format(number))
}

impl FromStr for ExecId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (entity_id, begun_ns) = text.split_once(':').ok_or(IdError)?;
        Ok(Self {
            entity_id: entity_id.parse().map_err(|_| IdError)?,
            begun_ns: begun_ns.parse().map_err(|_| IdError)?,
        })
    }
}

impl FromStr for EventId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (run, sequence) = text.rsplit_once(':').ok_or(IdError)?;
        Ok(Self { run: run.into(), sequence: sequence.parse().map_err(|_| IdError)? })
    }
}

/// Written and read as text.
macro_rules! as_text {
    ($($id:ident $pattern:literal $description:literal;)*) => {$(
        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $id {
            fn schema_name() -> Cow<'static, str> {
                stringify!($id).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $description })
            }
        }
    )*};
}

as_text! {
    EntityId r"^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$" "OCSF Common Process Identifier";
    ExecId r"^[0-9a-f-]{36}:[0-9]+$" "<entity_id>:<ns since boot of the exec>";
    EventId r"^[^:]*:[0-9]+:[0-9]+$" "<boot id>:<agent start, ns since boot>:<sequence>";
}

#[cfg(test)]
mod tests {
    use std::{fmt::Debug, str::FromStr};

    use serde::{Serialize, de::DeserializeOwned};

    use super::{EntityId, EventId, ExecId, IdError};

    #[track_caller]
    fn check<I: FromStr<Err: Debug> + Serialize + DeserializeOwned + PartialEq + Debug>(text: &str) {
        let id: I = text.parse().unwrap();
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("{text:?}"));
        assert_eq!(serde_json::from_str::<I>(&json).unwrap(), id);
    }

    #[test]
    fn an_id_is_read_back_as_it_was_written() {
        check::<EntityId>("b770a0ed-8463-822c-b5f6-30d9081ddbd9");
        check::<ExecId>("b770a0ed-8463-822c-b5f6-30d9081ddbd9:18446744073709551615");
        check::<EventId>("2899dae4-4fa4-4eef-95b6-6bc95325f61a:123:7");
    }

    #[test]
    fn what_is_no_id_is_refused() {
        assert!("b770a0ed".parse::<EntityId>().is_err());
        assert_eq!("b770a0ed-8463-822c-b5f6-30d9081ddbd9:".parse::<ExecId>(), Err(IdError));
        assert_eq!("7".parse::<EventId>(), Err(IdError));
    }
}
