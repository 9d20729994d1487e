//! Snapshots of one's own: everything that a replay of the log up to a position would give.
//!
//! One that only shortens the replay and the base that a log stands on are the same. Taken only while
//! nothing is on its way, so that it holds nothing but what is durable.

use std::sync::Arc;

use smallvec::SmallVec;
use uuid::Uuid;

use super::shared::{put_chains, put_rows, read_chains, read_rows};
use super::{Core, Output};
use crate::access::Access;
use crate::api::Chore;
use crate::author::AuthorIx;
use crate::batch::Batch;
use crate::codec::{DecodeError, Reader, put_varint};
use crate::hash::Hash;
use crate::id::{DeviceId, Incarnation, PeerId};
use crate::limits::{MAX_AUTHORS, MAX_BATCH_BYTES, MAX_PARKED_BATCHES};
use crate::ports::StoreError;
use crate::record::{ForkProof, Snapshot};
use crate::state::State;

const SNAPSHOT_VERSION: u8 = 3;
/// The version that knew no access but a full one.
const VERSION_WITHOUT_ACCESS: u8 = 2;

/// The last own entry in the base: what comes after it may have to be made again under another
/// name, and stands in the log.
#[derive(Clone, Debug, Default)]
pub(super) struct Root {
    pub(super) sequence: u64,
    /// What it had seen of others.
    pub(super) seen: Vec<(AuthorIx, u64)>,
}

impl Core {
    /// Asks for a snapshot that is taken from now on, as soon as nothing is on its way.
    pub(crate) fn want_checkpoint(&mut self) {
        self.checkpoint_wanted = true;
    }

    /// Whether the store is at work on a snapshot.
    pub(crate) fn is_saving(&self) -> bool {
        self.saving.is_some()
    }

    pub(super) fn consider_snapshot(&mut self) {
        let every = self.config.snapshot_every;
        let due = every > 0 && self.pipeline.end >= self.snapshot_at.saturating_add(every);
        if (due || self.checkpoint_wanted) && self.is_still() {
            self.checkpoint_wanted = false;
            self.saving = Some(self.pipeline.end);
            let snapshot = self.snapshot();
            self.outputs.push_back(Output::SaveSnapshot(snapshot));
        }
    }

    /// The root of a base that is taken now.
    pub(super) fn root_now(&self) -> Root {
        if !self.named {
            return Root::default();
        }
        let chain = self.ledger.chain(self.me);
        Root { sequence: chain.durable(), seen: chain.seen_rows().collect() }
    }

