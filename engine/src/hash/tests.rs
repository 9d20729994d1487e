use proptest::collection::btree_map;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::testing;

#[derive(Clone, Debug)]
struct Entry {
    flags: u8,
    sequence: u64,
    timestamp_ms: u64,
    delta: Vec<(PeerId, u64)>,
    kind: u16,
    payload: Vec<u8>,
}

impl Entry {
    fn chain(&self, previous: &Hash) -> Hash {
        self.chain_without_payload(previous, payload_hash(&self.payload), self.payload.len())
    }

    fn chain_without_payload(&self, previous: &Hash, hash: Hash, len: usize) -> Hash {
        let link = Link {
            flags: self.flags,
            sequence: self.sequence,
            timestamp_ms: self.timestamp_ms,
            delta: self.delta.iter().copied(),
            delta_len: self.delta.len(),
            kind: self.kind,
            payload_hash: hash,
            payload_len: len,
        };
        chain_next(previous, link, &mut vec![0xaa; 3])
    }

    /// Every entry that differs from this one in one bit, or by one component or byte.
    fn neighbours(&self) -> Vec<Entry> {
        let mut all = Vec::new();
        let mut change = |edit: &dyn Fn(&mut Entry)| {
            let mut entry = self.clone();
            edit(&mut entry);
            all.push(entry);
        };
        (0..8).for_each(|bit| change(&|entry| entry.flags ^= 1 << bit));
        (0..16).for_each(|bit| change(&|entry| entry.kind ^= 1 << bit));
        for bit in 0..64 {
            change(&|entry| entry.sequence ^= 1 << bit);
            change(&|entry| entry.timestamp_ms ^= 1 << bit);
        }
        for row in 0..self.delta.len() {
            (0..64).for_each(|bit| change(&|entry| entry.delta[row].1 ^= 1 << bit));
            (0..128).for_each(|bit| {
                let flip = |peer: PeerId| PeerId(Uuid::from_u128(peer.0.as_u128() ^ 1 << bit));
                change(&|entry| entry.delta[row].0 = flip(entry.delta[row].0));
            });
            change(&|entry| entry.delta.truncate(row));
        }
        for byte in 0..self.payload.len() {
            (0..8).for_each(|bit| change(&|entry| entry.payload[byte] ^= 1 << bit));
        }
        change(&|entry| entry.payload.push(0));
        change(&|entry| entry.payload.truncate(entry.payload.len() - 1));
        all
    }
}

fn entry() -> impl Strategy<Value = Entry> {
    let delta = btree_map(testing::peer(), testing::sequence(), 0..4);
    let payload = proptest::collection::vec(any::<u8>(), 1..40);
    (0..2u8, testing::sequence(), any::<u64>(), delta, any::<u16>(), payload).prop_map(
        |(flags, sequence, timestamp_ms, delta, kind, payload)| Entry {
            flags,
            sequence,
            timestamp_ms,
            delta: delta.into_iter().collect(),
            kind,
            payload,
        },
    )
}

proptest! {
    #![proptest_config(testing::cases(32))]

    #[test]
    fn any_changed_bit_changes_the_chain(entry in entry(), previous in testing::hash()) {
        let chain = entry.chain(&previous);
        for other in entry.neighbours() {
            prop_assert_ne!(other.chain(&previous), chain, "{:?}", other);
        }
        let mut other = previous;
        other.0[31] ^= 1;
        prop_assert_ne!(entry.chain(&other), chain);
    }

    #[test]
    fn chain_holds_after_payloads_were_erased(
        entries in proptest::collection::vec(entry(), 1..8),
        start in testing::hash(),
    ) {
        let whole = entries.iter().fold(start, |chain, entry| entry.chain(&chain));
        let mut erased = start;
        for entry in &entries {
            let (hash, len) = (payload_hash(&entry.payload), entry.payload.len());
            let header_only = Entry { payload: Vec::new(), ..entry.clone() };
            erased = header_only.chain_without_payload(&erased, hash, len);
        }
        prop_assert_eq!(erased, whole);
    }
}

#[test]
fn chain_starts_apart_for_every_workspace_and_author() {
    let [a, b] = [1, 2].map(Uuid::from_u128);
    let starts = [(a, a), (a, b), (b, a), (b, b)]
        .map(|(workspace, author)| chain_start(WorkspaceId(workspace), PeerId(author)));
    for (index, start) in starts.iter().enumerate() {
        assert!(!starts[..index].contains(start));
    }
}

/// Golden values: a change of either is a new format, on which old histories fork.
#[test]
fn chain_of_known_entries_stays_what_it_was() {
    let start = chain_start(
        WorkspaceId(Uuid::from_u128(0x1111_2222_3333_4444_5555_6666_7777_8888)),
        testing::author(1),
    );
    let genesis = Entry {
        flags: 1,
        sequence: 1,
        timestamp_ms: 0,
        delta: Vec::new(),
        kind: 7,
        payload: Vec::new(),
    };
    let edit = Entry {
        flags: 0,
        sequence: 2,
        timestamp_ms: 1_771_804_800_000,
        delta: vec![(testing::author(0), 300), (testing::author(2), 1)],
        kind: 1000,
        payload: b"unknown".to_vec(),
    };
    let end = edit.chain(&genesis.chain(&start));
    assert_eq!(
        start.to_string(),
        "b95bc6eadf9bb8444ac178754c414b003cc2dfc139f8a903eb95d7ad248cbb52"
    );
    assert_eq!(end.to_string(), "009df605af808c54349efd752b9fe296aa082edce4a108048d549a25148413fa");
}
