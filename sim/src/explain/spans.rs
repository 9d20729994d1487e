//! What lasts: down time, partitions, full disks, weather, wrong clocks, whatever stays broken after the
//! heal.

use serde::Serialize;

use crate::plan::{Action, Broken, Peer, Plan};
use crate::trace::{Mark, Marked};
use crate::world::bulletin::happening;

/// Something that lasts.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Span {
    pub(super) kind: SpanKind,
    /// The peers concerned; nobody means the world.
    pub(super) peers: Vec<usize>,
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
    pub(super) words: String,
}

/// What lasts, as the page colours it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SpanKind {
    Down,
    Opening,
    Partition,
    Slow,
    Disk,
    Clock,
    Weather,
    Write,
    Round,
}

/// Everything that lasts, ending at the latest at `end_ms`.
pub(super) fn spans(plan: &Plan, marks: &[Marked], end_ms: u64) -> Vec<Span> {
    let healed = marks.iter().find(|marked| marked.mark == Mark::Healed);
    let healed_ms = healed.map(|marked| marked.virtual_ms);
    let mut spans = of_plan(plan, healed_ms.unwrap_or(end_ms));
    spans.extend(of_clocks(plan, end_ms));
    if let Some(from_ms) = healed_ms {
        spans.extend(cut_off(plan, from_ms, end_ms));
    }
    let span = |kind, peers: &[usize], from_ms, words: &str| Span {
        kind,
        peers: peers.to_vec(),
        from_ms,
        to_ms: end_ms,
        words: words.to_owned(),
    };
    // By peer: what it is in the middle of.
    let mut open: Vec<Vec<Span>> = vec![Vec::new(); plan.peers.len()];
    for marked in marks {
        let Some(peer) = marked.peer else { continue };
        let at = marked.virtual_ms;
        let mut end = |kinds: &[SpanKind], with: Option<usize>| {
            let ends = |span: &Span| {
                kinds.contains(&span.kind) && with.is_none_or(|with| span.peers.contains(&with))
            };
            let mut ended: Vec<Span> = open[peer].extract_if(.., |span| ends(span)).collect();
            ended.iter_mut().for_each(|span| span.to_ms = at);
            spans.append(&mut ended);
        };
        match marked.mark {
            Mark::Died => {
                end(&[SpanKind::Opening, SpanKind::Write, SpanKind::Round], None);
                let stays = plan.peers[peer].broken == Some(Broken::Down)
                    && healed_ms.is_some_and(|healed_ms| healed_ms <= at);
                let words = if stays { "stays without power" } else { "has no power" };
                open[peer].push(span(SpanKind::Down, &[peer], at, words));
            }
            Mark::Started => {
                end(&[SpanKind::Down], None);
                open[peer].push(span(SpanKind::Opening, &[peer], at, "opens its workspace"));
            }
            Mark::Ready => end(&[SpanKind::Opening], None),
            Mark::Writing => {
                open[peer].push(span(SpanKind::Write, &[peer], at, "writes to its store"));
            }
            Mark::Wrote => end(&[SpanKind::Write], None),
            Mark::RoundBegan { with } => {
                let words = format!("a round with {}", plan.peers[with].name);
                open[peer].push(span(SpanKind::Round, &[peer, with], at, &words));
            }
            Mark::RoundEnded { with } => end(&[SpanKind::Round], Some(with)),
            _ => {}
        }
    }
    spans.extend(open.into_iter().flatten());
    spans.sort_by_key(|span| span.from_ms);
    spans
}

/// What lasts by the plan alone, until all faults end.
fn of_plan(plan: &Plan, calm_ms: u64) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut weather: Option<Span> = None;
    let mut steps: Vec<_> = plan.steps.iter().filter(|step| step.at_ms < calm_ms).collect();
    steps.sort_by_key(|step| step.at_ms);
    for step in steps {
        let (names, words) = match &step.action {
            Action::FillDisk { peer, .. } => (vec![&**peer], "its disk is full".to_owned()),
            Action::ClearDisk { peer } => (vec![&**peer], String::new()),
            action => match happening(action) {
                Some(happens) => happens,
                None => continue,
            },
        };
        let peers: Vec<usize> =
            names.into_iter().filter_map(|name| plan.peer_index(name)).collect();
        let mut end = |kinds: &[SpanKind]| {
            let lasts = |span: &&mut Span| kinds.contains(&span.kind) && span.to_ms == calm_ms;
            let same = |span: &Span| span.peers.iter().all(|peer| peers.contains(peer));
            let ended = spans.iter_mut().filter(lasts).filter(|span| same(span));
            ended.for_each(|span| span.to_ms = step.at_ms);
        };
        let kind = match step.action {
            Action::Partition { .. } | Action::Flap { .. } => SpanKind::Partition,
            Action::SlowLink { .. } => SpanKind::Slow,
            Action::FillDisk { .. } => SpanKind::Disk,
            Action::Weather { .. } => SpanKind::Weather,
            Action::Mend { .. } => {
                end(&[SpanKind::Partition, SpanKind::Slow]);
                continue;
            }
            Action::ClearDisk { .. } => {
                end(&[SpanKind::Disk]);
                continue;
            }
            _ => continue,
        };
        let begun = Span { kind, peers, from_ms: step.at_ms, to_ms: calm_ms, words };
        if kind != SpanKind::Weather {
            spans.push(begun);
        } else if let Some(mut before) = weather.replace(begun) {
            before.to_ms = step.at_ms;
            spans.push(before);
        }
    }
    spans.extend(weather);
    spans
}

