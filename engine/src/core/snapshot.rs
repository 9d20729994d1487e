//! The base snapshot: everything that a replay of the log up to a position would give.
//!
//! Taken only while nothing is on its way, so that it holds nothing but what is durable.

use std::sync::Arc;

use smallvec::SmallVec;
use uuid::Uuid;

use super::{Core, Output};
use crate::author::AuthorIx;
use crate::batch::Batch;
use crate::codec::{DecodeError, Reader, put_varint};
use crate::hash::Hash;
use crate::id::{DeviceId, Incarnation, PeerId};
use crate::limits::{MAX_AUTHORS, MAX_BATCH_BYTES, MAX_NAMES, MAX_PARKED_BATCHES, SEQUENCE_END};
use crate::ports::StoreError;
use crate::record::{ForkProof, Snapshot};
use crate::state::State;

const SNAPSHOT_VERSION: u8 = 1;

impl Core {
    /// Asks for a snapshot as soon as nothing is on its way.
    pub(crate) fn want_checkpoint(&mut self) {
        self.checkpoint_wanted = true;
    }

    pub(super) fn consider_snapshot(&mut self) {
        let every = self.config.snapshot_every;
        let due = every > 0 && self.pipeline.end >= self.snapshot_at.saturating_add(every);
        let still = self.pipeline.is_quiet() && self.edits.is_sealed() && self.healing.is_none();
        if (due || self.checkpoint_wanted) && still && self.saving.is_none() {
            self.checkpoint_wanted = false;
            self.saving = Some(self.pipeline.end);
            let snapshot = self.snapshot();
            self.outputs.push_back(Output::SaveSnapshot(snapshot));
        }
    }

    fn snapshot(&self) -> Snapshot {
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
            Ok(()) => self.snapshot_at = position.unwrap_or(self.snapshot_at),
            // The log has everything: try again later.
            Err(StoreError::Refused(_)) => self.snapshot_at = self.pipeline.end,
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
        self.consents.iter().for_each(|device| out.extend_from_slice(&device.0));
        put_varint(&mut out, self.forks.len() as u64);
        for proof in self.forks.values() {
            out.extend_from_slice(proof.author.0.as_bytes());
            put_varint(&mut out, proof.common);
            out.extend_from_slice(&proof.ours.0);
            out.extend_from_slice(&proof.theirs.0);
        }
        let numbers = self.encode_ledger(&mut out);
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

    /// Writes the authors that have entries; returns the number of each in the snapshot.
    fn encode_ledger(&self, out: &mut Vec<u8>) -> Vec<u64> {
        let with_entries: Vec<AuthorIx> = (0..self.authors.len() as u32)
            .map(AuthorIx)
            .filter(|&author| self.ledger.chain(author).admitted() > 0)
            .collect();
        let mut numbers = vec![u64::MAX; self.authors.len()];
        for (number, author) in with_entries.iter().enumerate() {
            numbers[author.index()] = number as u64;
        }
        put_varint(out, with_entries.len() as u64);
        for &author in &with_entries {
            let chain = self.ledger.chain(author);
            out.extend_from_slice(self.authors.peer(author).0.as_bytes());
            put_varint(out, chain.hashes().len() as u64);
            chain.hashes().iter().for_each(|hash| out.extend_from_slice(&hash.0));
            put_varint(out, with_entries.len() as u64);
            with_entries.iter().for_each(|&seen| put_varint(out, chain.seen(seen)));
        }
        numbers
    }

    /// Takes over a snapshot into a core that has seen no record.
    pub(super) fn restore(&mut self, snapshot: &Snapshot) -> Result<(), DecodeError> {
        let mut reader = Reader::new(&snapshot.bytes);
        let read = &mut reader;
        if read.u8("a snapshot version")? != SNAPSHOT_VERSION {
            return Err(read.error("snapshot version 1"));
        }
        let device = DeviceId(read.array("a device id")?);
        self.edits.imported = read.u8("0 or 1")? == 1;
        for _ in 0..read.bounded(MAX_AUTHORS, "a count of incarnations")? {
            self.incarnations.push(Incarnation(read.array("an incarnation")?));
        }
        for _ in 0..read.bounded(snapshot.bytes.len() / 32, "a count of devices")? {
            self.consents.insert(DeviceId(read.array("a device id")?));
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
        let numbers = self.restore_ledger(read)?;
        for _ in 0..read.bounded(snapshot.bytes.len(), "a count of records")? {
            let position = read.varint("a position")?;
            let bytes = read.bounded(usize::MAX, "a record's bytes")?;
            let mut spans = SmallVec::new();
            for _ in 0..read.bounded(MAX_AUTHORS, "a count of spans")? {
                let author = *read
                    .bounded(MAX_NAMES, "an author's number")
                    .map(|number| numbers.get(number))?
                    .ok_or_else(|| read.error("an author's number"))?;
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
        Ok(())
    }

    fn restore_ledger(&mut self, read: &mut Reader<'_>) -> Result<Vec<AuthorIx>, DecodeError> {
        let mut numbers = Vec::new();
        let mut vectors = Vec::new();
        for _ in 0..read.bounded(MAX_NAMES, "a count of authors")? {
            let peer = PeerId(Uuid::from_bytes(read.array("an author id")?));
            let author = self.ledger.intern(&mut self.authors, peer);
            numbers.push(author);
            let entries = read.varint("a count of entries")?;
            if entries >= SEQUENCE_END {
                return Err(read.error("a count of entries below 2^62"));
            }
            for _ in 0..entries {
                let hash = Hash(read.array("a running hash")?);
                self.ledger.chain_mut(author).push(hash);
            }
            self.ledger.chain_mut(author).set_durable(entries);
            let mut vector = Vec::new();
            for _ in 0..read.bounded(MAX_NAMES, "a vector's length")? {
                vector.push(read.varint("a sequence")?);
            }
            vectors.push(vector);
        }
        for (&author, vector) in numbers.iter().zip(vectors) {
            for (number, sequence) in vector.into_iter().enumerate() {
                let seen = *numbers.get(number).ok_or_else(|| read.error("a known author"))?;
                if sequence > 0 {
                    self.ledger.chain_mut(author).raise_seen(seen, sequence);
                }
            }
        }
        Ok(numbers)
    }
}
