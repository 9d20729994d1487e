//! Writes the files that runs leave.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use super::file::{FileError, named};

/// Most links in a row that are followed to a file that there is not yet; as Linux does.
const MAX_LINKS: usize = 40;

/// Puts `content` into the file at `path`, with the folders above it: all of it or nothing.
///
/// Where a symbolic link stands, its target is replaced. What is no regular file, such as a pipe, is
/// written to and stays what it is.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), FileError> {
    put(path, content.as_ref()).map_err(|reason| FileError::Write { file: named(path), reason })
}

fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder(path))?;
    if names_what_is_open(path) {
        return OpenOptions::new().append(true).open(path)?.write_all(content);
    }
    match fs::metadata(path) {
        Ok(found) if found.is_file() => replace(&path.canonicalize()?, content),
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(_) => OpenOptions::new().write(true).open(path)?.write_all(content),
        // A link to nothing: there is no content yet that half a file could stand in for.
        Err(_) if path.is_symlink() => File::create(path)?.write_all(content),
        Err(_) => replace(path, content),
    }
}

/// Makes sure, as far as can be told beforehand, that [`write`] could put files at `files`, each in its own
/// place, and below `folders`. Returns all that stands in the way.
pub(crate) fn check<'a>(
    files: impl IntoIterator<Item = &'a PathBuf>,
    folders: impl IntoIterator<Item = &'a PathBuf>,
) -> Vec<FileError> {
    let files: Vec<&PathBuf> = files.into_iter().collect();
    let checked = files.iter().map(|&path| (path, can_be_written(path)));
    let folders = folders.into_iter().map(|path| (path, can_hold_files(path)));
    let failed = |(path, checked): (&PathBuf, io::Result<()>)| {
        checked.err().map(|reason| FileError::Write { file: named(path), reason })
    };
    let mut places = BTreeSet::new();
    let shared = files.iter().filter(|path| {
        let place = place(path);
        place.is_some_and(|place| !places.insert(place))
    });
    let shared = shared.map(|path| FileError::Shared { file: named(path) });
    checked.chain(folders).filter_map(failed).chain(shared).collect()
}

/// Where the file stands that is replaced, or will; `None` if the path is written to and nothing is replaced.
fn place(path: &Path) -> Option<PathBuf> {
    let special = |found: fs::Metadata| !found.is_file() || names_what_is_open(path);
    if fs::metadata(path).is_ok_and(special) {
        return None;
    }
    let mut path = path.to_owned();
    // A link to nothing is followed, too; a ring of links leads nowhere.
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(target) if !path.exists() => path = folder(&path).join(target),
            _ => break,
        }
    }
    let (stands, rest) = standing(&path);
    let mut place = stands.canonicalize().ok()?;
    for part in rest.components() {
        match part {
            Component::ParentDir => _ = place.pop(),
            part => place.push(part),
        }
    }
    Some(place)
}

/// The innermost part of a path that there is already, and the rest of it.
fn standing(path: &Path) -> (&Path, &Path) {
    let stands = path.ancestors().find(|above| above.exists());
    let stands = stands.filter(|above| !above.as_os_str().is_empty());
    match stands.and_then(|stands| Some((stands, path.strip_prefix(stands).ok()?))) {
        Some(parts) => parts,
        None => (Path::new("."), path),
    }
}

fn can_be_written(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if found.is_file() && !names_what_is_open(path) => {
            can_hold_files(folder(&path.canonicalize()?))
        }
        // Who opens a pipe waits for its reader.
        Ok(_) => Ok(()),
        Err(_) => can_hold_files(folder(path)),
    }
}

/// Tries it in the innermost folder that there is already.
fn can_hold_files(path: &Path) -> io::Result<()> {
    let (stands, _) = standing(path);
    let probe = stands.join(format!(".{}.tmp", std::process::id()));
    File::create(&probe)?;
    // Whoever has the same process id on another machine may be as far.
    let _ = fs::remove_file(&probe);
    Ok(())
}

/// Whether the path stands for what this process has open, such as `/dev/stdout`: that may be a file
/// with content, which is neither cut nor exchanged.
fn names_what_is_open(path: &Path) -> bool {
    ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc"].iter().any(|system| path.starts_with(system))
}

/// Puts a file with this content in the place of the one at `path`, if there is one.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
    // Two processes may write the same file.
    name.push(format!(".{}.tmp", std::process::id()));
    let draft = folder(path).join(name);
    let done = File::create(&draft)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&draft, path));
    if done.is_err() {
        // What stands in the way of the draft is said already.
        let _ = fs::remove_file(&draft);
    }
    done
}

/// Where the file at `path` lies.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/capsule.json");
        write(&path, "one").unwrap();
        write(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        // A folder stands where the file should be.
        let said = write(&folder.path().join("new"), "three").unwrap_err().to_string();
        assert!(said.contains("new: cannot be written: "), "{said}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn what_cannot_be_written_is_known_beforehand_and_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "").unwrap();
        let good = [at("file"), at("new/deep/report")];
        assert!(check(&good, [&at("capsules")]).is_empty());
        let said: Vec<String> =
            check([&folder.path().to_owned(), &at("file/report")], [&at("file")])
                .iter()
                .map(FileError::to_string)
                .collect();
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said.iter().all(|said| said.contains("cannot be written")), "{said:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was left");
    }

    #[test]
    fn two_outputs_into_one_file_are_refused_however_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "").unwrap();
        for (one, other) in [
            ("file", "./file"),
            ("new", "./new"),
            ("no/new", "no/./new"),
            ("new", "no/../new"),
            ("no/new", "no/deep/../new"),
        ] {
            let said = check(&[at(one), at(other)], []).pop().unwrap().to_string();
            assert!(said.ends_with("found for two outputs; expected a file for each"), "{said}");
        }
        assert!(check(&[at("file"), at("new")], []).is_empty());
        assert!(check(&["/dev/null".into(), "/dev/null".into()], []).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_its_target_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("kept/report"), folder.path().join("link"));
        fs::create_dir(folder.path().join("kept")).unwrap();
        std::os::unix::fs::symlink("kept/report", &link).unwrap();
        assert_eq!(check([&link, &target], []).len(), 1, "both are one file");
        for content in ["into nothing", "two"] {
            write(&link, content).unwrap();
            assert!(link.is_symlink() && !target.is_symlink());
            assert_eq!(fs::read_to_string(&target).unwrap(), content);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_written_to_and_stays_a_pipe() {
        use std::os::unix::fs::FileTypeExt;
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let read = std::thread::scope(|scope| {
            let reader = scope.spawn(|| fs::read_to_string(&pipe));
            write(&pipe, "all of it").unwrap();
            reader.join().unwrap().unwrap()
        });
        assert_eq!(read, "all of it");
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }
}
