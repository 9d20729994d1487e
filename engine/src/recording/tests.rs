//! What a replay says when the core is not the one that was recorded.

use std::borrow::Cow;
use std::pin::pin;

use futures_executor::block_on;
use futures_util::future::{Either, select};
use uuid::Uuid;

use super::file::Framed;
use super::*;
use crate::backend::NoNetwork;
use crate::driver::{PortSet, Workspace};
use crate::entry::{LogEntry, Position};
use crate::id::{DeviceId, NodeId, WorkspaceId};
use crate::ports::{Clock, Entropy};
use crate::store::{MemoryStore, MemoryWitness};

struct Fixed;

impl Clock for Fixed {
    fn now_ms(&self) -> u64 {
        7_000
    }
}

impl Entropy for Fixed {
    fn fill(&self, out: &mut [u8]) {
        out.fill(9);
    }
}

/// Three pages, added one by one and made durable.
fn recorded() -> Vec<u8> {
    let recorder = Recorder::new(1 << 20);
    let (store, witness) = (MemoryStore::new(), MemoryWitness::new());
    let ports = PortSet { clock: Fixed, entropy: Fixed, store, witness, network: NoNetwork };
    let (workspace, device) = (WorkspaceId(Uuid::from_u128(1)), DeviceId([1; 32]));
    let config = crate::Config { workspace, device, snapshot_every: 2, compact_every: 0 };
    let opened = block_on(Workspace::open_recorded(config, ports, &recorder));
    let (workspace, driver) = opened.unwrap();
    let story = async {
        for number in 0..3 {
            let url = format!("https://example.org/{number}");
            let node_id = NodeId(Uuid::from_u128(number));
            let add = LogEntry::AddNode { node_id, url, position: Position::default() };
            workspace.settled(workspace.edit(add).unwrap()).await;
        }
    };
    let (story, driver) = (pin!(story), pin!(driver.run()));
    let played = block_on(select(story, driver));
    assert!(matches!(played, Either::Left(_)));
    recorder.recording().unwrap()
}

/// The recording with its steps changed, as if that had been recorded.
fn retold(bytes: &[u8], mut change: impl FnMut(Step<'static>) -> Option<Step<'static>>) -> Vec<u8> {
    let recording = Recording::decode(bytes.to_vec()).unwrap();
    let recorder = Recorder::replaced(recording.head().config);
    for framed in recording.framed() {
        match framed {
            Framed::Begins { gap } => recorder.begin_part(gap),
            Framed::Step { step, .. } => {
                if let Some(step) = change(step) {
                    recorder.step(&step);
                }
            }
        }
    }
    recorder.recording().unwrap()
}

fn difference(bytes: &[u8]) -> Option<(u64, Difference)> {
    let recording = Recording::decode(bytes.to_vec()).unwrap();
    let mut player = Player::new(&recording);
    std::iter::from_fn(|| {
        let step = player.next_step()?;
        Some((step.number, player.play(step).difference))
    })
    .find_map(|(number, difference)| Some((number, difference?)))
}

#[test]
fn the_first_output_that_differs_is_named() {
    let bytes = recorded();
    assert_eq!(difference(&bytes), None);
    let mut second = 0;
    let other = retold(&bytes, |step| {
        let Step::Edit { now_ms, operations } = step else { return Some(step) };
        second += 1;
        let mut operations = operations.into_owned();
        if let (2, LogEntry::AddNode { url, .. }) = (second, &mut operations[0]) {
            url.push('x');
        }
        Some(Step::Edit { now_ms, operations: Cow::Owned(operations) })
    });
    let (step, said) = difference(&other).expect("another url was recorded");
    let Difference::Output { recorded: Some(was), found: Some(is), .. } = said.clone() else {
        panic!("{said}");
    };
    assert_eq!((was.kind, is.kind), (Kind::Append, Kind::Append));
    // Whoever looks into it without the texts is told so too.
    let redacted = redact(&other, &Fixed).unwrap();
    assert_eq!(difference(&redacted).map(|(step, _)| step), Some(step));
}

#[test]
fn an_output_too_few_or_too_many_is_a_difference() {
    let bytes = recorded();
    let fewer = retold(&bytes, |step| {
        let Step::Gave(marks) = step else { return Some(step) };
        let others = marks.iter().copied().filter(|mark| mark.kind != Kind::Append);
        Some(Step::Gave(others.collect()))
    });
    assert!(matches!(difference(&fewer), Some((_, Difference::Output { .. }))));
    let without_edits = retold(&bytes, |step| (!matches!(step, Step::Edit { .. })).then_some(step));
    assert!(matches!(difference(&without_edits), Some((_, Difference::Output { .. }))));
}

#[test]
fn steps_that_make_no_sense_are_named() {
    let bytes = recorded();
    let mut begun = false;
    let unopened = retold(&bytes, |step| {
        begun |= matches!(step, Step::Edit { .. });
        begun.then_some(step)
    });
    assert!(matches!(difference(&unopened), Some((_, Difference::Senseless(_)))));
    let unread = retold(&bytes, |step| (!matches!(step, Step::Opened(_))).then_some(step));
    assert!(matches!(difference(&unread), Some((_, Difference::NotOpened(_)))));
    let mut first = true;
    let imageless = retold(&bytes, |step| match step {
        Step::Opened(_) if std::mem::take(&mut first) => Some(Step::Image(Cow::Borrowed(b"?"))),
        step => Some(step),
    });
    assert!(matches!(difference(&imageless), Some((1, Difference::Senseless(_)))));
}
