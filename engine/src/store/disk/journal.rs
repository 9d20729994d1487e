//! The operation log on a real disk: one keyspace of a fjall database.

use std::fs;
use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fjall::config::FilterPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{files, tail};
use crate::ports::StoreError;
use crate::store::medium::{Change, Journal, MAX_VALUE_BYTES, Pair};

/// What fjall keeps in memory before it writes a sorted table, in bytes. Larger than the log of
/// 100,000 operations, so that most logs lie on the disk once, in fjall's journal, and not twice.
const MEMTABLE_BYTES: u64 = 16 * 1024 * 1024;
/// Cache of table blocks, in bytes: the log is read once, from one end to the other.
const CACHE_BYTES: u64 = 1024 * 1024;
/// A journal is as long as this before fjall begins another; the least that it accepts as a bound.
const JOURNALS_BYTES: u64 = 64 * 1024 * 1024;
/// Most open files of tables.
const MAX_OPEN_FILES: usize = 32;
/// Room that a commit leaves on the disk, in bytes: a disk that is full to the brim would not let
/// the database beside the log move on, nor fjall tidy up.
const SPARE_BYTES: u64 = 8 * 1024 * 1024;
/// What one change takes beside its key and value, at most.
const CHANGE_BYTES: u64 = 32;
/// The keyspace's name.
const KEYSPACE: &str = "log";
/// The version of fjall's layout on disk that is read and written here.
const FORMAT: [u8; 4] = *b"FJL\x03";

/// A journal in a folder. One commit is one fjall batch and one sync of the data.
pub struct FjallJournal {
    // Dropped before the database, which stops fjall's thread.
    log: Keyspace,
    database: Database,
    folder: PathBuf,
    failed: bool,
}

impl FjallJournal {
    /// Opens the journal in `folder`, which no other program may have open, or makes it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if what was durable cannot be read: nothing was changed then.
    /// [`StoreError::Refused`] if a newer version wrote it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        if !folder.exists() {
            make(folder)?;
        }
        check_format(folder)?;
        check_tables(folder)?;
        tail::cut_unfinished(folder)?;
        open(folder, false)
    }

    fn check_room(&self, bytes: u64) -> Result<(), StoreError> {
        // A system that cannot tell has its say when it is written to.
        let Ok(free) = fs4::available_space(&self.folder) else { return Ok(()) };
        match bytes + SPARE_BYTES <= free {
            true => Ok(()),
            false => Err(StoreError::Refused(format!(
                "no room: {bytes} bytes and {SPARE_BYTES} to spare are needed for {}, {free} are free",
                self.folder.display()
            ))),
        }
    }
}

impl Journal for FjallJournal {
    fn commit(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        let name = self.folder.display();
        if self.failed {
            return Err(StoreError::Failed(format!("{name}: a commit failed; open it again")));
        }
        let mut bytes = CHANGE_BYTES;
        for change in &changes {
            let (key, value) = match change {
                Change::Put(key, value) => (key, value.len()),
                Change::Remove(key) => (key, 0),
            };
            if value > MAX_VALUE_BYTES || key.is_empty() || key.len() > MAX_VALUE_BYTES {
                return Err(StoreError::Refused(format!(
                    "{name}: a key of {} and a value of {value} bytes; 1 to {MAX_VALUE_BYTES} and \
                     at most {MAX_VALUE_BYTES} are allowed",
                    key.len()
                )));
            }
            bytes += CHANGE_BYTES + (key.len() + value) as u64;
        }
        self.check_room(bytes)?;
        // Within what fjall prepared, and beyond it, a sync of the data includes where it lies.
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for change in changes {
            match change {
                Change::Put(key, value) => batch.insert(&self.log, key, value),
                Change::Remove(key) => batch.remove(&self.log, key),
            }
        }
        batch.commit().map_err(|error| {
            // What fjall still holds in a buffer may reach the disk when it is closed.
            self.failed = true;
            StoreError::Failed(format!("{}: {}", self.folder.display(), explain(&error)))
        })
    }

    fn range(
        &self,
        keys: RangeInclusive<Vec<u8>>,
    ) -> Box<dyn Iterator<Item = Result<Pair, StoreError>> + '_> {
        Box::new(self.log.range(keys).map(|pair| {
            let (key, value) = pair.into_inner().map_err(|error| damaged(&self.folder, &error))?;
            Ok((key.to_vec(), value.to_vec()))
        }))
    }
}

