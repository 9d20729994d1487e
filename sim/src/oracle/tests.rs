//! Each oracle against a small world in which just its property is broken.

use graphshell_sync::limits::MAX_PARKED_BATCHES;
use graphshell_sync::wire::{Frontier, FrontierRow, Response};
use graphshell_sync::{
    Claim, Conflict, ConflictId, ConflictKind, Dot, EdgeKind, EdgeType, Graph, Hash, LogEntry,
    PeerId, Resolution, Stamp, Subject, SyncedLogEntry, Trigger, VersionVector,
};
use uuid::Uuid;

use super::authored::{self, Moment};
use super::durability::{self, Acknowledged};
use super::{View, bounds, causality, convergence, forks, model, rounds, versions};
use crate::plan::{Edit, node_id};
use crate::world::image::Holdings;

const A: PeerId = PeerId(Uuid::from_u128(1));
const B: PeerId = PeerId(Uuid::from_u128(2));

fn vector(a: u64, b: u64) -> VersionVector {
    [(A, a), (B, b)].into_iter().collect()
}

/// Entry `sequence` of an author that had seen so much of A and B.
fn entry(peer_id: PeerId, sequence: u64, (a, b): (u64, u64)) -> SyncedLogEntry {
    let entry = Edit::SetTitle { node: "n".into(), title: format!("{sequence}") }.to_entry(0);
    SyncedLogEntry {
        entry,
        timestamp_ms: sequence,
        peer_id,
        sequence,
        version_vector: vector(a, b),
        genesis: false,
    }
}

fn frontier(history: &[SyncedLogEntry]) -> Frontier {
    let row = |entry: &SyncedLogEntry| FrontierRow {
        peer: entry.peer_id,
        sequence: entry.sequence,
        hash: Hash([entry.sequence as u8; 32]),
    };
    Frontier::new(history.iter().map(row).collect())
}

fn view(peer: usize, history: Vec<SyncedLogEntry>) -> View {
    View {
        peer,
        graph: crate::model::graph(&history),
        applied: history.iter().map(|entry| (entry.peer_id, entry.sequence)).collect(),
        frontier: frontier(&history),
        state: Vec::new(),
        history,
    }
}

/// The disk of a peer that holds its history.
fn held(view: &View) -> Holdings {
    let chain = |peer| (1..=view.applied.get(peer) as u8).collect::<Vec<_>>();
    Holdings::of(&[(A, &chain(A)), (B, &chain(B))])
}

/// A1, then B1 that had seen it, then A2 that had seen both.
fn history() -> Vec<SyncedLogEntry> {
    vec![entry(A, 1, (0, 0)), entry(B, 1, (1, 0)), entry(A, 2, (1, 1))]
}

#[test]
fn history_out_of_order_or_with_a_gap_is_found() {
    assert_eq!(causality::judge(&view(0, history())), Ok(()));
    let broken = |history| causality::judge(&view(0, history)).is_err();
    assert!(broken(vec![entry(B, 1, (1, 0)), entry(A, 1, (0, 0))]), "cause after effect");
    assert!(broken(vec![entry(A, 1, (0, 0)), entry(A, 3, (2, 0))]), "gap");
    assert!(broken(vec![entry(A, 1, (0, 0)), entry(A, 2, (0, 0))]), "own part of the vector");
    let mut ahead = view(0, history());
    ahead.frontier = frontier(&history()[..2]);
    assert!(causality::judge(&ahead).is_err(), "frontier");
}

#[test]
fn entry_that_is_missing_without_a_reported_fork_is_found() {
    let complete = |other: Vec<SyncedLogEntry>, forks: &[(PeerId, u64)]| {
        let (one, other) = (view(0, history()), view(1, other));
        let held = [held(&one), held(&other)];
        convergence::complete(
            &[&(one, &held[0]), &(other, &held[1])],
            &forks.iter().copied().collect(),
        )
    };
    assert_eq!(complete(history(), &[]), Ok(()));
    let lacking = complete(history()[..2].to_vec(), &[]).unwrap_err();
    assert_eq!(
        (lacking.peers, lacking.operations),
        (vec![1, 0], vec![Dot { peer: A, sequence: 2 }])
    );
    assert_eq!(complete(history()[..2].to_vec(), &[(A, 1)]), Ok(()));
    assert!(complete(history()[..2].to_vec(), &[(A, 2)]).is_err(), "before the fork");
    // What follows from an entry past the fork may be missing too.
    assert_eq!(complete(Vec::new(), &[(A, 0)]), Ok(()));
    assert!(complete(Vec::new(), &[(B, 0)]).is_err());
}

