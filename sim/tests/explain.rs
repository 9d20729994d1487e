//! Explanations: of what they are made, and that making them changes nothing.

use std::collections::BTreeSet;

use console::measure_text_width;
use graphshell_sim::explain::{About, Explanation};
use graphshell_sim::generate::{Shape, plan};
use graphshell_sim::plan::{Expectation, Fact, Plan};
use graphshell_sim::trace::Mark;
use graphshell_sim::world::{Options, Run, Verdict, run};
use serde_json::Value;

const MARKED: Options = Options { keep_events: true, keep_marks: true };

fn explained(plan: &Plan) -> (Run, Explanation) {
    let run = run(plan, &MARKED);
    let explanation = explain(plan, &run);
    (run, explanation)
}

fn explain(plan: &Plan, run: &Run) -> Explanation {
    let about = About {
        title: "a run".to_owned(),
        replay: "cargo sim replay".to_owned(),
        shrink: Some("cargo sim shrink".to_owned()),
        recorded: false,
    };
    Explanation::new(plan, run, about)
}

/// A plan that expects of a peer what is false.
fn failing(seed: u64) -> Plan {
    let mut plan = plan(seed, &Shape { edits: 60, ..Shape::default() });
    let that = vec![Fact::NodeCount { count: 1_000_000 }];
    plan.expect.push(Expectation { at: Vec::new(), that });
    plan
}

/// Frames that arrived and were not refused.
fn taken(run: &Run) -> u64 {
    run.marks.iter().filter(|marked| matches!(marked.mark, Mark::Arrived { .. })).count() as u64
}

fn data(explanation: &Explanation) -> Value {
    serde_json::to_value(explanation).unwrap()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

#[test]
fn marks_change_nothing_of_a_run() {
    for seed in 0..3 {
        let plan = plan(seed, &Shape { edits: 60, ..Shape::default() });
        let told = run(&plan, &Options { keep_events: true, ..Options::default() });
        let marked = run(&plan, &MARKED);
        let bare = run(&plan, &Options::default());
        assert_eq!(marked.story, told.story);
        for run in [told, marked] {
            assert_eq!(
                (run.trace_hash, run.counts),
                (bare.trace_hash.clone(), bare.counts.clone())
            );
        }
    }
}

#[test]
fn every_line_of_the_story_is_an_event() {
    let (run, explanation) = explained(&failing(1));
    let data = data(&explanation);
    let events = list(&data, "events");
    let told =
        events.iter().filter(|event| !["view", "fail"].contains(&event["k"].as_str().unwrap()));
    assert_eq!(told.count(), run.story.len());
}

#[test]
fn what_the_story_tells_is_told_once() {
    let text = r#"{"why": "x", "peers": [{"name": "ada"}, {"name": "ben"}], "steps": [
        {"at_ms": 20, "do": "withdraw", "peer": "ada", "with": "ben"}]}"#;
    let (_, explanation) = explained(&Plan::from_json(text, "test").unwrap());
    let data = data(&explanation);
    let told = |event: &&Value| {
        event["k"] == "fault" || event["l"] == "shares the workspace with ben no more"
    };
    assert_eq!(list(&data, "events").iter().filter(told).count(), 1);
}

#[test]
fn a_failure_after_the_heal_follows_from_it_and_is_counted_alike() {
    let (_, explanation) = explained(&failing(1));
    let data = data(&explanation);
    let (slice, events) = (list(&data, "slice"), list(&data, "events"));
    let healed = events.iter().position(|event| event["k"] == "heal").unwrap();
    assert!(slice.iter().any(|place| *place == healed));
    let count = format!("what led to the failure: {} of {} events", slice.len(), events.len());
    assert!(explanation.to_text(100, false).contains(&count), "{count}");
}

