//! The run in Chrome's trace event format (JSON), which Perfetto opens.
//!
//! Each peer is a process. What happens to it are slices of a microsecond, frames are flows between
//! them, and what lasts (down time, rounds, writes, partitions) are slices of their own tracks.

use serde_json::{Value, json};

use super::spans::SpanKind;
use super::{Explanation, Span};

/// The process of what concerns the whole world; peers follow.
const WORLD: usize = 0;
/// The track of events.
const EVENTS: usize = 1;
/// The track of whether the device is up.
const POWER: usize = 2;
/// Virtual time is told in whole milliseconds; what happens within one is put in order in it.
const MOST_IN_A_MILLISECOND: u64 = 999;

/// The trace as one JSON object.
pub(super) fn json(explanation: &Explanation) -> String {
    let mut trace = Vec::new();
    let names = explanation.peers.iter().map(|peer| peer.name.as_str());
    for (process, name) in std::iter::once("world").chain(names).enumerate() {
        trace.push(json!({"ph": "M", "pid": process, "name": "process_name",
            "args": {"name": name}}));
        trace.push(json!({"ph": "M", "pid": process, "name": "process_sort_index",
            "args": {"sort_index": process}}));
        for (track, name) in [(EVENTS, "events"), (POWER, "power")] {
            trace.push(json!({"ph": "M", "pid": process, "tid": track, "name": "thread_name",
                "args": {"name": name}}));
        }
    }
    let times = times(explanation);
    let process = |peer: Option<&usize>| peer.map_or(WORLD, |peer| peer + 1);
    for (event, &ts) in explanation.events.iter().zip(&times) {
        let entries: Vec<&str> =
            event.entries.iter().map(|&entry| explanation.entries[entry].name.as_str()).collect();
        let peers: Vec<_> = event.peers.iter().map(Some).collect();
        for peer in if peers.is_empty() { vec![None] } else { peers } {
            trace.push(json!({"ph": "X", "pid": process(peer), "tid": EVENTS, "ts": ts, "dur": 1,
                "name": event.label, "cat": event.kind,
                "args": {"told": event.text, "entries": entries.join(" ")}}));
        }
    }
    for (place, frame) in explanation.frames.iter().enumerate() {
        // One flow leads to one end.
        for (copy, &arrived) in frame.arrived.iter().enumerate() {
            let id = format!("{place}.{copy}");
            let (name, cat) = (&frame.what, frame.kind);
            trace.push(json!({"ph": "s", "id": id, "pid": frame.from + 1, "tid": EVENTS,
                "ts": times[frame.sent], "name": name, "cat": cat}));
            trace.push(json!({"ph": "f", "bp": "e", "id": id, "pid": frame.to + 1, "tid": EVENTS,
                "ts": times[arrived], "name": name, "cat": cat}));
        }
    }
    for (place, span) in explanation.spans.iter().enumerate() {
        trace.extend(lasting(place, span, process(span.peers.first())));
    }
    let verdict = &explanation.verdict;
    json!({
        "displayTimeUnit": "ms",
        "otherData": {"run": explanation.about.title, "verdict": verdict.outcome,
            "property": verdict.what, "trace_hash": verdict.trace_hash},
        "traceEvents": trace,
    })
    .to_string()
}

/// When each event happens, in microseconds, in the order of the story.
fn times(explanation: &Explanation) -> Vec<u64> {
    let (mut now_ms, mut nth) = (0, 0);
    let time = |event: &super::Event| {
        if event.at_ms > now_ms {
            (now_ms, nth) = (event.at_ms, 0);
        } else {
            nth += 1;
        }
        micros(now_ms).saturating_add(nth.min(MOST_IN_A_MILLISECOND))
    };
    explanation.events.iter().map(time).collect()
}

/// Milliseconds as microseconds. A recording may name any time.
fn micros(ms: u64) -> u64 {
    ms.saturating_mul(1_000)
}

/// A slice, or for what may overlap others of its kind an asynchronous one.
fn lasting(place: usize, span: &Span, process: usize) -> Vec<Value> {
    let (from, to) = (micros(span.from_ms), micros(span.to_ms));
    if matches!(span.kind, SpanKind::Down | SpanKind::Opening) {
        return vec![json!({"ph": "X", "pid": process, "tid": POWER, "ts": from,
            "dur": to.saturating_sub(from), "name": span.words, "cat": span.kind})];
    }
    let end = |ph: &str, ts: u64| {
        json!({"ph": ph, "id": place, "pid": process, "tid": EVENTS, "ts": ts,
            "name": span.words, "cat": span.kind})
    };
    vec![end("b", from), end("e", to)]
}
