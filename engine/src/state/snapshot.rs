//! A state as bytes, and back.
//!
//! The bytes are canonical: peers that applied equal sets of entries write equal bytes, and
//! bytes are read only if they are what would be written. So a hash of them names the state.
//!
//! ```text
//! state   := version:u8 authors removal? nodes pairs opaque       the removal: all clears as one
//! authors := count (peer:16 applied)* vector*                     ascending by peer
//! nodes   := count (id:16 parts:u8 stamps? urls? titles? places? pins? removal?)*     by id
//! pairs   := count (from to parts:u8 removed:u8? additions? visits? vectors?)*  by (from, to)
//! opaque  := count (stamp kind length payload)*
//! removal := vector stamps
//! vector  := count (author sequence)*                             ascending by author
//! stamp   := author<<1|genesis sequence time
//! ```
//! All numbers are shortest LEB128. An author is its place in `authors`; `from` and `to` are
//! places in `nodes`, where everything that a pair names stands. Lists ascend by the dots of
//! their stamps. A part that is empty is left out; an optional removal is a count of 0 or 1.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::causality::{Components, Past};
use super::node::Node;
use super::pair::{Addition, Pair, Removed, Visit};
use super::register::{Register, Write};
use super::removal::Removal;
use super::rivals::Chains;
use super::{EntryStamp, Opaque, State};
use crate::author::{AuthorIx, Authors};
use crate::codec::{DecodeError, Reader, put_varint};
use crate::entry::{EdgeKind, EdgeType, Position, Trigger};
use crate::id::{NodeId, PeerId};
use crate::limits::SEQUENCE_END;
use crate::limits::{MAX_AUTHORS, MAX_PAYLOAD_BYTES, MAX_TITLE_BYTES, MAX_URL_BYTES};

const VERSION: u8 = 1;

const ADDITIONS: u8 = 1;
const URL: u8 = 1 << 1;
const TITLE: u8 = 1 << 2;
const POSITION: u8 = 1 << 3;
const PINNED: u8 = 1 << 4;
const REMOVAL: u8 = 1 << 5;
const KNOWN: u8 = 1 << 6;
const NODE_PARTS: u8 = ADDITIONS | URL | TITLE | POSITION | PINNED | REMOVAL | KNOWN;

const VISITS: u8 = 1 << 1;
const SETTLED: u8 = 1 << 2;
const REMOVED: u8 = 1 << 3;
const PAIR_PARTS: u8 = ADDITIONS | VISITS | SETTLED | REMOVED;

const KINDS: [EdgeKind; 4] = [
    EdgeKind::Typed(EdgeType::Hyperlink),
    EdgeKind::Typed(EdgeType::History),
    EdgeKind::Typed(EdgeType::UserGrouped),
    EdgeKind::Asserted,
];
const TRIGGERS: [Trigger; 5] =
    [Trigger::Unknown, Trigger::Link, Trigger::Typed, Trigger::Back, Trigger::Forward];

impl State {
    /// Appends the canonical bytes of a state that was [refreshed](Self::refresh).
    pub(crate) fn encode(&self, authors: &Authors, out: &mut Vec<u8>) {
        debug_assert!(!self.cleared, "what a clear covers is dropped by a refresh");
        let mut present = authors.sorted();
        present.retain(|&(_, author)| self.applied(author) > 0);
        let mut ranks = vec![u64::MAX; authors.len()];
        for (rank, &(_, author)) in present.iter().enumerate() {
            ranks[author.index()] = rank as u64;
        }
        let mut encoder = Encoder { out, ranks };

        encoder.out.push(VERSION);
        encoder.number(present.len() as u64);
        for &(peer, author) in &present {
            encoder.out.extend_from_slice(peer.0.as_bytes());
            encoder.number(self.applied(author));
        }
        for &(_, author) in &present {
            encoder.vector(self.clocks.others(author));
        }
        encoder.number(u64::from(self.clear.is_some()));
        if let Some(clear) = &self.clear {
            encoder.removal(clear);
        }
        self.encode_graph(&mut encoder);
        let stamped = self.opaque.iter().map(|opaque| (opaque.stamp, opaque));
        encoder.list(stamped, |encoder, opaque| {
            encoder.number(u64::from(opaque.kind));
            encoder.bytes(&opaque.payload);
        });
    }

