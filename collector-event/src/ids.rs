//! Ids of processes, of their images and of events.

use std::{borrow::Cow, error, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// `process.entity_id`: the OCSF Common Process Identifier, one for the life of a process.
///
/// ```
/// use collector_event::{EntityId, ExecId};
///
/// let image: ExecId = "b770a0ed-8463-822c-b5f6-30d9081ddbd9:7000".parse()?;
/// let process: EntityId = image.to_string().split(':').next().unwrap_or_default().parse()?;
/// assert_eq!((image.entity_id, image.begun_ns), (process, 7000));
/// # Ok::<(), collector_event::IdError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntityId(Uuid);

/// `process.exec_id`: a process, and the start of its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub struct ExecId {
    /// The process.
    pub entity_id: EntityId,
    /// Its exec, or its fork where it has not called exec since, in nanoseconds since boot.
    pub begun_ns: u64,
}

/// `event.id`: a run of the agent, and the place of the event in its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub struct EventId {
    /// `<boot id>:<agent start, ns since boot>`
    pub run: Arc<str>,
    /// [`Meta::sequence`](crate::Meta::sequence)
    pub sequence: u64,
}

/// A text does not have the form of the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdError;

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text does not have the form of this id")
    }
}

impl error::Error for IdError {}

impl From<Uuid> for EntityId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }
}

impl fmt::Display for ExecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entity_id.fmt(f)?;
        write_number(self.begun_ns, f)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.run)?;
        write_number(self.sequence, f)
    }
}

/// Writes the last part of an id. These ids are on every line, and `{}` takes five times as long for a number.
fn write_number(number: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(":")?;
    f.write_str(itoa::Buffer::new().format(number))
}

impl FromStr for EntityId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(Self).map_err(|_| IdError)
    }
}

impl FromStr for ExecId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (entity_id, begun_ns) = text.split_once(':').ok_or(IdError)?;
        Ok(Self { entity_id: entity_id.parse()?, begun_ns: begun_ns.parse().map_err(|_| IdError)? })
    }
}

impl FromStr for EventId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (run, sequence) = text.rsplit_once(':').ok_or(IdError)?;
        Ok(Self { run: run.into(), sequence: sequence.parse().map_err(|_| IdError)? })
    }
}

/// Ids that are written and read as text.
macro_rules! text_ids {
    ($($id:ident),*) => {$(
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
    )*};
}

text_ids!(EntityId, ExecId, EventId);

#[cfg(test)]
mod tests {
    use std::{fmt::Debug, str::FromStr};

    use serde::{Serialize, de::DeserializeOwned};

    use crate::{EntityId, EventId, ExecId, IdError};

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
