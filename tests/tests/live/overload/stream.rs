//! A whole stream, line by line: what holds of any stream, and what a storm must have left in it.

use collector_tests::findings::Findings;
use serde_json::{Map, Value};

/// One kind of storm against the stream.
pub(crate) trait Storm {
    /// A record; those of other processes are for it to pass over.
    fn record(&mut self, findings: &mut Findings, action: &str, event: &Value);
    /// After the last record.
    fn end(&mut self, findings: &mut Findings);
}

/// Reads it all.
pub(crate) fn read(stream: &[u8], storm: &mut impl Storm) -> Findings {
    let mut findings = Findings::new();
    let mut last = Value::Null;
    let lines = stream.strip_suffix(b"\n").unwrap_or(stream).split(|&byte| byte == b'\n');
    for (index, line) in lines.enumerate() {
        // `parse` is compiled with the crate that does it, which is optimized; `from_slice` would not be.
        let event: Value = str::from_utf8(line).unwrap().parse().unwrap();
        let sequence = event.pointer("/event/sequence").and_then(Value::as_u64);
        findings.require(
            "event.sequence (without a hole)",
            sequence == u64::try_from(index + 1).ok(),
            || format!("{sequence:?} at line {}", index + 1),
        );
        let action = event.pointer("/event/action").and_then(Value::as_str).unwrap_or_default();
        findings.require("(nothing is lost)", action != "loss", || event.to_string());
        storm.record(&mut findings, action, &event);
        last = event;
    }
    storm.end(&mut findings);
    check_counters(&mut findings, &last);
    findings
}

/// seen = written + filtered + lost, and lost is 0.
fn check_counters(findings: &mut Findings, stop: &Value) {
    let none = Map::new();
    let counters = stop.pointer("/counters").and_then(Value::as_object).unwrap_or(&none);
    findings.require("counters", !counters.is_empty(), || stop.to_string());
    for (action, of) in counters {
        let number = |name| of.get(name).and_then(Value::as_u64).unwrap_or(u64::MAX / 4);
        let accounted = number("written") + number("filtered") + number("lost");
        findings.require("counters (seen = written + filtered + lost)", number("seen") == accounted, || {
            format!("{action}: {of}")
        });
        findings.require("counters (lost)", number("lost") == 0, || format!("{action}: {of}"));
    }
}
