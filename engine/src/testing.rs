//! Arbitrary values for property tests.

use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use uuid::Uuid;

use crate::access::Access;
use crate::batch::{Batch, BatchBuilder, NewEntry};
use crate::entry::{EdgeKind, EdgeType, FLAG_GENESIS, LogEntry, Position, Trigger};
use crate::hash::Hash;
use crate::id::{DeviceId, Dot, Incarnation, NodeId, PeerId, WorkspaceId};
use crate::limits::SEQUENCE_END;
use crate::record::{ForkProof, Record};
use crate::vector::VersionVector;
use crate::wire::{
    Budget, Exclusion, Frontier, FrontierRequest, FrontierRow, PullRequest, PushRequest, Reject,
    Request, Response, SnapshotPart, SnapshotRequest,
};

/// So many cases, or in proportion fewer or more if `PROPTEST_CASES` says another number than 256.
pub(crate) fn cases(usual: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: (usual * config.cases).div_ceil(256), ..config }
}

/// The `number`-th of a few authors; ids do not ascend with the numbers.
pub(crate) fn author(number: usize) -> PeerId {
    let hash = blake3::hash(&number.to_le_bytes());
    PeerId(crate::id::uuid8(hash.as_bytes()))
}

/// Small sequences, and those next to the end.
pub(crate) fn sequence() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 1..300u64, 1 => 1..SEQUENCE_END, 1 => SEQUENCE_END - 3..SEQUENCE_END]
}

pub(crate) fn peer() -> impl Strategy<Value = PeerId> {
    prop_oneof![(0..8usize).prop_map(author), uuid().prop_map(PeerId)]
}

pub(crate) fn dot() -> impl Strategy<Value = Dot> {
    (peer(), sequence()).prop_map(|(peer, sequence)| Dot { peer, sequence })
}

pub(crate) fn vector() -> impl Strategy<Value = VersionVector> {
    vec((peer(), sequence()), 0..8).prop_map(|rows| rows.into_iter().collect())
}

pub(crate) fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

pub(crate) fn device() -> impl Strategy<Value = DeviceId> {
    any::<[u8; 32]>().prop_map(DeviceId)
}

pub(crate) fn access() -> impl Strategy<Value = Access> {
    prop_oneof![Just(Access::None), Just(Access::ReadOnly), Just(Access::Full)]
}

pub(crate) fn workspace() -> impl Strategy<Value = WorkspaceId> {
    uuid().prop_map(WorkspaceId)
}

pub(crate) fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn node() -> impl Strategy<Value = NodeId> {
    prop_oneof![(0..6u128).prop_map(|id| NodeId(Uuid::from_u128(id))), uuid().prop_map(NodeId)]
}

fn position() -> impl Strategy<Value = Position> {
    let coordinate = || any::<f32>().prop_map(|value| if value.is_finite() { value } else { 0.0 });
    (coordinate(), coordinate()).prop_map(|(x, y)| Position::new(x, y).unwrap())
}

fn edge_type() -> impl Strategy<Value = EdgeType> {
    prop_oneof![Just(EdgeType::Hyperlink), Just(EdgeType::History), Just(EdgeType::UserGrouped)]
}

fn trigger() -> impl Strategy<Value = Trigger> {
    prop_oneof![
        Just(Trigger::Unknown),
        Just(Trigger::Link),
        Just(Trigger::Typed),
        Just(Trigger::Back),
        Just(Trigger::Forward),
    ]
}

/// Any operation that can be written down and read back as itself.
pub(crate) fn entry() -> impl Strategy<Value = LogEntry> {
    let text = || ".{0,24}";
    let pair = || (node(), node());
    let kind = prop_oneof![
        Just(None),
        Just(Some(EdgeKind::Asserted)),
        edge_type().prop_map(|edge_type| Some(EdgeKind::Typed(edge_type))),
    ];
    prop_oneof![
        (node(), text(), position()).prop_map(|(node_id, url, position)| LogEntry::AddNode {
            node_id,
            url,
            position
        }),
        (pair(), edge_type()).prop_map(|((from, to), edge_type)| LogEntry::AddEdge {
            from,
            to,
            edge_type
        }),
        (pair(), kind).prop_map(|((from, to), kind)| LogEntry::RemoveEdge { from, to, kind }),
        (node(), text()).prop_map(|(node_id, title)| LogEntry::UpdateNodeTitle { node_id, title }),
        (node(), any::<bool>())
            .prop_map(|(node_id, is_pinned)| LogEntry::PinNode { node_id, is_pinned }),
        node().prop_map(|node_id| LogEntry::RemoveNode { node_id }),
        Just(LogEntry::ClearGraph),
        (node(), text())
            .prop_map(|(node_id, new_url)| LogEntry::UpdateNodeUrl { node_id, new_url }),
        (node(), position())
            .prop_map(|(node_id, position)| LogEntry::MoveNode { node_id, position }),
        pair().prop_map(|(from, to)| LogEntry::AssertEdge { from, to }),
        (pair(), any::<u64>(), trigger()).prop_map(|((from, to), timestamp_ms, trigger)| {
            LogEntry::AddTraversal { from, to, timestamp_ms, trigger }
        }),
        node().prop_map(|node_id| LogEntry::RestoreNode { node_id }),
        pair().prop_map(|(from, to)| LogEntry::SettleEdgePair { from, to }),
        (1000..=u16::MAX, vec(any::<u8>(), 0..40))
            .prop_map(|(kind, payload)| LogEntry::Opaque { kind, payload }),
    ]
}

