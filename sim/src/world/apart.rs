//! Why peers may show different graphs in the end, as far as the run knows: said before it is judged.
//!
//! Judges nothing. What is excused is the oracles' matter; this only tells a reader of a run that held
//! why not all show the same.

use std::collections::BTreeMap;

use super::shared::World;
use crate::oracle::View;
use crate::plan::Broken;
use crate::trace::Mark;

impl World {
    /// Tells why peers need not show what others show, if any show something else.
    pub(super) fn tell_apart(&self, views: &[View]) {
        let differ = |view: &View| view.frontier != views[0].frontier;
        let everybody = views.iter().map(|view| view.peer).eq(self.with_engine());
        if everybody && !views.iter().any(differ) {
            return;
        }
        for (words, peers) in self.reasons() {
            let names: Vec<&str> = peers.iter().map(|&peer| &*self.peers[peer].name).collect();
            let names = names.join(", ");
            let colon = if names.is_empty() { "" } else { ": " };
            let why = format!("{names}{colon}{words}");
            self.announce(&format!("need not all show the same: {why}"));
            self.trace.borrow_mut().mark(self.plan_ms(), None, || Mark::Apart { why });
        }
    }

    fn with_engine(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.peers.len()).filter(|&peer| !self.plan.peers[peer].is_hostile())
    }

    /// Each reason with whom it concerns; nobody means all.
    fn reasons(&self) -> BTreeMap<String, Vec<usize>> {
        let mut reasons: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        if !self.plan.heal {
            let words = "the plan ends without a heal, in which all would come to have the same";
            reasons.insert(words.to_owned(), Vec::new());
        }
        let core = self.core();
        for peer in self.with_engine() {
            let settings = &self.plan.peers[peer];
            let mut is = |words: String| reasons.entry(words).or_default().push(peer);
            match settings.broken.filter(|_| self.plan.heal) {
                Some(Broken::Down) => is("without power since the heal".to_owned()),
                Some(Broken::CutOff) => is("cut off from everybody since the heal".to_owned()),
                None => {}
            }
            let others = core.iter().map(|&one| self.plan.peers[one].speaks());
            if settings.stranger {
                is("nobody shares the workspace with it".to_owned());
            } else if others.clone().any(|version| version != settings.speaks()) {
                is(format!("speaks version {} of the protocol, not all do", settings.speaks()));
            }
            if self.peers[peer].misled() {
                is("stands on a snapshot that a liar altered".to_owned());
            }
        }
        // A fork's author, and the last entry that its histories share; by whether a lie named it.
        let mut forks: BTreeMap<bool, Vec<String>> = BTreeMap::new();
        for (author, common) in self.forks() {
            let history = format!("{} after {common}", self.readable(&author));
            forks.entry(self.slander.borrow().about(author)).or_default().push(history);
        }
        for (slandered, mut histories) in forks {
            histories.sort();
            let why = if slandered { "somebody lied about them" } else { "histories fork there" };
            let words = format!(
                "not everybody takes the entries of {}, nor what relies on them: {why}",
                histories.join(", of ")
            );
            reasons.insert(words, Vec::new());
        }
        reasons
    }
}
