//! The database beside the log: how far the log reached, and what can be known without replaying
//! it. Every value is sealed under its table and key; keys are ids and hashes.
//!
//! Nothing here is an authority. A database that cannot be used is put aside and another one is
//! made from the log; what is lost then is a snapshot, and the memory of how far the log reached.

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use uuid::Uuid;

use super::guard::{Trouble, guarded};
use super::log::Mark;
use super::rows::{Rows, Touched};
use super::seal::{Name, SealError, Sealer};
use super::stored::{self, Footing};
use crate::access::Access;
use crate::codec::{DecodeError, Reader, put_varint};
use crate::graph::{ConflictId, ConflictKind, Subject};
use crate::id::{DeviceId, PeerId};
use crate::limits::{SNAPSHOT_CHUNK_BYTES, STATE_CACHE_BYTES};
use crate::ports::Entropy;
use crate::record::Snapshot;

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// What the other tables hold: one row, [`Meta`].
const META_TABLE: Table = TableDefinition::new("meta");
/// How far each author is applied.
pub(super) const VERSION_VECTOR_TABLE: Table = TableDefinition::new("version_vector");
/// What was listed for a person to settle when the last snapshot or base was taken.
pub(super) const CONFLICT_TABLE: Table = TableDefinition::new("conflicts");
/// What each device may do, or might do once.
pub(super) const PEER_TABLE: Table = TableDefinition::new("peers");
/// The chunks of the last snapshot.
pub(super) const SNAPSHOT_TABLE: Table = TableDefinition::new("snapshot");

/// A key, and what its value says.
type Row = (Vec<u8>, Vec<u8>);

const META_KEY: &[u8] = b"log";

/// What the database says of the log and of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Meta {
    /// How far the log once reached durably: the watermark.
    log: Mark,
    authors: u64,
    peers: u64,
    conflicts: u64,
    /// Counts the snapshots that were ever saved here.
    snapshot: u64,
    /// Chunks of the snapshot; 0 if there is none.
    chunks: u32,
}

/// The database, while it is open.
#[derive(Default)]
pub(super) struct State {
    database: Option<Database>,
    meta: Meta,
}

/// What an open database held.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) rows: Rows,
    pub(super) conflicts: Vec<(ConflictKind, Subject)>,
    pub(super) snapshot: Option<Snapshot>,
}

impl State {
    /// Opens a database and reads all of it. `None` stands for one that nothing was ever written
    /// to.
    pub(super) fn open(
        backend: impl redb::StorageBackend,
        sealer: &mut Sealer,
    ) -> Result<(State, Option<Found>), Trouble> {
        guarded(|| {
            let database = Database::builder()
                .set_cache_size(STATE_CACHE_BYTES)
                .set_check_integrity_on_open(true)
                .create_with_backend(backend)?;
            let mut state = State { database: Some(database), meta: Meta::default() };
            let found = state.read_meta(sealer)?.then(|| state.read(sealer)).transpose()?;
            Ok((state, found))
        })
    }

    /// Takes in the meta row, if there is one.
    fn read_meta(&mut self, sealer: &Sealer) -> Result<bool, Trouble> {
        let transaction = self.database()?.begin_read()?;
        if transaction.list_tables()?.next().is_none() {
            return Ok(false);
        }
        let table = transaction.open_table(META_TABLE)?;
        let sealed = table.get(META_KEY)?;
        let sealed = sealed.ok_or_else(|| unusable("meta: expected the row of the log"))?;
        let row = open_row(sealer, "meta", META_KEY, sealed.value())?;
        self.meta = Meta::decode(&row).map_err(|error| unusable(format_args!("meta: {error}")))?;
        Ok(true)
    }

