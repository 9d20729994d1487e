//! A state in disguise: other texts, everything else as it is.

use super::State;
use crate::core::disguise::Disguise;

impl State {
    /// Puts on a disguise, which keeps all lengths.
    pub(crate) fn disguise(&mut self, by: &mut dyn Disguise) {
        for index in 0..self.records.nodes.len() as u32 {
            let node = &mut self.records.nodes[index];
            node.url.for_each_mut(|url| *url = by.url(url));
            node.title.for_each_mut(|title| *title = by.title(title));
        }
        for opaque in &mut self.opaque {
            by.payload(opaque.kind, &mut opaque.payload);
        }
    }
}
