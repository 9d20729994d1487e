//! A state to bytes.

use smallvec::SmallVec;

use super::{KINDS, REMOVED, SETTLED, TRIGGERS, VERSION, node_parts, pair_parts};
use crate::author::{AuthorIx, Authors};
use crate::codec::put_varint;
use crate::id::PeerId;
use crate::state::node::Node;
use crate::state::pair::Pair;
use crate::state::register::Register;
use crate::state::removal::Removal;
use crate::state::rivals::Chains;
use crate::state::{EntryStamp, State};

impl State {
    /// Appends the canonical bytes of a state that was [refreshed](Self::refresh).
    pub(crate) fn encode(&self, authors: &Authors, out: &mut Vec<u8>) {
        debug_assert!(!self.cleared, "what a clear covers is dropped by a refresh");
        let table = AuthorTable::new(self, authors);
        let mut encoder = Encoder { out, table: &table };
        encoder.head(self);
        self.encode_graph(&mut encoder);
        let stamped = self.opaque.iter().map(|opaque| (opaque.stamp, opaque));
        encoder.list(stamped, |encoder, opaque| {
            encoder.number(u64::from(opaque.kind));
            encoder.bytes(&opaque.payload);
        });
    }

    fn encode_graph(&self, encoder: &mut Encoder<'_>) {
        let records = &self.records;
        let mut nodes: Vec<_> = (0..).zip(records.nodes.iter()).collect();
        let mut written: Vec<_> =
            nodes.iter().map(|(_, (_, node))| node_parts(node) != 0).collect();
        let mut pairs: Vec<_> = records.pairs.iter().collect();
        pairs.retain(|(_, pair)| pair_parts(pair) != 0);
        for &((from, to), _) in &pairs {
            written[from as usize] = true;
            written[to as usize] = true;
        }
        nodes.retain(|&(index, _): &(u32, _)| written[index as usize]);
        nodes.sort_unstable_by_key(|&(_, (id, _))| id);
        let mut places = vec![0; records.nodes.len()];
        encoder.number(nodes.len() as u64);
        for (place, (index, (id, node))) in (0..).zip(nodes) {
            places[index as usize] = place;
            encoder.out.extend_from_slice(id.0.as_bytes());
            encoder.node(node);
        }
        let place = |(from, to): (u32, u32)| (places[from as usize], places[to as usize]);
        pairs.sort_unstable_by_key(|&(ends, _)| place(ends));
        encoder.number(pairs.len() as u64);
        for (ends, pair) in pairs {
            let (from, to): (u64, u64) = place(ends);
            encoder.number(from);
            encoder.number(to);
            encoder.pair(pair);
        }
    }
}

/// The authors of a state as it is written.
#[derive(Default)]
pub(super) struct AuthorTable {
    /// Those that have entries, ascending.
    rows: Vec<(PeerId, AuthorIx)>,
    /// The place of each among them, by number.
    ranks: Vec<u64>,
}

impl AuthorTable {
    pub(super) fn new(state: &State, authors: &Authors) -> Self {
        let mut rows = authors.sorted();
        rows.retain(|&(_, author)| state.applied(author) > 0);
        let mut ranks = vec![u64::MAX; authors.len()];
        for (rank, &(_, author)) in (0..).zip(&rows) {
            ranks[author.index()] = rank;
        }
        AuthorTable { rows, ranks }
    }

    fn rank(&self, author: AuthorIx) -> u64 {
        self.ranks[author.index()]
    }
}

/// Writes the parts of a state.
pub(super) struct Encoder<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) table: &'a AuthorTable,
}

impl Encoder<'_> {
    /// What stands before the graph.
    pub(super) fn head(&mut self, state: &State) {
        let table = self.table;
        self.out.push(VERSION);
        self.number(table.rows.len() as u64);
        for &(peer, author) in &table.rows {
            self.out.extend_from_slice(peer.0.as_bytes());
            self.number(state.applied(author));
        }
        for &(_, author) in &table.rows {
            self.vector(state.clocks.others(author));
        }
        self.number(u64::from(state.clear.is_some()));
        if let Some(clear) = &state.clear {
            self.removal(clear);
        }
    }

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
        let mut items: SmallVec<[_; 1]> = items.collect();
        items.sort_unstable_by_key(|(stamp, _)| (self.table.rank(stamp.author), stamp.sequence));
        self.number(items.len() as u64);
        for (stamp, item) in items {
            self.number(self.table.rank(stamp.author) << 1 | u64::from(stamp.genesis));
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

    /// The components of a vector as they are written.
    fn ranked(&self, rows: impl Iterator<Item = (AuthorIx, u64)>) -> Vec<(u64, u64)> {
        let ranked = rows.map(|(author, sequence)| (self.table.rank(author), sequence));
        let mut ranked: Vec<_> = ranked.collect();
        ranked.sort_unstable();
        ranked
    }

    fn rows(&mut self, ranked: &[(u64, u64)]) {
        self.number(ranked.len() as u64);
        for &(rank, sequence) in ranked {
            self.number(rank);
            self.number(sequence);
        }
    }

    fn vector(&mut self, rows: impl Iterator<Item = (AuthorIx, u64)>) {
        let ranked = self.ranked(rows);
        self.rows(&ranked);
    }

    fn removal(&mut self, removal: &Removal) {
        self.vector(removal.past.rows());
        self.list(removal.by.stamps().map(|&stamp| (stamp, ())), |_, ()| {});
    }

    pub(super) fn node(&mut self, node: &Node) {
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

    pub(super) fn pair(&mut self, pair: &Pair) {
        let chains = Chains::new(pair.additions.iter());
        let settled = chains.as_ref().map(|chains| chains.reduced_settlements(pair.settlements()));
        let mut settled: Vec<_> =
            settled.into_iter().flatten().map(|vector| self.ranked(vector.into_iter())).collect();
        settled.sort_unstable();
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
            for rows in settled {
                self.rows(&rows);
            }
        }
    }
}

fn code<T: Copy + PartialEq>(all: &[T], one: T) -> u8 {
    let place = all.iter().position(|&other| other == one);
    place.expect("the table names every value of its type") as u8
}