#[test]
fn a_recording_whose_failure_names_no_entry_is_told_up_to_the_step_after_which_it_was_seen() {
    let plan = failing(1);
    let run = run(&plan, &MARKED);
    let about = About {
        title: "a recording".to_owned(),
        replay: "cargo sim replay".to_owned(),
        shrink: None,
        recorded: true,
    };
    let data = data(&Explanation::new(&plan, &run, about));
    assert!(list(&data, "slice").is_empty());
    let events = list(&data, "events");
    let failed = data["verdict"]["event"].as_u64().unwrap() as usize;
    let [cause] = list(&events[failed], "c") else { panic!("{}", events[failed]) };
    let step = cause[0].as_u64().unwrap() as usize;
    let there = |event: &Value| event["p"] == data["verdict"]["peers"];
    assert!(there(&events[step]) && !events[step + 1..failed].iter().any(there));
    assert!(events[step]["m"].is_null(), "it is shown");
}

#[test]
fn causes_stand_before_what_follows_from_them() {
    for seed in 0..4 {
        let (_, explanation) = explained(&failing(seed));
        let data = data(&explanation);
        for (place, event) in list(&data, "events").iter().enumerate() {
            for cause in list(event, "c") {
                let cause = cause[0].as_u64().unwrap() as usize;
                assert!(
                    cause < place,
                    "event {place} of seed {seed} follows from {cause}: {event}"
                );
            }
        }
    }
}

#[test]
fn every_frame_that_arrives_was_sent_before() {
    let (run, explanation) = explained(&failing(2));
    let data = data(&explanation);
    let events = list(&data, "events");
    let at = |place: &Value| events[place.as_u64().unwrap() as usize]["t"].as_u64().unwrap();
    let mut arrived = 0;
    for frame in list(&data, "frames") {
        for arrival in list(frame, "arrived") {
            assert!(at(arrival) >= at(&frame["sent"]), "{frame}");
            arrived += 1;
        }
    }
    assert_eq!(arrived, taken(&run));
}

#[test]
fn the_slice_of_a_failure_holds_it_and_is_closed() {
    let (_, explanation) = explained(&failing(3));
    let data = data(&explanation);
    let slice: BTreeSet<u64> = list(&data, "slice").iter().filter_map(Value::as_u64).collect();
    assert!(slice.contains(&data["verdict"]["event"].as_u64().unwrap()));
    let events = list(&data, "events");
    assert!(slice.len() < events.len());
    let suspects = list(&data, "suspects");
    let counts = |entries: &[Value]| {
        entries.is_empty() || suspects.is_empty() || entries.iter().any(|e| suspects.contains(e))
    };
    // Exactly what the failure follows from, step by step.
    let last = data["verdict"]["event"].as_u64().unwrap();
    let (mut led, mut open) = (BTreeSet::from([last]), vec![last]);
    while let Some(event) = open.pop() {
        for cause in list(&events[event as usize], "c") {
            let [cause, entries @ ..] = &cause.as_array().unwrap()[..] else { panic!("{cause}") };
            let cause = cause.as_u64().unwrap();
            if counts(entries) && led.insert(cause) {
                open.push(cause);
            }
        }
    }
    assert_eq!(led, slice);
    assert!(slice.len() > 1);
}

#[test]
fn the_moment_since_which_a_peer_is_wrong_is_found() {
    let plan = failing(9);
    let mut run = run(&plan, &MARKED);
    let Verdict::Failed(failure) = &run.verdict else { panic!("the plan expects what is false") };
    let peer = plan.peer_index(&failure.peers[0]).unwrap();
    // What its reader saw last of some node is made another title.
    let marks = run.marks.iter_mut().filter(|marked| marked.peer == Some(peer));
    let nodes = marks.filter_map(|marked| match &mut marked.mark {
        Mark::View(view) => Some((marked.virtual_ms, view.nodes.values_mut().flatten().next()?)),
        _ => None,
    });
    let (at_ms, node) = nodes.last().unwrap();
    node.title = "planted".to_owned();
    let data = data(&explain(&plan, &run));
    let [since] = list(&data["findings"], "wrong_since") else { panic!("{}", data["findings"]) };
    assert_eq!(since["peer"], peer);
    assert!(since["rows"].to_string().contains("planted"), "{since}");
    let events = list(&data, "events");
    let event = since["event"].as_u64().unwrap();
    assert_eq!(events[event as usize]["t"], at_ms);
    let slice = list(&data, "slice");
    assert!(slice.iter().any(|place| *place == event));
    assert!(slice.len() < events.len() / 2, "{} of {} events", slice.len(), events.len());
}

