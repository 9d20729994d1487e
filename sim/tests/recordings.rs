//! Recordings of simulated peers: whatever happened to them, the engine does the same again.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

use graphshell_sim::generate::{self, Shape};
use graphshell_sim::recording::{PlayOptions, Replayed, Verdict, draw, replay};
use graphshell_sim::trace::{Mark, Marked};
use graphshell_sim::world::{self, LifeRecording, Options};
use graphshell_sync::ports::Entropy;
use graphshell_sync::recording::{NextStep, Player, Recording, Step, redact};
use graphshell_sync::{Dot, Node, NodeId, VersionVector};

/// Room for all that happens to a peer.
const AMPLE: usize = 16 << 20;
/// So little that recordings begin with images, again and again.
const SCANT: usize = 160 << 10;

fn shape() -> Shape {
    Shape { peers: 3, edits: 60, ..Shape::default() }
}

fn record(seed: u64, most: usize) -> Vec<LifeRecording> {
    world::record(&generate::plan(seed, &shape()), &Options::default(), most).1
}

fn played(bytes: &[u8]) -> Replayed {
    replay(bytes.to_vec(), &PlayOptions::default()).expect("a recording that was just made")
}

/// Randomness that is the same in every run of a test.
struct Counted(Cell<u8>);

impl Entropy for Counted {
    fn fill(&self, out: &mut [u8]) {
        out.iter_mut().for_each(|byte| *byte = self.0.replace(self.0.get().wrapping_add(1)));
    }
}

/// How many images there are in a recording, and whether it begins with one.
fn images(bytes: &[u8]) -> (usize, bool) {
    let recording = Recording::decode(bytes.to_vec()).unwrap();
    let mut player = Player::new(&recording);
    let steps = std::iter::from_fn(|| player.next_step());
    let images: Vec<bool> = steps.map(|next| matches!(next.step, Step::Image(_))).collect();
    (images.iter().filter(|&&image| image).count(), images.first() == Some(&true))
}

#[test]
fn recorded_peers_do_the_same_again_and_keep_every_property() {
    let (mut lives, mut modelled) = (0, 0);
    for seed in 0..200 {
        for LifeRecording { peer, life, bytes } in record(seed, AMPLE) {
            let replayed = played(&bytes.expect("there is room"));
            assert_eq!(replayed.verdict, Verdict::Same, "seed {seed:#x}, {peer}, life {life}");
            assert_eq!(replayed.cut, None);
            lives += 1;
            modelled += usize::from(replayed.modelled);
        }
    }
    assert!(lives > 700 && modelled > 300, "{lives} {modelled}");
}

#[test]
fn recordings_go_on_from_images_of_peers() {
    let shape = Shape { peers: 3, edits: 500, ..Shape::default() };
    let (mut inside, mut first) = (0, 0);
    for seed in 0..60 {
        let plan = generate::plan(seed, &shape);
        for life in world::record(&plan, &Options::default(), SCANT).1 {
            // The last moments of a busy peer may not fit.
            let Ok(bytes) = life.bytes else { continue };
            assert!(bytes.len() < SCANT + 1024);
            assert_eq!(played(&bytes).verdict, Verdict::Same, "seed {seed:#x}, {}", life.peer);
            let (images, begins) = images(&bytes);
            (inside, first) = (inside + images, first + usize::from(begins));
        }
    }
    assert!(inside > 60 && first > 4, "{inside} images, {first} recordings begin with one");
}

#[test]
fn a_recorder_changes_nothing_of_a_run() {
    for seed in 0..8 {
        let plan = generate::plan(seed, &shape());
        let (recorded, _) = world::record(&plan, &Options::default(), AMPLE);
        let run = world::run(&plan, &Options::default());
        assert_eq!(run.trace_hash, recorded.trace_hash, "seed {seed:#x}");
    }
}

#[test]
fn redacted_recordings_of_peers_go_the_same_way_without_a_text() {
    let mut redacted = 0;
    for seed in (0..120).step_by(3) {
        let most = if seed % 2 == 0 { SCANT } else { AMPLE };
        for LifeRecording { peer, life, bytes } in record(seed, most) {
            let Ok(bytes) = bytes else { continue };
            let at = format!("seed {seed:#x}, {peer}, life {life}");
            let without = redact(&bytes, &Counted(Cell::new(seed as u8)));
            let without = without.unwrap_or_else(|error| panic!("{at}: {error}"));
            // Every page of the simulated web lies there.
            let text = |bytes: &[u8]| bytes.windows(12).any(|w| w == b"doc.rust-lan");
            assert!(!text(&without), "{at}");
            let (before, after) = (played(&bytes), played(&without));
            assert_eq!(after.verdict, Verdict::Same, "{at}");
            assert_eq!((before.steps, before.outputs), (after.steps, after.outputs), "{at}");
            assert_eq!(before.modelled, after.modelled, "{at}");
            redacted += usize::from(text(&bytes));
        }
    }
    assert!(redacted > 80, "{redacted}");
}