/// What one author does next, in [`built`].
#[derive(Clone, Debug)]
struct Step {
    author: usize,
    /// Bit n: the author has seen all that the n-th author did so far.
    saw: u8,
    timestamp_ms: u64,
    genesis: bool,
    entry: LogEntry,
}

fn step() -> impl Strategy<Value = Step> {
    let time = prop_oneof![1_700_000_000_000..1_700_000_100_000u64, any::<u64>()];
    (0..5usize, any::<u8>(), time, prop::bool::weighted(0.1), entry()).prop_map(
        |(author, saw, time, genesis, entry)| {
            let timestamp_ms = if genesis { 0 } else { time };
            Step { author, saw, timestamp_ms, genesis, entry }
        },
    )
}

/// A well-formed batch of up to eight authors, and the most bytes that its builder foretold.
pub(crate) fn built() -> impl Strategy<Value = (Batch, usize)> {
    let base = prop_oneof![Just(0), 0..300u64, SEQUENCE_END - 100..SEQUENCE_END - 64];
    (workspace(), vec(base, 8), vec(step(), 1..40)).prop_map(|(workspace, bases, steps)| {
        let mut builder = BatchBuilder::default();
        let mut last = bases;
        let mut seen = vec![[0; 8]; 8];
        let mut payload = Vec::new();
        for step in steps {
            let mut delta = Vec::new();
            for other in (0..8).filter(|&other| other != step.author && step.saw >> other & 1 == 1)
            {
                if last[other] > seen[step.author][other] {
                    seen[step.author][other] = last[other];
                    delta.push((builder.row(author(other)), last[other]));
                }
            }
            last[step.author] += 1;
            payload.clear();
            step.entry.encode_payload(&mut payload).unwrap();
            let author = builder.row(author(step.author));
            assert!(builder.fits(delta.len(), payload.len()));
            builder.push(NewEntry {
                author,
                flags: if step.genesis { FLAG_GENESIS } else { 0 },
                kind: step.entry.kind(),
                sequence: last[step.author],
                timestamp_ms: step.timestamp_ms,
                delta: &delta,
                payload: &payload,
            });
        }
        let bytes = builder.bytes();
        (builder.finish(workspace, hash_at).unwrap(), bytes)
    })
}

pub(crate) fn batch() -> impl Strategy<Value = Batch> {
    built().prop_map(|(batch, _)| batch)
}

/// A stand-in for the running hash of `peer` at `sequence`.
pub(crate) fn hash_at(peer: PeerId, sequence: u64) -> Hash {
    let mut bytes = peer.0.as_bytes().to_vec();
    bytes.extend_from_slice(&sequence.to_le_bytes());
    Hash(*blake3::hash(&bytes).as_bytes())
}

fn frontier() -> impl Strategy<Value = Frontier> {
    vec((peer(), sequence(), hash()), 0..6).prop_map(|rows| {
        let row = |(peer, sequence, hash)| FrontierRow { peer, sequence, hash };
        Frontier::new(rows.into_iter().map(row).collect())
    })
}

fn excluded() -> impl Strategy<Value = Vec<Exclusion>> {
    btree_map(peer(), (sequence(), hash()), 0..4).prop_map(|rows| {
        let row = |(peer, (sequence, branch))| Exclusion { peer, common: sequence - 1, branch };
        rows.into_iter().map(row).collect()
    })
}

pub(crate) fn request() -> impl Strategy<Value = Request> {
    let budget =
        (any::<u32>(), any::<u32>()).prop_map(|(entries, bytes)| Budget { entries, bytes });
    prop_oneof![
        (workspace(), hash()).prop_map(|(workspace, digest)| {
            Request::Frontier(FrontierRequest { workspace, digest })
        }),
        (workspace(), frontier(), excluded(), budget).prop_map(
            |(workspace, have, excluded, budget)| {
                Request::Pull(PullRequest { workspace, have, excluded, budget })
            }
        ),
        batch().prop_map(|batch| Request::Push(PushRequest { batch })),
        (workspace(), option::of((hash(), 0..1_000_000u64)), any::<u32>()).prop_map(
            |(workspace, begun, bytes)| {
                let (id, offset) = begun.map_or((None, 0), |(id, offset)| (Some(id), offset));
                Request::Snapshot(SnapshotRequest { workspace, id, offset, bytes })
            }
        ),
    ]
}