#[test]
fn different_states_of_equal_entries_are_found() {
    let equal = |state: Vec<u8>| {
        let (one, poorer) = (view(0, history()), view(2, history()[..2].to_vec()));
        let other = View { state, ..view(1, history()) };
        let views = [one, poorer, other];
        convergence::equal(views.iter()).map(|different| different.len())
    };
    assert_eq!(equal(Vec::new()), Ok(2));
    assert!(equal(vec![1]).is_err());
}

#[test]
fn graph_that_differs_from_the_model_is_found() {
    let mut all = history();
    all[0].entry =
        Edit::AddNode { node: "n".into(), url: "u".into(), at: <_>::default() }.to_entry(0);
    let mut view = view(0, all);
    assert_eq!(model::judge(&view), Ok(()));
    let node = view.graph.nodes.get_mut(&node_id("n")).expect("the node is shown");
    node.title.push('!');
    assert!(model::judge(&view).unwrap_err().detail.starts_with("node "));
    view.graph = Graph::default();
    assert!(model::judge(&view).is_err());
    assert!(matches!(view.history[1].entry, LogEntry::UpdateNodeTitle { .. }));
}

#[test]
fn two_contents_under_one_name_are_found_unless_reported() {
    let (one, other) = (Holdings::of(&[(A, &[1, 2, 3])]), Holdings::of(&[(A, &[1, 2, 4])]));
    let judge = |forked: &[PeerId]| {
        let forks = forked.iter().map(|&author| (author, 2)).collect();
        forks::judge([(0, &one), (1, &other)].into_iter(), &forks)
    };
    let found = judge(&[B]).unwrap_err();
    assert_eq!((found.peers, found.operations), (vec![0, 1], vec![Dot { peer: A, sequence: 3 }]));
    assert_eq!(judge(&[A]), Ok(()));
}

#[test]
fn saying_more_than_the_disk_holds_is_found() {
    let held = Holdings::of(&[(A, &[1, 2])]);
    let durable = |a| Response::Durable { have: vector(a, 0) };
    assert_eq!(durability::judge_response(0, &held, &durable(2)), Ok(()));
    assert!(durability::judge_response(0, &held, &durable(3)).is_err());
    let frontier = |sequence, hash| Response::Frontier {
        frontier: Frontier::new(vec![FrontierRow { peer: A, sequence, hash: Hash([hash; 32]) }]),
        excluded: Vec::new(),
    };
    assert_eq!(durability::judge_response(0, &held, &frontier(2, 2)), Ok(()));
    assert!(durability::judge_response(0, &held, &frontier(2, 3)).is_err(), "other content");
    assert!(durability::judge_response(0, &held, &frontier(3, 3)).is_err());
    assert!(durability::judge_opened(0, &held, &vector(1, 0)).is_err());
    let others = |author| author == B;
    assert!(durability::judge_shown(0, others, &held, &vector(2, 7)).is_ok(), "own edits show");
    assert!(durability::judge_shown(0, others, &held, &vector(3, 0)).is_err());
}

#[test]
fn acknowledged_entry_that_is_gone_is_found_unless_its_disk_was_replaced() {
    let mut acknowledged = Acknowledged::default();
    acknowledged.add(Dot { peer: A, sequence: 2 });
    assert_eq!(acknowledged.judge(&view(0, history())), Ok(()));
    let poorer = view(0, history()[..2].to_vec());
    assert!(acknowledged.judge(&poorer).is_err());
    let mut disowned = acknowledged.clone();
    disowned.disowned(A, 1);
    assert_eq!(disowned.judge(&poorer), Ok(()));
    acknowledged.restored(&vector(1, 9));
    assert_eq!(acknowledged.judge(&poorer), Ok(()));
}

#[test]
fn telling_more_than_the_witness_knows_is_found() {
    let told = |sequence| durability::judge_promised(0, Dot { peer: A, sequence }, 2);
    assert_eq!(told(2), Ok(()));
    assert!(told(3).is_err());
    let frontier = |sequence| Response::Frontier {
        frontier: Frontier::new(vec![FrontierRow { peer: A, sequence, hash: Hash([0; 32]) }]),
        excluded: Vec::new(),
    };
    assert_eq!(durability::told_by_response(&frontier(3)), vector(3, 0));
    let durable = Response::Durable { have: vector(1, 2) };
    assert_eq!(durability::told_by_response(&durable), vector(1, 2));
}

#[test]
fn disowned_entry_that_is_not_made_again_is_found() {
    let said = |words: &[u8]| words.iter().map(|&word| (1, vec![word])).collect::<Vec<_>>();
    let judge = |lost: &[u8], anew: &[u8]| {
        durability::judge_disowned(0, Dot { peer: A, sequence: 1 }, &said(lost), &said(anew))
            .is_ok()
    };
    assert!(judge(&[], &[]) && judge(&[], &[1]));
    assert!(
        judge(&[1, 2], &[1, 2]) && judge(&[1, 2], &[1, 2, 3]),
        "what was not stored comes after"
    );
    assert!(!judge(&[1, 2], &[1]) && !judge(&[1, 2], &[2, 1]) && !judge(&[1, 2], &[1, 1]));
}

