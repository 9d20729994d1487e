//! What the user of a peer authors, and what the oracles must know of it.

use graphshell_sync::legacy::encode_legacy;
use graphshell_sync::limits::{MAX_BATCH_BYTES, MAX_BATCH_ENTRIES};
use graphshell_sync::ports::Clock;
use graphshell_sync::{
    Conflict, EdgeKind, EditError, ImportError, LogEntry, Receipt, Resolution, Subject,
    VersionVector,
};

use super::legacy::legacy;
use super::user::{Done, UnderWay, User};
use crate::oracle::authored::{self, Moment};
use crate::oracle::refusals::{self, Circumstances};
use crate::plan::{Choice, Edit, node_id};
use crate::trace::Mark;

/// Most edits of one step that are made as one; an edit may take several entries.
const EDITS_AT_ONCE: usize = MAX_BATCH_ENTRIES / 4;
/// Most bytes of what they say.
const BYTES_AT_ONCE: usize = MAX_BATCH_BYTES / 4;

impl<'a> User<'a> {
    pub(super) fn import_legacy(&self) -> Vec<Receipt> {
        let edits = &self.world.plan.peers[self.me].legacy;
        if edits.is_empty() {
            return Vec::new();
        }
        let payloads: Vec<_> = edits.iter().map(|edit| encode_legacy(&legacy(edit))).collect();
        match self.workspace.import_legacy(&payloads) {
            Ok(receipts) => {
                let count = payloads.len();
                self.world.tell(self.me, format_args!("imports {count} legacy entries"), &[]);
                for &receipt in &receipts {
                    self.made(receipt, VersionVector::new(), 0, None);
                }
                self.world.peer(self.me).imported.set(true);
                receipts
            }
            Err(ImportError::Edit(EditError::ImportedBefore))
                if self.world.peer(self.me).imported.get() =>
            {
                Vec::new()
            }
            Err(ImportError::Edit(EditError::Unavailable)) if self.in_trouble() => Vec::new(),
            Err(error) => {
                self.fail("a legacy log is taken", error.to_string());
                Vec::new()
            }
        }
    }

    pub(super) fn edit(&self, edits: &[Edit], under_way: &UnderWay<'a>) {
        let clock_ms = self.clock.now_ms();
        self.world.tell(self.me, format_args!("edits {edits:?}"), &[]);
        for entries in at_once(edits.iter().map(|edit| edit.to_entry(clock_ms))) {
            let exists = |node| self.workspace.node(node).is_some_and(|node| !node.ghost);
            let as_one = |entries: &[LogEntry]| {
                let written = Some(authored::edit(entries, exists));
                self.author(under_way, written, || match entries {
                    [entry] => self.workspace.edit(entry.clone()),
                    entries => self.workspace.edit_all(entries),
                })
            };
            // What is not possible as a whole is tried one by one, as a person would.
            if !as_one(&entries) && entries.len() > 1 {
                entries.iter().for_each(|entry| _ = as_one(std::slice::from_ref(entry)));
            }
        }
    }

    pub(super) fn resolve(
        &self,
        about: &str,
        to: Option<&str>,
        choice: &Choice,
        under_way: &UnderWay<'a>,
    ) {
        let conflicts = self.workspace.conflicts();
        let arrow = if to.is_some() { " -> " } else { "" };
        let subject = format!("{about}{arrow}{}", to.unwrap_or_default());
        let subject_id = match to {
            None => Subject::Node(node_id(about)),
            Some(to) => Subject::Pair(node_id(about), node_id(to)),
        };
        let listed = conflicts.iter().find(|conflict| conflict.subject == subject_id);
        let Some(conflict) = listed else {
            self.world.tell(self.me, format_args!("finds no conflict about {subject}"), &[]);
            self.world.count("resolutions without a conflict");
            return;
        };
        let resolution = self.resolution(choice, conflict);
        self.world.tell(self.me, format_args!("settles {subject} by {choice:?}"), &[]);
        self.world.count("resolutions");
        let edge = to.and_then(|to| self.workspace.edge(node_id(about), node_id(to)));
        let kinds = edge.into_iter().flat_map(|edge| edge.kinds);
        let typed = kinds.filter_map(|kind| match kind {
            EdgeKind::Typed(edge_type) => Some(edge_type),
            EdgeKind::Asserted => None,
        });
        let shown: Vec<_> = typed.collect();
        let written = authored::settling(conflict, &resolution, &shown);
        self.author(under_way, written, || self.workspace.resolve(conflict.id, &resolution));
    }

    /// How a choice settles a conflict.
    fn resolution(&self, choice: &Choice, conflict: &Conflict) -> Resolution {
        match choice {
            Choice::KeepDeleted => Resolution::KeepDeleted,
            Choice::Restore { writes_of } => {
                let by = writes_of.as_deref().and_then(|name| self.world.plan.peer_index(name));
                let claims = conflict.claims.iter().map(|claim| claim.stamp.dot);
                let chosen = claims.filter(|dot| by.is_some() && self.world.author(dot.peer) == by);
                Resolution::Restore { chosen: chosen.collect() }
            }
            Choice::KeepBoth => Resolution::KeepBoth,
            Choice::KeepEdge { edge_type } => Resolution::KeepEdge { edge_type: *edge_type },
        }
    }

