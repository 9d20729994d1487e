//! Which typed additions of one pair disagree.
//!
//! Two additions disagree iff their types differ, neither author had seen the other, neither is
//! genesis, and no settlement of the pair had seen both. The additions of one author and type
//! form a chain along which what the author had seen only grows, so those that disagree with a
//! given addition stand next to each other in their chain and are found by bisection: even a
//! pair with very many additions costs no more than additions × authors.

use std::collections::{BTreeMap, BTreeSet};

use super::causality::Past;
use super::pair::{Addition, Ends, Pair};
use crate::author::AuthorIx;
use crate::entry::{EdgeKind, EdgeType};

/// An addition that can disagree with another, with its author and type.
type Rival<'a> = (AuthorIx, EdgeType, &'a Addition);

/// Additions by author and type, each chain ascending by sequence.
pub(super) struct Chains<'a>(BTreeMap<(AuthorIx, EdgeType), Vec<&'a Addition>>);

impl<'a> Chains<'a> {
    /// The chains of `additions`; `None` if no two of them can disagree.
    pub(super) fn new(additions: impl Iterator<Item = &'a Addition> + Clone) -> Option<Self> {
        let rivals = additions.filter_map(rival);
        if !can_disagree(rivals.clone().map(|(author, edge_type, _)| (author, edge_type))) {
            return None;
        }
        let mut chains: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (author, edge_type, addition) in rivals {
            chains.entry((author, edge_type)).or_default().push(addition);
        }
        Some(Chains(chains))
    }

    /// The chains of other authors and types than those of `addition`.
    fn against(
        &self,
        addition: &'a Addition,
    ) -> impl Iterator<Item = (AuthorIx, &[&'a Addition])> + use<'_, 'a> {
        let rival = rival(addition);
        self.0.iter().filter_map(move |(&(author, edge_type), chain)| {
            let (own_author, own_type, _) = rival?;
            (author != own_author && edge_type != own_type).then_some((author, &chain[..]))
        })
    }

    /// Whether `addition` disagrees with at least one other.
    pub(super) fn dispute(&self, addition: &'a Addition, settled: &[Past]) -> bool {
        let stamp = addition.stamp();
        self.against(addition).any(|(author, chain)| {
            let settled = settled.iter().filter(|past| past.covers(stamp.dot()));
            let over = settled.map(|past| past.get(author)).max().unwrap_or(0);
            let over = over.max(addition.others.get(author));
            let start = chain.partition_point(|other| other.stamp().sequence <= over);
            let end =
                chain.partition_point(|other| other.others.get(stamp.author) < stamp.sequence);
            start < end
        })
    }

    /// The part of what the author of `addition` had seen that still tells something: for each
    /// other author the last addition of another type within it. Equal on all peers.
    pub(super) fn reduced_others(&self, addition: &'a Addition) -> BTreeMap<AuthorIx, u64> {
        reduce(self.against(addition), |author| addition.others.get(author))
    }

    /// The same for settlements, without those that settle nothing or lie within another.
    pub(super) fn reduced_settlements(&self, settled: &[Past]) -> Vec<BTreeMap<AuthorIx, u64>> {
        let chains = || self.0.iter().map(|(&(author, _), chain)| (author, &chain[..]));
        let settles = |past: &&Past| {
            let within = self.0.iter().filter(|((author, _), chain)| {
                chain.first().is_some_and(|first| first.stamp().sequence <= past.get(*author))
            });
            can_disagree(within.map(|(&key, _)| key))
        };
        let settled = settled.iter().filter(settles);
        let reduced: BTreeSet<_> =
            settled.map(|past| reduce(chains(), |author| past.get(author))).collect();
        let within = |vector: &BTreeMap<_, _>, other: &BTreeMap<AuthorIx, u64>| {
            vector != other
                && vector.iter().all(|(author, sequence)| other.get(author) >= Some(sequence))
        };
        let kept = |vector: &&_| !reduced.iter().any(|other| within(vector, other));
        reduced.iter().filter(kept).cloned().collect()
    }
}

/// Whether two of these differ in both author and type.
fn can_disagree(mut rivals: impl Iterator<Item = (AuthorIx, EdgeType)> + Clone) -> bool {
    let Some((author, edge_type)) = rivals.next() else { return false };
    // With two authors and two types among them there are such two.
    !(rivals.clone().all(|rival| rival.0 == author) || rivals.all(|rival| rival.1 == edge_type))
}

fn reduce<'a>(
    chains: impl Iterator<Item = (AuthorIx, &'a [&'a Addition])>,
    seen: impl Fn(AuthorIx) -> u64,
) -> BTreeMap<AuthorIx, u64> {
    let mut reduced = BTreeMap::new();
    for (author, chain) in chains {
        let seen = chain.partition_point(|other| other.stamp().sequence <= seen(author));
        if let Some(last) = chain[..seen].last() {
            let known = reduced.entry(author).or_insert(0);
            *known = last.stamp().sequence.max(*known);
        }
    }
    reduced
}

fn rival(addition: &Addition) -> Option<Rival<'_>> {
    let stamp = addition.stamp();
    match addition.kind {
        EdgeKind::Typed(edge_type) if !stamp.genesis => Some((stamp.author, edge_type, addition)),
        _ => None,
    }
}

impl Pair {
    /// The shown additions that disagree with at least one other.
    pub(super) fn disputes<'a>(&'a self, ends: Ends<'a>) -> impl Iterator<Item = &'a Addition> {
        let chains = Chains::new(self.shown_additions(ends));
        self.shown_additions(ends).filter(move |addition| {
            chains.as_ref().is_some_and(|chains| chains.dispute(addition, self.settlements()))
        })
    }
}
