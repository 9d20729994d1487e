//! Bytes to a state.

use smallvec::SmallVec;
use uuid::Uuid;

use super::encode::{AuthorTable, Encoder};
use super::{
    ADDITIONS, KINDS, KNOWN, NODE_PARTS, PAIR_PARTS, PINNED, POSITION, REMOVAL, REMOVED, SETTLED,
    TITLE, TRIGGERS, URL, VERSION, VISITS, node_parts, pair_parts,
};
use crate::author::{AuthorIx, Authors};
use crate::codec::{DecodeError, Reader};
use crate::entry::Position;
use crate::id::{NodeId, PeerId};
use crate::limits::SEQUENCE_END;
use crate::limits::{MAX_AUTHORS, MAX_PAYLOAD_BYTES, MAX_TITLE_BYTES, MAX_URL_BYTES};
use crate::state::causality::{Components, Past};
use crate::state::node::Node;
use crate::state::pair::{Addition, Pair, Removed, Visit};
use crate::state::register::{Register, Write};
use crate::state::removal::Removal;
use crate::state::{EntryStamp, Opaque, State};

/// A node takes at least this many bytes: id, parts.
const MIN_NODE_BYTES: usize = 16 + 1;
/// A pair takes at least this many bytes: two ends, parts.
const MIN_PAIR_BYTES: usize = 3;

impl State {
    /// Reads a state back, whose authors are added to `authors`.
    ///
    /// Allocates at most in proportion to `bytes`, and a table of all pairs of authors.
    ///
    /// # Errors
    /// If the bytes are none that [`encode`](Self::encode) writes.
    pub(crate) fn decode(
        bytes: &[u8],
        authors: &mut Authors,
        key: [u64; 4],
    ) -> Result<State, DecodeError> {
        let mut reader = Reader::new(bytes);
        if reader.u8("a version")? != VERSION {
            return Err(DecodeError { offset: 0, expected: "version 1 of the state's format" });
        }
        let mut state = State::new(key);
        let count = reader.bounded(MAX_AUTHORS, "a number of authors")?;
        let (mut rows, mut last) = (Vec::new(), None);
        for _ in 0..count {
            let start = reader.clone();
            let peer = PeerId(Uuid::from_bytes(reader.array("an author's id of 16 bytes")?));
            if last.replace(peer) >= Some(peer) {
                return Err(start.error("author ids, ascending"));
            }
            let start = reader.clone();
            let applied = reader.varint("a sequence")?;
            if applied >= SEQUENCE_END {
                return Err(start.error("a sequence within its bound"));
            }
            rows.push((authors.intern(peer), applied));
        }
        let mut decoder = Decoder {
            reader,
            authors: rows,
            last: None,
            table: AuthorTable::default(),
            written: Vec::new(),
        };
        for at in 0..count {
            let (author, applied) = decoder.authors[at];
            let others = decoder.vector()?;
            state.clocks.restore(author, applied, &others);
        }
        if decoder.flag()? {
            state.clear = Some(decoder.removal()?);
        }
        decoder.table = AuthorTable::new(&state, authors);
        decoder.check(0, |encoder| encoder.head(&state))?;
        decoder.graph(&mut state)?;
        let opaque = |decoder: &mut Decoder<'_>, stamp| {
            let kind = decoder.reader.bounded(usize::from(u16::MAX), "a kind")? as u16;
            let payload = decoder.bytes(MAX_PAYLOAD_BYTES, "a payload within its bound")?.into();
            Ok(Opaque { stamp, kind, payload })
        };
        state.opaque = decoder.list(opaque)?.into_vec();
        // A list that was read is as it is written.
        decoder.reader.finish("the end of the state")?;
        state.refresh_all();
        Ok(state)
    }
}

/// Reads the parts of a state.
struct Decoder<'a> {
    reader: Reader<'a>,
    /// The authors of the table and how many entries of each are applied.
    authors: Vec<(AuthorIx, u64)>,
    /// The dot before, in the list that is being read.
    last: Option<(usize, u64)>,
    table: AuthorTable,
    written: Vec<u8>,
}