    /// Authors something and keeps its receipt; says whether it was taken. `written` is what its entries
    /// must do; `None` if it cannot be done.
    fn author(
        &self,
        under_way: &UnderWay<'a>,
        written: Option<Vec<LogEntry>>,
        act: impl FnOnce() -> Result<Receipt, EditError>,
    ) -> bool {
        let (applied, clock_ms) = (self.workspace.version_vector(), self.clock.now_ms());
        match act() {
            Ok(receipt) => {
                self.world.clock_gave(self.me, receipt.dots().count() as u64);
                self.made(receipt, applied, clock_ms, Some(written.unwrap_or_default()));
                let unsettled = &self.world.peer(self.me).unsettled;
                unsettled.set(unsettled.get() + 1);
                let workspace = self.workspace;
                under_way
                    .begin(async move { Done::Settled(receipt, workspace.settled(receipt).await) });
                true
            }
            Err(error) => {
                let why = self.world.readable(&error);
                self.world.tell(self.me, format_args!("may not: {why}"), &[]);
                self.world.count("edits not taken");
                let now = self.circumstances(&error, written.as_deref());
                self.world.judge(refusals::judge(self.me, &error, &now));
                false
            }
        }
    }

    fn circumstances(&self, error: &EditError, written: Option<&[LogEntry]>) -> Circumstances {
        let peer = self.world.peer(self.me);
        let me = self.workspace.peer_id();
        let durable = peer.image.borrow().contents.held.vector().get(me);
        Circumstances {
            shown: match error {
                EditError::NoSuchNode(node) => {
                    let node = self.workspace.node(*node);
                    // A snapshot that a liar altered can keep silent of a page that was visited.
                    node.is_some_and(|node| !(node.ghost && peer.misled()))
                }
                // An operation before it in the same edit may have removed the edge.
                EditError::NoSuchEdge(from, to) => {
                    let alone = written.is_some_and(|written| written.len() == 1);
                    alone && self.workspace.edge(*from, *to).is_some()
                }
                EditError::NoSuchConflict(id) => {
                    self.workspace.conflicts().iter().any(|conflict| conflict.id == *id)
                }
                _ => false,
            },
            fits: written.is_some(),
            in_trouble: self.in_trouble(),
            waiting: self.workspace.version_vector().get(me).saturating_sub(durable),
        }
    }

    /// Whether the store failed in this life, or the name may be about to change.
    fn in_trouble(&self) -> bool {
        let peer = self.world.peer(self.me);
        peer.store_failed.get()
            || peer.was_set_back()
            || peer.excused.get()
            || peer.forks.borrow().keys().any(|&author| self.world.author(author) == Some(self.me))
            // The log may have the new name already.
            || self.world.slander.borrow().about(self.workspace.peer_id())
    }

    /// Takes note of the entries of an edit that was made; see [`Moment`].
    fn made(
        &self,
        receipt: Receipt,
        applied: VersionVector,
        clock_ms: u64,
        operations: Option<Vec<LogEntry>>,
    ) {
        let peer = self.world.peer(self.me);
        let dots: Vec<_> = receipt.dots().collect();
        if let [first, .., last] | [first @ last] = dots[..] {
            peer.atomic.borrow_mut().authored(first.peer, first.sequence, last.sequence);
            let mut authored = peer.authored.borrow_mut();
            // What a crash lost gives its names to what comes now.
            authored.retain(|dot, _| dot.peer != first.peer || dot.sequence < first.sequence);
            let entries = dots.len() as u64;
            authored.insert(first, Moment { applied, clock_ms, entries, operations });
        }
        self.world.count_many("entries authored", dots.len() as u64);
        self.world.mark(self.me, || Mark::Authored(dots));
    }
}

/// Operations in groups that one edit surely holds.
fn at_once(operations: impl Iterator<Item = LogEntry>) -> Vec<Vec<LogEntry>> {
    let mut groups: Vec<Vec<LogEntry>> = Vec::new();
    let mut bytes = 0;
    for operation in operations {
        let mut payload = Vec::new();
        operation.encode_payload(&mut payload).expect("the plan is valid");
        bytes += payload.len();
        match groups.last_mut() {
            Some(group) if group.len() < EDITS_AT_ONCE && bytes <= BYTES_AT_ONCE => {
                group.push(operation);
            }
            _ => {
                bytes = payload.len();
                groups.push(vec![operation]);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_group_is_more_than_one_edit_holds() {
        let long =
            |&length: &usize| Edit::Unknown { kind: 60_000, payload: vec![0; length] }.to_entry(0);
        let sizes = |lengths: &[usize]| -> Vec<usize> {
            at_once(lengths.iter().map(long)).iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[1; 2 * EDITS_AT_ONCE + 1]), [EDITS_AT_ONCE, EDITS_AT_ONCE, 1]);
        let fifth = BYTES_AT_ONCE / 5;
        assert_eq!(sizes(&[fifth; 6]), [5, 1]);
        assert_eq!(sizes(&[2 * fifth, 2 * fifth, 2 * fifth, 10]), [2, 2]);
    }
}
