//! The count of everything in a stream that lost events.

use std::{collections::BTreeMap, sync::Arc};

use collector_tests::{events::Event, stream_rules};
use serde_json::Value;

/// How many, by action and reason.
pub(crate) type Lost = BTreeMap<(String, String), u64>;

/// Fails where the stream breaks a rule, where the counters do not add up, or where the `loss` records do not have the
/// numbers of the counters. Answers with what was lost.
#[track_caller]
pub(crate) fn check(events: &[Arc<Event>]) -> Lost {
    let mut findings = stream_rules::check(events);
    let (reported, counted) = (reported(events), counted(events.last().unwrap()));
    findings.require("loss (all that was counted, and no more)", reported == counted, || {
        format!("reported {reported:?}, counted {counted:?}")
    });
    findings.conclude();
    counted
}

/// By the `loss` records.
fn reported(events: &[Arc<Event>]) -> Lost {
    let mut reported = Lost::new();
    for event in events.iter().filter(|event| event.action() == "loss") {
        let text = |field| event.text_at(field).unwrap_or_default().to_owned();
        *reported.entry((text("loss.action"), text("loss.reason"))).or_default() +=
            event.number_at("loss.count").unwrap();
    }
    reported
}

/// By the counters of `agent-stop`.
fn counted(stop: &Event) -> Lost {
    let mut counted = Lost::new();
    for (action, of) in stop.at("counters").and_then(Value::as_object).into_iter().flatten() {
        for (reason, count) in of.get("lost_by_reason").and_then(Value::as_object).into_iter().flatten() {
            counted.insert((action.clone(), reason.clone()), count.as_u64().unwrap());
        }
    }
    counted
}