#[test]
fn a_recording_that_was_cut_is_played_to_its_last_whole_step() {
    let recording = record(1, AMPLE).remove(0).bytes.unwrap();
    let whole = played(&recording);
    let mut steps = 0;
    for length in (recording.len() / 2..recording.len()).step_by(recording.len() / 40) {
        let replayed = played(&recording[..length]);
        assert_eq!(replayed.verdict, Verdict::Same, "cut to {length} bytes");
        assert!(replayed.cut.is_some() && replayed.steps >= steps && replayed.steps <= whole.steps);
        steps = replayed.steps;
    }
    assert!(Recording::decode(recording).unwrap().cut().is_none());
}

/// What the marks show in the end: graph and vector of the device.
fn last_view(marks: &[Marked]) -> (BTreeMap<NodeId, Node>, VersionVector) {
    let (mut nodes, mut applied) = (BTreeMap::new(), VersionVector::new());
    for marked in marks {
        let Mark::View(view) = &marked.mark else { continue };
        for (&id, node) in &view.nodes {
            match node {
                Some(node) => drop(nodes.insert(id, node.clone())),
                None => drop(nodes.remove(&id)),
            }
        }
        applied = view.applied.clone();
    }
    (nodes, applied)
}

/// The same by the player; none if the device never came to show anything, or lags behind.
fn last_graph(bytes: &[u8]) -> Option<(BTreeMap<NodeId, Node>, VersionVector)> {
    let recording = Recording::decode(bytes.to_vec()).unwrap();
    let mut player = Player::new(&recording);
    while let Some(next) = player.next_step() {
        player.play(next);
    }
    Some((player.told_graph()?.nodes, player.version_vector()?))
}

/// The entries that the marks say the user made.
fn authored(marks: &[Marked]) -> Vec<Dot> {
    let dots = marks.iter().filter_map(|marked| match &marked.mark {
        Mark::Authored(dots) => Some(dots.as_slice()),
        _ => None,
    });
    dots.flatten().copied().collect()
}

#[test]
fn a_recording_is_drawn_as_what_the_device_did_and_saw() {
    let (mut made, mut compared, mut skipped) = (0, 0, 0);
    for seed in (0..60).step_by(3) {
        for most in [AMPLE, SCANT] {
            for LifeRecording { peer, life, bytes } in record(seed, most) {
                let Ok(bytes) = bytes else { continue };
                let at = format!("seed {seed:#x}, {peer}, life {life}");
                let (whole, _, drawing) = draw(bytes.clone(), u64::MAX).unwrap();
                // Drawing looks at the graph without telling anybody of it.
                assert_eq!(whole.verdict, Verdict::Same, "{at}");
                assert!(matches!(drawing.verdict, world::Verdict::Held), "{at}");
                let dots = authored(&drawing.marks);
                let distinct: BTreeSet<Dot> = dots.iter().copied().collect();
                assert_eq!(distinct.len(), dots.len(), "{at}: nothing is made twice");
                assert!(dots.iter().all(|dot| drawing.authors.contains_key(&dot.peer)), "{at}");
                made += dots.len();
                // The end of it alone shows the same in the end.
                let (_, plan, end) = draw(bytes.clone(), 50).unwrap();
                if let Some(expected) = last_graph(&bytes) {
                    assert!(last_view(&drawing.marks) == expected, "{at}");
                    assert!(last_view(&end.marks) == expected, "{at}, the last steps");
                    compared += 1;
                }
                let late = authored(&end.marks);
                assert!(dots.ends_with(&late), "{at}: {late:?} of {dots:?}");
                assert_eq!(whole.steps > 50, plan.why.contains("are left out"), "{at}");
                skipped += usize::from(whole.steps > 50);
            }
        }
    }
    assert!(made > 500 && compared > 60 && skipped > 30, "{made} {compared} {skipped}");
}

