//! A vault's place on a simulated disk.

use std::io::{Error, ErrorKind};

use graphshell_sync::ports::StoreError;
use graphshell_sync::store::medium::{Medium, Part};

use super::journal::SimJournal;
use super::{FileId, SimDisk};

/// The file of the log.
pub(crate) const LOG: &str = "log.jnl";
/// The file of the database.
pub(crate) const DATABASE: &str = "state.redb";
/// The file of a database that is not whole yet.
const BEGUN: &str = "state.redb.new";
/// The file of sealed keys.
pub(crate) const KEYS: &str = "keys.json";

/// A log, a database and small files on one disk.
#[derive(Debug)]
pub(crate) struct SimMedium {
    disk: SimDisk,
    owner: Option<u64>,
}

impl SimMedium {
    pub(crate) fn new(disk: SimDisk) -> Self {
        SimMedium { disk, owner: None }
    }
}

impl Drop for SimMedium {
    fn drop(&mut self) {
        if let Some(owner) = self.owner {
            self.disk.give_back(owner);
        }
    }
}

fn failed(name: &str) -> impl Fn(Error) -> StoreError {
    move |error| match error.kind() {
        ErrorKind::StorageFull => StoreError::Refused(format!("{name}: {error}")),
        _ => StoreError::Failed(format!("{name}: {error}")),
    }
}

impl Medium for SimMedium {
    type Journal = SimJournal;
    type State = SimStateFile;

    fn lock(&mut self) -> Result<(), StoreError> {
        self.owner = self.disk.take(self.owner);
        match self.owner {
            // What a killed program left is relied on from now on.
            Some(_) => self.disk.sync_names().map_err(failed("the disk")),
            None => Err(StoreError::Refused("another program has the disk open".to_owned())),
        }
    }

    fn journal(&mut self) -> Result<SimJournal, StoreError> {
        SimJournal::open(&self.disk, LOG)
    }

    fn state(&mut self) -> Result<Option<SimStateFile>, StoreError> {
        database(&self.disk).map_err(failed(DATABASE))
    }

    fn begin_state(&mut self) -> Result<SimStateFile, StoreError> {
        let begin = || {
            let file = self.disk.open(BEGUN)?;
            self.disk.set_length(file, 0)?;
            Ok(SimStateFile { disk: self.disk.clone(), file })
        };
        begin().map_err(failed(BEGUN))
    }

    fn adopt_state(&mut self) -> Result<(), StoreError> {
        let adopt = || {
            self.disk.rename(BEGUN, DATABASE)?;
            self.disk.sync_names()
        };
        adopt().map_err(failed(BEGUN))
    }

    fn keep_state_aside(&mut self) -> Result<String, StoreError> {
        for nth in 1_u64.. {
            let name = format!("{DATABASE}.aside-{nth}");
            let find = |name: &str| self.disk.find(name).map_err(failed(DATABASE));
            match find(&name)? {
                None => {
                    self.disk.link(DATABASE, &name).map_err(failed(DATABASE))?;
                    self.disk.sync_names().map_err(failed(DATABASE))?;
                    return Ok(name);
                }
                there if there == find(DATABASE)? => return Ok(name),
                Some(_) => {}
            }
        }
        unreachable!("a disk has fewer than 2^64 files")
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(file) = self.disk.find(name).map_err(failed(name))? else { return Ok(None) };
        self.disk.read_all(file).map(Some).map_err(failed(name))
    }

    fn replace(&mut self, name: &str, contents: &[u8]) -> Result<(), StoreError> {
        let new = format!("{name}.new");
        let write = || {
            let file = self.disk.open(&new)?;
            self.disk.set_length(file, 0)?;
            self.disk.write(file, 0, contents)?;
            self.disk.sync(file)?;
            self.disk.rename(&new, name)?;
            self.disk.sync_names()
        };
        write().map_err(failed(name))
    }

    fn name_of(&self, part: Part) -> String {
        match part {
            Part::Journal => LOG.to_owned(),
            Part::State => DATABASE.to_owned(),
            Part::File(name) => name.to_owned(),
        }
    }
}

/// The database of a disk, if it has one.
pub(crate) fn database(disk: &SimDisk) -> Result<Option<SimStateFile>, Error> {
    let file = disk.find(DATABASE)?;
    Ok(file.map(|file| SimStateFile { disk: disk.clone(), file }))
}

/// The database's file, as redb wants it.
#[derive(Debug)]
pub(crate) struct SimStateFile {
    disk: SimDisk,
    file: FileId,
}

impl redb::StorageBackend for SimStateFile {
    fn len(&self) -> Result<u64, Error> {
        self.disk.length(self.file)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        self.disk.read(self.file, offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        self.disk.set_length(self.file, len)
    }

    fn sync_data(&self) -> Result<(), Error> {
        self.disk.sync(self.file)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.disk.write(self.file, offset, data)
    }
}