/// Makes an empty journal at `folder`, all of it or nothing: what fjall leaves behind if it dies
/// while it makes a database, it does not open again.
fn make(folder: &Path) -> Result<(), StoreError> {
    let aside = files::beside(folder, ".new");
    match fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(files::refused("remove", &aside, &error));
        }
        _ => {}
    }
    files::make_folder(&aside)?;
    drop(open(&aside, true)?);
    fs::rename(&aside, folder).map_err(|error| files::refused("make", folder, &error))?;
    files::sync_folder_of(folder)
}

fn open(folder: &Path, new: bool) -> Result<FjallJournal, StoreError> {
    let builder = Database::builder(folder)
        .worker_threads(1)
        .cache_size(CACHE_BYTES)
        .max_cached_files(Some(MAX_OPEN_FILES))
        .max_journaling_size(JOURNALS_BYTES)
        .manual_journal_persist(true);
    let options = || {
        KeyspaceCreateOptions::default()
            .max_memtable_size(MEMTABLE_BYTES)
            // The log is read in ranges, to which a filter says nothing.
            .filter_policy(FilterPolicy::disabled())
            .manual_journal_persist(true)
    };
    // fjall asserts some of what it reads.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let database = builder.open()?;
        if !new && !database.keyspace_exists(KEYSPACE) {
            return Err(fjall::Error::Unrecoverable);
        }
        let log = database.keyspace(KEYSPACE, options)?;
        // What a killed program wrote but did not sync is here too, and is relied on from now on.
        database.persist(PersistMode::SyncAll)?;
        Ok((database, log))
    }));
    let (database, log) = opened
        .map_err(|_| StoreError::Damaged(format!("{}: fjall gave up on it", folder.display())))?
        .map_err(|error| damaged(folder, &error))?;
    Ok(FjallJournal { log, database, folder: folder.to_owned(), failed: false })
}

/// Refuses what another version of fjall wrote, before anything is touched.
fn check_format(folder: &Path) -> Result<(), StoreError> {
    let path = folder.join("version");
    let found = files::read(&path)?;
    match found.as_deref() {
        Some(found) if found == FORMAT => Ok(()),
        Some([b'F', b'J', b'L', newer]) if *newer > FORMAT[3] => Err(StoreError::Refused(format!(
            "{}: format {newer} is newer than {}, which this version reads",
            path.display(),
            FORMAT[3]
        ))),
        found => Err(StoreError::Damaged(format!(
            "{}: expected the 4 bytes {FORMAT:?}, found {}",
            path.display(),
            found.map_or("no file".to_owned(), |found| format!("{} others", found.len()))
        ))),
    }
}

/// fjall deletes a table folder that lacks this file, taking it for one that was never finished.
/// Since a journal is made as a whole, here it is damage.
fn check_tables(folder: &Path) -> Result<(), StoreError> {
    let tables = ["0", "1"].map(|number| folder.join("keyspaces").join(number).join("current"));
    match tables.iter().find(|path| !path.exists()) {
        None => Ok(()),
        Some(missing) => Err(StoreError::Damaged(format!("{} is missing", missing.display()))),
    }
}

/// An error of fjall while it reads: the bytes are wrong, or they could not be had.
fn damaged(folder: &Path, error: &fjall::Error) -> StoreError {
    let text = format!("{}: {}", folder.display(), explain(error));
    let io = match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => error,
        fjall::Error::Locked | fjall::Error::Poisoned => return StoreError::Failed(text),
        _ => return StoreError::Damaged(text),
    };
    match io.kind() {
        // fjall looks for places before the beginning of files that are too short.
        ErrorKind::InvalidData
        | ErrorKind::InvalidInput
        | ErrorKind::UnexpectedEof
        | ErrorKind::NotFound => StoreError::Damaged(text),
        _ => StoreError::Failed(text),
    }
}

fn explain(error: &fjall::Error) -> String {
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => {
            error.to_string()
        }
        fjall::Error::Poisoned => "an earlier write in the background failed".to_owned(),
        other => format!("{other:?}"),
    }
}
