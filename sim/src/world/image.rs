//! What one device durably has, and a reading of it that shares no code with the engine's merge.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use graphshell_sync::ports::Promise;
use graphshell_sync::{
    Access, Batch, DeviceId, Dot, Hash, PeerId, Record, Snapshot, VersionVector,
};

/// A device's disk and keyring. Cloning it is a backup.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    pub(crate) base: Option<Snapshot>,
    /// The position of the first record that is still there.
    pub(crate) first: u64,
    /// Encoded records, in the order of the log.
    pub(crate) records: Vec<Rc<[u8]>>,
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) promise: Option<Promise>,
    /// What the records say, kept up with every append.
    pub(crate) held: Holdings,
    /// The devices that the workspace is shared with.
    pub(crate) shared: BTreeSet<DeviceId>,
    /// `held` and `shared` as the snapshot says.
    by_snapshot: (Holdings, BTreeSet<DeviceId>),
    /// `held` and `shared` as the base says.
    by_base: (Holdings, BTreeSet<DeviceId>),
    /// Durable records at the end of the log that are gone.
    pub(crate) lost: u64,
}

impl Image {
    /// The position after the last record.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    /// The encoded record at a position, if it is there.
    pub(crate) fn record(&self, position: u64) -> Option<&[u8]> {
        let place = position.checked_sub(self.first)?;
        self.records.get(usize::try_from(place).ok()?).map(AsRef::as_ref)
    }

    /// The authors whose forks the log tells of.
    pub(crate) fn forks(&self) -> Vec<PeerId> {
        let record = |bytes: &Rc<[u8]>| Record::decode(bytes).ok();
        let forks = self.records.iter().filter_map(record).filter_map(|record| match record {
            Record::Fork(proof) => Some(proof.author),
            _ => None,
        });
        forks.collect()
    }

    /// Puts a base under the log and drops the records before `first`. What the base covers beyond
    /// the log it has from `source`. Returns the records dropped.
    pub(crate) fn rebase(
        &mut self,
        base: Snapshot,
        first: u64,
        source: Option<&Holdings>,
    ) -> Vec<Record> {
        let gone = (first.saturating_sub(self.first) as usize).min(self.records.len());
        let dropped = self.records.drain(..gone);
        let dropped = dropped.filter_map(|bytes| Record::decode(&bytes).ok()).collect();
        if self.lost > 0 {
            // Whoever recovers has what the snapshot tells, of consents too.
            let (held, mut shared) = std::mem::take(&mut self.by_snapshot);
            self.held.extend(&held, &base.vector);
            self.shared.append(&mut shared);
        }
        if let Some(source) = source {
            self.held.extend(source, &base.vector);
        }
        (self.first, self.lost) = (first, 0);
        self.by_base = (self.held.clone(), self.shared.clone());
        (self.base, self.snapshot) = (Some(base), None);
        dropped
    }

    /// The base lets these devices in, as it was found to when it was written.
    pub(crate) fn base_shares(&mut self, shared: &BTreeSet<DeviceId>) {
        self.shared.clone_from(shared);
        self.by_base.1.clone_from(shared);
    }

    /// Takes the place of the snapshot before.
    pub(crate) fn keep_snapshot(&mut self, snapshot: Snapshot) {
        self.snapshot = Some(snapshot);
        self.by_snapshot = (self.held.clone(), self.shared.clone());
    }

    /// The snapshot that lay beside `before` tells what it told.
    pub(crate) fn keep_snapshot_of(&mut self, before: &Image) {
        self.by_snapshot = before.by_snapshot.clone();
    }

    /// Forgets the last records, at most so many; what the log stands on stays.
    pub(crate) fn lose_tail(&mut self, records: usize) {
        let left = self.records.len().saturating_sub(records);
        let gone = self.records.split_off(left);
        self.lost += gone.len() as u64;
        (self.held, self.shared) = self.by_base.clone();
        let after_base = self.base.as_ref().map_or(0, |base| base.position).max(self.first);
        for position in after_base..self.end() {
            if let Some(Ok(record)) = self.record(position).map(Record::decode) {
                // It was judged when it was written.
                let _ = self.apply(&record);
            }
        }
    }

