//! Arbitrary histories: several authors, each of whom learns what another knows now and then.

use proptest::prelude::*;
use proptest::sample::Index;

use super::{node, peer};
use crate::entry::{EdgeKind, EdgeType, LogEntry, Position, SyncedLogEntry, Trigger};
use crate::id::PeerId;
use crate::vector::VersionVector;

pub(super) const AUTHORS: u8 = 4;

/// One edit: who, from whom it learns before (itself: from nobody), when, and what.
pub(super) type Step = (u8, u8, u64, bool, LogEntry);

/// Steps of a history on few nodes, so that they meet.
pub(super) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let learns = prop_oneof![Just(None), (0..AUTHORS).prop_map(Some)];
    let step = (0..AUTHORS, learns, 0..4u64, prop::bool::weighted(0.1), operation());
    let step = step.prop_map(|(author, from, time, genesis, entry)| {
        (author, from.unwrap_or(author), time, genesis, entry)
    });
    prop::collection::vec(step, 1..most)
}

fn operation() -> impl Strategy<Value = LogEntry> {
    let id = || (0..3u8).prop_map(node);
    let text = || "[ab]{0,2}";
    let place = || (0..3u8).prop_map(|x| Position::new(f32::from(x), 0.5).expect("finite"));
    let edge_type = || {
        prop::sample::select(vec![EdgeType::Hyperlink, EdgeType::History, EdgeType::UserGrouped])
    };
    let kind = prop_oneof![
        Just(None),
        Just(Some(EdgeKind::Asserted)),
        edge_type().prop_map(|edge_type| Some(EdgeKind::Typed(edge_type))),
    ];
    let trigger = prop::sample::select(vec![Trigger::Link, Trigger::Typed]);
    prop_oneof![
        4 => (id(), text(), place())
            .prop_map(|(node_id, url, position)| LogEntry::AddNode { node_id, url, position }),
        2 => (id(), text()).prop_map(|(node_id, title)| LogEntry::UpdateNodeTitle { node_id, title }),
        1 => (id(), text())
            .prop_map(|(node_id, new_url)| LogEntry::UpdateNodeUrl { node_id, new_url }),
        1 => (id(), place()).prop_map(|(node_id, position)| LogEntry::MoveNode { node_id, position }),
        1 => (id(), any::<bool>())
            .prop_map(|(node_id, is_pinned)| LogEntry::PinNode { node_id, is_pinned }),
        3 => id().prop_map(|node_id| LogEntry::RemoveNode { node_id }),
        2 => id().prop_map(|node_id| LogEntry::RestoreNode { node_id }),
        6 => (id(), id(), edge_type())
            .prop_map(|(from, to, edge_type)| LogEntry::AddEdge { from, to, edge_type }),
        1 => (id(), id()).prop_map(|(from, to)| LogEntry::AssertEdge { from, to }),
        3 => (id(), id(), 0..3u64, trigger).prop_map(|(from, to, timestamp_ms, trigger)| {
            LogEntry::AddTraversal { from, to, timestamp_ms, trigger }
        }),
        2 => (id(), id(), kind).prop_map(|(from, to, kind)| LogEntry::RemoveEdge { from, to, kind }),
        2 => (id(), id()).prop_map(|(from, to)| LogEntry::SettleEdgePair { from, to }),
        1 => Just(LogEntry::ClearGraph),
        1 => prop::collection::vec(any::<u8>(), 0..3)
            .prop_map(|payload| LogEntry::Opaque { kind: 999, payload }),
    ]
}

/// The entries that the steps author, in one causal order.
pub(super) fn entries(steps: &[Step]) -> Vec<SyncedLogEntry> {
    let mut known = vec![VersionVector::new(); usize::from(AUTHORS)];
    let author = |(author, from, time, genesis, entry): &Step| {
        let learned = known[usize::from(*from)].clone();
        let mine = &mut known[usize::from(*author)];
        mine.join(&learned);
        let peer_id = peer(*author);
        let version_vector = mine.clone();
        let sequence = version_vector.get(peer_id) + 1;
        mine.raise(peer_id, sequence);
        SyncedLogEntry {
            entry: entry.clone(),
            timestamp_ms: if *genesis { 0 } else { *time },
            peer_id,
            sequence,
            version_vector,
            genesis: *genesis,
        }
    };
    steps.iter().map(author).collect()
}

/// Another causal order of the same entries: each choice picks one that may come next.
pub(super) fn reorder<'a>(
    entries: &'a [SyncedLogEntry],
    choices: &[Index],
) -> Vec<&'a SyncedLogEntry> {
    let mut waiting: Vec<_> = entries.iter().collect();
    let mut applied = VersionVector::new();
    let mut order = Vec::new();
    for choice in choices.iter().cycle() {
        let ready = |synced: &SyncedLogEntry| {
            applied.covers(&synced.version_vector)
                && applied.get(synced.peer_id) + 1 == synced.sequence
        };
        let ready: Vec<_> = (0..waiting.len()).filter(|&at| ready(waiting[at])).collect();
        if ready.is_empty() {
            break;
        }
        let next = waiting.remove(ready[choice.index(ready.len())]);
        applied.raise(next.peer_id, next.sequence);
        order.push(next);
    }
    assert!(waiting.is_empty(), "every entry's causes are in the history");
    order
}

/// The least causally closed set that holds the entries at these places, in the order of `entries`.
pub(super) fn closed<'a>(
    entries: &'a [SyncedLogEntry],
    places: &[Index],
) -> Vec<&'a SyncedLogEntry> {
    let mut known = VersionVector::new();
    for synced in places.iter().map(|place| place.get(entries)) {
        known.join(&synced.version_vector);
        known.raise(synced.peer_id, synced.sequence);
    }
    entries.iter().filter(|synced| known.covers_dot(synced.dot())).collect()
}

/// The authors in an order that the choices pick.
pub(super) fn shuffled(choices: &[Index]) -> Vec<PeerId> {
    let mut rest: Vec<_> = (0..AUTHORS).map(peer).collect();
    let picks = choices.iter().cycle().take(rest.len());
    picks.map(|choice| rest.remove(choice.index(rest.len()))).collect()
}