impl<'a> Decoder<'a> {
    /// Refuses what was read since `start` if it is not what is written for it.
    fn check(
        &mut self,
        start: usize,
        write: impl FnOnce(&mut Encoder<'_>),
    ) -> Result<(), DecodeError> {
        self.written.clear();
        write(&mut Encoder { out: &mut self.written, table: &self.table });
        let read = self.reader.since(start);
        if self.written == read {
            return Ok(());
        }
        let differs = self.written.iter().zip(read).position(|(written, read)| written != read);
        let offset = start + differs.unwrap_or(read.len().min(self.written.len()));
        Err(DecodeError { offset, expected: "the canonical form of the state" })
    }

    fn flag(&mut self) -> Result<bool, DecodeError> {
        Ok(self.reader.bounded(1, "0 or 1")? == 1)
    }

    fn bytes(&mut self, most: usize, expected: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = self.reader.bounded(most, expected)?;
        self.reader.bytes(length, expected)
    }

    fn text(&mut self, most: usize) -> Result<Box<str>, DecodeError> {
        let start = self.reader.clone();
        let bytes = self.bytes(most, "a text within its bound")?;
        Ok(std::str::from_utf8(bytes).map_err(|_| start.error("a text in UTF-8"))?.into())
    }

    fn one_of<T: Copy>(&mut self, all: &[T], expected: &'static str) -> Result<T, DecodeError> {
        Ok(all[self.reader.bounded(all.len() - 1, expected)?])
    }

    fn parts(&mut self, known: u8) -> Result<u8, DecodeError> {
        let start = self.reader.clone();
        let parts = self.reader.u8("parts")?;
        if parts & !known == 0 { Ok(parts) } else { Err(start.error("known parts")) }
    }

    /// The row of an author in the table.
    fn author(&self, row: u64) -> Option<(usize, AuthorIx, u64)> {
        let row = usize::try_from(row).ok()?;
        self.authors.get(row).map(|&(author, applied)| (row, author, applied))
    }

    fn stamp(&mut self) -> Result<EntryStamp, DecodeError> {
        let start = self.reader.clone();
        let head = self.reader.varint("an author")?;
        let sequence = self.reader.varint("a sequence")?;
        let timestamp_ms = self.reader.varint("a time")?;
        let row = self.author(head >> 1);
        let (row, author, _) = row
            .filter(|&(row, _, applied)| {
                (1..=applied).contains(&sequence) && self.last < Some((row, sequence))
            })
            .ok_or_else(|| start.error("the dot of an applied entry, ascending"))?;
        self.last = Some((row, sequence));
        Ok(EntryStamp { author, sequence, timestamp_ms, genesis: head & 1 == 1 })
    }

    fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self, EntryStamp) -> Result<T, DecodeError>,
    ) -> Result<SmallVec<[T; 1]>, DecodeError> {
        let count = self.reader.varint("a count")?;
        self.last = None;
        let mut items = SmallVec::new();
        for _ in 0..count {
            let stamp = self.stamp()?;
            items.push(item(self, stamp)?);
        }
        Ok(items)
    }

    fn register<V>(
        &mut self,
        present: bool,
        mut value: impl FnMut(&mut Self) -> Result<V, DecodeError>,
    ) -> Result<Register<V>, DecodeError> {
        if !present {
            return Ok(Register::default());
        }
        let write = |decoder: &mut Self, stamp| Ok(Write { stamp, value: value(decoder)? });
        Ok(Register::new(self.list(write)?))
    }

    /// A vector, its components ascending by author number.
    fn vector(&mut self) -> Result<Vec<(AuthorIx, u64)>, DecodeError> {
        let count = self.reader.varint("a count")?;
        let mut rows = Vec::new();
        let mut last = None;
        for _ in 0..count {
            let start = self.reader.clone();
            let row = self.reader.varint("an author")?;
            let sequence = self.reader.varint("a sequence")?;
            let (row, author, _) = self
                .author(row)
                .filter(|&(row, _, applied)| (1..=applied).contains(&sequence) && last < Some(row))
                .ok_or_else(|| start.error("a component of applied entries, ascending"))?;
            last = Some(row);
            rows.push((author, sequence));
        }
        rows.sort_unstable();
        Ok(rows)
    }

    fn removal(&mut self) -> Result<Removal, DecodeError> {
        let past = Past::new(self.vector()?);
        Ok(Removal { past, by: self.register(true, |_| Ok(()))? })
    }

    fn graph(&mut self, state: &mut State) -> Result<(), DecodeError> {
        let records = &mut state.records;
        let clear = state.clear.as_ref();
        let nodes = self.reader.varint("a number of nodes")?;
        records.nodes.reserve(self.room(nodes, MIN_NODE_BYTES));
        let mut mentioned = Vec::new();
        let mut last = None;
        for _ in 0..nodes {
            let start = self.reader.clone();
            let id = NodeId(Uuid::from_bytes(self.reader.array("a node id of 16 bytes")?));
            if last.replace(id) >= Some(id) {
                return Err(start.error("node ids, ascending"));
            }
            let (index, _) = records.nodes.intern(id);
            let node = &mut records.nodes[index];
            let start = self.reader.offset();
            self.node(node, clear)?;
            self.check(start, |encoder| encoder.node(node))?;
            if node_parts(node) == 0 {
                mentioned.push(index);
            }
        }
        let pairs = self.reader.varint("a number of pairs")?;
        records.pairs.reserve(self.room(pairs, MIN_PAIR_BYTES));
        let mut last = None;
        for _ in 0..pairs {
            let start = self.reader.clone();
            // A node's place is its number, since they were read in order.
            let mut end = || {
                let place = self.reader.varint("a node")?;
                let known = place < nodes;
                known.then_some(place as u32).ok_or_else(|| start.error("two nodes of the table"))
            };
            let ends = (end()?, end()?);
            if last.replace(ends) >= Some(ends) {
                return Err(start.error("pairs, ascending"));
            }
            let index = records.intern_pair(ends.0, ends.1);
            let pair = &mut records.pairs[index];
            let start = self.reader.offset();
            self.pair(pair, clear)?;
            self.check(start, |encoder| encoder.pair(pair))?;
            if pair_parts(pair) == 0 {
                return Err(self.reader.error("a pair that says something"));
            }
        }
        match mentioned.iter().all(|&node| !records.nodes[node].pairs.is_empty()) {
            true => Ok(()),
            false => Err(self.reader.error("no node that says nothing and no pair names")),
        }
    }

    /// How many of `count` items of at least `least` bytes there can be.
    fn room(&self, count: u64, least: usize) -> usize {
        usize::try_from(count).unwrap_or(usize::MAX).min(self.reader.remaining() / least)
    }

    fn node(&mut self, node: &mut Node, clear: Option<&Removal>) -> Result<(), DecodeError> {
        let parts = self.parts(NODE_PARTS)?;
        if parts & ADDITIONS != 0 {
            for stamp in self.list(|_, stamp| Ok(stamp))? {
                node.add(stamp, clear);
            }
        }
        node.known |= parts & KNOWN != 0;
        node.url = self.register(parts & URL != 0, |decoder| decoder.text(MAX_URL_BYTES))?;
        node.title = self.register(parts & TITLE != 0, |decoder| decoder.text(MAX_TITLE_BYTES))?;
        node.position = self.register(parts & POSITION != 0, |decoder| {
            let x = f32::from_le_bytes(decoder.reader.array("a coordinate of 4 bytes")?);
            let y = f32::from_le_bytes(decoder.reader.array("a coordinate of 4 bytes")?);
            Position::new(x, y).map_err(|_| decoder.reader.error("two finite coordinates"))
        })?;
        if parts & (PINNED | REMOVAL) != 0 {
            node.rare().pinned = self.register(parts & PINNED != 0, Self::flag)?;
        }
        if parts & REMOVAL != 0 {
            node.rare().removal = Some(self.removal()?);
        }
        node.prune(clear);
        Ok(())
    }

    fn pair(&mut self, pair: &mut Pair, clear: Option<&Removal>) -> Result<(), DecodeError> {
        let parts = self.parts(PAIR_PARTS)?;
        if parts & REMOVED != 0 {
            pair.removed = Removed::from_bits(self.reader.u8("removed kinds")?)
                .ok_or_else(|| self.reader.error("known kinds"))?;
        }
        if parts & ADDITIONS != 0 {
            let addition = |decoder: &mut Self, stamp| {
                let kind = decoder.one_of(&KINDS, "an edge kind")?;
                Ok(Addition::new(stamp, kind, Components::new(decoder.vector()?)))
            };
            for addition in self.list(addition)? {
                pair.add(addition, clear);
            }
        }
        if parts & VISITS != 0 {
            let visit = |decoder: &mut Self, stamp| {
                let trigger = decoder.one_of(&TRIGGERS, "a trigger")?;
                Ok(Visit::new(stamp, decoder.reader.varint("a time")?, trigger))
            };
            for visit in self.list(visit)? {
                pair.visit(visit, clear);
            }
        }
        if parts & SETTLED != 0 {
            // One author's settlements lie within its last.
            for _ in 0..self.reader.bounded(MAX_AUTHORS, "a number of settlements")? {
                pair.settle(Past::new(self.vector()?));
            }
        }
        if let Some(clear) = clear {
            pair.prune(clear);
        }
        Ok(())
    }
}
