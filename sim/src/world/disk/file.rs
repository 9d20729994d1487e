//! One file of a simulated disk: what readers see, what is on the platter, what is in between.
//!
//! The page cache is modelled as operating systems have it: writes go to pages in memory, and
//! until a sync the pages reach the platter one by one, in any order, each in any of the versions
//! that it went through. So a later write survives an earlier one, and what shares a page shares
//! its fate. The device writes sectors; the page that it was writing when the power went is torn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::choice::Choice;

/// Bytes of a page of the cache.
pub(super) const PAGE: usize = 4096;
/// Bytes that the device writes as a whole.
const SECTOR: usize = 512;
/// Versions of one page that are told apart between two syncs.
const MAX_VERSIONS: usize = 8;

type Page = Arc<[u8; PAGE]>;

/// One file. Cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    cache: Contents,
    platter: Contents,
    /// Pages that may not be on the platter yet.
    dirty: BTreeMap<u64, Dirty>,
    /// Lengths since the last sync, oldest first, and how many of them a sync claimed to have written.
    lengths: Vec<u64>,
    claimed_lengths: usize,
    /// Pages that a failed sync may not have written, and that nobody will write again.
    forgotten: BTreeSet<u64>,
    /// Writes to pages so far.
    writes: u64,
}

/// What a power cut did to one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cut {
    /// Pages of which unsynced bytes are gone.
    pub(super) lost: u64,
    /// Whether it tore a page.
    pub(super) torn: bool,
    /// Whether the platter keeps a page that was written after one that is lost.
    pub(super) reordered: bool,
    /// Pages that a sync had claimed to have written and that are gone.
    pub(super) betrayed: u64,
    /// Pages that are gone since a sync failed.
    pub(super) forgotten: u64,
}

#[derive(Clone, Debug, Default)]
struct Contents {
    /// Pages that are not all zeros, by number.
    pages: BTreeMap<u64, Page>,
    length: u64,
}

#[derive(Clone, Debug, Default)]
struct Dirty {
    /// What it held since the last sync, oldest first; the cache holds the last.
    versions: Vec<Option<Page>>,
    /// How many of them a sync claimed to have written.
    claimed: usize,
    /// The number of its last write within the file, for telling what was reordered.
    order: u64,
}

impl Contents {
    fn read(&self, offset: u64, out: &mut [u8]) {
        let mut done = 0;
        while done < out.len() {
            let at = offset + done as u64;
            let (number, start) = (at / PAGE as u64, (at % PAGE as u64) as usize);
            let count = (PAGE - start).min(out.len() - done);
            let part = &mut out[done..done + count];
            match self.pages.get(&number) {
                Some(page) => part.copy_from_slice(&page[start..start + count]),
                None => part.fill(0),
            }
            done += count;
        }
    }

    fn put(&mut self, number: u64, page: Option<Page>) {
        match page {
            Some(page) => _ = self.pages.insert(number, page),
            None => _ = self.pages.remove(&number),
        }
    }

    /// Cuts or grows it; says which pages changed.
    fn set_length(&mut self, length: u64) -> Vec<u64> {
        let mut changed = Vec::new();
        if length < self.length {
            let kept = length.div_ceil(PAGE as u64);
            changed.extend(self.pages.split_off(&kept).into_keys());
            let end = (length % PAGE as u64) as usize;
            if end > 0
                && let Some(page) = self.pages.get_mut(&(kept - 1))
                && page[end..].iter().any(|&byte| byte != 0)
            {
                Arc::make_mut(page)[end..].fill(0);
                changed.push(kept - 1);
            }
        }
        self.length = length;
        changed
    }
}

impl File {
    pub(super) fn length(&self) -> u64 {
        self.cache.length
    }

    /// Behind which offset there are only zeros.
    pub(super) fn filled(&self) -> u64 {
        let last = self.cache.pages.last_key_value();
        last.map_or(0, |(number, _)| (number + 1) * PAGE as u64).min(self.cache.length)
    }

