//! What a [`Vault`](super::vault::Vault) keeps its bytes on: a folder of a real disk, or a simulated disk.
//!
//! Everything here is synchronous and single-threaded. What is on the disk survives a power cut
//! only as far as these traits say so; all that a vault promises is built on it.

use std::ops::RangeInclusive;

use crate::ports::StoreError;

/// Longest value that a [`Journal`] is given, in bytes. Longer ones, while they were being written
/// when the power was cut, have kept fjall from opening again.
pub const MAX_VALUE_BYTES: usize = 512;

/// The place of one vault: a log, a database, and small files.
///
/// Opening is exclusive: while one program has it open, another is refused.
pub trait Medium {
    /// The log's backend.
    type Journal: Journal;
    /// The database's backend.
    type State: redb::StorageBackend;

    /// Takes the place for this program, and makes it if it does not exist. All names of files that
    /// are found survive a power cut from then on: a program that was killed before may have left
    /// some that did not.
    ///
    /// # Errors
    /// [`Refused`](StoreError::Refused) if another program has it open.
    fn lock(&mut self) -> Result<(), StoreError>;
    /// Opens the log, or begins an empty one. What a cut left of an unfinished commit is gone, and
    /// what is found survives the next one: whoever reads it relies on it.
    fn journal(&mut self) -> Result<Self::Journal, StoreError>;
    /// Opens the database's file, if there is one.
    fn state(&mut self) -> Result<Option<Self::State>, StoreError>;
    /// Begins another database in an empty file, under a name of its own. What was begun there before
    /// and never [adopted](Self::adopt_state) is gone.
    fn begin_state(&mut self) -> Result<Self::State, StoreError>;
    /// Gives the file that was begun, which nobody has open, the database's name, durably: after a
    /// power cut it has that name or the one before. Whatever had the name is gone.
    fn adopt_state(&mut self) -> Result<(), StoreError>;
    /// Gives the database's file, which nobody has open, a second name, durably: its contents outlive the
    /// next that is [adopted](Self::adopt_state). Returns that name, the same one if it has one already. Where a
    /// file cannot have two names, that becomes its only one.
    fn keep_state_aside(&mut self) -> Result<String, StoreError>;
    /// What a small file holds, if it exists.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// Gives a small file these contents, durably: after a power cut it holds the old ones or the
    /// new ones.
    fn replace(&mut self, name: &str, contents: &[u8]) -> Result<(), StoreError>;
    /// What to call a part of it in messages: the path of a file.
    fn name_of(&self, part: Part) -> String;
}

/// A part of a [`Medium`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The log.
    Journal,
    /// The database.
    State,
    /// A small file.
    File(&'static str),
}

/// An ordered map of short keys to values of at most [`MAX_VALUE_BYTES`] that takes groups of changes
/// as one. This is what the vault wants of fjall, and no more.
pub trait Journal {
    /// Makes all of these changes, each to another key, or none. Once it returns `Ok` they survive a power cut.
    ///
    /// # Errors
    /// [`Refused`](StoreError::Refused) if nothing was changed and nothing will be (no room, a
    /// value that is too long);
    /// [`Failed`](StoreError::Failed) if whether they were made is unknown until the medium is
    /// opened again; until then every further commit fails.
    fn commit(&mut self, changes: Vec<Change>) -> Result<(), StoreError>;
    /// The pairs whose keys lie in a range, in ascending order.
    fn range(
        &self,
        keys: RangeInclusive<Vec<u8>>,
    ) -> Box<dyn Iterator<Item = Result<Pair, StoreError>> + '_>;
}

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The key has this value from now on.
    Put(Vec<u8>, Vec<u8>),
    /// The key has no value any more.
    Remove(Vec<u8>),
}
