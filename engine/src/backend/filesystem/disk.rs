//! Files that appear whole or not at all, and reading what strangers wrote.
//!
//! Nothing here follows a symbolic link below the shared root, opens what is no regular file, or
//! reads more than it was told to. Two programs may write into one folder at once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::limits::MAX_FOLDER_ENTRIES;
use crate::ports::CallError;

/// Why a regular file was not read.
#[derive(Debug)]
pub(super) enum ReadError {
    Missing,
    NoFile,
    TooLong(u64),
    Io(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        if is_missing(&error) { ReadError::Missing } else { ReadError::Io(error) }
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Reads a regular file of at most `most` bytes.
pub(super) fn read(path: &Path, most: usize) -> Result<Vec<u8>, ReadError> {
    // Asked by name first: opening a pipe would wait for its other end.
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_file() {
        return Err(ReadError::NoFile);
    }
    if metadata.len() > most as u64 {
        return Err(ReadError::TooLong(metadata.len()));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    match bytes.len() {
        length if length > most => Err(ReadError::TooLong(length as u64)),
        _ => Ok(bytes),
    }
}

/// Whether a folder, and no link to one, is there.
pub(super) fn is_folder(path: &Path) -> Result<bool, CallError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(metadata.is_dir()),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(lost("look at", path, &error)),
    }
}

/// The names in a folder that `parse` knows, in ascending order; none if it is not there.
pub(super) fn list<T: Ord>(
    folder: &Path,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, CallError> {
    if !is_folder(folder)? {
        return Ok(Vec::new());
    }
    let fail = |error: io::Error| lost("list", folder, &error);
    let mut found = Vec::new();
    for (seen, entry) in fs::read_dir(folder).map_err(fail)?.enumerate() {
        if seen == MAX_FOLDER_ENTRIES {
            let text = format!("{} holds more than {MAX_FOLDER_ENTRIES} files", folder.display());
            return Err(CallError::Lost(text));
        }
        found.extend(entry.map_err(fail)?.file_name().to_str().and_then(&parse));
    }
    found.sort_unstable();
    Ok(found)
}

/// Makes `folder` and what is missing between it and `root`, durably. `root` must be there: it
/// may be a medium that is not mounted now.
pub(super) fn make_folder(root: &Path, folder: &Path) -> Result<(), CallError> {
    if is_folder(folder)? {
        return Ok(());
    }
    let below = folder.strip_prefix(root).expect("folders are made below the root");
    let mut parent = root.to_path_buf();
    for name in below {
        let child = parent.join(name);
        match fs::create_dir(&child) {
            Ok(()) => sync_folder(&parent)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists && is_folder(&child)? => {}
            Err(error) => return Err(lost("make the folder", &child, &error)),
        }
        parent = child;
    }
    Ok(())
}

/// Puts `bytes` at `path`, durably, in place of what may be there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), CallError> {
    let folder = path.parent().expect("a file has a folder");
    Aside::write(folder, bytes)?.rename(path)?;
    sync_folder(folder)
}

/// Puts `bytes` durably into a new file of `folder`: the first of `names` that nobody took.
pub(super) fn publish(
    folder: &Path,
    bytes: &[u8],
    names: impl Iterator<Item = String>,
) -> Result<(), CallError> {
    let aside = Aside::write(folder, bytes)?;
    for name in names {
        // An empty file claims the name, so that of two programs only one can have it. What it
        // is replaced by is whole: a reader finds no file, an empty one, or all of it.
        let path = folder.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(lost("make", &path, &error)),
        }
        if let Err(error) = aside.rename(&path) {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        return sync_folder(folder);
    }
    Err(CallError::Lost(format!("{} has no free file name left", folder.display())))
}

/// A complete, durable file under a name that no reader looks at; removed unless renamed.
struct Aside {
    /// `None` once renamed: the name is free then, and may be another program's already.
    path: Option<PathBuf>,
}

/// How long nobody takes to write one file.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

fn aside_name(attempt: usize) -> String {
    format!(".{attempt}.tmp")
}

impl Aside {
    fn write(folder: &Path, bytes: &[u8]) -> Result<Self, CallError> {
        for attempt in 0..MAX_FOLDER_ENTRIES {
            let path = folder.join(aside_name(attempt));
            let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(lost("make", &path, &error)),
            };
            let written = file.write_all(bytes).and_then(|()| file.sync_all());
            let written = written.map_err(|error| lost("write", &path, &error));
            let aside = Aside { path: Some(path) };
            remove_abandoned(folder, attempt, &file);
            return written.map(|()| aside);
        }
        Err(CallError::Lost(format!("{} is full of temporary files", folder.display())))
    }

    fn rename(mut self, to: &Path) -> Result<(), CallError> {
        let from = self.path.take().expect("it is renamed once");
        fs::rename(&from, to).map_err(|error| {
            self.path = Some(from);
            lost("rename a file to", to, &error)
        })
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

/// Removes files aside that were in the way of `fresh` and are so much older that whoever wrote
/// them must have died. The ages are the file system's: no clock is asked.
fn remove_abandoned(folder: &Path, attempts: usize, fresh: &File) {
    let now = fresh.metadata().and_then(|metadata| metadata.modified());
    for path in (0..attempts).map(|attempt| folder.join(aside_name(attempt))) {
        let written = fs::metadata(&path).and_then(|metadata| metadata.modified());
        if let (Ok(now), Ok(written)) = (&now, written)
            && now.duration_since(written).is_ok_and(|age| age > ABANDONED)
        {
            let _ = fs::remove_file(path);
        }
    }
}

/// Makes new names in `folder` durable, where the system can: some let no folder be opened, and
/// some that stand for a network know no such request.
fn sync_folder(folder: &Path) -> Result<(), CallError> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder).and_then(|file| file.sync_all()) {
        Err(error) if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
            Err(lost("make durable", folder, &error))
        }
        _ => Ok(()),
    }
}

pub(super) fn lost(doing: &str, path: &Path, error: &io::Error) -> CallError {
    CallError::Lost(format!("could not {doing} {}: {error}", path.display()))
}