    fn encode_graph(&self, encoder: &mut Encoder<'_>) {
        let records = &self.records;
        let mut pairs: Vec<_> = records
            .pairs
            .iter()
            .filter(|(_, pair)| pair_parts(pair) != 0)
            .map(|((from, to), pair)| (records.nodes.key(from), records.nodes.key(to), pair))
            .collect();
        pairs.sort_unstable_by_key(|&(from, to, _)| (from, to));
        let ends: BTreeSet<_> = pairs.iter().flat_map(|&(from, to, _)| [from, to]).collect();
        let mut nodes: Vec<_> = records
            .nodes
            .iter()
            .filter(|(id, node)| node_parts(node) != 0 || ends.contains(id))
            .collect();
        nodes.sort_unstable_by_key(|&(id, _)| id);
        encoder.number(nodes.len() as u64);
        for &(id, node) in &nodes {
            encoder.out.extend_from_slice(id.0.as_bytes());
            encoder.node(node);
        }
        let place = |id: NodeId| match nodes.binary_search_by_key(&id, |&(id, _)| id) {
            Ok(place) | Err(place) => place as u64,
        };
        encoder.number(pairs.len() as u64);
        for (from, to, pair) in pairs {
            encoder.number(place(from));
            encoder.number(place(to));
            encoder.pair(pair);
        }
    }

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
        let mut rows = Vec::new();
        for _ in 0..count {
            let peer = PeerId(Uuid::from_bytes(reader.array("an author's id of 16 bytes")?));
            let start = reader.clone();
            let applied = reader.varint("a sequence")?;
            if applied >= SEQUENCE_END {
                return Err(start.error("a sequence within its bound"));
            }
            rows.push((authors.intern(peer), applied));
        }
        let mut decoder = Decoder { reader, authors: rows, last: None };
        for at in 0..count {
            let (author, applied) = decoder.authors[at];
            let others = decoder.vector()?;
            state.clocks.restore(author, applied, &others);
        }
        if decoder.flag()? {
            state.clear = Some(decoder.removal()?);
        }
        decoder.graph(&mut state)?;
        let opaque = |decoder: &mut Decoder<'_>, stamp| {
            let kind = decoder.reader.bounded(usize::from(u16::MAX), "a kind")? as u16;
            let payload = decoder.bytes(MAX_PAYLOAD_BYTES, "a payload within its bound")?.into();
            Ok(Opaque { stamp, kind, payload })
        };
        state.opaque = decoder.list(opaque)?;
        decoder.reader.finish("the end of the state")?;

        if let Some(clear) = &state.clear {
            state.records.prune(clear);
        }
        state.refresh_all(authors);
        let mut written = Vec::with_capacity(bytes.len());
        state.encode(authors, &mut written);
        match written.iter().zip(bytes).position(|(written, read)| written != read) {
            None if written.len() == bytes.len() => Ok(state),
            differs => {
                let offset = differs.unwrap_or(written.len().min(bytes.len()));
                Err(DecodeError { offset, expected: "the canonical form of the state" })
            }
        }
    }
}

/// Which parts a node has; none if it was only mentioned.
fn node_parts(node: &Node) -> u8 {
    let pinned = node.pinned().is_some_and(|pinned| !pinned.is_empty());
    [
        (!node.additions.is_empty(), ADDITIONS),
        (!node.url.is_empty(), URL),
        (!node.title.is_empty(), TITLE),
        (!node.position.is_empty(), POSITION),
        (pinned, PINNED),
        (node.removal().is_some(), REMOVAL),
        (node.known, KNOWN),
    ]
    .iter()
    .fold(0, |parts, &(has, part)| if has { parts | part } else { parts })
}