/// Who stays cut off from everybody when the others heal.
fn cut_off(plan: &Plan, from_ms: u64, to_ms: u64) -> impl Iterator<Item = Span> + '_ {
    let peers = plan.peers.iter().enumerate();
    let cut = peers.filter(|(_, peer)| peer.broken == Some(Broken::CutOff));
    cut.map(move |(peer, _)| Span {
        kind: SpanKind::Partition,
        peers: vec![peer],
        from_ms,
        to_ms,
        words: "stays cut off from everybody".to_owned(),
    })
}

/// How long each clock is off by how much. Nobody sets it right at the heal.
fn of_clocks(plan: &Plan, end_ms: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    for (peer, settings) in plan.peers.iter().enumerate() {
        let jumps = plan.steps.iter().filter_map(|step| match &step.action {
            Action::ClockJump { peer: of, by_ms } if *of == settings.name => {
                Some((step.at_ms, *by_ms))
            }
            _ => None,
        });
        let mut jumps: Vec<_> = [(0, settings.clock_offset_ms)].into_iter().chain(jumps).collect();
        jumps.sort_by_key(|&(at_ms, _)| at_ms);
        let mut off_ms = 0i64;
        for (nth, &(from_ms, by_ms)) in jumps.iter().enumerate() {
            off_ms = off_ms.saturating_add(by_ms);
            let to_ms = jumps.get(nth + 1).map_or(end_ms, |&(at_ms, _)| at_ms.min(end_ms));
            if let Some(words) = clock_words(settings, off_ms).filter(|_| from_ms < to_ms) {
                let kind = SpanKind::Clock;
                spans.push(Span { kind, peers: vec![peer], from_ms, to_ms, words });
            }
        }
    }
    spans
}

/// What is wrong with a clock that jumps made wrong by so much, if anything is.
fn clock_words(peer: &Peer, off_ms: i64) -> Option<String> {
    let off = format!("its clock is {off_ms:+} ms off");
    let ppm = peer.clock_drift_ppm;
    let way = if ppm < 0 { "too slow" } else { "too fast" };
    let drift = format!("{} ms in 1000 s {way}", ppm.unsigned_abs());
    match (off_ms, ppm) {
        (0, 0) => None,
        (_, 0) => Some(off),
        (0, _) => Some(format!("its clock is {drift}")),
        _ => Some(format!("{off} and {drift}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(spans: Vec<Span>) -> Vec<(usize, u64, u64, String)> {
        let told = |span: Span| (span.peers[0], span.from_ms, span.to_ms, span.words);
        spans.into_iter().map(told).collect()
    }

    #[test]
    fn a_clock_is_off_from_one_jump_to_the_next() {
        let text = r#"{"why": "x", "peers": [{"name": "ada", "clock_offset_ms": 5}, {"name": "ben"}],
            "steps": [
            {"at_ms": 20, "do": "clock_jump", "peer": "ada", "by_ms": -5},
            {"at_ms": 30, "do": "clock_jump", "peer": "ben", "by_ms": -7},
            {"at_ms": 40, "do": "clock_jump", "peer": "ada", "by_ms": 9}]}"#;
        let plan = Plan::from_json(text, "test").unwrap();
        let off = |by: &str| format!("its clock is {by} ms off");
        assert_eq!(
            told(of_clocks(&plan, 100)),
            [(0, 0, 20, off("+5")), (0, 40, 100, off("+9")), (1, 30, 100, off("-7"))]
        );
    }

    #[test]
    fn a_clock_that_drifts_is_wrong_throughout() {
        let text = r#"{"why": "x", "peers": [{"name": "ada", "clock_drift_ppm": -400},
            {"name": "ben", "clock_drift_ppm": 3, "clock_offset_ms": 1}],
            "steps": []}"#;
        let plan = Plan::from_json(text, "test").unwrap();
        let ada = "its clock is 400 ms in 1000 s too slow".to_owned();
        let ben = "its clock is +1 ms off and 3 ms in 1000 s too fast".to_owned();
        assert_eq!(told(of_clocks(&plan, 9)), [(0, 0, 9, ada), (1, 0, 9, ben)]);
    }

    #[test]
    fn what_stays_broken_lasts_from_the_heal_to_the_end() {
        let text = r#"{"why": "x", "peers": [{"name": "ada"}, {"name": "ben"},
            {"name": "cleo", "broken": "cut_off"}, {"name": "dan", "broken": "down"}],
            "steps": []}"#;
        let plan = Plan::from_json(text, "test").unwrap();
        let mark = |peer, virtual_ms, mark| Marked { lines: 1, virtual_ms, peer, mark };
        let marks = [mark(None, 40, Mark::Healed), mark(Some(3), 40, Mark::Died)];
        let cut = (2, 40, 100, "stays cut off from everybody".to_owned());
        let down = (3, 40, 100, "stays without power".to_owned());
        assert_eq!(told(spans(&plan, &marks, 100)), [cut, down]);
    }
}
