//! What an interrupted commit left at the end of a journal file, cut off before fjall looks at it.
//!
//! fjall writes a commit as a start marker, the changes, and an end marker with a checksum. After a
//! power cut any pages of the last one may be missing. For some such ends fjall refuses to open (a
//! hole within a value breaks the checksum). Where it cannot read on at all it cuts off everything
//! that follows, also what had been durable for long. So this looks first.
//!
//! Every commit is durable before the next one begins. So if nothing that begins a commit follows
//! the first one that cannot be read, that one was most likely never acknowledged, and it is cut off.
//! A copy of it is kept: rot in the last commit of all looks the same here. Only the vault can
//! tell that it was durable, and says so. Otherwise the file is damaged and nothing is touched. The layout is that of fjall's format 3
//! (`fjall-3.1`, `src/journal/entry.rs`), little-endian:
//!
//! | entry | bytes |
//! |---|---|
//! | start | 1, changes (4), sequence (8) |
//! | change | 2, kind (1), compression (1), keyspace (8), key length (2), length (4), stored length (4), key, value |
//! | clear | 4, keyspace (8) |
//! | end | 3, XXH3 of all changes (8), `FJL` 3 |

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use super::files;
use crate::ports::StoreError;

const TRAILER: &[u8] = b"FJL\x03";
const START: u8 = 1;
const CHANGE: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
/// Bytes of a start marker, and of all of a change before its key.
const START_BYTES: usize = 13;
const CHANGE_BYTES: usize = 21;
/// No commit has that many changes, no value that many bytes, and no journal that many commits.
const COUNT_END: u32 = 1 << 24;
const VALUE_END: u32 = 1 << 20;
const SEQUENCE_END: u64 = 1 << 40;

/// How many of the commits that were cut off are kept.
const KEPT_CUTS: u32 = 4;

/// Cuts an unfinished commit off the journals in fjall's `folder`, and keeps it in `<folder>.cut-1`.
///
/// # Errors
/// [`StoreError::Damaged`] if what was durable cannot be read, [`StoreError::Refused`] if what is
/// cut off cannot be kept; then nothing was changed.
pub(super) fn cut_unfinished(folder: &Path) -> Result<(), StoreError> {
    let journals = journals(folder)?;
    let mut cut = None;
    for (number, path) in journals.iter().enumerate() {
        let end = scan(path).map_err(|error| files::failed("read", path, &error))?;
        // fjall seals a journal only after all of it is durable.
        let sealed = number + 1 < journals.len();
        match end.rest {
            Rest::Nothing => {}
            Rest::Unfinished { bytes } if !sealed => cut = Some((path, end.whole, bytes)),
            Rest::Unfinished { .. } | Rest::Commits => {
                return Err(StoreError::Damaged(format!(
                    "{}: the commit at byte {} cannot be read, and it was durable",
                    path.display(),
                    end.whole
                )));
            }
        }
    }
    let Some((path, length, bytes)) = cut else { return Ok(()) };
    keep(folder, path, length, bytes)?;
    let file = File::options().write(true).open(path);
    let cut = file.and_then(|file| {
        file.set_len(length)?;
        file.sync_all()
    });
    cut.map_err(|error| files::failed("cut an unfinished write off", path, &error))
}

/// Copies so many bytes of a journal to `<folder>.cut-1`; the copies before it move up, and the
/// oldest goes, once the new one is there.
fn keep(folder: &Path, journal: &Path, from: u64, bytes: u64) -> Result<(), StoreError> {
    let name = |number: u32| files::beside(folder, &format!(".cut-{number}"));
    let fresh = files::beside(folder, ".cut-new");
    // Left by somebody who died while writing it.
    let _ = fs::remove_file(&fresh);
    let copy = || {
        let mut input = File::open(journal)?;
        input.seek(SeekFrom::Start(from))?;
        let mut output = files::private().create_new(true).open(&fresh)?;
        io::copy(&mut input.take(bytes), &mut output)?;
        output.sync_all()
    };
    copy().map_err(|error| {
        let _ = fs::remove_file(&fresh);
        files::refused("keep what is to be cut off in", &fresh, &error)
    })?;
    for number in (1..KEPT_CUTS).rev() {
        match fs::rename(name(number), name(number + 1)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(files::refused("rename", &name(number), &error));
            }
            _ => {}
        }
    }
    fs::rename(&fresh, name(1)).map_err(|error| files::refused("rename", &fresh, &error))?;
    files::sync_folder_of(&name(1))
}

