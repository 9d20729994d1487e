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
    pub(crate) contents: Contents,
    /// The same as the snapshot says, by the hash of its bytes; where a disk may lie and show an older one,
    /// as each says that was ever kept.
    by_snapshot: BTreeMap<[u8; 32], Rc<Contents>>,
    /// The same as the base says.
    by_base: Contents,
    /// Durable records at the end of the log that are gone.
    pub(crate) lost: u64,
    recovery: Option<Recovery>,
}

/// What a device goes by that opened a log with a loss, until there is a base that tells it.
#[derive(Clone, Debug)]
struct Recovery {
    /// What the snapshot told that was found.
    told: Rc<Contents>,
    /// Where that was taken, and where the log ended.
    position: u64,
    end: u64,
}

/// What a log says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    /// The entries that count.
    pub(crate) held: Holdings,
    /// What devices may do that the workspace is shared with.
    pub(crate) shared: BTreeMap<DeviceId, Access>,
    /// The authors whose forks are proven.
    pub(crate) forks: BTreeSet<PeerId>,
    /// Whether a snapshot was joined that a liar altered: what is shown may be what no entry says.
    pub(crate) misled: bool,
    /// What each batch relies on that came before its causes since the log was opened, while some
    /// are missing.
    waiting: Vec<VersionVector>,
}

/// A snapshot that another device handed over.
#[derive(Clone, Debug)]
pub(crate) struct Handed {
    /// What that device held.
    pub(crate) held: Rc<Holdings>,
    /// Whether the snapshot was altered on its way through a liar.
    pub(crate) altered: bool,
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

    /// Whether a base may cover more than the log does: such a one drops no record, or tells what was
    /// lost.
    pub(crate) fn joins_with(&self, first: u64) -> bool {
        first <= self.first || self.lost > 0
    }

    /// Puts a base under the log and drops the records before `first`. What it covers beyond the log
    /// was handed over, or is in the snapshot. Returns the records dropped.
    pub(crate) fn rebase(
        &mut self,
        base: Snapshot,
        first: u64,
        handed: Option<&Handed>,
    ) -> Vec<Record> {
        if let Some(recovery) = self.recovery.take() {
            self.recover(&recovery, &base.vector);
        }
        let gone = (first.saturating_sub(self.first) as usize).min(self.records.len());
        let dropped = self.records.drain(..gone);
        let dropped = dropped.filter_map(|bytes| Record::decode(&bytes).ok()).collect();
        if let Some(Handed { held, altered }) = handed {
            self.contents.held.extend(held, &base.vector);
            self.contents.misled |= altered;
        }
        self.contents.forget_what_came();
        (self.first, self.lost) = (first, 0);
        self.by_base = self.contents.clone();
        (self.base, self.snapshot) = (Some(base), None);
        dropped
    }

    /// The log is opened.
    pub(crate) fn opens(&mut self) {
        let found = self.snapshot.as_ref().filter(|_| self.lost > 0);
        self.recovery = found.and_then(|snapshot| {
            let told = self.by_snapshot.get(blake3::hash(&snapshot.bytes).as_bytes())?;
            Some(Recovery { told: told.clone(), position: snapshot.position, end: self.end() })
        });
    }

    /// Takes over what a snapshot told, of consents the later word.
    fn recover(&mut self, recovery: &Recovery, vector: &VersionVector) {
        let Recovery { told, position, end } = recovery;
        self.contents.held.extend(&told.held, vector);
        self.contents.misled |= told.misled;
        self.contents.forks.extend(&told.forks);
        if position > end {
            self.contents.shared.clone_from(&told.shared);
            for at in *end..self.end() {
                if let Some(Ok(Record::Consent { device, access })) =
                    self.record(at).map(Record::decode)
                {
                    self.contents.consent(device, access);
                }
            }
        }
    }

    /// The base tells this, as it was found to when it was written.
    pub(crate) fn base_tells(&mut self, contents: &Contents) {
        self.contents.clone_from(contents);
        self.by_base.clone_from(contents);
    }

    /// Takes the place of the snapshot before, which a disk that `may_lie` can show again.
    pub(crate) fn keep_snapshot(&mut self, snapshot: Snapshot, may_lie: bool) {
        if !may_lie {
            self.by_snapshot.clear();
        }
        let hash = blake3::hash(&snapshot.bytes);
        self.by_snapshot.insert(hash.into(), Rc::new(self.contents.clone()));
        self.snapshot = Some(snapshot);
    }

    /// The snapshots that were kept beside `before` tell what they told.
    pub(crate) fn keep_snapshots_of(&mut self, before: &Image) {
        self.by_snapshot = before.by_snapshot.clone();
    }

    /// Forgets the last records, at most so many; what the log stands on stays.
    pub(crate) fn lose_tail(&mut self, records: usize) {
        let left = self.records.len().saturating_sub(records);
        let gone = self.records.split_off(left);
        self.lost += gone.len() as u64;
        self.contents = self.by_base.clone();
        let after_base = self.base.as_ref().map_or(0, |base| base.position).max(self.first);
        for position in after_base..self.end() {
            if let Some(Ok(record)) = self.record(position).map(Record::decode) {
                // It was judged when it was written.
                let _ = self.contents.apply(&record, None);
            }
        }
    }

