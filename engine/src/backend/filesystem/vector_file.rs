//! `version_vector.json`: how far a publisher durably is, for others and for people to read.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk::{self, ReadError};
use crate::hash::Hash;
use crate::id::{DeviceId, PeerId, WorkspaceId};
use crate::limits::SEQUENCE_END;
use crate::limits::{MAX_AUTHORS, MAX_VECTOR_FILE_BYTES};
use crate::ports::CallError;
use crate::wire::{Frontier, FrontierRow};

/// The version of the file's format that this engine writes.
const FORMAT: u64 = 1;
/// Longest name of a publisher that is written or shown, in characters.
const MAX_NAME_CHARS: usize = 64;

/// What a publisher says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Announcement {
    pub(super) workspace: WorkspaceId,
    pub(super) device: DeviceId,
    /// What people call the device; may be empty.
    pub(super) name: String,
    pub(super) frontier: Frontier,
}

#[derive(Serialize, Deserialize)]
struct Json {
    format: u64,
    workspace: WorkspaceId,
    device: DeviceId,
    #[serde(default)]
    name: String,
    /// Of the frontier; tells a damaged file from a peer whose history differs.
    digest: String,
    frontier: Vec<JsonRow>,
}

#[derive(Serialize, Deserialize)]
struct JsonRow {
    peer: PeerId,
    sequence: u64,
    hash: String,
}

/// The part that every version of the format has.
#[derive(Deserialize)]
struct Versioned {
    format: u64,
}

pub(super) fn encode(announcement: &Announcement) -> Vec<u8> {
    let row = |row: &FrontierRow| JsonRow {
        peer: row.peer,
        sequence: row.sequence,
        hash: row.hash.to_string(),
    };
    let json = Json {
        format: FORMAT,
        workspace: announcement.workspace,
        device: announcement.device,
        name: printable(&announcement.name),
        digest: announcement.frontier.digest().to_string(),
        frontier: announcement.frontier.rows().iter().map(row).collect(),
    };
    let mut bytes = serde_json::to_vec_pretty(&json).expect("strings and numbers make JSON");
    bytes.push(b'\n');
    bytes
}

/// Reads what `device` announced of `workspace`.
pub(super) fn read(
    path: &Path,
    workspace: WorkspaceId,
    device: DeviceId,
) -> Result<Announcement, CallError> {
    let bytes = disk::read(path, MAX_VECTOR_FILE_BYTES).map_err(|error| match error {
        ReadError::Missing => CallError::Lost(format!(
            "{} is not there: {device} has not published this workspace here yet",
            path.display()
        )),
        ReadError::NoFile => nonsense(path, "not a regular file"),
        ReadError::TooLong(bytes) => {
            nonsense(path, format!("{bytes} bytes long, expected at most {MAX_VECTOR_FILE_BYTES}"))
        }
        ReadError::Io(error) => disk::lost("read", path, &error),
    })?;
    let announcement = decode(&bytes).map_err(|problem| nonsense(path, problem))?;
    if (announcement.workspace, announcement.device) != (workspace, device) {
        let Announcement { workspace: of, device: by, .. } = announcement;
        let found = format!("announces workspace {of} of device {by}");
        return Err(nonsense(path, format!("{found}, expected {workspace} of {device}")));
    }
    Ok(announcement)
}

fn decode(bytes: &[u8]) -> Result<Announcement, String> {
    let no_json = |error: serde_json::Error| format!("half-written or damaged: {error}");
    let Versioned { format } = serde_json::from_slice(bytes).map_err(no_json)?;
    if format != FORMAT {
        return Err(format!("format {format} is unknown; this engine reads {FORMAT}"));
    }
    let json: Json = serde_json::from_slice(bytes).map_err(no_json)?;
    if json.frontier.len() > MAX_AUTHORS {
        return Err(format!("{} authors, expected at most {MAX_AUTHORS}", json.frontier.len()));
    }
    let mut rows = Vec::with_capacity(json.frontier.len());
    for JsonRow { peer, sequence, hash } in json.frontier {
        if !(1..SEQUENCE_END).contains(&sequence) {
            return Err(format!("sequence {sequence} of {peer}, expected 1 to 2^62 - 1"));
        }
        rows.push(FrontierRow { peer, sequence, hash: parse_hash(&hash)? });
    }
    // A doubled author, a changed digit: whatever parts the rows from what was written.
    let frontier = Frontier::new(rows);
    if frontier.digest() != parse_hash(&json.digest)? {
        return Err("its digest does not fit its frontier: damaged or edited".into());
    }
    let Json { workspace, device, .. } = json;
    Ok(Announcement { workspace, device, name: printable(&json.name), frontier })
}

fn parse_hash(text: &str) -> Result<Hash, String> {
    let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok();
    let hash = bytes.and_then(|bytes| bytes.try_into().ok()).map(Hash);
    hash.ok_or_else(|| {
        let start: String = text.chars().take(MAX_NAME_CHARS).collect();
        format!("{start:?} is no hash: expected 64 lowercase hexadecimal digits")
    })
}

fn printable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect()
}

fn nonsense(path: &Path, problem: impl std::fmt::Display) -> CallError {
    CallError::Nonsense(format!("{}: {problem}", path.display()))
}