    /// Adds records, all of them. The error says how they contradict what was there before.
    pub(crate) fn append(&mut self, records: &[Record]) -> Result<(), Contradiction> {
        let mut first = Ok(());
        for record in records {
            self.records.push(record.encode().into());
            first = first.and(self.apply(record));
        }
        first
    }

    fn apply(&mut self, record: &Record) -> Result<(), Contradiction> {
        match record {
            Record::Ready(batch) => return self.held.add(batch),
            Record::Consent { device, access: Access::None } => _ = self.shared.remove(device),
            Record::Consent { device, .. } => _ = self.shared.insert(*device),
            Record::Disown { author, after } => self.held.disown(*author, *after),
            Record::Identity { .. } | Record::Parked(_) | Record::Fork(_) => {}
        }
        Ok(())
    }
}

/// Entries that are there, with their causes: of each author a running hash per sequence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holdings(BTreeMap<PeerId, Vec<Hash>>);

/// A batch does not fit what is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contradiction {
    /// Where.
    pub(crate) dot: Dot,
    /// How.
    pub(crate) what: &'static str,
}

impl Holdings {
    fn add(&mut self, batch: &Batch) -> Result<(), Contradiction> {
        let mut first = Ok(());
        for row in batch.authors() {
            let relied = Dot { peer: row.peer, sequence: row.base };
            let fits = match self.get(relied) {
                _ if row.base == 0 => Ok(()),
                None => Err("is relied on but not there"),
                Some(hash) if hash != row.hash => Err("is relied on with another content"),
                Some(_) => Ok(()),
            };
            first = first.and(fits.map_err(|what| Contradiction { dot: relied, what }));
        }
        for (dot, hash) in batch.running_hashes() {
            let chain = self.0.entry(dot.peer).or_default();
            let fits = match chain.get(dot.sequence as usize - 1) {
                Some(&held) if held == hash => Ok(()),
                Some(_) => Err("is stored anew with another content"),
                None if chain.len() as u64 + 1 == dot.sequence => {
                    chain.push(hash);
                    Ok(())
                }
                None => Err("is stored before the entry before it"),
            };
            first = first.and(fits.map_err(|what| Contradiction { dot, what }));
        }
        first
    }

    /// Whether both hold an entry of the author under one name with different content.
    pub(crate) fn parts_from(&self, other: &Holdings, author: PeerId) -> bool {
        let chain = |held: &Holdings| held.0.get(&author).cloned().unwrap_or_default();
        chain(self).iter().zip(chain(other)).any(|(&ours, theirs)| ours != theirs)
    }

    /// Entries of some authors, whose running hashes are made of these bytes.
    #[cfg(test)]
    pub(crate) fn of(chains: &[(PeerId, &[u8])]) -> Self {
        let chain = |bytes: &[u8]| bytes.iter().map(|&byte| Hash([byte; 32])).collect();
        Holdings(chains.iter().map(|&(author, bytes)| (author, chain(bytes))).collect())
    }

    /// Takes over from `source` what `vector` covers, where it goes on with the same history.
    fn extend(&mut self, source: &Holdings, vector: &VersionVector) {
        for (peer, last) in vector.iter() {
            let chain = self.0.entry(peer).or_default();
            let theirs = source.0.get(&peer).map_or(&[][..], Vec::as_slice);
            let theirs = &theirs[..theirs.len().min(last as usize)];
            if theirs.starts_with(chain) {
                *chain = theirs.to_vec();
            }
        }
        self.0.retain(|_, chain| !chain.is_empty());
    }

    fn disown(&mut self, author: PeerId, after: u64) {
        if let Some(chain) = self.0.get_mut(&author) {
            chain.truncate(after as usize);
        }
    }

    /// The author's running hash at an entry that is held.
    pub(crate) fn get(&self, dot: Dot) -> Option<Hash> {
        let index = dot.sequence.checked_sub(1)? as usize;
        self.0.get(&dot.peer)?.get(index).copied()
    }

    /// How far each author is held.
    pub(crate) fn vector(&self) -> VersionVector {
        self.0.iter().map(|(&peer, chain)| (peer, chain.len() as u64)).collect()
    }

    /// Every entry with the running hash there.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Dot, Hash)> + '_ {
        self.0.iter().flat_map(|(&peer, chain)| {
            let sequences = 1..=chain.len() as u64;
            sequences.zip(chain).map(move |(sequence, &hash)| (Dot { peer, sequence }, hash))
        })
    }
}
