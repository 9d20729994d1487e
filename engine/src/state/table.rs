//! Records under dense numbers, found by a key that a peer may have chosen.
//!
//! Records lie in chunks that never move: growth copies none of them and wastes less than a chunk.

use std::hash::Hash;
use std::ops::{Index, IndexMut};

use indexmap::IndexSet;

const CHUNK: usize = 256;

/// A number is given at the first mention of a key and never taken back.
#[derive(Debug)]
pub(super) struct Table<K, T> {
    keys: IndexSet<K, ahash::RandomState>,
    chunks: Vec<Vec<T>>,
}

impl<K: Copy + Eq + Hash, T: Default> Table<K, T> {
    /// An empty table whose hashing is keyed by `seeds`.
    pub(super) fn new(seeds: [u64; 4]) -> Self {
        let [a, b, c, d] = seeds;
        let hasher = ahash::RandomState::with_seeds(a, b, c, d);
        Table { keys: IndexSet::with_hasher(hasher), chunks: Vec::new() }
    }

    /// Makes room for the keys of `count` more records.
    pub(super) fn reserve(&mut self, count: usize) {
        self.keys.reserve(count);
    }

    /// The number of `key`, and whether this is its first mention.
    pub(super) fn intern(&mut self, key: K) -> (u32, bool) {
        let (index, new) = self.keys.insert_full(key);
        if new {
            if index.is_multiple_of(CHUNK) {
                // A small graph pays for what it holds, not for a whole chunk.
                let room = if index == 0 { 0 } else { CHUNK };
                self.chunks.push(Vec::with_capacity(room));
            }
            self.chunks[index / CHUNK].push(T::default());
        }
        (u32::try_from(index).expect("a record takes more than a byte of memory"), new)
    }

    pub(super) fn find(&self, key: &K) -> Option<u32> {
        self.keys.get_index_of(key).map(|index| index as u32)
    }

    pub(super) fn get(&self, key: &K) -> Option<&T> {
        self.find(key).map(|index| &self[index])
    }

    pub(super) fn key(&self, index: u32) -> K {
        self.keys[index as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// All records, in the order of first mention.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        self.keys.iter().copied().zip(self.chunks.iter().flatten())
    }
}

impl<K, T> Index<u32> for Table<K, T> {
    type Output = T;

    fn index(&self, index: u32) -> &T {
        &self.chunks[index as usize / CHUNK][index as usize % CHUNK]
    }
}

impl<K, T> IndexMut<u32> for Table<K, T> {
    fn index_mut(&mut self, index: u32) -> &mut T {
        &mut self.chunks[index as usize / CHUNK][index as usize % CHUNK]
    }
}