#[test]
fn fork_of_an_author_with_its_witness_is_found() {
    let after = Dot { peer: A, sequence: 2 };
    assert_eq!(forks::judge_report(0, after, true), Ok(()));
    assert!(forks::judge_report(0, after, false).is_err());
}

#[test]
fn entry_that_a_round_left_behind_is_found() {
    let judge = |held: VersionVector| rounds::judge(0, &vector(2, 1), &held, |_| false);
    assert_eq!(judge(vector(2, 1)), Ok(()));
    assert_eq!(judge(vector(5, 5)), Ok(()));
    assert_eq!(judge(vector(1, 1)).unwrap_err().operations, [Dot { peer: A, sequence: 2 }]);
    assert!(judge(vector(2, 0)).is_err());
    let on_its_way = |dot| dot == Dot { peer: A, sequence: 1 };
    assert_eq!(
        rounds::judge(0, &vector(2, 1), &vector(0, 1), on_its_way).unwrap_err().operations,
        [Dot { peer: A, sequence: 2 }]
    );
}

/// Judges three entries of one edit, that say "1", restore the page and say "3", broken in some way.
fn judge_edit(
    operations: Option<Vec<LogEntry>>,
    broken: impl Fn(&mut Vec<SyncedLogEntry>),
) -> Result<(), super::Finding> {
    let moment = Moment { applied: vector(0, 3), clock_ms: 7, entries: 3, operations };
    let edits = [(Dot { peer: A, sequence: 1 }, moment)].into_iter().collect();
    let mut history: Vec<_> = (1..=3).map(|n| entry(A, n, (n - 1, 3))).collect();
    history[1].entry = Edit::RestoreNode { node: "n".into() }.to_entry(0);
    history.iter_mut().for_each(|entry| entry.timestamp_ms = 7);
    broken(&mut history);
    authored::judge(&view(0, history), &edits, |_| false)
}

fn title(title: &str) -> LogEntry {
    Edit::SetTitle { node: "n".into(), title: title.into() }.to_entry(0)
}

#[test]
fn entries_that_say_another_thing_than_their_user_did_are_found() {
    let restore = || Edit::RestoreNode { node: "n".into() }.to_entry(0);
    let judge = |did: &[LogEntry]| judge_edit(Some(did.to_vec()), |_| ());
    assert_eq!(judge(&[title("1"), restore(), title("3")]), Ok(()));
    assert!(judge(&[title("1"), title("3")]).is_err(), "a restore of what was there");
    assert!(judge(&[title("1"), restore()]).is_err(), "twice what was done once");
    assert!(judge(&[title("1"), restore(), title("3"), title("4")]).is_err(), "less than was done");
    assert!(judge(&[title("3"), restore(), title("1")]).is_err(), "in another order");
}

#[test]
fn later_entries_of_an_edit_are_judged_like_its_first() {
    let did = [title("1"), Edit::RestoreNode { node: "n".into() }.to_entry(0), title("3")];
    let judge = |broken: fn(&mut SyncedLogEntry)| {
        judge_edit(Some(did.to_vec()), |history| broken(&mut history[1]))
    };
    assert_eq!(judge(|_| ()), Ok(()));
    assert!(judge(|entry| entry.version_vector = vector(1, 0)).is_err());
    assert!(judge(|entry| entry.timestamp_ms = 8).is_err());
    assert!(judge(|entry| entry.genesis = true).is_err());
}

#[test]
fn an_imported_entry_must_be_genesis_whatever_it_says() {
    let import = |genesis| {
        judge_edit(None, |history| history.iter_mut().for_each(|entry| entry.genesis = genesis))
    };
    assert_eq!(import(true), Ok(()));
    assert!(import(false).is_err());
}

#[test]
fn an_edit_restores_what_is_gone_just_before_it_is_needed() {
    let visit = |from: &str, to: &str| {
        let (from, to) = (from.into(), to.into());
        Edit::Visit { from, to, trigger: Trigger::Link }.to_entry(0)
    };
    let remove = |node: &str| Edit::RemoveNode { node: node.into() }.to_entry(0);
    let restore = |node: &str| Edit::RestoreNode { node: node.into() }.to_entry(0);
    let pin = |node: &str| Edit::Pin { node: node.into(), pinned: true }.to_entry(0);
    let exists = |node| node == node_id("here");
    let written = |did: &[LogEntry]| authored::edit(did, exists);
    assert_eq!(written(&[pin("here")]), [pin("here")]);
    assert_eq!(
        written(&[visit("here", "gone"), pin("gone")]),
        [restore("gone"), visit("here", "gone"), pin("gone")]
    );
    assert_eq!(
        written(&[remove("here"), pin("here")]),
        [remove("here"), restore("here"), pin("here")]
    );
    let clear = LogEntry::ClearGraph;
    assert_eq!(
        written(&[pin("gone"), clear.clone(), pin("gone")]),
        [restore("gone"), pin("gone"), clear, restore("gone"), pin("gone")]
    );
}