/// Which parts a pair has, settlements aside; none if it was only mentioned.
fn pair_parts(pair: &Pair) -> u8 {
    [
        (!pair.additions.is_empty(), ADDITIONS),
        (!pair.visits.is_empty(), VISITS),
        (pair.removed.bits() != 0, REMOVED),
    ]
    .iter()
    .fold(0, |parts, &(has, part)| if has { parts | part } else { parts })
}

struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    /// The place of each author in the table, by number.
    ranks: Vec<u64>,
}

impl Encoder<'_> {
    fn number(&mut self, number: u64) {
        put_varint(self.out, number);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// Items with their stamps, in the order of the dots.
    fn list<T>(
        &mut self,
        items: impl Iterator<Item = (EntryStamp, T)>,
        mut put: impl FnMut(&mut Self, T),
    ) {
        let mut items: Vec<_> = items.collect();
        items.sort_unstable_by_key(|(stamp, _)| (self.ranks[stamp.author.index()], stamp.sequence));
        self.number(items.len() as u64);
        for (stamp, item) in items {
            self.number(self.ranks[stamp.author.index()] << 1 | u64::from(stamp.genesis));
            self.number(stamp.sequence);
            self.number(stamp.timestamp_ms);
            put(self, item);
        }
    }

    fn register<V>(&mut self, register: &Register<V>, mut put: impl FnMut(&mut Self, &V)) {
        if !register.is_empty() {
            let writes = register.writes().iter().map(|write| (write.stamp, &write.value));
            self.list(writes, |encoder, value| put(encoder, value));
        }
    }

    fn vector(&mut self, rows: impl Iterator<Item = (AuthorIx, u64)>) {
        let mut rows: Vec<_> =
            rows.map(|(author, sequence)| (self.ranks[author.index()], sequence)).collect();
        rows.sort_unstable();
        self.number(rows.len() as u64);
        for (rank, sequence) in rows {
            self.number(rank);
            self.number(sequence);
        }
    }

    fn removal(&mut self, removal: &Removal) {
        self.vector(removal.past.rows());
        self.list(removal.by.stamps().map(|&stamp| (stamp, ())), |_, ()| {});
    }

    fn node(&mut self, node: &Node) {
        self.out.push(node_parts(node));
        if !node.additions.is_empty() {
            self.list(node.additions.iter().map(|&stamp| (stamp, ())), |_, ()| {});
        }
        self.register(&node.url, |encoder, url| encoder.bytes(url.as_bytes()));
        self.register(&node.title, |encoder, title| encoder.bytes(title.as_bytes()));
        self.register(&node.position, |encoder, at| {
            encoder.out.extend_from_slice(&at.x().to_bits().to_le_bytes());
            encoder.out.extend_from_slice(&at.y().to_bits().to_le_bytes());
        });
        if let Some(pinned) = node.pinned() {
            self.register(pinned, |encoder, &pinned| encoder.out.push(u8::from(pinned)));
        }
        if let Some(removal) = node.removal() {
            self.removal(removal);
        }
    }

    fn pair(&mut self, pair: &Pair) {
        let chains = Chains::new(pair.additions.iter());
        let settled = self.settlements(pair, chains.as_ref());
        let parts = pair_parts(pair);
        self.out.push(if settled.is_empty() { parts } else { parts | SETTLED });
        if parts & REMOVED != 0 {
            self.out.push(pair.removed.bits());
        }
        if !pair.additions.is_empty() {
            let additions = pair.additions.iter().map(|addition| (addition.stamp(), addition));
            self.list(additions, |encoder, addition| {
                encoder.out.push(code(&KINDS, addition.kind));
                let others = chains.as_ref().map(|chains| chains.reduced_others(addition));
                encoder.vector(others.unwrap_or_default().into_iter());
            });
        }
        if !pair.visits.is_empty() {
            self.list(pair.visits.iter().map(|visit| (visit.stamp(), visit)), |encoder, visit| {
                encoder.out.push(code(&TRIGGERS, visit.trigger));
                encoder.number(visit.at_ms);
            });
        }
        if !settled.is_empty() {
            self.number(settled.len() as u64);
            for vector in settled {
                self.vector(vector.into_iter());
            }
        }
    }

    /// The settlements that still settle something, each as little of its vector as says so,
    /// none within another.
    fn settlements(&self, pair: &Pair, chains: Option<&Chains<'_>>) -> Vec<Vec<(AuthorIx, u64)>> {
        let Some(chains) = chains else { return Vec::new() };
        let settled = pair.settlements().iter().map(|past| chains.reduced_settlement(past));
        let mut by_rank: Vec<BTreeMap<u64, (AuthorIx, u64)>> = settled
            .filter(|vector| !vector.is_empty())
            .map(|vector| {
                let row = |(author, sequence): (AuthorIx, u64)| {
                    (self.ranks[author.index()], (author, sequence))
                };
                vector.into_iter().map(row).collect()
            })
            .collect();
        let key = |vector: &BTreeMap<u64, (AuthorIx, u64)>| -> Vec<(u64, u64)> {
            vector.iter().map(|(&rank, &(_, sequence))| (rank, sequence)).collect()
        };
        by_rank.sort_by_cached_key(key);
        by_rank.dedup();
        let within = |a: &BTreeMap<u64, (AuthorIx, u64)>, b: &BTreeMap<u64, (AuthorIx, u64)>| {
            a.iter().all(|(rank, row)| b.get(rank).is_some_and(|other| row.1 <= other.1))
        };
        let greatest = by_rank.iter().filter(|&vector| {
            !by_rank.iter().any(|other| other != vector && within(vector, other))
        });
        greatest.map(|vector| vector.values().copied().collect()).collect()
    }
}