    /// Pages that take room.
    pub(super) fn pages(&self) -> usize {
        self.cache.pages.len()
    }

    /// How many more pages a write would take.
    pub(super) fn needs(&self, offset: u64, length: usize) -> usize {
        if length == 0 {
            return 0;
        }
        let last = (offset + length as u64 - 1) / PAGE as u64;
        let numbers = offset / PAGE as u64..=last;
        numbers.clone().count() - self.cache.pages.range(numbers).count()
    }

    /// Reads what the cache holds; the range must lie within the file.
    pub(super) fn read(&self, offset: u64, out: &mut [u8]) {
        self.cache.read(offset, out);
    }

    /// Writes into the cache; the file grows if it must.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset + bytes.len() as u64;
        if end > self.cache.length {
            self.set_length(end);
        }
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let (number, start) = (at / PAGE as u64, (at % PAGE as u64) as usize);
            let count = (PAGE - start).min(bytes.len() - done);
            let page = self.cache.pages.entry(number).or_insert_with(|| Arc::new([0; PAGE]));
            Arc::make_mut(page)[start..start + count].copy_from_slice(&bytes[done..done + count]);
            self.note(number);
            done += count;
        }
    }

    pub(super) fn set_length(&mut self, length: u64) {
        if length == self.cache.length {
            return;
        }
        for number in self.cache.set_length(length) {
            self.note(number);
        }
        self.lengths.push(length);
    }

    /// Takes note of a page's new version.
    fn note(&mut self, number: u64) {
        self.writes += 1;
        let dirty = self.dirty.entry(number).or_default();
        dirty.order = self.writes;
        dirty.versions.push(self.cache.pages.get(&number).cloned());
        if dirty.versions.len() > MAX_VERSIONS && dirty.claimed < dirty.versions.len() - 1 {
            // Never one that was claimed: it would be lost without anybody's guilt.
            dirty.versions.remove(dirty.claimed);
        }
    }

    /// Brings everything to the platter.
    pub(super) fn sync(&mut self) {
        for number in std::mem::take(&mut self.dirty).into_keys() {
            self.forgotten.remove(&number);
            self.platter.put(number, self.cache.pages.get(&number).cloned());
        }
        self.lengths.clear();
        self.claimed_lengths = 0;
        if self.platter.length != self.cache.length {
            self.platter.set_length(self.cache.length);
        }
    }

    /// A sync that did nothing and said that it was done; says whether there was anything to do.
    pub(super) fn sync_in_name_only(&mut self) -> bool {
        let owes = !self.dirty.is_empty() || !self.lengths.is_empty();
        for dirty in self.dirty.values_mut() {
            dirty.claimed = dirty.versions.len();
        }
        self.claimed_lengths = self.lengths.len();
        owes
    }

    /// A sync that failed: each page is written or not, and counts as clean either way.
    pub(super) fn sync_and_fail(&mut self, mut choice: impl FnMut() -> Choice) {
        for number in std::mem::take(&mut self.dirty).into_keys() {
            if choice().chance(0, 500) {
                self.forgotten.remove(&number);
                self.platter.put(number, self.cache.pages.get(&number).cloned());
            } else {
                self.forgotten.insert(number);
            }
        }
        self.lengths.clear();
        self.claimed_lengths = 0;
        self.platter.set_length(self.cache.length);
    }

    /// The power went. `lost` and `torn` are thousandths.
    pub(super) fn cut(&mut self, lost: u16, torn: u16, mut choice: impl FnMut() -> Choice) -> Cut {
        let mut cut = Cut::default();
        let torn_page = {
            let choice = choice();
            let place = choice.below(0, self.dirty.len() as u64) as usize;
            self.dirty.keys().nth(place).copied().filter(|_| choice.chance(1, torn))
        };
        let (mut first_lost, mut last_kept) = (u64::MAX, 0);
        for (number, dirty) in std::mem::take(&mut self.dirty) {
            let choice = choice();
            let newest = dirty.versions.len();
            let survives = match choice.chance(0, lost) {
                true => choice.below(1, newest as u64) as usize,
                false => newest,
            };
            if survives < newest {
                cut.lost += 1;
                cut.betrayed += u64::from(survives < dirty.claimed);
                first_lost = first_lost.min(dirty.order);
            } else {
                last_kept = last_kept.max(dirty.order);
            }
            if let Some(version) = survives.checked_sub(1) {
                self.platter.put(number, dirty.versions[version].clone());
            }
            if torn_page == Some(number) && survives < newest {
                let sectors = 1 + choice.below(2, (PAGE / SECTOR) as u64 - 1) as usize;
                self.tear(number, dirty.versions[newest - 1].as_ref(), sectors * SECTOR);
                cut.torn = true;
            }
        }
        cut.reordered = last_kept > first_lost;
        let mut lengths = std::mem::take(&mut self.lengths);
        if !lengths.is_empty() {
            let choice = choice();
            let newest = lengths.len();
            let survives = match choice.chance(0, lost) {
                true => choice.below(1, newest as u64) as usize,
                false => newest,
            };
            cut.betrayed += u64::from(survives < self.claimed_lengths);
            lengths.insert(0, self.platter.length);
            // Pages beyond the length that survived are out of reach.
            self.platter.length = u64::MAX;
            self.platter.set_length(lengths[survives]);
        }
        self.claimed_lengths = 0;
        for number in std::mem::take(&mut self.forgotten) {
            let same = match (self.cache.pages.get(&number), self.platter.pages.get(&number)) {
                (Some(cache), Some(platter)) => cache == platter,
                (None, None) => true,
                _ => false,
            };
            cut.forgotten += u64::from(!same);
        }
        self.cache = self.platter.clone();
        cut
    }

    /// The first bytes of a page are those of its newest version.
    fn tear(&mut self, number: u64, newest: Option<&Page>, bytes: usize) {
        let page = self.platter.pages.entry(number).or_insert_with(|| Arc::new([0; PAGE]));
        match newest {
            Some(newest) => Arc::make_mut(page)[..bytes].copy_from_slice(&newest[..bytes]),
            None => Arc::make_mut(page)[..bytes].fill(0),
        }
    }

    /// Flips a bit of what is not zero, or zeroes a sector. False if there is nothing to change.
    pub(super) fn rot(&mut self, choice: Choice, whole_sector: bool) -> bool {
        let sectors: Vec<(u64, usize)> = self
            .platter
            .pages
            .iter()
            .flat_map(|(&number, page)| {
                let filled = |sector: &[u8]| sector.iter().any(|&byte| byte != 0);
                let sectors = page.chunks(SECTOR).enumerate();
                sectors.filter(move |(_, s)| filled(s)).map(move |(place, _)| (number, place))
            })
            .collect();
        let place = choice.below(0, sectors.len() as u64) as usize;
        let Some(&(number, sector)) = sectors.get(place) else { return false };
        for contents in [&mut self.platter, &mut self.cache] {
            let Some(page) = contents.pages.get_mut(&number) else { continue };
            let sector = &mut Arc::make_mut(page)[sector * SECTOR..][..SECTOR];
            if whole_sector {
                sector.fill(0);
            } else {
                let bit = choice.below(1, 8 * SECTOR as u64) as usize;
                sector[bit / 8] ^= 1 << (bit % 8);
            }
        }
        true
    }

    /// Everything that is stored of it anywhere, in pieces: the platter's pages, those of the cache and
    /// whatever may reach the platter.
    pub(super) fn stored(&self) -> impl Iterator<Item = &[u8]> {
        let versions = self.dirty.values().flat_map(|dirty| dirty.versions.iter().flatten());
        let only_cached = self.cache.pages.iter().filter(|(number, page)| {
            !self.platter.pages.get(number).is_some_and(|other| Arc::ptr_eq(page, other))
        });
        let pages = self.platter.pages.values().chain(only_cached.map(|(_, page)| page));
        pages.chain(versions).map(|page| &page[..])
    }
}
