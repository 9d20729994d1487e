//! A workspace on a disk: the log of sealed records, and the database beside it.
//!
//! ```text
//! append ──> blocks ──> rkyv ──> zstd ──> AES-256-GCM ──> pieces ──> journal      one commit,
//!                                      watermark, vector ──────────> database     then another
//! ```
//! - **The log is the only authority** (`log.rs`): blocks of records in a journal, each chained to
//!   the one before it, on top of a base.
//! - **The database remembers how far the log reached** (`state.rs`), always after the log reached
//!   it. An append is acknowledged once both are durable; so a log that ends before the watermark
//!   has lost what was acknowledged, and the next opening says so.
//! - **Every stored byte is sealed** under its own name (`seal.rs`), with keys from a small file
//!   (`keys.rs`).
//!
//! Nothing here waits, tells the time or draws randomness by itself, and nothing here names a
//! file: that is the [`Medium`]'s.
//!
//! # Failures
//!
//! A commit whose outcome is unknown poisons the vault: it can be read, and every write fails until
//! it is opened again. A refused one (no room) leaves it as it was.
//!
//! # A log that lost its tail
//!
//! If the log ends before the watermark, [`Vault::open`] reports both and changes nothing. Until
//! the caller has put a new base under what is left ([`Vault::rebase`]), appends and snapshots are
//! refused: records appended meanwhile could reach the old watermark and hide the loss. The rebase
//! keeps the old database aside and puts a new one in its place at once; a crash before that makes the
//! next opening report the loss again.
//!
//! A log that passed the watermark, but not with the block that ended there, or whose base is gone,
//! lost acknowledged records too: files of two histories were mixed, or a disk lied about both. How
//! many is unknown, so the watermark is reported as at least one more than the end.

mod block;
mod guard;
mod inside;
mod keys;
mod log;
mod pieces;
mod press;
mod rows;
mod seal;
mod state;
mod stored;

use std::fmt;

use self::guard::Trouble;
use self::inside::Inside;
pub use self::keys::MasterKey;
use self::keys::{KEY_FILE, KeyRing};
use self::log::Log;
use self::rows::Rows;
use self::seal::Sealer;
use self::state::{Found, State};
use super::medium::{Medium, Part};
use crate::access::Access;
use crate::graph::{ConflictKind, Subject};
use crate::id::{DeviceId, WorkspaceId};
use crate::ports::{Entropy, Opened, SetAside, StoreError};
use crate::record::{Record, Snapshot};
use crate::vector::VersionVector;

/// A sealed log and its database on some [`Medium`]; all that a [`Store`](crate::ports::Store)
/// does, synchronously.
///
/// [Open](Self::open) it first; every other call before that is refused. After
/// [`Failed`](StoreError::Failed) or [`Damaged`](StoreError::Damaged) from a call that writes,
/// open it again.
pub struct Vault<M: Medium> {
    medium: M,
    workspace: WorkspaceId,
    /// The key that opened the key file last; behind it one that may have replaced it.
    masters: Vec<MasterKey>,
    entropy: Box<dyn Entropy + Send>,
    locked: bool,
    open: Option<Inside<M::Journal>>,
    /// Why nothing can be written until it is opened again.
    poison: Option<StoreError>,
}

/// What a vault knows without replaying its log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How far each author is applied.
    pub vector: VersionVector,
    /// What was listed for a person to settle when the last snapshot or base was taken, in the
    /// order of the ids.
    pub conflicts: Vec<(ConflictKind, Subject)>,
    /// With whom the workspace is shared, in the order of the ids.
    pub shared_with: Vec<DeviceId>,
    /// How far the log reached durably.
    pub watermark: u64,
}

impl<M: Medium> Vault<M> {
    /// A vault on a medium, of which nothing is touched yet.
    pub fn new(
        medium: M,
        workspace: WorkspaceId,
        key: MasterKey,
        entropy: Box<dyn Entropy + Send>,
    ) -> Self {
        let masters = vec![key];
        Vault { medium, workspace, masters, entropy, locked: false, open: None, poison: None }
    }