#[test]
fn a_conflict_is_settled_by_what_its_choice_stands_for() {
    let (from, to) = (node_id("a"), node_id("b"));
    let stamp = |sequence| Stamp { timestamp_ms: 0, dot: Dot { peer: A, sequence } };
    let conflict = |kind, subject| Conflict {
        id: ConflictId::derive(kind, subject),
        kind,
        subject,
        removals: Vec::new(),
        claims: [1, 2].map(|n| Claim { stamp: stamp(n), change: title(&n.to_string()) }).into(),
    };
    let page = conflict(ConflictKind::DeleteVsUpdate, Subject::Node(node_id("n")));
    let settling =
        |conflict, resolution, shown: &[_]| authored::settling(conflict, &resolution, shown);
    let restore = |chosen: &[u64]| Resolution::Restore {
        chosen: chosen.iter().map(|&sequence| stamp(sequence).dot).collect(),
    };
    let node_id = node_id("n");
    let back = LogEntry::RestoreNode { node_id };
    assert_eq!(settling(&page, restore(&[2]), &[]), Some(vec![back, title("2")]));
    assert_eq!(settling(&page, restore(&[3]), &[]), None, "no such claim");
    let gone = Some(vec![LogEntry::RemoveNode { node_id }]);
    assert_eq!(settling(&page, Resolution::KeepDeleted, &[]), gone);
    assert_eq!(settling(&page, Resolution::KeepBoth, &[]), None);
    let pair = conflict(ConflictKind::ConcurrentEdgeTypes, Subject::Pair(from, to));
    let both = Some(vec![LogEntry::SettleEdgePair { from, to }]);
    assert_eq!(settling(&pair, Resolution::KeepBoth, &[]), both);
    let keep = |edge_type| Resolution::KeepEdge { edge_type };
    let shown = [EdgeType::Hyperlink, EdgeType::History];
    let kind = Some(EdgeKind::Typed(EdgeType::History));
    let other = Some(vec![LogEntry::RemoveEdge { from, to, kind }]);
    assert_eq!(settling(&pair, keep(EdgeType::Hyperlink), &shown), other);
    assert_eq!(settling(&pair, keep(EdgeType::UserGrouped), &shown), None);
}

#[test]
fn edit_that_shows_though_no_log_holds_it_is_found_at_rest() {
    let mut view = view(0, history());
    assert_eq!(durability::judge_at_rest(&view), Ok(()));
    view.applied.raise(A, 3);
    assert!(durability::judge_at_rest(&view).is_err());
}

#[test]
fn vector_or_time_that_is_not_of_the_moment_is_found() {
    let judge_at = |applied, clock_ms, forked: &[PeerId]| {
        let operations = Some(vec![title("1")]);
        let moment = Moment { applied, clock_ms, entries: 1, operations };
        let edits = [(Dot { peer: B, sequence: 1 }, moment)].into_iter().collect();
        authored::judge(&view(0, history()), &edits, |author| forked.contains(&author))
    };
    let judge = |applied, forked| judge_at(applied, 1, forked);
    assert!(judge_at(vector(1, 0), 2, &[]).is_err(), "the clock said something else");
    assert_eq!(judge(vector(1, 0), &[]), Ok(()));
    assert!(judge(vector(0, 0), &[]).is_err(), "it claims more than was seen");
    assert!(judge(vector(2, 0), &[]).is_err(), "it leaves out what was seen");
    assert_eq!(judge(vector(2, 0), &[B]), Ok(()), "the name stands for two entries");
}

#[test]
fn a_frame_of_another_version_may_not_be_read() {
    assert_eq!(versions::judge_frame(0, 1, 3, 3), Ok(()));
    assert!(versions::judge_frame(0, 1, 3, 4).is_err());
}

#[test]
fn a_batch_longer_than_asked_for_is_found() {
    assert_eq!(bounds::judge_batch(0, 3, 3), Ok(()));
    assert_eq!(bounds::judge_batch(0, 1, 0), Ok(()), "one entry gets everybody further");
    assert!(bounds::judge_batch(0, 4, 3).is_err());
    assert_eq!(bounds::judge_waiting(0, MAX_PARKED_BATCHES), Ok(()));
    assert!(bounds::judge_waiting(0, MAX_PARKED_BATCHES + 1).is_err());
}
