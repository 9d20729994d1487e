//! The run in lanes of text: a column per peer, a line per event, frames as arrows.

use console::{Style, measure_text_width, truncate_str};

use super::events::EventKind;
use super::spans::SpanKind;
use super::{Event, Explanation, Outcome};
use crate::text::{self, bare_seconds, counted, hanging_in, printable, seconds};

/// Columns of the time.
const TIME: usize = 10;
/// Widest lane.
const WIDEST: usize = 12;
/// Narrowest lane, and so how many fit.
const NARROWEST: usize = 3;
/// Least columns for words beside the lanes; with less they go below.
const WORDS: usize = 28;
/// Columns where nobody says how many there are.
const UNBOUNDED: usize = 132;

/// The verdict, then the lanes.
pub(super) fn lanes(explanation: &Explanation, columns: usize, whole: bool) -> String {
    let columns = columns.clamp(TIME + 2 * NARROWEST, UNBOUNDED);
    let mut out = verdict(explanation, columns);
    let sliced = !whole && !explanation.slice.is_empty();
    let chosen: Vec<usize> = if sliced {
        explanation.slice.clone()
    } else {
        (0..explanation.events.len())
            .filter(|&place| whole || !is_dull(explanation, place))
            .collect()
    };
    let chart = Chart::new(explanation, columns);
    out += "\n";
    out += &chart.header();
    let mut last_ms: u64 = 0;
    for place in chosen {
        let event = &explanation.events[place];
        // The arrow of a frame is drawn where it ends.
        let ends = event.frame.map(|frame| &explanation.frames[frame]);
        if event.kind == EventKind::Send
            && ends.is_some_and(|frame| !frame.arrived.is_empty() || frame.lost.is_some())
        {
            continue;
        }
        if event.at_ms > last_ms.saturating_add(1_000) {
            out += &chart.pause(last_ms, event.at_ms);
        }
        last_ms = last_ms.max(event.at_ms);
        out += &chart.row(event);
    }
    if sliced {
        let (shown, all) = (explanation.slice.len(), explanation.events.len());
        let all = counted(all, "event");
        let text = format!("what led to the failure: {shown} of {all}; --all shows all");
        out += "\n";
        out += &wrapped(0, &text, columns);
    }
    out
}

/// Events that a short story leaves out.
fn is_dull(explanation: &Explanation, place: usize) -> bool {
    let event = &explanation.events[place];
    event.minor || event.set_up || event.kind == EventKind::Round
}

fn verdict(explanation: &Explanation, columns: usize) -> String {
    let (about, verdict) = (&explanation.about, &explanation.verdict);
    let style = match verdict.outcome {
        Outcome::Failed => Style::new().red().bold(),
        Outcome::Invalid => Style::new().yellow(),
        Outcome::Held => Style::new().green(),
    };
    let colon = if verdict.what.is_empty() { "" } else { ": " };
    let outcome = style.apply_to(verdict.outcome.as_str());
    let head = format!("{}  {outcome}{colon}", printable(&about.title));
    let mut out = text::hanging(&head, &verdict.what, columns) + "\n";
    let findings = &explanation.findings;
    for row in &findings.table.rows {
        out += &wrapped(2, &format!("{} of {}", row.field, row.subject), columns);
        for (who, value) in findings.columns.iter().zip(&row.values) {
            out += &wrapped(4, &format!("{who}: {value}"), columns);
        }
    }
    if findings.table.rows.is_empty() && !verdict.detail.is_empty() {
        out += &wrapped(2, &verdict.detail, columns);
    }
    for since in &findings.wrong_since {
        let (name, event) = (&explanation.peers[since.peer].name, &explanation.events[since.event]);
        let since = format!("{name} is wrong since {}: {}", seconds(event.at_ms), event.label);
        out += &wrapped(2, &since, columns);
    }
    let suspects = explanation.suspects.iter().take(8);
    for entry in suspects.map(|&entry| &explanation.entries[entry]) {
        let clock = entry.clock_ms.map_or(String::new(), |ms| format!(", by its clock at {ms} ms"));
        out += &wrapped(2, &format!("{} {}{clock}", entry.name, entry.words), columns);
    }
    if !verdict.apart.is_empty() {
        out += &wrapped(2, "not all need to show the same in the end:", columns);
    }
    for why in &verdict.apart {
        out += &wrapped(4, why, columns);
    }
    if about.recorded {
        out += &wrapped(2, &verdict.why, columns);
    }
    // Never wrapped, to be copied whole.
    out += &format!("  replay  {}\n", about.replay);
    if let Some(shrink) = about.shrink.as_ref().filter(|_| verdict.outcome == Outcome::Failed) {
        out += &format!("  shrink  {shrink}\n");
    }
    out
}

/// Where what is drawn.
struct Chart<'a> {
    explanation: &'a Explanation,
    columns: usize,
    /// Columns of a lane; 0 if there are too many peers for lanes.
    lane: usize,
    /// Whether words go beside the lanes.
    beside: bool,
}

