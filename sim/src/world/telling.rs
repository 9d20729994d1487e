//! What a run tells of itself: lines of the trace, the marks beside them, and readable names.

use std::collections::BTreeMap;
use std::fmt;

use graphshell_sync::wire::Response;
use graphshell_sync::{Dot, Graph, NodeId, PeerId, Receipt};
use uuid::Uuid;

use super::frame;
use super::ports::EPOCH_MS;
use super::shared::World;
use crate::plan::Broken;
use crate::trace::ids::{name_devices, name_uuids};
use crate::trace::{Line, Mark, Marked};

impl World {
    /// Adds an event of one peer to the trace.
    pub(crate) fn tell(&self, peer: usize, text: fmt::Arguments<'_>, bytes: &[u8]) {
        let name = &self.peers[peer].name;
        let mut trace = self.trace.borrow_mut();
        self.tell_due(&mut trace);
        trace.record(self.plan_ms(), name, text, bytes);
    }

    /// [`tell`](Self::tell) with a fixed text.
    pub(crate) fn note(&self, peer: usize, text: &str, bytes: &[u8]) {
        self.tell(peer, format_args!("{text}"), bytes);
    }

    /// Adds an event of nobody in particular to the trace.
    pub(crate) fn announce(&self, text: &str) {
        let mut trace = self.trace.borrow_mut();
        self.tell_due(&mut trace);
        trace.record(self.plan_ms(), "", format_args!("{text}"), &[]);
    }

    /// Tells that all faults end, and for whom not.
    pub(crate) fn announce_heal(&self) {
        let who = |broken| {
            let peers = self.plan.peers.iter().filter(|peer| peer.broken == Some(broken));
            peers.map(|peer| peer.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let (down, cut) = (who(Broken::Down), who(Broken::CutOff));
        let but = if down.is_empty() { String::new() } else { format!(" but {down}") };
        let cut = match cut.is_empty() {
            true => String::new(),
            false => format!("; without a network from now on: {cut}"),
        };
        self.announce(&format!("the network heals, everybody is up{but}{cut}"));
    }

    /// Marks the last event of a peer, if marks are kept.
    pub(crate) fn mark(&self, peer: usize, mark: impl FnOnce() -> Mark) {
        self.trace.borrow_mut().mark(self.plan_ms(), Some(peer), mark);
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
        self.trace.borrow_mut().mark(0, None, || Mark::Begun { epoch_ms });
    }

    /// Marks that all faults ended.
    pub(crate) fn mark_heal(&self) {
        self.trace.borrow_mut().mark(self.plan_ms(), None, || Mark::Healed);
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
            None => self.readable(&dot),
        }
    }

    /// A text of the engine with the plan's names for nodes, authors and devices.
    pub(crate) fn readable(&self, text: &impl fmt::Display) -> String {
        let nodes = || self.node_names.get_or_init(|| self.plan.node_names());
        let node = |id| nodes().get(&NodeId(id)).cloned();
        let text = name_uuids(&text.to_string(), |id| {
            node(id).or_else(|| self.author_name(PeerId(id))).or_else(|| self.invented(id))
        });
        let device = |device| Some(self.peers[self.place(device)?].name.clone());
        name_devices(&text, device)
    }

    /// A response in a word or two.
    pub(super) fn answer(&self, response: &Response) -> String {
        match response {
            Response::Refused(_) => self.readable(&frame::response(response)),
            _ => frame::response(response),
        }
    }

    /// How a text calls an author that there is not.
    fn invented(&self, id: Uuid) -> Option<String> {
        let first = id.as_fields().0;
        let invented = self.slander.borrow().about(PeerId(id));
        invented.then(|| format!("{first:08x}… (made up by a liar)"))
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