/// The journal files, the one that is written to last.
fn journals(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let fail = |error: io::Error| files::failed("list", folder, &error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_suffix(".jnl")).map(str::parse::<u64>);
        if let Some(Ok(number)) = number {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// How far a journal can be read.
struct End {
    /// Where its last whole commit ends.
    whole: u64,
    rest: Rest,
}

/// What follows the last whole commit.
enum Rest {
    /// Zeros at most: room that was prepared.
    Nothing,
    /// One commit at most, with parts missing: so many bytes, behind which there are only zeros.
    Unfinished { bytes: u64 },
    /// More than one commit, or one that cannot stand here.
    Commits,
}

fn scan(path: &Path) -> io::Result<End> {
    let mut input = BufReader::with_capacity(256 * 1024, File::open(path)?);
    let (mut whole, mut last) = (0, None);
    loop {
        match read_commit(&mut input) {
            // The checksum does not cover the sequence.
            Ok((sequence, _)) if last.is_some_and(|last| sequence <= last) => {
                return Ok(End { whole, rest: Rest::Commits });
            }
            Ok((sequence, length)) => {
                whole += length;
                last = Some(sequence);
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) =>
            {
                break;
            }
            Err(error) => return Err(error),
        }
    }
    input.seek(SeekFrom::Start(whole))?;
    Ok(End { whole, rest: look_at_rest(&mut input)? })
}

/// Reads one whole commit; its sequence and its length in bytes.
fn read_commit(input: &mut impl Read) -> io::Result<(u64, u64)> {
    let mut start = [0; START_BYTES];
    input.read_exact(&mut start)?;
    let (count, sequence) = (u32_at(&start, 1), u64_at(&start, 5));
    if start[0] != START || count >= COUNT_END {
        return Err(unreadable());
    }
    let mut length = START_BYTES as u64;
    let mut hash = Xxh3::new();
    let mut change = Vec::new();
    for _ in 0..count {
        change.resize(9, 0);
        input.read_exact(&mut change)?;
        match change[0] {
            CLEAR => {}
            CHANGE => {
                change.resize(CHANGE_BYTES, 0);
                input.read_exact(&mut change[9..])?;
                let stored = u32_at(&change, 17);
                if stored >= VALUE_END {
                    return Err(unreadable());
                }
                let key = usize::from(u16::from_le_bytes([change[11], change[12]]));
                change.resize(CHANGE_BYTES + key + stored as usize, 0);
                input.read_exact(&mut change[CHANGE_BYTES..])?;
            }
            _ => return Err(unreadable()),
        }
        hash.update(&change);
        length += change.len() as u64;
    }
    let mut end = [0; 13];
    input.read_exact(&mut end)?;
    let sound = end[0] == END && u64_at(&end, 1) == hash.digest() && end[9..] == *TRAILER;
    if sound { Ok((sequence, length + 13)) } else { Err(unreadable()) }
}

/// Looks through what follows the last whole commit.
fn look_at_rest(input: &mut impl BufRead) -> io::Result<Rest> {
    const SEEN_BYTES: usize = START_BYTES + CHANGE_BYTES;
    let mut rest = Rest::Nothing;
    let mut window = Vec::new();
    // The first commit of the rest is the unfinished one itself.
    let mut from = 1;
    // Where the window begins.
    let mut start = 0;
    loop {
        let read = input.take(1 << 20).read_to_end(&mut window)?;
        if let Some(last) = window.iter().rposition(|&byte| byte != 0) {
            rest = Rest::Unfinished { bytes: start + last as u64 + 1 };
            let begun = (from..window.len().saturating_sub(SEEN_BYTES - 1))
                .any(|at| begins_commit(&window[at..at + SEEN_BYTES]));
            if begun {
                return Ok(Rest::Commits);
            }
        }
        if read == 0 {
            return Ok(rest);
        }
        from = if window.len() < SEEN_BYTES { from } else { 0 };
        let gone = window.len().saturating_sub(SEEN_BYTES - 1);
        window.drain(..gone);
        start += gone as u64;
    }
}

/// Whether these are a start marker and the fields of a first change. Bytes that mean something
/// else look like this with a probability below 2⁻¹⁰⁰.
fn begins_commit(bytes: &[u8]) -> bool {
    let (start, change) = bytes.split_at(START_BYTES);
    start[0] == START
        && (1..COUNT_END).contains(&u32_at(start, 1))
        && u64_at(start, 5) < SEQUENCE_END
        && change[0] == CHANGE
        && change[1] <= 4
        && change[2] <= 1
        && u64_at(change, 3) < SEQUENCE_END
        && u32_at(change, 13) == u32_at(change, 17)
        && u32_at(change, 17) < VALUE_END
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

fn unreadable() -> io::Error {
    ErrorKind::InvalidData.into()
}
