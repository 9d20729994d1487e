//! Files of a profile: read with a bound, replaced as a whole, readable by their owner alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use crate::failure::{Failure, Result};

/// What a file holds; `None` if it is not there.
pub(crate) fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    let failed =
        |error: &io::Error| Failure::failed(format!("cannot read {}: {error}", path.display()));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    match bytes.len() as u64 > most {
        true => Err(Failure::failed(format!(
            "{} is longer than {most} bytes, which is more than is read",
            path.display()
        ))),
        false => Ok(Some(bytes)),
    }
}

/// Puts `contents` at `path` durably, in place of what may be there: all of it, or nothing changes.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = Path::new(&aside);
    let write = || -> io::Result<()> {
        // Left by somebody who died while writing it.
        match fs::remove_file(aside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(aside)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(aside, path)?;
        #[cfg(unix)]
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(|error| {
        Failure::failed(format!("cannot write {}: {error}", path.display()))
            .next("see whether the disk is full or the folder is read-only")
    })
}

/// Makes a folder that only its owner may look into, and the folders that it lies in.
pub(crate) fn make_private_folder(path: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| {
        Failure::failed(format!("cannot make the folder {}: {error}", path.display()))
            .next("name another folder with --profile")
    })
}
