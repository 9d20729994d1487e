//! What lasts: down time, partitions, full disks, weather, the heal; and the faults that the plan
//! names, as events.
//!
//! Plans are read as JSON, so that a fault which this module has never heard of is drawn as well.

use serde::Serialize;
use serde_json::Value;

use crate::plan::{Action, Plan};
use crate::trace::{Mark, Marked};

/// Something that lasts.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Span {
    /// What, as the page colours it: `down`, `opening`, `partition`, `slow`, `disk`, `clock`,
    /// `weather`, `write`, `round`.
    pub(super) kind: &'static str,
    /// The peers concerned; nobody means the world.
    pub(super) peers: Vec<usize>,
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
    pub(super) words: String,
}

/// A fault of the plan that happens at a moment.
pub(super) struct Fault {
    pub(super) at_ms: u64,
    pub(super) peers: Vec<usize>,
    pub(super) words: String,
}

/// Steps that show in the story by themselves.
const TOLD: &[&str] = &[
    "edit",
    "browse",
    "sync",
    "resolve",
    "expect",
    "crash",
    "restart",
    "restore",
    "lose_tail",
    "backup",
    "checkpoint",
    "compact",
    "share",
    "withdraw",
    "fill_disk",
    "clear_disk",
    "rot",
    "power_cut",
];

/// The faults of the plan that no line of the story tells, by time.
pub(super) fn faults(plan: &Plan) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (kind, at_ms, step) in steps(plan) {
        if TOLD.contains(&kind.as_str()) {
            continue;
        }
        faults.push(Fault { at_ms, peers: concerned(plan, &step), words: words(&kind, &step) });
    }
    faults.sort_by_key(|fault| fault.at_ms);
    faults
}

/// Everything that lasts, ending at the latest at `end_ms`.
pub(super) fn spans(plan: &Plan, marks: &[Marked], end_ms: u64) -> Vec<Span> {
    let healed = marks.iter().find(|marked| marked.mark == Mark::Healed);
    let calm_ms = healed.map_or(end_ms, |marked| marked.virtual_ms);
    let mut spans = of_plan(plan, calm_ms);
    spans.extend(of_clocks(plan, end_ms));
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
        let mut end = |kinds: &[&str], with: Option<usize>| {
            let ends = |span: &Span| {
                kinds.contains(&span.kind) && with.is_none_or(|with| span.peers.contains(&with))
            };
            let mut ended: Vec<Span> = open[peer].extract_if(.., |span| ends(span)).collect();
            ended.iter_mut().for_each(|span| span.to_ms = at);
            spans.append(&mut ended);
        };
        match marked.mark {
            Mark::Died => {
                end(&["opening", "write", "round"], None);
                open[peer].push(span("down", &[peer], at, "has no power"));
            }
            Mark::Started => {
                end(&["down"], None);
                open[peer].push(span("opening", &[peer], at, "opens its workspace"));
            }
            Mark::Ready => end(&["opening"], None),
            Mark::Writing => open[peer].push(span("write", &[peer], at, "writes to its store")),
            Mark::Wrote => end(&["write"], None),
            Mark::RoundBegan { with } => {
                let words = format!("a round with {}", plan.peers[with].name);
                open[peer].push(span("round", &[peer, with], at, &words));
            }
            Mark::RoundEnded { with, .. } => end(&["round"], Some(with)),
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
    for (kind, at_ms, step) in steps(plan) {
        if at_ms >= calm_ms {
            break;
        }
        let peers = concerned(plan, &step);
        let ends = |opened: &'static str| {
            let peers = peers.clone();
            move |span: &&mut Span| {
                let same = span.peers.iter().all(|peer| peers.contains(peer));
                span.kind == opened && span.to_ms == calm_ms && same
            }
        };
        let begun = |kind: &'static str, peers: &[usize], words: String| Span {
            kind,
            peers: peers.to_vec(),
            from_ms: at_ms,
            to_ms: calm_ms,
            words,
        };
        match kind.as_str() {
            "partition" | "flap" => spans.push(begun("partition", &peers, words(&kind, &step))),
            "slow_link" => spans.push(begun("slow", &peers, words(&kind, &step))),
            "mend" => ["partition", "slow"].into_iter().for_each(|opened| {
                spans.iter_mut().filter(ends(opened)).for_each(|span| span.to_ms = at_ms);
            }),
            "fill_disk" => spans.push(begun("disk", &peers, "its disk is full".to_owned())),
            "clear_disk" => {
                spans.iter_mut().filter(ends("disk")).for_each(|span| span.to_ms = at_ms);
            }
            "weather" => {
                let now = begun("weather", &[], words(&kind, &step));
                if let Some(mut before) = weather.replace(now) {
                    before.to_ms = at_ms;
                    spans.push(before);
                }
            }
            _ => {}
        }
    }
    spans.extend(weather);
    spans
}