    /// Opens the vault, or opens it again; makes it if there is none.
    ///
    /// # Errors
    /// `Refused`, and nothing was touched: another program has it, the key is wrong, it is another
    /// workspace's, a newer engine wrote it. `Refused` also if the disk has no room for what opening
    /// writes. `Damaged`, and nothing was touched: the key file or the log is not what was written.
    /// `Failed`: the disk failed. A database that cannot be used is no error: see
    /// [`Opened::set_aside`].
    pub fn open(&mut self) -> Result<Opened, StoreError> {
        self.open = None;
        if !self.locked {
            self.medium.lock()?;
            self.locked = true;
        }
        let keys = self.read_keys()?;
        let journal_name = self.medium.name_of(Part::Journal);
        let mut log = Log::scan(self.medium.journal()?, journal_name.clone())?;
        let ring = match keys {
            Some(ring) => ring,
            None if log.is_empty() => self.create_keys()?,
            None => {
                let keys = self.medium.name_of(Part::File(KEY_FILE));
                return Err(StoreError::Damaged(format!(
                    "{keys}: expected the keys of the records in {journal_name}, found no file"
                )));
            }
        };
        let mut sealer = Sealer::new(self.workspace, ring)?;
        let base = log.open_base(&mut sealer)?;
        let mut set_aside = Vec::new();
        let (state, found) = self.open_state(&mut sealer, &log, &mut set_aside)?;
        let mut inside = Inside { sealer, log, state, rows: Rows::default(), lost: None };
        let snapshot = inside.catch_up(&mut self.medium, &*self.entropy, found, base.as_ref())?;
        let opened = Opened {
            base: base.map(|(snapshot, _)| snapshot),
            snapshot,
            first: inside.log.first(),
            end: inside.log.end(),
            watermark: inside.lost.unwrap_or(inside.log.end()),
            set_aside,
        };
        self.open = Some(inside);
        self.poison = None;
        Ok(opened)
    }

    fn read_keys(&mut self) -> Result<Option<KeyRing>, StoreError> {
        let Some(text) = self.medium.read(KEY_FILE)? else { return Ok(None) };
        let name = self.medium.name_of(Part::File(KEY_FILE));
        let (ring, master) = KeyRing::decode(&text, &name, self.workspace, &self.masters)?;
        self.masters = vec![master.clone()];
        Ok(Some(ring))
    }

    fn create_keys(&mut self) -> Result<KeyRing, StoreError> {
        let ring = KeyRing::create(self.workspace, &*self.entropy);
        let text = ring.encode(&self.masters[0], &*self.entropy);
        self.medium.replace(KEY_FILE, &text)?;
        Ok(ring)
    }

    /// Opens the database, if there is one; puts one that cannot be used aside.
    fn open_state(
        &mut self,
        sealer: &mut Sealer,
        log: &Log<M::Journal>,
        set_aside: &mut Vec<SetAside>,
    ) -> Result<(State, Option<Found>), StoreError> {
        let Some(file) = self.medium.state()? else { return Ok((State::default(), None)) };
        let why = match State::open(file, sealer) {
            Ok((state, found)) if found.is_some() || log.is_empty() => return Ok((state, found)),
            Ok(_) => "it is empty, although the log is not".to_owned(),
            Err(Trouble::Unusable(why)) => why,
            Err(trouble) => return Err(trouble.of(&self.medium)),
        };
        let name = self.medium.keep_state_aside()?;
        set_aside.push(SetAside { name, why });
        Ok((State::default(), None))
    }

    /// Appends records durably, as one.
    ///
    /// # Errors
    /// `Refused`: nothing was changed. `Failed`: unknown until opened again.
    pub fn append(&mut self, records: &[Record]) -> Result<(), StoreError> {
        self.write(Lost::Refuse, |inside, medium, entropy| {
            if records.is_empty() {
                return Ok(());
            }
            inside.log.append(&mut inside.sealer, entropy, records)?;
            inside.follow(entropy, records).map_err(|trouble| trouble.unknown(medium))
        })
    }

    /// The records at these positions, in the given order.
    ///
    /// # Errors
    /// `Damaged` if there is no such record, or it is not what was written.
    pub fn load(&mut self, positions: &[u64]) -> Result<Vec<Record>, StoreError> {
        let inside = self.open.as_mut().ok_or_else(closed)?;
        inside.log.load(&mut inside.sealer, positions)
    }