#[test]
fn the_last_views_of_peers_that_agree_are_equal() {
    // After the heal all of the core hold the same, so the changes of each must add up to the same graph.
    let plan = plan(5, &Shape { edits: 60, ..Shape::default() });
    let (_, explanation) = explained(&plan);
    let data = data(&explanation);
    let mut shown: Vec<std::collections::BTreeMap<String, Value>> =
        vec![Default::default(); plan.peers.len()];
    for view in list(&data, "views") {
        let nodes = &mut shown[view["p"].as_u64().unwrap() as usize];
        for (name, node) in view["n"].as_object().into_iter().flatten() {
            match node {
                Value::Null => drop(nodes.remove(name)),
                node => drop(nodes.insert(name.clone(), node.clone())),
            }
        }
    }
    let core = (0..plan.peers.len()).filter(|&peer| plan.heals(peer));
    let core: Vec<_> = core.map(|peer| &shown[peer]).collect();
    assert!(core.len() > 1 && !core[0].is_empty());
    assert!(core.iter().all(|nodes| *nodes == core[0]));
}

#[test]
fn nobody_has_to_read_an_id() {
    let (_, explanation) = explained(&failing(4));
    let mut texts = Vec::new();
    strings(&data(&explanation), &mut texts);
    let raw = texts.iter().find(|text| {
        let words = text.split(|c: char| !(c.is_ascii_hexdigit() || c == '-'));
        words.into_iter().any(|word| uuid::Uuid::try_parse(word).is_ok() && word.len() == 36)
    });
    assert_eq!(raw, None);
}

fn strings(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| strings(value, out)),
        Value::Object(fields) => fields.values().for_each(|value| strings(value, out)),
        _ => {}
    }
}

#[test]
fn the_same_run_gives_the_same_page() {
    let plan = failing(6);
    assert_eq!(explained(&plan).1.to_html(), explained(&plan).1.to_html());
}

#[test]
fn a_page_of_a_default_seed_is_small() {
    let (_, explanation) = explained(&plan(0, &Shape::default()));
    let bytes = explanation.to_html().len();
    assert!(bytes <= 5_000_000, "{bytes} bytes");
}

#[test]
fn lanes_of_text_fit_the_terminal() {
    for whole in [false, true] {
        let (_, explanation) = explained(&failing(7));
        for columns in [30, 60, 100] {
            let text = explanation.to_text(columns, whole);
            let wide = text.lines().find(|line| {
                // Commands are not broken, so that they can be copied.
                measure_text_width(line) > columns && !line.contains("cargo sim")
            });
            assert_eq!(wide, None, "{columns} columns");
        }
    }
}

#[test]
fn a_perfetto_trace_has_both_ends_of_each_flow() {
    let (run, explanation) = explained(&failing(8));
    let trace: Value = serde_json::from_str(&explanation.to_perfetto()).unwrap();
    let ids = |ph: &str| -> BTreeSet<String> {
        let events = list(&trace, "traceEvents").iter().filter(|event| event["ph"] == ph);
        events.map(|event| event["id"].to_string()).collect()
    };
    assert_eq!(ids("s"), ids("f"));
    assert_eq!(ids("s").len() as u64, taken(&run));
    assert_eq!(ids("b"), ids("e"));
    let slices = ["down", "opening"];
    let lasting = list(&data(&explanation), "spans")
        .iter()
        .filter(|span| !slices.iter().any(|kind| span["kind"] == *kind))
        .count();
    assert!(lasting > 0 && ids("b").len() == lasting, "{lasting}");
}

#[test]
fn a_perfetto_trace_of_the_last_moment_of_all_is_written() {
    let plan = failing(8);
    let mut run = run(&plan, &MARKED);
    run.virtual_ms = u64::MAX;
    run.story.last_mut().unwrap().virtual_ms = u64::MAX;
    run.marks.last_mut().unwrap().virtual_ms = u64::MAX;
    assert!(explain(&plan, &run).to_perfetto().contains(&u64::MAX.to_string()));
}
