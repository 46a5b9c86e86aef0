//! One line of the stream.

use serde::{Deserialize, Serialize};

use crate::{
    Action, Agent, Capture, Connection, Container, Counters, Endpoint, Error, Host, Loss, Meta, Network,
    OutputCounters, Process, SchemaVersion, Shared, Timestamp,
};

/// One event of the stream.
///
/// ```
/// use collector_event::{Action, Event, Host, Shared, Timestamp};
///
/// let event = Event::new(Action::Exec, Timestamp(0), Shared::from(Host::default()));
/// let line = serde_json::to_string(&event)?;
/// assert!(line.starts_with(r#"{"@timestamp":"1970-01-01T00:00:00.000000000Z","schema":"collector/1.0","event":{"#));
/// assert_eq!(serde_json::from_str::<Event>(&line)?, event);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
// The example is not part of the schema.
#[cfg_attr(feature = "schema", schemars(description = "One event of the stream."))]
#[non_exhaustive]
pub struct Event {
    /// When it happened in the kernel.
    #[serde(rename = "@timestamp")]
    pub timestamp: Timestamp,
    /// `collector/1.0`.
    pub schema: SchemaVersion,
    /// What kind of event it is, and its place in the stream.
    pub event: Meta,
    /// The machine.
    pub host: Shared<Host>,
    /// The agent; on `agent-start`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agent: Option<Box<Agent>>,
    /// The process.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub process: Option<Box<Process>>,
    /// The container that the process runs in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub container: Option<Container>,
    /// The local end of a connection.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<Endpoint>,
    /// The remote end of a connection.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub destination: Option<Endpoint>,
    /// Protocol, family and direction of a connection.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub network: Option<Network>,
    /// What joins a connect with its result.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub connection: Option<Connection>,
    /// Why a connect failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<Error>,
    /// What was lost; on `loss`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub loss: Option<Loss>,
    /// The counters of the whole run, by action; on `agent-stop`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counters: Option<Box<Counters>>,
    /// The counters of each output when this was written; on `agent-stop`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub outputs: Vec<OutputCounters>,
    /// How complete this event is.
    #[serde(skip_serializing_if = "Capture::is_empty", default)]
    pub capture: Capture,
}

impl Event {
    /// An event of this action with every optional field absent.
    #[must_use]
    pub fn new(action: Action, timestamp: Timestamp, host: Shared<Host>) -> Self {
        Self {
            timestamp,
            schema: SchemaVersion::default(),
            event: Meta::new(action),
            host,
            agent: None,
            process: None,
            container: None,
            source: None,
            destination: None,
            network: None,
            connection: None,
            error: None,
            loss: None,
            counters: None,
            outputs: Vec::new(),
            capture: Capture::default(),
        }
    }

    /// What happened.
    #[must_use]
    pub fn action(&self) -> Action {
        self.event.action
    }
}

#[cfg(test)]
mod tests {
    use super::Event;
    use crate::{Action, LossReason, Outcome, Type};

    fn read(line: &str) -> Result<Event, serde_json::Error> {
        serde_json::from_str(line)
    }

    /// A line with `more` among the members of `event`, and `rest` behind it.
    fn line(more: &str, rest: &str) -> String {
        format!(
            r#"{{"@timestamp":"2026-11-23T07:15:23.687954865Z","schema":"collector/1.3","event":{{"kind":"event",
            "category":["process"],"type":["start"],"action":"exec","sequence":1,"id":"b:1:1"{more}}},"host":{{}}{rest}}}"#
        )
    }

    #[test]
    fn fields_of_a_later_version_are_ignored() {
        let event =
            read(&line(r#","severity":3"#, r#","process":{"pid":7,"colour":"red"},"weather":{"rain":true}"#));
        assert_eq!(event.unwrap().process.unwrap().pid, Some(7));
    }

    #[test]
    fn values_of_a_later_version_are_read_as_unknown() {
        let text = line(r#","outcome":"perhaps""#, r#","loss":{"reason":"cosmic_rays","count":1}"#)
            .replace(r#""action":"exec""#, r#""action":"mount""#)
            .replace("start", "change");
        let event = read(&text).unwrap();
        assert_eq!(event.action(), Action::Unknown);
        assert_eq!(event.event.outcome, Some(Outcome::Unknown));
        assert_eq!(event.event.types[..], [Type::Unknown]);
        assert_eq!(event.loss.unwrap().reason, LossReason::Unknown);
    }

    #[test]
    fn a_line_of_another_schema_is_refused() {
        let error = read(&line("", "").replace("collector/1.3", "vector/9")).unwrap_err().to_string();
        assert!(error.contains(r#"schema "vector/9" is not collector/1.x"#), "{error}");
    }

    #[test]
    fn an_event_survives_a_binary_format() {
        let mut event = read(&line("", r#","process":{"pid":7,"args":["a",""],"user":{"id":"0"}}"#)).unwrap();
        event.capture.lag_ns = Some(5);
        let mut bytes = Vec::new();
        ciborium::into_writer(&event, &mut bytes).unwrap();
        assert_eq!(ciborium::from_reader::<Event, _>(&*bytes).unwrap(), event);
    }
}
