//! A simulated disk: named files that lose, tear, reorder, refuse and rot as the plan says.
//!
//! Each peer has one, and it outlives the peer. Every call may go wrong by a choice that hangs on
//! (seed, peer, number of the call), and the power may go at any call: from then on every call fails, so
//! that nothing a destructor does reaches the platter, until somebody
//! [turns the disk on](SimDisk::turn_on) again. The disk knows what it did and says so; it never
//! tells the peer.

mod damage;
mod file;
pub(crate) mod journal;
pub(crate) mod medium;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind, Result};
use std::ops::BitOr;
use std::sync::{Arc, Mutex, MutexGuard};

use graphshell_sync::store::medium::Change;

use super::choice::{Choice, Choices, Topic};
use crate::plan;
use file::File;

/// A handle to one peer's disk; clones are the same disk.
#[derive(Clone, Debug)]
pub(crate) struct SimDisk(Arc<Mutex<Inner>>);

/// The number of a file on its disk; a rename leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileId(u64);

/// Everything on a disk, as a backup program reads it.
#[derive(Clone, Debug, Default)]
pub(crate) struct DiskImage {
    files: BTreeMap<FileId, File>,
    names: BTreeMap<String, FileId>,
    /// Whether bytes of the log that were called durable are lost or others.
    log_spoilt: bool,
    /// Other files of which the same is true.
    spoilt: BTreeSet<FileId>,
}

/// How a disk stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The program is killed: what it wrote is in the cache.
    Killed,
    /// The power goes: the cache is gone.
    PowerCut,
}

/// What a disk has done that no store can be blamed for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Guilt {
    /// It lost bytes of the log that it had said were durable, or changed them.
    pub(crate) log: bool,
    /// The same for the database or the keys.
    pub(crate) rest: bool,
}

impl BitOr for Guilt {
    type Output = Guilt;

    fn bitor(self, other: Guilt) -> Guilt {
        Guilt { log: self.log || other.log, rest: self.rest || other.rest }
    }
}

#[derive(Debug)]
struct Inner {
    choices: Choices,
    key: u64,
    faults: plan::Disk,
    calm: bool,
    on: bool,
    /// How many more calls the power lasts.
    fuse: Option<u32>,
    /// Pages that may be used at most.
    room: Option<usize>,
    calls: u64,
    cuts: u64,
    next: u64,
    image: DiskImage,
    /// The names as the platter has them, and changes of names on their way there, in order.
    platter_names: BTreeMap<String, FileId>,
    renames: Vec<BTreeMap<String, FileId>>,
    /// Whether somebody looks who is no part of the run: for him nothing fails.
    observed: bool,
    /// Who has it locked.
    owner: Option<u64>,
    owners: u64,
    counts: BTreeMap<&'static str, u64>,
    /// What the log was given since somebody looked.
    given: Vec<Change>,
}

impl Inner {
    fn choice(&self, part: u64) -> Choice {
        self.choices.about(Topic::Disk, [self.key, self.calls, part])
    }

    fn count(&mut self, what: &'static str, times: u64) {
        if times > 0 {
            *self.counts.entry(what).or_insert(0) += times;
        }
    }

    /// Gives a file a name, in the place of the file that had it.
    fn name(&mut self, id: FileId, name: &str) {
        self.image.names.insert(name.to_owned(), id);
        self.renames.push(self.image.names.clone());
    }

    /// Begins a call; its choice if the disk is on. `Err` also if the power goes in this very call.
    fn call(&mut self) -> Result<Choice> {
        if !self.on {
            return Err(off());
        }
        if self.observed {
            return Ok(self.choice(0));
        }
        self.calls += 1;
        match self.fuse {
            Some(0) => {
                (self.on, self.fuse) = (false, None);
                Err(off())
            }
            left => {
                self.fuse = left.map(|calls| calls - 1);
                Ok(self.choice(0))
            }
        }
    }

    fn fails(&self, choice: Choice, per_mille: u16) -> bool {
        !self.calm && !self.observed && choice.chance(0, per_mille)
    }

    fn file(&mut self, id: FileId) -> Result<&mut File> {
        self.image.files.get_mut(&id).ok_or_else(|| Error::new(ErrorKind::NotFound, "no such file"))
    }

    fn used(&self) -> usize {
        self.image.files.values().map(File::pages).sum()
    }

    fn is_log(&self, id: FileId) -> bool {
        self.image.names.get(medium::LOG) == Some(&id)
    }

    fn blame(&mut self, id: FileId) {
        match self.is_log(id) {
            true => self.image.log_spoilt = true,
            false => _ = self.image.spoilt.insert(id),
        }
    }
}

fn off() -> Error {
    Error::other("the disk has no power")
}

fn failed(what: &str) -> Error {
    Error::other(format!("input/output error while {what}"))
}