fn code<T: Copy + PartialEq>(all: &[T], one: T) -> u8 {
    let place = all.iter().position(|&other| other == one);
    place.expect("the table names every value of its type") as u8
}

struct Decoder<'a> {
    reader: Reader<'a>,
    /// The authors of the table and how many entries of each are applied.
    authors: Vec<(AuthorIx, u64)>,
    /// The dot before, in the list that is being read.
    last: Option<(usize, u64)>,
}

impl<'a> Decoder<'a> {
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
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.reader.varint("a count")?;
        self.last = None;
        let mut items = Vec::new();
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
        Ok(self.list(write)?.into_iter().collect())
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
        let mut ids = Vec::new();
        for _ in 0..self.reader.varint("a number of nodes")? {
            let start = self.reader.clone();
            let id = NodeId(Uuid::from_bytes(self.reader.array("a node id of 16 bytes")?));
            if ids.last().is_some_and(|&last| last >= id) {
                return Err(start.error("node ids, ascending"));
            }
            ids.push(id);
            let clear = state.clear.as_ref();
            self.node(state.records.node(id), clear)?;
        }
        let mut last = None;
        for _ in 0..self.reader.varint("a number of pairs")? {
            let start = self.reader.clone();
            let mut end = || {
                let place = usize::try_from(self.reader.varint("a node")?).ok();
                place
                    .and_then(|place| Some((place, *ids.get(place)?)))
                    .ok_or_else(|| start.error("two nodes of the table"))
            };
            let (from, to) = (end()?, end()?);
            if last >= Some((from.0, to.0)) {
                return Err(start.error("pairs, ascending"));
            }
            last = Some((from.0, to.0));
            let clear = state.clear.as_ref();
            self.pair(state.records.pair(from.1, to.1), clear)?;
        }
        Ok(())
    }

    fn node(&mut self, node: &mut Node, clear: Option<&Removal>) -> Result<(), DecodeError> {
        let parts = self.parts(NODE_PARTS)?;
        if parts & ADDITIONS != 0 {
            node.additions = self.list(|_, stamp| Ok(stamp))?.into();
        }
        node.known = parts & KNOWN != 0;
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
            for _ in 0..self.reader.varint("a number of settlements")? {
                pair.settle(Past::new(self.vector()?));
            }
        }
        Ok(())
    }
}
