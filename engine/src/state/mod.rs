//! The merge: a pure function of the set of entries applied.

use crate::author::{AuthorIx, Authors};
use crate::codec::DecodeError;
use crate::entry::LogEntry;
use crate::graph::{Conflict, ConflictId, Graph, Node};
use crate::id::NodeId;

/// Who wrote an entry, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryStamp {
    pub(crate) author: AuthorIx,
    pub(crate) sequence: u64,
    pub(crate) timestamp_ms: u64,
    pub(crate) genesis: bool,
}

/// The merged graph with everything that later entries are judged by.
#[derive(Debug)]
pub struct State {}

/// What one batch changed for a reader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Nodes that appeared, changed or went.
    pub nodes: Vec<NodeId>,
    /// Pairs whose edges or visits changed, appeared or went.
    pub pairs: Vec<(NodeId, NodeId)>,
    /// Conflicts that are listed now and were not before.
    pub opened: Vec<ConflictId>,
    /// Conflicts that are not listed any more.
    pub settled: Vec<ConflictId>,
}

impl State {
    pub(crate) fn new(_key: [u64; 4]) -> Self {
        todo!()
    }
    /// Applies one entry whose causes are applied.
    pub(crate) fn apply(&mut self, _authors: &Authors, _stamp: EntryStamp, _delta: &[(AuthorIx, u64)], _entry: LogEntry<&str>) {
        todo!()
    }
    /// Ends a batch: brings the derived facts up to date and says what changed.
    pub(crate) fn refresh(&mut self, _authors: &Authors) -> Delta {
        todo!()
    }
    pub(crate) fn graph(&self, _authors: &Authors) -> Graph {
        todo!()
    }
    pub(crate) fn node(&self, _authors: &Authors, _id: NodeId) -> Option<Node> {
        todo!()
    }
    pub(crate) fn conflicts(&self, _authors: &Authors) -> Vec<Conflict> {
        todo!()
    }
    pub(crate) fn encode(&self, _authors: &Authors, _out: &mut Vec<u8>) {
        todo!()
    }
    pub(crate) fn decode(_bytes: &[u8], _authors: &mut Authors, _key: [u64; 4]) -> Result<State, DecodeError> {
        todo!()
    }
}