    /// Everything but the meta row.
    fn read(&self, sealer: &mut Sealer) -> Result<Found, Trouble> {
        let meta = &self.meta;
        let mut found = Found::default();
        for (key, row) in self.rows(sealer, VERSION_VECTOR_TABLE, "version_vector", meta.authors)? {
            let author = Uuid::from_slice(&key).ok().map(PeerId);
            let sequence = row.try_into().ok().map(u64::from_be_bytes);
            let (author, sequence) = author
                .zip(sequence)
                .ok_or_else(|| unusable("version_vector: expected an author and a sequence"))?;
            found.rows.authors.insert(author, sequence);
        }
        for (key, row) in self.rows(sealer, PEER_TABLE, "peers", meta.peers)? {
            let device = key.try_into().ok().map(DeviceId);
            let device = device.ok_or_else(|| unusable("peers: expected a device id"))?;
            let access = row.first().copied().and_then(Access::from_byte);
            let access = access.ok_or_else(|| unusable("peers: expected an access level"))?;
            found.rows.peers.insert(device, access);
        }
        for (_, row) in self.rows(sealer, CONFLICT_TABLE, "conflicts", meta.conflicts)? {
            let conflict = stored::decode_conflict(&row);
            found.conflicts.push(conflict.ok_or_else(|| unusable("expected a conflict"))?);
        }
        found.snapshot = self.read_snapshot(sealer)?;
        Ok(found)
    }

    /// The rows of a table, opened.
    fn rows(
        &self,
        sealer: &Sealer,
        table: Table,
        name: &'static str,
        expected: u64,
    ) -> Result<Vec<Row>, Trouble> {
        let table = self.database()?.begin_read()?.open_table(table)?;
        let mut rows = Vec::new();
        for row in table.iter()? {
            let (key, sealed) = row?;
            let key = key.value().to_vec();
            let plain = open_row(sealer, name, &key, sealed.value())?;
            rows.push((key, plain));
        }
        match rows.len() as u64 {
            found if found == expected => Ok(rows),
            found => Err(unusable(format_args!("{name}: expected {expected} rows, found {found}"))),
        }
    }

    fn read_snapshot(&self, sealer: &mut Sealer) -> Result<Option<Snapshot>, Trouble> {
        let Meta { snapshot: generation, chunks, .. } = self.meta;
        if chunks == 0 {
            return Ok(None);
        }
        let table = self.database()?.begin_read()?.open_table(SNAPSHOT_TABLE)?;
        let mut plain = rkyv::util::AlignedVec::new();
        for chunk in 0..chunks {
            let sealed = table.get(chunk.to_be_bytes().as_slice())?;
            let missing = || unusable(format_args!("snapshot: expected chunk {chunk} of {chunks}"));
            let sealed = sealed.ok_or_else(missing)?.value().to_vec();
            let name = Name::Snapshot { generation, chunk, chunks };
            let opened = sealer.unpack(name, sealed, SNAPSHOT_CHUNK_BYTES);
            plain.extend_from_slice(&opened.map_err(|error| broken(error, "snapshot"))?);
        }
        let (snapshot, _) =
            stored::decode(&plain).ok_or_else(|| unusable("snapshot: expected a snapshot"))?;
        Ok(Some(snapshot))
    }

    /// Reads everything anew.
    pub(super) fn summary(&self, sealer: &mut Sealer) -> Result<Found, Trouble> {
        guarded(|| self.read(sealer))
    }

    /// Remembers that the log reached `end`, and the rows that its new records touched.
    pub(super) fn advance(
        &mut self,
        sealer: &Sealer,
        entropy: &dyn Entropy,
        log: Mark,
        rows: &Rows,
        touched: &Touched,
    ) -> Result<(), Trouble> {
        let (authors, peers) = (rows.authors.len() as u64, rows.peers.len() as u64);
        let meta = Meta { log, authors, peers, ..self.meta };
        self.write(sealer, entropy, meta, |write| {
            let author = |author: &PeerId| {
                let sequence = rows.authors.get(author).map(|sequence| sequence.to_be_bytes());
                (author.0.into_bytes(), sequence)
            };
            write.rows(
                VERSION_VECTOR_TABLE,
                "version_vector",
                touched.authors.iter().map(author),
            )?;
            let peer = |device: &DeviceId| {
                (device.0, rows.peers.get(device).map(|access| [access.byte()]))
            };
            write.rows(PEER_TABLE, "peers", touched.peers.iter().map(peer))
        })
    }

