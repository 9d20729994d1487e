//! What a run tells of itself: lines of the trace, the marks beside them, and readable names.

use std::collections::BTreeMap;
use std::fmt;

use graphshell_sync::{Dot, Graph, PeerId, Receipt};

use super::ports::EPOCH_MS;
use super::shared::World;
use crate::trace::{Line, Mark, Marked};

impl World {
    /// Adds an event of one peer to the trace.
    pub(crate) fn tell(&self, peer: usize, text: fmt::Arguments<'_>, bytes: &[u8]) {
        let name = &self.peers[peer].name;
        self.trace.borrow_mut().record(self.plan_ms(), name, text, bytes);
    }

    /// [`tell`](Self::tell) with a fixed text.
    pub(crate) fn note(&self, peer: usize, text: &str, bytes: &[u8]) {
        self.tell(peer, format_args!("{text}"), bytes);
    }

    /// Adds an event of nobody in particular to the trace.
    pub(crate) fn announce(&self, text: &str) {
        self.trace.borrow_mut().record(self.plan_ms(), "", format_args!("{text}"), &[]);
    }

    /// Marks the last event of a peer, if marks are kept.
    pub(crate) fn mark(&self, peer: usize, mark: impl FnOnce() -> Mark) {
        if self.trace.borrow().keeps_marks() {
            self.trace.borrow_mut().mark(self.plan_ms(), Some(peer), mark());
        }
    }

    /// Marks what a peer's reader sees now.
    pub(crate) fn mark_view(&self, peer: usize, graph: impl FnOnce() -> Graph) {
        if self.trace.borrow().keeps_marks() {
            let applied = self.peers[peer].seen.borrow().clone();
            self.trace.borrow_mut().show(self.plan_ms(), peer, graph(), applied);
        }
    }

    /// Marks that the plan begins.
    pub(crate) fn mark_begin(&self) {
        let epoch_ms = EPOCH_MS + self.now_ms();
        self.trace.borrow_mut().mark(0, None, Mark::Begun { epoch_ms });
    }

    /// Marks that all faults ended.
    pub(crate) fn mark_heal(&self) {
        self.trace.borrow_mut().mark(self.plan_ms(), None, Mark::Healed);
    }

    /// The trace's hash, lines and marks.
    pub(crate) fn finish_trace(&self) -> (String, Vec<Line>, Vec<Marked>) {
        let mut trace = self.trace.borrow_mut();
        (trace.hash(), trace.take_lines(), trace.take_marks())
    }

    /// Each author's name as a person reads it.
    pub(crate) fn author_names(&self) -> BTreeMap<PeerId, String> {
        let authors = self.authors.borrow();
        authors.keys().filter_map(|&author| Some((author, self.author_name(author)?))).collect()
    }

    fn author_name(&self, author: PeerId) -> Option<String> {
        let &(peer, before) = self.authors.borrow().get(&author)?;
        let name = &self.peers[peer].name;
        Some(if before == 0 { name.clone() } else { format!("{name}/{}", before + 1) })
    }

    /// An entry's name as a person reads it: `laptop#7`, or `laptop/2#7` of its second incarnation.
    pub(crate) fn name_of(&self, dot: Dot) -> String {
        match self.author_name(dot.peer) {
            Some(name) => format!("{name}#{}", dot.sequence),
            None => dot.to_string(),
        }
    }

    /// An edit's name as a person reads it, after its entries.
    pub(crate) fn edit_name(&self, receipt: Receipt) -> String {
        let mut dots = receipt.dots();
        match (dots.next(), dots.last()) {
            (None, _) => "a consent".to_owned(),
            (Some(only), None) => format!("edit {}", self.name_of(only)),
            (Some(first), Some(last)) => {
                format!("edit {} to {}", self.name_of(first), self.name_of(last))
            }
        }
    }
}
