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

/// Puts `contents` at `path`, durably, in place of what may be there.
///
/// # Errors
/// [`StoreError::Refused`] if `path` is as it was, [`StoreError::Failed`] if that is unknown.
pub(super) fn replace(path: &Path, contents: &[u8]) -> Result<(), StoreError> {
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
pub(super) fn create(path: &Path, contents: &[u8]) -> Result<(), StoreError> {
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

/// Makes a folder that only its owner may enter, with the folders above it.
pub(super) fn make_folder(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| refused("make the folder", path, &error))?;
    sync_folder_of(path)
}

/// Makes the names in the folder of `path` durable, where the system can.
pub(super) fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder).and_then(|file| file.sync_all()) {
        Err(error) if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
            Err(failed("make durable", folder, &error))
        }
        _ => Ok(()),
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