    /// Makes the database what follows from a log with this end, base and rows. Drops the
    /// snapshot.
    pub(super) fn reset(
        &mut self,
        sealer: &Sealer,
        entropy: &dyn Entropy,
        log: Mark,
        rows: &Rows,
        conflicts: &[(ConflictKind, Subject)],
    ) -> Result<(), Trouble> {
        let meta = Meta {
            log,
            authors: rows.authors.len() as u64,
            peers: rows.peers.len() as u64,
            conflicts: 0,
            snapshot: self.meta.snapshot,
            chunks: 0,
        };
        self.write(sealer, entropy, meta, |write| {
            for table in [VERSION_VECTOR_TABLE, CONFLICT_TABLE, PEER_TABLE, SNAPSHOT_TABLE] {
                write.clear(table)?;
            }
            let authors = rows.authors.iter();
            let author =
                authors.map(|(a, sequence)| (a.0.into_bytes(), Some(sequence.to_be_bytes())));
            write.rows(VERSION_VECTOR_TABLE, "version_vector", author)?;
            let peers = rows.peers.iter();
            let peers = peers.map(|(device, access)| (device.0, Some([access.byte()])));
            write.rows(PEER_TABLE, "peers", peers)?;
            write.conflicts(conflicts)
        })
    }

    /// Keeps a snapshot in the place of the one before.
    pub(super) fn save_snapshot(
        &mut self,
        sealer: &mut Sealer,
        entropy: &dyn Entropy,
        snapshot: &Snapshot,
    ) -> Result<(), Trouble> {
        let plain = stored::encode(snapshot, &Footing::default());
        let chunks = plain.len().div_ceil(SNAPSHOT_CHUNK_BYTES) as u32;
        let generation = self.meta.snapshot + 1;
        let mut sealed = Vec::new();
        for (chunk, plain) in (0..).zip(plain.chunks(SNAPSHOT_CHUNK_BYTES)) {
            let packed = sealer.pack(entropy, Name::Snapshot { generation, chunk, chunks }, plain);
            sealed.push(packed.map_err(unusable)?);
        }
        let meta = Meta { snapshot: generation, chunks, ..self.meta };
        self.write(sealer, entropy, meta, |write| {
            write.clear(CONFLICT_TABLE)?;
            write.conflicts(&snapshot.conflicts)?;
            write.clear(SNAPSHOT_TABLE)?;
            let mut table = write.transaction.open_table(SNAPSHOT_TABLE)?;
            for (chunk, sealed) in (0u32..).zip(&sealed) {
                table.insert(chunk.to_be_bytes().as_slice(), sealed.as_slice())?;
            }
            Ok(())
        })
    }