/// How long each clock is off by how much, its drift left out. Nobody sets it right at the heal.
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
            if off_ms != 0 && from_ms < to_ms {
                let words = format!("its clock is {off_ms:+} ms off");
                spans.push(Span { kind: "clock", peers: vec![peer], from_ms, to_ms, words });
            }
        }
    }
    spans
}

/// The plan's steps in its own notation: what, when, and all of it.
fn steps(plan: &Plan) -> Vec<(String, u64, Value)> {
    let told = |step: &crate::plan::Step| {
        let value = serde_json::to_value(step).expect("a step's keys are strings");
        let kind = value["do"].as_str().unwrap_or_default().to_owned();
        (kind, step.at_ms, value)
    };
    let mut steps: Vec<_> = plan.steps.iter().map(told).collect();
    steps.sort_by_key(|(_, at_ms, _)| *at_ms);
    steps
}

/// The peers that a step names, in the order of its fields.
fn concerned(plan: &Plan, step: &Value) -> Vec<usize> {
    let fields = step.as_object().into_iter().flatten();
    let names = fields.flat_map(|(field, value)| match value {
        Value::String(name) if field != "do" => vec![name.as_str()],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    });
    names.filter_map(|name| plan.peer_index(name)).collect()
}

/// A step in words.
fn words(kind: &str, step: &Value) -> String {
    let text = |field: &str| step[field].as_str().unwrap_or_default();
    match kind {
        "partition" if step["one_way"] == true => {
            format!("no frame gets from {} to {}", text("from"), text("to"))
        }
        "partition" => format!("{} and {} are cut off from each other", text("from"), text("to")),
        "mend" => format!("{} and {} reach each other again", text("from"), text("to")),
        "flap" => {
            let (from, to, ms) = (text("from"), text("to"), &step["period_ms"]);
            format!("{from} and {to} are cut off and reach each other by turns of {ms} ms")
        }
        "slow_link" => {
            let way = if step["one_way"] == true { "to" } else { "from and to" };
            let rate = step["bytes_per_s"].as_u64().map(|rate| format!(", {rate} bytes a second"));
            let (from, to, ms) = (text("from"), text("to"), &step["delay_ms"]);
            let rate = rate.unwrap_or_default();
            format!("frames of {from} {way} {to} take {ms} ms longer{rate}")
        }
        "reset" => format!("the connection of {} and {} breaks", text("from"), text("to")),
        "time_passes" => {
            format!("everybody is idle for {} s", step["by_ms"].as_u64().unwrap_or(0) / 1_000)
        }
        "clock_jump" => format!("the clock jumps by {} ms", step["by_ms"]),
        "weather" => {
            let network = &step["network"];
            let fields = network.as_object().into_iter().flatten();
            let told: Vec<String> = fields
                .filter(|(_, value)| **value != 0)
                .map(|(field, value)| match field.as_str() {
                    "delay_ms" => format!("delay {} to {} ms", value[0], value[1]),
                    field => format!("{field} {value} ‰", field = field.replace('_', " ")),
                })
                .collect();
            format!("the weather changes: {}", told.join(", "))
        }
        _ => {
            let fields = step.as_object().into_iter().flatten();
            let told = fields.filter(|(field, _)| !["do", "at_ms"].contains(&field.as_str()));
            let told: Vec<String> = told.map(|(field, value)| format!("{field} {value}")).collect();
            format!("{}: {}", kind.replace('_', " "), told.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_from_one_jump_to_the_next() {
        let text = r#"{"why": "x", "peers": [{"name": "ada", "clock_offset_ms": 5}, {"name": "ben"}],
            "steps": [
            {"at_ms": 20, "do": "clock_jump", "peer": "ada", "by_ms": -5},
            {"at_ms": 30, "do": "clock_jump", "peer": "ben", "by_ms": -7},
            {"at_ms": 40, "do": "clock_jump", "peer": "ada", "by_ms": 9}]}"#;
        let plan = Plan::from_json(text, "test").unwrap();
        let told: Vec<_> = of_clocks(&plan, 100)
            .into_iter()
            .map(|span| (span.peers[0], span.from_ms, span.to_ms, span.words))
            .collect();
        let off = |by: &str| format!("its clock is {by} ms off");
        assert_eq!(told, [(0, 0, 20, off("+5")), (0, 40, 100, off("+9")), (1, 30, 100, off("-7"))]);
    }
}