impl<'a> Chart<'a> {
    fn new(explanation: &'a Explanation, columns: usize) -> Self {
        let peers = explanation.peers.len().max(1);
        let beside = columns >= TIME + peers * NARROWEST + WORDS;
        let room = columns - TIME - if beside { WORDS } else { 0 };
        let lane = match (room / peers).min(WIDEST) {
            lane if lane < NARROWEST => 0,
            lane => lane,
        };
        Chart { explanation, columns, lane, beside }
    }

    fn header(&self) -> String {
        if self.lane == 0 {
            return String::new();
        }
        let mut line = " ".repeat(TIME);
        for peer in &self.explanation.peers {
            let name = printable(&peer.name);
            let name = truncate_str(&name, self.lane - 1, "…");
            line += &name;
            line += &" ".repeat(self.lane - measure_text_width(&name));
        }
        format!("{}\n", line.trim_end())
    }

    fn pause(&self, from_ms: u64, to_ms: u64) -> String {
        let text = format!("{:>TIME$}{} later\n", "", seconds(to_ms - from_ms));
        Style::new().dim().apply_to(text).to_string()
    }

    fn row(&self, event: &Event) -> String {
        let words = self.words(event);
        let style = match event.kind {
            EventKind::Fail => Style::new().red().bold(),
            EventKind::Lose | EventKind::Die | EventKind::Fault => Style::new().red(),
            EventKind::Edit => Style::new().green(),
            _ => Style::new(),
        };
        let time = format!("{:>8}  ", bare_seconds(event.at_ms));
        if self.lane == 0 {
            let who: Vec<&str> = self.names(event);
            let head = format!("{time}{}  ", printable(&who.join(", ")));
            return hanging_in(&style, &head, &words, self.columns) + "\n";
        }
        let lanes = self.cells(event);
        if self.beside {
            hanging_in(&style, &(time + &lanes), &words, self.columns) + "\n"
        } else {
            let below = hanging_in(&style, "    ", &words, self.columns);
            format!("{time}{}\n{below}\n", lanes.trim_end())
        }
    }

    fn names(&self, event: &Event) -> Vec<&'a str> {
        event.peers.iter().map(|&peer| self.explanation.peers[peer].name.as_str()).collect()
    }

    /// The lanes at an event, with its mark and the arrow of its frame.
    fn cells(&self, event: &Event) -> String {
        let peers = self.explanation.peers.len();
        let mut cells: Vec<char> = vec![' '; self.lane * peers];
        let is_down = |peer: usize| {
            self.explanation.spans.iter().any(|span| {
                let within = span.from_ms <= event.at_ms && event.at_ms < span.to_ms;
                span.kind == SpanKind::Down && span.peers == [peer] && within
            })
        };
        for peer in 0..peers {
            cells[peer * self.lane] = if is_down(peer) { '┊' } else { '│' };
        }
        let mark = match event.kind {
            EventKind::Edit => '●',
            EventKind::View => '◆',
            EventKind::Store => '■',
            EventKind::Start => '○',
            EventKind::Die | EventKind::Fail => '✗',
            EventKind::Fault => '!',
            EventKind::Round => '·',
            _ => '•',
        };
        for &peer in &event.peers {
            cells[peer * self.lane] = mark;
        }
        if let Some(frame) = event.frame.map(|frame| &self.explanation.frames[frame]) {
            let (from, to) = (frame.from * self.lane, frame.to * self.lane);
            let (low, high) = (from.min(to), from.max(to));
            cells[low + 1..high].fill('─');
            cells[from] = if from < to { '├' } else { '┤' };
            match (event.kind, from < to) {
                (EventKind::Send, true) => cells[high - 1] = '╌',
                (EventKind::Send, false) => cells[low + 1] = '╌',
                (EventKind::Lose, true) => (cells[high], cells[high - 1]) = ('│', '╳'),
                (EventKind::Lose, false) => (cells[low], cells[low + 1]) = ('│', '╳'),
                (_, true) => cells[high] = '▶',
                (_, false) => cells[low] = '◀',
            }
        }
        cells.into_iter().collect()
    }

    fn words(&self, event: &Event) -> String {
        let Some(frame) = event.frame.map(|frame| &self.explanation.frames[frame]) else {
            return event.label.clone();
        };
        let named: Vec<&str> = event
            .entries
            .iter()
            .take(4)
            .map(|&entry| self.explanation.entries[entry].name.as_str())
            .collect();
        let mut words = event.label.clone();
        if !named.is_empty() {
            let more = if event.entries.len() > named.len() { " …" } else { "" };
            words += &format!(": {}{more}", named.join(" "));
        }
        let sent = self.explanation.events[frame.sent].at_ms;
        match event.kind {
            EventKind::Lose => words += ", lost",
            EventKind::Arrive if frame.arrived.len() > 1 => words += ", doubled",
            _ => {}
        }
        if frame.too_late && event.kind == EventKind::Arrive {
            words += ", too late";
        }
        if event.kind != EventKind::Send && sent < event.at_ms {
            words += &format!(" ({} ms)", event.at_ms - sent);
        }
        words
    }
}

/// A line, or several, of the verdict.
fn wrapped(indent: usize, text: &str, columns: usize) -> String {
    text::hanging(&" ".repeat(indent), text, columns) + "\n"
}