fn reject() -> impl Strategy<Value = Reject> {
    prop_oneof![
        Just(Reject::NotShared),
        Just(Reject::Busy),
        Just(Reject::Unavailable),
        ".{0,40}".prop_map(Reject::Malformed),
        any::<u8>().prop_map(Reject::Version),
        Just(Reject::TooManyAuthors),
        dot().prop_map(|dot| Reject::Fork { author: dot.peer, common: dot.sequence - 1 }),
        Just(Reject::Behind),
        Just(Reject::TooLong),
    ]
}

pub(crate) fn response() -> impl Strategy<Value = Response> {
    prop_oneof![
        Just(Response::InStep),
        (frontier(), excluded())
            .prop_map(|(frontier, excluded)| Response::Frontier { frontier, excluded }),
        (option::of(batch()), any::<bool>())
            .prop_map(|(batch, more)| Response::Batch { batch, more }),
        vector().prop_map(|have| Response::Durable { have }),
        Just(Response::Published),
        reject().prop_map(Response::Refused),
        (hash(), 0..1000u64, vec(any::<u8>(), 1..40), 0..1000u64).prop_map(
            |(id, offset, bytes, behind)| {
                let total = offset + bytes.len() as u64 + behind;
                Response::Snapshot(SnapshotPart { id, total, offset, bytes })
            }
        ),
    ]
}

pub(crate) fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        (device(), any::<[u8; 16]>()).prop_map(|(device, incarnation)| Record::Identity {
            device,
            incarnation: Incarnation(incarnation)
        }),
        batch().prop_map(|batch| Record::Ready(Arc::new(batch))),
        batch().prop_map(|batch| Record::Parked(Arc::new(batch))),
        (device(), access()).prop_map(|(device, access)| Record::Consent { device, access }),
        (dot(), hash(), hash()).prop_map(|(dot, ours, theirs)| {
            Record::Fork(ForkProof { author: dot.peer, common: dot.sequence - 1, ours, theirs })
        }),
        dot().prop_map(|dot| Record::Disown { author: dot.peer, after: dot.sequence - 1 }),
    ]
}

/// Bytes that may be hard on a decoder of what `encoded` makes: noise, and valid bytes with some
/// of them changed, cut or followed by others.
pub(crate) fn hostile(encoded: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let edits = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let mangled = (encoded, edits, any::<prop::sample::Index>(), vec(any::<u8>(), 0..4));
    prop_oneof![
        1 => vec(any::<u8>(), 0..200),
        4 => mangled.prop_map(|(mut bytes, edits, cut, tail)| {
            for (at, byte) in edits {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if tail.len() == 3 {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes.extend(tail);
            bytes
        }),
    ]
}

/// Writes `fuzz/corpus/decode`: a few valid inputs for each decoder, behind the byte by which the
/// fuzz target chooses it. Always the same.
#[test]
#[ignore = "writes the seed corpus of the fuzz target"]
fn write_fuzz_corpus() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    use crate::legacy::{LegacyLogEntry, encode_legacy};

    let written = entry().prop_map(|entry| {
        let mut out = entry.kind().to_le_bytes().to_vec();
        entry.encode_payload(&mut out).unwrap();
        out
    });
    let legacy = (".{0,12}", ".{0,12}").prop_map(|(node_id, title)| {
        encode_legacy(&LegacyLogEntry::UpdateNodeTitle { node_id, title })
    });
    let decoders: [(&str, usize, BoxedStrategy<Vec<u8>>); 6] = [
        ("request", 6, request().prop_map(|request| request.encode()).boxed()),
        ("response", 12, response().prop_map(|response| response.encode()).boxed()),
        ("record", 8, record().prop_map(|record| record.encode()).boxed()),
        ("batch", 3, batch().prop_map(|batch| batch.encode()).boxed()),
        ("entry", 16, written.boxed()),
        ("legacy", 2, legacy.boxed()),
    ];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/decode");
    std::fs::create_dir_all(folder).unwrap();
    let mut runner = TestRunner::deterministic();
    for (choice, (name, count, inputs)) in decoders.into_iter().enumerate() {
        for number in 0..count {
            let mut input = vec![choice as u8];
            input.extend(inputs.new_tree(&mut runner).unwrap().current());
            std::fs::write(format!("{folder}/{name}-{number:02}"), input).unwrap();
        }
    }
}
