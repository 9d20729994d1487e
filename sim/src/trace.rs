//! What happened in a run, event by event: a hash of it and, on demand, the story.
//!
//! The line that is read is the event that is hashed, so the story cannot leave out what the
//! hash covers; an event may add bytes (a frame's, a record's) that are hashed only.

pub(crate) mod ids;
mod mark;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;

use graphshell_sync::{Graph, VersionVector};

pub use mark::{Mark, Marked, View};

/// One event, readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, in virtual milliseconds from the plan's start; the setup before it counts as 0.
    pub virtual_ms: u64,
    /// Where; empty for what concerns the whole world.
    pub peer: String,
    /// What happened.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.virtual_ms / 1000, self.virtual_ms % 1000);
        write!(f, "{seconds:6}.{millis:03} s  {:<10} {}", self.peer, self.text)
    }
}

/// Bytes of events that are hashed at once: long inputs hash several times faster than short ones.
const HASHED_AT_ONCE: usize = 32 * 1024;

/// Collects the events of one run.
pub(crate) struct Trace {
    /// BLAKE3 over all events so far, without those in `tail`.
    hasher: blake3::Hasher,
    /// Events that are not hashed yet.
    tail: Vec<u8>,
    lines: Option<Vec<Line>>,
    marks: Option<Marks>,
}

/// The marks kept so far.
#[derive(Default)]
struct Marks {
    all: Vec<Marked>,
    /// What each peer's reader saw last.
    shown: BTreeMap<usize, Graph>,
}

impl Trace {
    /// An empty trace; what is kept never decides what is hashed. Marks are kept with lines only.
    pub(crate) fn new(keep_lines: bool, keep_marks: bool) -> Self {
        Trace {
            hasher: blake3::Hasher::new(),
            tail: Vec::with_capacity(HASHED_AT_ONCE),
            lines: keep_lines.then(Vec::new),
            marks: (keep_lines && keep_marks).then(Marks::default),
        }
    }

    /// Whether marks are kept.
    pub(crate) fn keeps_marks(&self) -> bool {
        self.marks.is_some()
    }

    /// Adds a mark to the last line, if marks are kept.
    pub(crate) fn mark(
        &mut self,
        virtual_ms: u64,
        peer: Option<usize>,
        mark: impl FnOnce() -> Mark,
    ) {
        let lines = self.lines.as_ref().map_or(0, Vec::len);
        if let Some(marks) = &mut self.marks {
            marks.all.push(Marked { lines, virtual_ms, peer, mark: mark() });
        }
    }

    /// Marks what a peer's reader sees now.
    pub(crate) fn show(
        &mut self,
        virtual_ms: u64,
        peer: usize,
        graph: Graph,
        applied: VersionVector,
    ) {
        if let Some(marks) = &mut self.marks {
            let shown = marks.shown.entry(peer).or_default();
            let view = View::between(shown, &graph, applied);
            *shown = graph;
            self.mark(virtual_ms, Some(peer), || Mark::View(view));
        }
    }

    /// Adds an event. Every part goes with its length, so no two sequences of events are the same
    /// bytes.
    pub(crate) fn record(
        &mut self,
        virtual_ms: u64,
        peer: &str,
        text: fmt::Arguments<'_>,
        bytes: &[u8],
    ) {
        let tail = &mut self.tail;
        tail.extend_from_slice(&virtual_ms.to_le_bytes());
        tail.extend_from_slice(&(peer.len() as u64).to_le_bytes());
        tail.extend_from_slice(peer.as_bytes());
        tail.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        tail.extend_from_slice(bytes);
        let length_at = tail.len();
        tail.extend_from_slice(&[0; 8]);
        let text_at = tail.len();
        tail.write_fmt(text).expect("writing to memory does not fail");
        let text_length = (tail.len() - text_at) as u64;
        tail[length_at..text_at].copy_from_slice(&text_length.to_le_bytes());
        if let Some(lines) = &mut self.lines {
            let text = String::from_utf8_lossy(&tail[text_at..]).into_owned();
            lines.push(Line { virtual_ms, peer: peer.to_owned(), text });
        }
        if tail.len() >= HASHED_AT_ONCE {
            self.hasher.update(tail);
            tail.clear();
        }
    }

    /// The hash over everything so far: 64 hexadecimal digits.
    pub(crate) fn hash(&self) -> String {
        let mut hasher = self.hasher.clone();
        data_encoding::HEXLOWER.encode(hasher.update(&self.tail).finalize().as_bytes())
    }

    /// The lines kept so far.
    pub(crate) fn take_lines(&mut self) -> Vec<Line> {
        self.lines.take().unwrap_or_default()
    }

    /// The marks kept so far.
    pub(crate) fn take_marks(&mut self) -> Vec<Marked> {
        self.marks.take().unwrap_or_default().all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(keep: bool, events: &[(u64, &str, &str, &[u8])]) -> String {
        let mut trace = Trace::new(keep, keep);
        for &(at, peer, text, bytes) in events {
            trace.record(at, peer, format_args!("{text}"), bytes);
            trace.mark(at, None, || Mark::Healed);
        }
        trace.hash()
    }

    #[test]
    fn hash_does_not_depend_on_what_is_kept() {
        let events: &[(u64, &str, &str, &[u8])] = &[(1, "a", "sends", b"x"), (2, "b", "gets", b"")];
        assert_eq!(hash(true, events), hash(false, events));
    }

    #[test]
    fn every_part_of_an_event_and_their_order_is_hashed() {
        let base = hash(false, &[(1, "a", "x", b"y"), (2, "", "z", b"")]);
        for other in [
            hash(false, &[(2, "a", "x", b"y"), (2, "", "z", b"")]),
            hash(false, &[(1, "b", "x", b"y"), (2, "", "z", b"")]),
            hash(false, &[(1, "a", "xy", b""), (2, "", "z", b"")]),
            hash(false, &[(1, "ax", "", b"y"), (2, "", "z", b"")]),
            hash(false, &[(2, "", "z", b""), (1, "a", "x", b"y")]),
            hash(false, &[(1, "a", "x", b"y")]),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn line_reads_as_time_place_and_event() {
        let line = Line { virtual_ms: 1240, peer: "laptop".into(), text: "sends".into() };
        assert_eq!(line.to_string(), "     1.240 s  laptop     sends");
    }
}
