use std::borrow::Cow;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::super::file::{Head, Part, Recording};
use super::super::mark::{Kind, Mark};
use super::*;
use crate::api::Config;
use crate::entry::EdgeType;
use crate::graph::ConflictId;
use crate::id::Incarnation;
use crate::ports::{Promise, SetAside};
use crate::testing::{
    self, access, device, dot, entry, record, request, response, uuid, workspace,
};

fn result<T: std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Result<T, StoreError>> {
    let error = prop_oneof![
        ".{0,20}".prop_map(StoreError::Refused),
        ".{0,20}".prop_map(StoreError::Failed),
        ".{0,20}".prop_map(StoreError::Damaged),
    ];
    (value, option::weighted(0.2, error)).prop_map(|(value, error)| error.map_or(Ok(value), Err))
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    (any::<u64>(), vec(any::<u8>(), 0..40)).prop_map(|(position, bytes)| Snapshot {
        position,
        bytes,
        ..Snapshot::default()
    })
}

fn opened() -> impl Strategy<Value = Opened> {
    let files = vec((".{0,9}", ".{0,9}").prop_map(|(name, why)| SetAside { name, why }), 0..3);
    let numbers = any::<[u64; 3]>();
    (option::of(snapshot()), option::of(snapshot()), numbers, files).prop_map(
        |(base, snapshot, [first, end, watermark], set_aside)| Opened {
            base,
            snapshot,
            first,
            end,
            watermark,
            set_aside,
        },
    )
}

fn resolution() -> impl Strategy<Value = Resolution> {
    prop_oneof![
        Just(Resolution::KeepDeleted),
        vec(dot(), 0..3).prop_map(|chosen| Resolution::Restore { chosen }),
        Just(Resolution::KeepBoth),
        Just(Resolution::KeepEdge { edge_type: EdgeType::UserGrouped }),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let records = || result(vec(record(), 0..3));
    prop_oneof![
        result(Just(())).prop_map(Input::Appended),
        (any::<u64>(), records()).prop_map(|(ticket, records)| Input::Loaded { ticket, records }),
        result(Just(())).prop_map(Input::Promised),
        result(Just(())).prop_map(Input::SnapshotSaved),
        result(Just(())).prop_map(Input::Rebased),
        (any::<u64>(), device()).prop_map(|(round, peer)| Input::Start { round, peer }),
        any::<u64>().prop_map(|round| Input::Abandon { round }),
        (any::<u64>(), response())
            .prop_map(|(call, response)| Input::Returned { call, response: Ok(response) }),
        (any::<u64>(), ".{0,20}", any::<bool>()).prop_map(|(call, why, lost)| {
            let error = if lost { CallError::Lost(why) } else { CallError::Nonsense(why) };
            Input::Returned { call, response: Err(error) }
        }),
        (any::<u64>(), device(), request()).prop_map(|(call, from, request)| Input::Asked {
            call,
            from,
            request
        }),
    ]
}

fn step() -> impl Strategy<Value = Step<'static>> {
    let promise = (any::<[u8; 16]>(), any::<u64>()).prop_map(|(incarnation, sequence)| Promise {
        incarnation: Incarnation(incarnation),
        sequence,
    });
    let mark = (0..16u8, any::<[u8; 8]>())
        .prop_map(|(kind, hash)| Mark { kind: Kind::from_number(kind).unwrap(), hash });
    let operations = || vec(entry(), 0..4);
    prop_oneof![
        result(opened()).prop_map(|result| Step::Opened(Cow::Owned(result))),
        result(option::of(promise)).prop_map(Step::Witnessed),
        vec(any::<u8>(), 64).prop_map(|bytes| Step::Drawn(bytes.try_into().unwrap())),
        (any::<u64>(), result(vec(record(), 0..3)))
            .prop_map(|(first, records)| Step::Read { first, records: Cow::Owned(records) }),
        result(Just(())).prop_map(Step::BaseWritten),
        Just(Step::Began),
        Just(Step::NotOpened),
        vec(any::<u8>(), 0..40).prop_map(|image| Step::Image(Cow::Owned(image))),
        (any::<u64>(), operations())
            .prop_map(|(now_ms, all)| Step::Edit { now_ms, operations: Cow::Owned(all) }),
        (any::<u64>(), uuid(), resolution()).prop_map(|(now_ms, id, resolution)| Step::Resolve {
            now_ms,
            conflict: ConflictId(id),
            resolution: Cow::Owned(resolution),
        }),
        (device(), access()).prop_map(|(device, access)| Step::Share { device, access }),
        operations().prop_map(|all| Step::Import(Cow::Owned(all))),
        input().prop_map(|input| Step::Input(Cow::Owned(input))),
        Just(Step::Looked),
        Just(Step::WantSnapshot),
        Just(Step::WantCompaction),
        vec(mark, 0..4).prop_map(|marks| Step::Gave(Cow::Owned(marks))),
    ]
}

fn encoded(step: &Step<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, step).unwrap();
    bytes
}

fn head() -> impl Strategy<Value = Vec<u8>> {
    (workspace(), device(), any::<u64>(), any::<bool>()).prop_map(
        |(workspace, device, every, replaced)| {
            let config = Config { workspace, device, snapshot_every: every, compact_every: every };
            Head { engine: "0.1.0".to_owned(), config, replaced }.encode()
        },
    )
}

/// A file of these steps, in parts.
fn file() -> impl Strategy<Value = Vec<u8>> {
    (head(), vec((any::<u64>(), vec(step(), 0..4)), 1..3)).prop_map(|(mut out, parts)| {
        let head = out.clone();
        let mut end = Vec::new();
        for (time_ms, steps) in parts {
            let mut part = Part::new(&head, false, time_ms);
            steps.iter().for_each(|step| part.push(time_ms ^ 3, step).unwrap());
            out.extend_from_slice(part.bytes());
            end = part.end();
        }
        [out, end].concat()
    })
}

proptest! {
    #[test]
    fn step_reads_as_it_was_written(step in step()) {
        let bytes = encoded(&step);
        prop_assert_eq!(encoded(&read(&bytes).unwrap()), bytes);
    }

    #[test]
    fn hostile_step_is_refused_or_canonical(
        bytes in testing::hostile(step().prop_map(|step| encoded(&step))),
    ) {
        if let Ok(step) = read(&bytes) {
            prop_assert_eq!(encoded(&step), bytes);
        }
    }

    #[test]
    fn a_file_that_was_cut_is_read_to_its_last_whole_frame(file in file(), keep in 0.0..1.0f64) {
        let whole = Recording::decode(file.clone()).unwrap();
        prop_assert_eq!(whole.cut(), None);
        let kept = (file.len() as f64 * keep) as usize;
        if let Ok(recording) = Recording::decode(file[..kept].to_vec()) {
            prop_assert!(recording.cut().is_some());
            prop_assert!(recording.framed().count() <= whole.framed().count());
        }
    }

    #[test]
    fn no_changed_byte_goes_unnoticed(file in file(), at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut changed = file.clone();
        changed[at.index(file.len())] ^= 1u8 << bit;
        if let Ok(recording) = Recording::decode(changed) {
            prop_assert!(recording.cut().is_some(), "only a frame's length can be taken for a cut");
        }
    }

    #[test]
    fn hostile_file_is_refused_or_read(bytes in testing::hostile(file())) {
        if let Ok(recording) = Recording::decode(bytes) {
            recording.framed().for_each(drop);
        }
    }
}