impl SimDisk {
    /// An empty disk of the peer with this key.
    pub(crate) fn new(choices: Choices, key: u64, faults: plan::Disk) -> Self {
        SimDisk(Arc::new(Mutex::new(Inner {
            choices,
            key,
            faults,
            calm: true,
            on: true,
            fuse: None,
            room: None,
            calls: 0,
            cuts: 0,
            next: 0,
            image: DiskImage::default(),
            platter_names: BTreeMap::new(),
            renames: Vec::new(),
            observed: false,
            owner: None,
            owners: 0,
            counts: BTreeMap::new(),
            given: Vec::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no code panics while it holds the lock")
    }

    /// Reads a part of a file.
    pub(crate) fn read(&self, id: FileId, offset: u64, out: &mut [u8]) -> Result<()> {
        let mut disk = self.lock();
        let choice = disk.call()?;
        if disk.fails(choice, disk.faults.read_error) {
            disk.count("disk reads failed", 1);
            return Err(failed("reading"));
        }
        let file = disk.file(id)?;
        if offset.saturating_add(out.len() as u64) > file.length() {
            return Err(Error::new(ErrorKind::UnexpectedEof, "a read beyond the end of the file"));
        }
        file.read(offset, out);
        Ok(())
    }

    /// All of a file.
    pub(crate) fn read_all(&self, id: FileId) -> Result<Vec<u8>> {
        let length = self.length(id)?;
        let mut bytes = vec![0; usize::try_from(length).map_err(Error::other)?];
        self.read(id, 0, &mut bytes)?;
        Ok(bytes)
    }

    /// The length of a file.
    pub(crate) fn length(&self, id: FileId) -> Result<u64> {
        let mut disk = self.lock();
        disk.call()?;
        Ok(disk.file(id)?.length())
    }

    /// Behind which offset a file holds only zeros; at least its last byte that is none lies before.
    pub(crate) fn filled(&self, id: FileId) -> Result<u64> {
        Ok(self.lock().file(id)?.filled())
    }

    /// Writes a part of a file, which grows if it must.
    pub(crate) fn write(&self, id: FileId, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut disk = self.lock();
        let needs = disk.file(id)?.needs(offset, bytes.len());
        if disk.on && disk.fuse == Some(0) {
            // The power goes while this is being written: it is on its way like the rest.
            disk.file(id)?.write(offset, bytes);
        }
        let choice = disk.call()?;
        if disk.room.is_some_and(|room| needs > 0 && disk.used() + needs > room) {
            disk.count("disk writes without room", 1);
            return Err(Error::new(ErrorKind::StorageFull, "no space left on the disk"));
        }
        if disk.fails(choice, disk.faults.write_error) {
            disk.count("disk writes failed", 1);
            return Err(failed("writing"));
        }
        disk.file(id)?.write(offset, bytes);
        Ok(())
    }

    /// Cuts a file or fills it up with zeros.
    pub(crate) fn set_length(&self, id: FileId, length: u64) -> Result<()> {
        let mut disk = self.lock();
        let choice = disk.call()?;
        if disk.fails(choice, disk.faults.write_error) {
            disk.count("disk writes failed", 1);
            return Err(failed("writing"));
        }
        disk.file(id)?.set_length(length);
        Ok(())
    }

    /// Makes everything in a file durable, or says so.
    pub(crate) fn sync(&self, id: FileId) -> Result<()> {
        let mut disk = self.lock();
        let choice = disk.call()?;
        let mut file = std::mem::take(disk.file(id)?);
        let mut result = Ok(());
        if disk.fails(choice, disk.faults.sync_error) {
            let mut part = 0;
            file.sync_and_fail(|| {
                part += 1;
                disk.choice(part)
            });
            disk.count("disk syncs failed", 1);
            result = Err(failed("syncing"));
        } else if !disk.calm && choice.chance(1, disk.faults.sync_lie) {
            let owes = file.sync_in_name_only();
            disk.count("disk syncs that lied", u64::from(owes));
        } else {
            file.sync();
        }
        *disk.file(id)? = file;
        result
    }

    /// The file of this name, if there is one.
    pub(crate) fn find(&self, name: &str) -> Result<Option<FileId>> {
        let mut disk = self.lock();
        disk.call()?;
        Ok(disk.image.names.get(name).copied())
    }

    /// The file of this name; an empty one if there is none.
    pub(crate) fn open(&self, name: &str) -> Result<FileId> {
        let mut disk = self.lock();
        disk.call()?;
        if let Some(&id) = disk.image.names.get(name) {
            return Ok(id);
        }
        disk.next += 1;
        let id = FileId(disk.next);
        disk.image.files.insert(id, File::default());
        disk.name(id, name);
        Ok(id)
    }

    /// Gives a file another name, in the place of the file that had it.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut disk = self.lock();
        disk.call()?;
        let id = disk.image.names.remove(from);
        let id = id.ok_or_else(|| Error::new(ErrorKind::NotFound, "no such file"))?;
        disk.name(id, to);
        Ok(())
    }

    /// Gives a file a second name.
    pub(crate) fn link(&self, from: &str, to: &str) -> Result<()> {
        let mut disk = self.lock();
        disk.call()?;
        let id = disk.image.names.get(from).copied();
        let id = id.ok_or_else(|| Error::new(ErrorKind::NotFound, "no such file"))?;
        disk.name(id, to);
        Ok(())
    }

    /// Makes the names of all files durable. Directories neither lie nor fail here.
    pub(crate) fn sync_names(&self) -> Result<()> {
        let mut disk = self.lock();
        disk.call()?;
        disk.platter_names = disk.image.names.clone();
        disk.renames.clear();
        disk.forget_nameless();
        Ok(())
    }

    /// Whether so many bytes would find room.
    pub(crate) fn has_room(&self, id: FileId, offset: u64, length: usize) -> Result<bool> {
        let mut disk = self.lock();
        disk.call()?;
        let needs = disk.file(id)?.needs(offset, length);
        let fits = disk.room.is_none_or(|room| disk.used() + needs <= room);
        if !fits {
            disk.count("disk writes without room", 1);
        }
        Ok(fits)
    }

    /// Takes the disk for one program; the number tells it from the next. `None` if it is taken.
    pub(crate) fn take(&self, owner: Option<u64>) -> Option<u64> {
        let mut disk = self.lock();
        if disk.owner.is_some() && disk.owner != owner {
            return None;
        }
        disk.owners += 1;
        disk.owner = Some(disk.owners);
        disk.owner
    }

    /// Gives the disk back, if this number has it.
    pub(crate) fn give_back(&self, owner: u64) {
        let mut disk = self.lock();
        if disk.owner == Some(owner) {
            disk.owner = None;
        }
    }

    /// Reads on behalf of somebody who is no part of the run, an oracle: nothing fails for him, and
    /// the run goes on as if he had not been there.
    pub(crate) fn observe<T>(&self, look: impl FnOnce() -> T) -> T {
        self.lock().observed = true;
        let seen = look();
        self.lock().observed = false;
        seen
    }

    /// From here on nothing fails, and there is room.
    pub(crate) fn calm(&self) {
        let mut disk = self.lock();
        (disk.calm, disk.room, disk.fuse) = (true, None, None);
    }

    /// From here on calls fail at their rates; before they do not.
    pub(crate) fn misbehave(&self) {
        self.lock().calm = false;
    }

    /// Lets files take so many bytes more, rounded up to pages; `None` is no limit.
    pub(crate) fn limit_room(&self, bytes: Option<u64>) {
        let mut disk = self.lock();
        let used = disk.used();
        disk.room = bytes.map(|bytes| used + bytes.div_ceil(file::PAGE as u64) as usize);
    }

    /// What the disk did wrong to the files that a store uses now; not to one that was put aside.
    pub(crate) fn guilt(&self) -> Guilt {
        let image = &self.lock().image;
        let is_spoilt =
            |name: &&str| image.names.get(*name).is_some_and(|id| image.spoilt.contains(id));
        let rest = [medium::DATABASE, medium::KEYS].iter().any(is_spoilt);
        Guilt { log: image.log_spoilt, rest }
    }

    /// The log was read and is what was written.
    pub(crate) fn absolve_log(&self) {
        self.lock().image.log_spoilt = false;
    }

    /// A hash over everything stored.
    pub(crate) fn digest(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        self.look_at_all(|name, piece| {
            hasher.update(name.as_bytes());
            hasher.update(piece);
        });
        hasher.finalize()
    }

    /// What it did since it was asked last.
    pub(crate) fn take_counts(&self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut self.lock().counts)
    }

    /// Takes note of what the log is given.
    fn give(&self, changes: &[Change]) {
        self.lock().given.extend_from_slice(changes);
    }

    /// What the log was given since it was asked last.
    pub(crate) fn take_given(&self) -> Vec<Change> {
        std::mem::take(&mut self.lock().given)
    }

    /// A copy of everything, as programs see it.
    pub(crate) fn copy(&self) -> DiskImage {
        self.lock().image.clone()
    }

    /// Puts a copy, or nothing, in the place of everything; what the
    /// disk did wrong since that copy was made is forgotten.
    pub(crate) fn replace(&self, image: DiskImage) {
        let mut disk = self.lock();
        disk.image = image;
        disk.image.files.values_mut().for_each(File::sync);
        disk.next = disk.image.files.keys().map(|id| id.0).max().unwrap_or(0).max(disk.next);
        disk.platter_names = disk.image.names.clone();
        disk.renames.clear();
    }

    /// Shows all that is stored anywhere to `look`, in pieces of at most a page.
    pub(crate) fn look_at_all(&self, mut look: impl FnMut(&str, &[u8])) {
        let disk = self.lock();
        for (id, file) in &disk.image.files {
            let name = disk.image.names.iter().find(|(_, named)| *named == id);
            let name = name.map_or("a file without a name", |(name, _)| name);
            file.stored().for_each(|piece| look(name, piece));
        }
    }
}

#[cfg(test)]
mod tests;