    /// Adds records, all of them; the device authors as `own`. The error says how they contradict what
    /// was there before.
    pub(crate) fn append(
        &mut self,
        records: &[Record],
        own: Option<PeerId>,
    ) -> Result<(), Contradiction> {
        let mut first = Ok(());
        for record in records {
            self.records.push(record.encode().into());
            first = first.and(self.contents.apply(record, own));
        }
        first
    }
}

impl Contents {
    /// The log is read anew. Which of the batches that waited still do is not known: a false one can
    /// have kept a true one out.
    pub(crate) fn reopened(&mut self) {
        self.waiting.clear();
    }

    /// Batches that came since the log was opened and wait for their causes.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn apply(&mut self, record: &Record, own: Option<PeerId>) -> Result<(), Contradiction> {
        match record {
            Record::Ready(batch) => {
                let allowed = self.judge_quarantine(batch, own);
                let fits = self.held.add(batch);
                self.forget_what_came();
                return allowed.and(fits);
            }
            Record::Parked(batch) => {
                let relied = batch.authors().iter().map(|row| (row.peer, row.base)).collect();
                if !self.held.cover(&relied) {
                    self.waiting.push(relied);
                }
            }
            Record::Fork(proof) => _ = self.forks.insert(proof.author),
            Record::Consent { device, access } => self.consent(*device, *access),
            Record::Disown { author, after } => self.held.disown(*author, *after),
            Record::Identity { .. } => {}
        }
        Ok(())
    }

    fn consent(&mut self, device: DeviceId, access: Access) {
        match access {
            Access::None => _ = self.shared.remove(&device),
            access => _ = self.shared.insert(device, access),
        }
    }

    fn forget_what_came(&mut self) {
        let held = &self.held;
        self.waiting.retain(|relied| !held.cover(relied));
    }

    /// Once an author's fork is proven, nothing more of it is taken, on either branch. A device goes
    /// on under its own name until it has another.
    fn judge_quarantine(&self, batch: &Batch, own: Option<PeerId>) -> Result<(), Contradiction> {
        let shut_out = |author| self.forks.contains(&author) && Some(author) != own;
        for row in batch.authors().iter().filter(|row| shut_out(row.peer)) {
            let next = self.held.last(row.peer) + 1;
            if row.last() >= next {
                let dot = Dot { peer: row.peer, sequence: next };
                return Err(Contradiction { dot, what: "is taken after its author's fork" });
            }
        }
        Ok(())
    }
}

/// Entries that are there, with their causes: of each author a running hash per sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

    /// How far the author is held.
    fn last(&self, author: PeerId) -> u64 {
        self.0.get(&author).map_or(0, |chain| chain.len() as u64)
    }

    /// Whether everything up to `vector` is held.
    fn cover(&self, vector: &VersionVector) -> bool {
        vector.iter().all(|(author, sequence)| sequence <= self.last(author))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use graphshell_sync::ForkProof;
    use uuid::Uuid;

    use super::*;
    use crate::plan::workspace_id;
    use crate::world::hostile::forge::{self, Content, Head};

    /// The author's entry after `head`, and the history up to there.
    fn entry(head: Head, seen: Option<Head>) -> (Arc<Batch>, Head) {
        let content = Content { timestamp_ms: 1, kind: 60_000, payload: vec![1] };
        let bytes = forge::batch(workspace_id(), head, seen, &[content]);
        let batch = Batch::decode(&bytes).expect("it is well formed");
        let mut hashes = batch.running_hashes().into_iter();
        let (dot, hash) = hashes.next().expect("it has one entry");
        (Arc::new(batch), Head { author: dot.peer, sequence: dot.sequence, hash })
    }

    fn start(author: PeerId) -> Head {
        Head::start(workspace_id(), author)
    }

    #[test]
    fn an_author_whose_fork_is_proven_adds_no_more_unless_it_is_the_device_itself() {
        let [other, own] = [7, 8].map(|number| PeerId(Uuid::from_u128(number)));
        for author in [other, own] {
            let (first, head) = entry(start(author), None);
            let (second, _) = entry(head, None);
            let proof = ForkProof { author, common: 0, ours: head.hash, theirs: Hash([2; 32]) };
            let mut image = Image::default();
            let mut append = |record| image.append(&[record], Some(own));
            assert_eq!(append(Record::Ready(first.clone())), Ok(()));
            assert_eq!(append(Record::Fork(proof)), Ok(()));
            assert_eq!(append(Record::Ready(first)), Ok(()), "it is there already");
            assert_eq!(append(Record::Ready(second)).is_ok(), author == own);
        }
    }

    #[test]
    fn a_batch_waits_until_all_that_it_relies_on_is_held() {
        let [one, other] = [3, 4].map(|number| PeerId(Uuid::from_u128(number)));
        let (cause, seen) = entry(start(one), None);
        let (before, head) = entry(start(other), None);
        let (late, _) = entry(head, Some(seen));
        let mut image = Image::default();
        for (record, waiting) in [
            (Record::Parked(late.clone()), 1),
            (Record::Ready(before), 1),
            (Record::Ready(cause), 0),
            (Record::Parked(late), 0),
        ] {
            image.append(&[record], None).unwrap();
            assert_eq!(image.contents.waiting(), waiting);
        }
    }
}