    /// Keeps a snapshot in the place of the one before, durably and as one.
    ///
    /// # Errors
    /// `Refused`: nothing was changed. `Failed`: unknown until opened again.
    pub fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        self.write(Lost::Refuse, |inside, medium, entropy| {
            let Inside { sealer, state, .. } = inside;
            let before = state.snapshot_number();
            let trouble = match state.save_snapshot(sealer, entropy, snapshot) {
                Ok(()) => return Ok(()),
                Err(trouble @ Trouble::Refused(_)) => trouble,
                Err(trouble) => return Err(trouble.unknown(medium)),
            };
            // A database that found no room is of no use until it is opened again. That shows
            // what it kept.
            state.close();
            match medium.state()?.map(|file| State::open(file, sealer)) {
                Some(Ok((again, Some(_)))) => *state = again,
                _ => return Err(trouble.unknown(medium)),
            }
            if state.snapshot_number() == before { Err(trouble.of(medium)) } else { Ok(()) }
        })
    }

    /// Puts `base` under the log and drops the records before `first`, durably and as one.
    ///
    /// # Errors
    /// `Refused`, and nothing was changed: the base is not at the log's end, `first` is not among
    /// its positions, no room. `Failed`: unknown until opened again.
    pub fn rebase(&mut self, base: &Snapshot, first: u64) -> Result<(), StoreError> {
        self.write(Lost::Allow, |inside, medium, entropy| {
            let Inside { sealer, log, state, rows, lost } = &mut *inside;
            let (from, end) = (log.first(), log.end());
            if base.position != end || !(from..=end).contains(&first) {
                return Err(StoreError::Refused(format!(
                    "the base is at {}, the records from {first} on are to stay, but the log holds \
                     {from} to {end}",
                    base.position
                )));
            }
            let peers = rows.peers.iter().map(|(&device, &access)| (device, access)).collect();
            log.rebase(sealer, entropy, base, first, peers)?;
            // From here on the log has its base: whatever goes wrong, the next opening tells.
            rows.authors = base.vector.iter().collect();
            if lost.is_some() {
                state.close();
                medium.keep_state_aside().map_err(|error| StoreError::Failed(error.to_string()))?;
            }
            let reset = inside.reset(medium, entropy, &base.conflicts);
            reset.map_err(|error| StoreError::Failed(error.to_string()))?;
            inside.lost = None;
            Ok(())
        })
    }

    /// Seals whatever is written from now on under a new data key. What stands stays readable.
    ///
    /// # Errors
    /// `Refused`: the old key stays in use. `Failed`: which one is in use shows the next opening.
    pub fn rotate_data_key(&mut self) -> Result<(), StoreError> {
        let master = self.masters[0].clone();
        self.write(Lost::Allow, |inside, medium, entropy| {
            let ring = inside.sealer.ring();
            ring.add(entropy);
            let replaced = medium.replace(KEY_FILE, &ring.encode(&master, entropy));
            replaced.inspect_err(|_| ring.forget_newest())
        })
    }

    /// From now on another master key opens the vault, and the one before no longer does.
    ///
    /// # Errors
    /// `Refused`: the old key stays in use. `Failed`: which one is in use shows the next opening;
    /// this vault tries both.
    pub fn change_master_key(&mut self, new: MasterKey) -> Result<(), StoreError> {
        let replaced = self.write(Lost::Allow, |inside, medium, entropy| {
            medium.replace(KEY_FILE, &inside.sealer.ring().encode(&new, entropy))
        });
        match &replaced {
            Ok(()) => self.masters = vec![new],
            Err(StoreError::Refused(_)) => {}
            Err(_) => self.masters.push(new),
        }
        replaced
    }

    /// What the database says, all of it read and opened anew.
    ///
    /// # Errors
    /// `Damaged` if it can no longer be read; the next opening puts it aside.
    pub fn summary(&mut self) -> Result<Summary, StoreError> {
        let inside = self.open.as_mut().ok_or_else(closed)?;
        let found = inside.state.summary(&mut inside.sealer).map_err(|trouble| {
            let error = match trouble {
                Trouble::Unusable(_) => StoreError::Damaged(trouble.text(&self.medium)),
                trouble => trouble.of(&self.medium),
            };
            self.poison = Some(error.clone());
            error
        })?;
        let peers = found.rows.peers.into_iter();
        Ok(Summary {
            vector: found.rows.authors.into(),
            conflicts: found.conflicts,
            shared_with: peers
                .filter_map(|(device, access)| (access != Access::None).then_some(device))
                .collect(),
            watermark: inside.state.watermark().end,
        })
    }

    /// Does what writes, if anything may be written.
    fn write(
        &mut self,
        lost: Lost,
        work: impl FnOnce(&mut Inside<M::Journal>, &mut M, &dyn Entropy) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if let Some(poison) = &self.poison {
            return Err(StoreError::Failed(format!("open the vault again, since {poison}")));
        }
        let inside = self.open.as_mut().ok_or_else(closed)?;
        if let (Lost::Refuse, Some(watermark)) = (lost, inside.lost) {
            return Err(StoreError::Refused(format!(
                "{} lost its records from {} to {watermark}: it takes a new base before any other",
                self.medium.name_of(Part::Journal),
                inside.log.end()
            )));
        }
        let done = work(inside, &mut self.medium, &*self.entropy);
        if let Err(error @ (StoreError::Failed(_) | StoreError::Damaged(_))) = &done {
            self.poison = Some(error.clone());
        }
        done
    }
}

/// What a write does to a log that lost its tail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lost {
    Refuse,
    Allow,
}

fn closed() -> StoreError {
    StoreError::Refused("the vault is not open".to_owned())
}

impl<M: Medium> fmt::Debug for Vault<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("workspace", &self.workspace)
            .field("open", &self.open.is_some())
            .field("poison", &self.poison)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
