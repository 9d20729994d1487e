//! A folder of a real disk, as the vault sees it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;

use super::files;
use super::journal::FjallJournal;
use crate::ports::StoreError;
use crate::store::medium::{Medium, Part};

const LOCK: &str = "lock";
const JOURNAL: &str = "log";
const STATE: &str = "state.redb";
/// What follows the database's name while it is not whole yet.
const BEGUN: &str = ".new";

/// One folder, that nobody but its owner may enter:
///
/// | name | what |
/// |---|---|
/// | `lock` | held by the program that has the folder open |
/// | `log/` | the log: fjall |
/// | `log.cut-N` | unfinished ends that were cut off it, the newest first |
/// | `state.redb` | the database: redb |
/// | `state.redb.new` | a database that is not whole yet |
/// | `state.redb.damaged-N` | databases that could not be used, or that remembered what the log lost |
/// | others | small files |
#[derive(Debug)]
pub struct FolderMedium {
    folder: PathBuf,
    lock: Option<File>,
}

impl FolderMedium {
    /// The medium in `folder`. Touches nothing.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        FolderMedium { folder: folder.into(), lock: None }
    }

    /// Whether a log was ever begun here.
    pub(super) fn is_new(&self) -> bool {
        !self.folder.join(JOURNAL).exists()
    }

    fn path(&self, name: &str) -> PathBuf {
        debug_assert!(Path::new(name).components().count() == 1, "{name} is a name, no path");
        self.folder.join(name)
    }
}

impl Medium for FolderMedium {
    type Journal = FjallJournal;
    type State = FileBackend;

    fn lock(&mut self) -> Result<(), StoreError> {
        if self.lock.is_some() {
            return Ok(());
        }
        files::make_folder(&self.folder)?;
        let path = self.path(LOCK);
        let file = files::private().create(true).truncate(false).open(&path);
        let file = file.map_err(|error| files::refused("open", &path, &error))?;
        match file.try_lock() {
            Ok(()) => {
                files::sync_names(&self.folder)?;
                files::sync_folder_of(&self.folder)?;
                self.lock = Some(file);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Refused(format!(
                    "another program has {} open",
                    self.folder.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(files::refused("lock", &path, &error)),
        }
        Ok(())
    }

    fn journal(&mut self) -> Result<FjallJournal, StoreError> {
        FjallJournal::open(&self.path(JOURNAL))
    }

    fn state(&mut self) -> Result<Option<FileBackend>, StoreError> {
        let path = self.path(STATE);
        match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => backend(&path, file).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(files::failed("open", &path, &error)),
        }
    }

    fn begin_state(&mut self) -> Result<FileBackend, StoreError> {
        let path = files::beside(&self.path(STATE), BEGUN);
        let begun = files::private().read(true).create(true).truncate(true).open(&path);
        backend(&path, begun.map_err(|error| files::failed("begin", &path, &error))?)
    }

    fn adopt_state(&mut self) -> Result<(), StoreError> {
        let path = self.path(STATE);
        let begun = files::beside(&path, BEGUN);
        fs::rename(&begun, &path).map_err(|error| files::failed("rename", &begun, &error))?;
        files::sync_folder_of(&path)
    }

    fn keep_state_aside(&mut self) -> Result<String, StoreError> {
        let path = self.path(STATE);
        let refused = |error| files::refused("set aside", &path, &error);
        let mut number = 1;
        // Nobody else makes such files: the folder is locked.
        let aside = loop {
            let aside = files::beside(&path, &format!(".damaged-{number}"));
            if !aside.exists() {
                break aside;
            }
            if same_file::is_same_file(&path, &aside).map_err(refused)? {
                return Ok(aside.display().to_string());
            }
            number += 1;
        };
        fs::hard_link(&path, &aside).or_else(|_| fs::rename(&path, &aside)).map_err(refused)?;
        files::sync_folder_of(&path)?;
        Ok(aside.display().to_string())
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        files::read(&self.path(name))
    }

    fn replace(&mut self, name: &str, contents: &[u8]) -> Result<(), StoreError> {
        files::replace(&self.path(name), contents)
    }

    fn name_of(&self, part: Part) -> String {
        let path = match part {
            Part::Journal => self.path(JOURNAL),
            Part::State => self.path(STATE),
            Part::File(name) => self.path(name),
        };
        path.display().to_string()
    }
}

fn backend(path: &Path, file: File) -> Result<FileBackend, StoreError> {
    FileBackend::new(file)
        .map_err(|error| StoreError::Failed(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::medium_conformance;

    #[test]
    fn folder_passes_the_exam() {
        medium_conformance::every_claim(|| {
            let folder = tempfile::tempdir().expect("a folder");
            move || FolderMedium::new(folder.path().join("store"))
        });
    }
}