    /// All that a replay would give, as of now.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            position: self.pipeline.end,
            bytes: self.encode_snapshot(),
            vector: self.applied(),
            conflicts: self.state.listed().collect(),
        }
    }

    pub(super) fn snapshot_saved(&mut self, result: Result<(), StoreError>) {
        let position = self.saving.take();
        if self.ended {
            return;
        }
        match result {
            Ok(()) => {
                self.snapshot_at = position.unwrap_or(self.snapshot_at);
                self.done(Chore::Checkpoint);
            }
            // The log has everything: try again later.
            Err(refused @ StoreError::Refused(_)) => {
                self.snapshot_at = self.pipeline.end;
                self.hindered(Chore::Checkpoint, refused);
            }
            Err(error) => self.fail(error),
        }
    }

    fn encode_snapshot(&self) -> Vec<u8> {
        let mut out = vec![SNAPSHOT_VERSION];
        out.extend_from_slice(&self.named_device.0);
        out.push(u8::from(self.edits.imported));
        put_varint(&mut out, self.incarnations.len() as u64);
        self.incarnations.iter().for_each(|incarnation| out.extend_from_slice(&incarnation.0));
        put_varint(&mut out, self.consents.len() as u64);
        for (device, access) in &self.consents {
            out.extend_from_slice(&device.0);
            out.push(access.byte());
        }
        put_varint(&mut out, self.forks.len() as u64);
        for proof in self.forks.values() {
            out.extend_from_slice(proof.author.0.as_bytes());
            put_varint(&mut out, proof.common);
            out.extend_from_slice(&proof.ours.0);
            out.extend_from_slice(&proof.theirs.0);
        }
        let numbers = put_chains(&mut out, &self.authors, &self.ledger);
        let all = || (0..self.authors.len() as u32).map(AuthorIx);
        for device in self.consents.keys() {
            let had = all().map(|author| (author, self.acknowledged.get(*device, author)));
            put_rows(&mut out, &numbers, had.filter(|row| row.1 > 0));
        }
        put_varint(&mut out, self.root.sequence);
        put_rows(&mut out, &numbers, self.root.seen.iter().copied());
        let floors = all().map(|author| (author, self.index.floor(author)));
        put_rows(&mut out, &numbers, floors.filter(|row| row.1 > 0));
        put_varint(&mut out, self.index.records().len() as u64);
        for record in self.index.records() {
            put_varint(&mut out, record.position);
            put_varint(&mut out, record.bytes as u64);
            put_varint(&mut out, record.spans.len() as u64);
            for &(author, first, last) in &record.spans {
                put_varint(&mut out, numbers[author.index()]);
                put_varint(&mut out, first);
                put_varint(&mut out, last);
            }
        }
        put_varint(&mut out, self.parked.iter().len() as u64);
        for batch in self.parked.iter() {
            let bytes = batch.encode();
            put_varint(&mut out, bytes.len() as u64);
            out.extend_from_slice(&bytes);
        }
        self.state.encode(&self.authors, &mut out);
        out
    }

    /// Takes over a snapshot into a core that has seen no record.
    pub(super) fn restore(&mut self, snapshot: &Snapshot) -> Result<(), DecodeError> {
        let mut reader = Reader::new(&snapshot.bytes);
        let read = &mut reader;
        let version = read.u8("a snapshot version")?;
        if !matches!(version, VERSION_WITHOUT_ACCESS | SNAPSHOT_VERSION) {
            return Err(DecodeError { offset: 0, expected: "snapshot version 2 or 3" });
        }
        let device = DeviceId(read.array("a device id")?);
        self.edits.imported = read.u8("0 or 1")? == 1;
        for _ in 0..read.bounded(MAX_AUTHORS, "a count of incarnations")? {
            let incarnation = Incarnation(read.array("an incarnation")?);
            self.incarnations.push(incarnation);
            self.names.insert(PeerId::derive(device, incarnation));
        }
        for _ in 0..read.bounded(snapshot.bytes.len() / 32, "a count of devices")? {
            let device = DeviceId(read.array("a device id")?);
            let known = version != VERSION_WITHOUT_ACCESS;
            self.consent(device, if known { read.access()? } else { Access::Full });
        }
        for _ in 0..read.bounded(MAX_AUTHORS, "a count of forks")? {
            let proof = ForkProof {
                author: PeerId(Uuid::from_bytes(read.array("an author id")?)),
                common: read.varint("a sequence")?,
                ours: Hash(read.array("a running hash")?),
                theirs: Hash(read.array("a running hash")?),
            };
            let author = self.ledger.intern(&mut self.authors, proof.author);
            self.forks.insert(author, proof);
        }
        let chains = read_chains(read, &mut self.authors)?;
        self.ledger.cover(&self.authors);
        let numbers: Vec<AuthorIx> = chains.iter().map(|chain| chain.author).collect();
        for chain in chains {
            self.ledger.chain_mut(chain.author).become_later(chain);
        }
        let rows = |read: &mut Reader<'_>| {
            let rows = read_rows(read, numbers.len())?.into_iter();
            Ok(rows.map(|(place, sequence)| (numbers[place], sequence)).collect::<Vec<_>>())
        };
        for &device in self.consents.keys() {
            self.acknowledged.replace(device, rows(read)?.into_iter());
        }
        self.root = Root { sequence: read.varint("a sequence")?, seen: rows(read)? };
        for (author, floor) in rows(read)? {
            self.index.raise_floor(author, floor);
        }
        for _ in 0..read.bounded(snapshot.bytes.len(), "a count of records")? {
            let position = read.varint("a position")?;
            let bytes = read.bounded(usize::MAX, "a record's bytes")?;
            let mut spans = SmallVec::new();
            for _ in 0..read.bounded(MAX_AUTHORS, "a count of spans")? {
                let start = read.clone();
                let place = read.bounded(numbers.len(), "an author's place")?;
                let author = *numbers.get(place).ok_or(start.error("an author's place"))?;
                spans.push((author, read.varint("a sequence")?, read.varint("a sequence")?));
            }
            self.index.push(position, spans, bytes);
        }
        for _ in 0..read.bounded(MAX_PARKED_BATCHES, "a count of parked batches")? {
            let length = read.bounded(MAX_BATCH_BYTES, "a batch's length")?;
            let bytes = read.bytes(length, "a batch")?;
            let batch = Batch::decode(bytes).map_err(|_| read.error("a well-formed batch"))?;
            self.parked.offer(&Arc::new(batch));
        }
        let rest = &snapshot.bytes[read.offset()..];
        self.state = State::decode(rest, &mut self.authors, self.table_key)?;
        self.ledger.cover(&self.authors);
        if let Some(&incarnation) = self.incarnations.last() {
            let peer = PeerId::derive(device, incarnation);
            self.me = self.ledger.intern(&mut self.authors, peer);
            (self.incarnation, self.named, self.named_device) = (incarnation, true, device);
        }
        self.pipeline.end = snapshot.position;
        self.snapshot_at = snapshot.position;
        self.compaction.tried_at = snapshot.position;
        Ok(())
    }
}