    /// Makes changes, and the meta row that goes with them, durable as one.
    fn write(
        &mut self,
        sealer: &Sealer,
        entropy: &dyn Entropy,
        mut meta: Meta,
        change: impl FnOnce(&mut Write<'_>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let database = self.database()?;
        let meta = guarded(|| {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            let mut write = Write { transaction, sealer, entropy, conflicts: meta.conflicts };
            change(&mut write)?;
            meta.conflicts = write.conflicts;
            write.rows(META_TABLE, "meta", [(META_KEY, Some(meta.encode()))])?;
            write.transaction.commit()?;
            Ok(meta)
        })?;
        self.meta = meta;
        Ok(())
    }

    /// How far the log once reached durably.
    pub(super) fn watermark(&self) -> Mark {
        self.meta.log
    }

    /// Tells a snapshot from those before and after it.
    pub(super) fn snapshot_number(&self) -> u64 {
        self.meta.snapshot
    }

    pub(super) fn is_open(&self) -> bool {
        self.database.is_some()
    }

    /// Lets go of the file. All that comes after is refused.
    pub(super) fn close(&mut self) {
        // Closing writes, and what is on a bad disk may make that panic too. Whatever it says, the
        // next opening looks for itself.
        let database = self.database.take();
        let _ = guarded(|| {
            drop(database);
            Ok(())
        });
    }

    fn database(&self) -> Result<&Database, Trouble> {
        self.database.as_ref().ok_or_else(|| unusable("it is closed"))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.close();
    }
}

/// Changes of one transaction.
struct Write<'a> {
    transaction: redb::WriteTransaction,
    sealer: &'a Sealer,
    entropy: &'a dyn Entropy,
    conflicts: u64,
}

impl Write<'_> {
    /// Puts the rows that have a value, removes those that have none.
    fn rows<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        table: Table,
        name: &'static str,
        rows: impl IntoIterator<Item = (K, Option<V>)>,
    ) -> Result<(), Trouble> {
        let mut table = self.transaction.open_table(table)?;
        for (key, value) in rows {
            let key = key.as_ref();
            match value {
                Some(value) => {
                    let name = Name::Row { table: name, key };
                    let sealed = self.sealer.seal(self.entropy, name, value.as_ref());
                    table.insert(key, sealed.as_slice())?;
                }
                None => {
                    table.remove(key)?;
                }
            }
        }
        Ok(())
    }

    fn conflicts(&mut self, conflicts: &[(ConflictKind, Subject)]) -> Result<(), Trouble> {
        self.conflicts = conflicts.len() as u64;
        let row = |conflict: &(ConflictKind, Subject)| {
            let id = ConflictId::derive(conflict.0, conflict.1);
            (id.0.into_bytes(), Some(stored::encode_conflict(conflict)))
        };
        self.rows(CONFLICT_TABLE, "conflicts", conflicts.iter().map(row))
    }

    fn clear(&mut self, table: Table) -> Result<(), Trouble> {
        self.transaction.delete_table(table)?;
        self.transaction.open_table(table)?;
        Ok(())
    }
}

impl Meta {
    fn encode(&self) -> Vec<u8> {
        let mut out = self.log.tail.to_vec();
        for number in [
            self.log.end,
            u64::from(self.log.generation),
            self.authors,
            self.peers,
            self.conflicts,
            self.snapshot,
            u64::from(self.chunks),
        ] {
            put_varint(&mut out, number);
        }
        out
    }

    fn decode(row: &[u8]) -> Result<Self, DecodeError> {
        let mut read = Reader::new(row);
        let log = Mark {
            tail: read.array("a tag")?,
            end: read.varint("a position")?,
            generation: read.bounded(u32::MAX as usize, "a generation")? as u32,
        };
        let meta = Meta {
            log,
            authors: read.varint("a count of authors")?,
            peers: read.varint("a count of peers")?,
            conflicts: read.varint("a count of conflicts")?,
            snapshot: read.varint("a count of snapshots")?,
            chunks: read.bounded(u32::MAX as usize, "a count of chunks")? as u32,
        };
        read.finish("the row's end")?;
        Ok(meta)
    }
}

fn open_row(
    sealer: &Sealer,
    table: &'static str,
    key: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, Trouble> {
    let opened = sealer.open(Name::Row { table, key }, sealed.to_vec());
    opened.map_err(|error| broken(error, table))
}

fn broken(error: SealError, table: &str) -> Trouble {
    let text = format!("{table}: {error}");
    match error {
        SealError::Version(_) => Trouble::Newer(text),
        _ => Trouble::Unusable(text),
    }
}

fn unusable(what: impl std::fmt::Display) -> Trouble {
    Trouble::Unusable(what.to_string())
}