#[test]
fn a_recording_is_drawn_wherever_it_was_cut() {
    let recording = record(1, AMPLE).remove(0).bytes.unwrap();
    let head = Recording::decode(recording.clone()).unwrap();
    let first = Player::new(&head).next_step().unwrap().offset;
    for length in [first - 4, first + 9].into_iter().chain((first..recording.len()).step_by(2_500))
    {
        let (replayed, plan, drawing) = draw(recording[..length].to_vec(), 100).unwrap();
        assert_eq!(replayed.verdict, Verdict::Same, "cut to {length} bytes");
        assert!(!drawing.story.is_empty() && plan.why.contains("the file was cut"), "{}", plan.why);
    }
}

/// The frames of `rest` behind those of `start`: each ends with a check over all before it.
fn spliced(start: &[u8], mut rest: &[u8]) -> Vec<u8> {
    let mut bytes = start.to_vec();
    while let Some((&length, _)) = rest.split_first_chunk() {
        let (frame, after) = rest.split_at(4 + u32::from_le_bytes(length) as usize);
        let mut hash = blake3::Hasher::new();
        hash.update(bytes.last_chunk::<8>().unwrap()).update(&frame[4..]);
        bytes.extend_from_slice(frame);
        bytes.extend_from_slice(&hash.finalize().as_bytes()[..8]);
        rest = &after[8..];
    }
    bytes
}

#[test]
fn a_recording_of_another_engine_is_drawn_up_to_where_they_differ() {
    let bytes = record(1, AMPLE).remove(0).bytes.unwrap();
    let recording = Recording::decode(bytes.clone()).unwrap();
    let mut player = Player::new(&recording);
    let edits = |next: &NextStep| matches!(next.step, Step::Edit { .. });
    let edit = std::iter::from_fn(|| player.next_step()).find(edits).unwrap();
    let after = player.next_step().unwrap();
    // What is left is what an engine does that makes something out of nothing. A step stands behind
    // four bytes of its frame.
    let other = spliced(&bytes[..edit.offset - 4], &bytes[after.offset - 4..]);
    let (replayed, _, drawing) = draw(other, u64::MAX).unwrap();
    let Verdict::Differs { step, .. } = replayed.verdict else { panic!("{replayed:?}") };
    assert!(step >= edit.number, "{step}");
    let world::Verdict::Failed(failure) = drawing.verdict else { panic!("{drawing:?}") };
    assert_eq!(failure.property, "the engine does what was recorded");
    assert_eq!(failure.peers, ["this device"]);
}

fn sim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_graphshell-sim")).args(args).output().unwrap()
}

#[test]
fn the_program_records_and_replays() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = folder.path().to_str().unwrap();
    let seed = ["replay", "0x2b", "--peers", "2", "--edits", "40"];
    let made = sim(&[&seed[..], &["--record", recordings]].concat());
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let mut files: Vec<_> = folder.path().read_dir().unwrap().map(|f| f.unwrap().path()).collect();
    // The longest life has most to tell.
    files.sort_by_key(|file| std::cmp::Reverse(file.metadata().unwrap().len()));
    assert!(files.len() >= 2);
    let file = files[0].to_str().unwrap();
    let told = sim(&["replay", file, "--verbose"]);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let text = String::from_utf8(told.stdout).unwrap();
    let (story, verdict) = text.split_once("\n\n").unwrap();
    assert!(story.lines().any(|line| line.contains("the user edits [")), "{story}");
    assert!(story.lines().any(|line| line.contains("out  appends ")), "{story}");
    assert!(verdict.contains("  held: the engine did the same again\n"), "{verdict}");
    let page = folder.path().join("page.html");
    let explained = sim(&["explain", file, "--output", page.to_str().unwrap()]);
    assert_eq!(explained.status.code(), Some(0), "{explained:?}");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("\"this device\"") && page.contains("\"shrink\":null"));
    let lanes = sim(&["explain", file, "--text"]);
    assert!(String::from_utf8(lanes.stdout).unwrap().contains("the workspace is open"));
    let short = sim(&["replay", file, "--until", "3", "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&short.stdout).unwrap();
    assert_eq!((&said["outcome"], &said["steps"]), (&"held".into(), &3.into()));

    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
    let refused = sim(&["replay", file]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{error}");
    assert!(error.contains("damaged at byte") && error.contains("expected"), "{error}");
    let misused = sim(&["replay", "0x2a", "--until", "3"]);
    assert_eq!(misused.status.code(), Some(2), "{misused:?}");
}
