//! What a core gave, as a kind and a hash: enough to tell whether another core gives the same.

use std::fmt::{self, Write as _};

use crate::api::{EditError, Receipt};
use crate::codec::put_varint;
use crate::core::{Core, Output};
use crate::record::{Record, Snapshot};
use crate::wire::Frontier;

/// Which kind of thing a core gave. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is the output of the same name")]
pub enum Kind {
    /// It was asked for an output and had none.
    Nothing = 0,
    Append = 1,
    Load = 2,
    Promise = 3,
    SaveSnapshot = 4,
    Rebase = 5,
    Compacted = 6,
    Ask = 7,
    Answer = 8,
    Announce = 9,
    Finished = 10,
    Event = 11,
    Rebuild = 12,
    /// It took an edit.
    Receipt = 13,
    /// It refused an edit.
    Refusal = 14,
    /// A core came of the opening; the hash tells who authors, and what is applied.
    Core = 15,
}

impl Kind {
    const ALL: [Kind; 16] = [
        Kind::Nothing,
        Kind::Append,
        Kind::Load,
        Kind::Promise,
        Kind::SaveSnapshot,
        Kind::Rebase,
        Kind::Compacted,
        Kind::Ask,
        Kind::Answer,
        Kind::Announce,
        Kind::Finished,
        Kind::Event,
        Kind::Rebuild,
        Kind::Receipt,
        Kind::Refusal,
        Kind::Core,
    ];

    /// Whether it comes of a step by itself, and not of asking for outputs.
    pub(super) fn is_unasked(self) -> bool {
        matches!(self, Kind::Receipt | Kind::Refusal | Kind::Core)
    }

    pub(super) fn from_number(number: u8) -> Option<Kind> {
        Kind::ALL.get(usize::from(number)).copied()
    }
}

/// One thing that a core gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its kind.
    pub kind: Kind,
    /// The first bytes of a BLAKE3 hash over all of it.
    pub hash: [u8; 8],
}

impl Mark {
    /// The mark of what `poll_output` returned.
    pub(crate) fn of_output(output: Option<&Output>) -> Mark {
        let Some(output) = output else { return Mark { kind: Kind::Nothing, hash: [0; 8] } };
        match output {
            Output::Append(records) => Mark::new(Kind::Append, |bytes| {
                records.iter().for_each(|record| put_record(bytes, record));
            }),
            Output::Load { ticket, positions } => Mark::new(Kind::Load, |bytes| {
                put_varint(bytes, *ticket);
                positions.iter().for_each(|&position| put_varint(bytes, position));
            }),
            Output::Promise(promise) => Mark::new(Kind::Promise, |bytes| {
                bytes.extend_from_slice(&promise.incarnation.0);
                put_varint(bytes, promise.sequence);
            }),
            Output::SaveSnapshot(snapshot) => {
                Mark::new(Kind::SaveSnapshot, |bytes| put_snapshot(bytes, snapshot))
            }
            Output::Rebase { base, first } => Mark::new(Kind::Rebase, |bytes| {
                put_varint(bytes, *first);
                put_snapshot(bytes, base);
            }),
            Output::Compacted(result) => Mark::of_words(Kind::Compacted, result),
            Output::Ask { call, to, request } => Mark::new(Kind::Ask, |bytes| {
                put_varint(bytes, *call);
                bytes.extend_from_slice(&to.0);
                bytes.extend_from_slice(&request.encode());
            }),
            Output::Answer { call, response } => Mark::new(Kind::Answer, |bytes| {
                put_varint(bytes, *call);
                bytes.extend_from_slice(&response.encode());
            }),
            Output::Announce(frontier) => {
                Mark::new(Kind::Announce, |bytes| put_frontier(bytes, frontier))
            }
            Output::Finished { round, result } => Mark::of_words(Kind::Finished, &(round, result)),
            Output::Event(event) => Mark::of_words(Kind::Event, event),
            Output::Rebuild(why) => Mark::of_words(Kind::Rebuild, why),
        }
    }

    /// The mark of an edit's result.
    pub(crate) fn of_edit(result: Result<&[Receipt], &EditError>) -> Mark {
        match result {
            Ok(receipts) => Mark::of_words(Kind::Receipt, &receipts),
            Err(error) => Mark::of_words(Kind::Refusal, error),
        }
    }

    /// The mark of a core that begins.
    pub(crate) fn of_core(core: &Core) -> Mark {
        Mark::new(Kind::Core, |bytes| {
            bytes.extend_from_slice(core.peer_id().0.as_bytes());
            put_frontier(bytes, &core.durable());
        })
    }

    fn new(kind: Kind, write: impl FnOnce(&mut Vec<u8>)) -> Mark {
        let mut bytes = vec![kind as u8];
        write(&mut bytes);
        Mark { kind, hash: first_bytes(&blake3::hash(&bytes)) }
    }

    /// The mark of what has no bytes of its own: hashed as it is written for programmers, which
    /// leaves nothing out.
    fn of_words(kind: Kind, what: &dyn fmt::Debug) -> Mark {
        let mut words = Words(blake3::Hasher::new());
        words.0.update(&[kind as u8]);
        write!(words, "{what:?}").expect("a hash takes any text");
        Mark { kind, hash: first_bytes(&words.0.finalize()) }
    }
}

struct Words(blake3::Hasher);

impl fmt::Write for Words {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

fn first_bytes(hash: &blake3::Hash) -> [u8; 8] {
    *hash.as_bytes().first_chunk().expect("a hash has more than 8 bytes")
}

fn put_record(out: &mut Vec<u8>, record: &Record) {
    let bytes = record.encode();
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(&bytes);
}

fn put_snapshot(out: &mut Vec<u8>, snapshot: &Snapshot) {
    put_varint(out, snapshot.position);
    out.extend_from_slice(&snapshot.bytes);
}

fn put_frontier(out: &mut Vec<u8>, frontier: &Frontier) {
    for row in frontier.rows() {
        out.extend_from_slice(row.peer.0.as_bytes());
        put_varint(out, row.sequence);
        out.extend_from_slice(&row.hash.0);
    }
}
