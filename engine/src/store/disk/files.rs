//! Small files that appear whole or not at all, readable by their owner alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::ports::StoreError;

/// Longest small file that is read, in bytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// What a file holds, if it is there.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open", path, &error)),
    };
    let mut bytes = Vec::new();
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed("read", path, &error))?;
    match bytes.len() as u64 <= MAX_BYTES {
        true => Ok(Some(bytes)),
        false => {
            Err(StoreError::Damaged(format!("{} is longer than {MAX_BYTES} bytes", path.display())))
        }
    }
}

/// [`read`] of what is relied on from then on, so that a power cut does not take it away: a program
/// that was killed may have left the file's name unsynced.
pub(crate) fn read_to_rely_on(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let bytes = read(path)?;
    if bytes.is_some() {
        sync_folder_of(path)?;
    }
    Ok(bytes)
}

/// Puts `contents` at `path`, durably, in place of what may be there.
///
/// # Errors
/// [`StoreError::Refused`] if `path` is as it was, [`StoreError::Failed`] if that is unknown.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> Result<(), StoreError> {
    let aside = beside(path, ".new");
    // Left by somebody who died while writing it.
    let _ = fs::remove_file(&aside);
    let written = write_new(&aside, contents).and_then(|()| fs::rename(&aside, path));
    if let Err(error) = written {
        let _ = fs::remove_file(&aside);
        return Err(refused("replace", path, &error));
    }
    sync_folder_of(path)
}

/// Puts `contents` at `path`, where nothing may be yet, durably.
pub(crate) fn create(path: &Path, contents: &[u8]) -> Result<(), StoreError> {
    let aside = beside(path, ".new");
    let _ = fs::remove_file(&aside);
    // A link, unlike a renaming, replaces nothing.
    let written = write_new(&aside, contents).and_then(|()| fs::hard_link(&aside, path));
    let _ = fs::remove_file(&aside);
    written.map_err(|error| refused("make", path, &error))?;
    sync_folder_of(path)
}

fn write_new(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = private().create_new(true).open(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

/// Options to write a file that only its owner may read.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a folder that only its owner may enter, with the folders above it, durably.
pub(super) fn make_folder(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    let above = folder_of(path);
    make_folder(above)?;
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        // By another program, just now.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => made.map_err(|error| refused("make the folder", path, &error))?,
    }
    sync_folder(above)
}

/// Makes all names in a folder, and in the folders below it, durable. A program that was killed
/// may have left some of them unsynced.
pub(super) fn sync_names(folder: &Path) -> Result<(), StoreError> {
    let fail = |error: io::Error| failed("list", folder, &error);
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if entry.file_type().map_err(fail)?.is_dir() {
            sync_names(&entry.path())?;
        }
    }
    sync_folder(folder)
}

/// Makes the names in the folder of `path` durable, where the system can.
pub(super) fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    sync_folder(folder_of(path))
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    if !cfg!(unix) {
        return Ok(());
    }
    let synced = File::open(folder).and_then(|file| file.sync_all());
    match synced.map_err(|error| (error.kind(), error)) {
        Ok(()) => Ok(()),
        // Not every file system syncs folders, and not every folder of a key may be listed.
        Err((ErrorKind::InvalidInput | ErrorKind::Unsupported, _)) => Ok(()),
        Err((ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem, _)) => Ok(()),
        Err((_, error)) => Err(failed("make durable", folder, &error)),
    }
}

/// `path` with something added to its last name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub(super) fn refused(doing: &str, path: &Path, error: &io::Error) -> StoreError {
    StoreError::Refused(format!("could not {doing} {}: {error}", path.display()))
}

pub(super) fn failed(doing: &str, path: &Path, error: &io::Error) -> StoreError {
    StoreError::Failed(format!("could not {doing} {}: {error}", path.display()))
}
