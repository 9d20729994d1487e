//! What one device must show of itself, whoever the others are.

use std::collections::{BTreeMap, BTreeSet};

use graphshell_sync::ports::Promise;
use graphshell_sync::recording::{self, Input, Output, Player, Step};
use graphshell_sync::wire::{Request, Response};
use graphshell_sync::{DeviceId, Dot, PeerId, Record, Snapshot, VersionVector};

use crate::oracle::{Finding, View, causality, durability, model};
use crate::text::counted;

/// The one peer that there is.
const ME: usize = 0;

/// What is known of the device from outside the engine.
#[derive(Default)]
pub(super) struct Judge {
    device: Option<DeviceId>,
    /// As whom it authors now.
    me: Option<PeerId>,
    /// What its disk holds.
    durable: VersionVector,
    /// As whom it authored.
    own: BTreeSet<PeerId>,
    /// What the witness knows; of an image nobody knows.
    promised: Option<VersionVector>,
    /// How far others were seen to know entries, or may have known them before.
    elsewhere: VersionVector,
    /// What the store and the witness are at work on.
    append: Vec<Record>,
    base: Option<Snapshot>,
    promise: Option<Promise>,
    /// The records by their positions, as far as they were seen.
    log: BTreeMap<u64, Record>,
}

impl Judge {
    pub(super) fn new(device: DeviceId) -> Self {
        Judge { device: Some(device), ..Judge::default() }
    }

    /// Takes note of what is about to be done.
    pub(super) fn before(&mut self, step: &Step<'_>) {
        match step {
            Step::Opened(result) => {
                let end = result.as_ref().as_ref().map_or(0, |opened| opened.end);
                self.log.split_off(&end);
            }
            Step::Witnessed(Ok(promise)) => {
                self.promised = Some(promise.map(|promise| self.of(promise)).into_iter().collect());
            }
            Step::Read { first, records } => {
                let records = records.iter().flatten().cloned();
                self.log.extend((*first..).zip(records));
            }
            // What came before the image is not known.
            Step::Image(_) => (self.promised, self.log) = (None, BTreeMap::new()),
            Step::Input(input) => self.input(input),
            _ => {}
        }
    }

    fn of(&self, promise: Promise) -> (PeerId, u64) {
        let device = self.device.expect("it is set from the start");
        (PeerId::derive(device, promise.incarnation), promise.sequence)
    }

    fn input(&mut self, input: &Input) {
        match input {
            Input::Appended(Ok(())) => {
                let end = self.log.last_key_value().map_or(0, |(position, _)| position + 1);
                for (position, record) in (end..).zip(std::mem::take(&mut self.append)) {
                    if let Record::Ready(batch) = &record {
                        for row in batch.authors().iter().filter(|row| row.count > 0) {
                            self.durable.raise(row.peer, row.last());
                        }
                    }
                    self.log.insert(position, record);
                }
            }
            Input::Rebased(Ok(())) => {
                if let Some(base) = self.base.take() {
                    self.durable.join(&base.vector);
                }
            }
            Input::Promised(Ok(())) => {
                let promise = self.promise.take().map(|promise| self.of(promise));
                if let Some((peer, sequence)) = promise {
                    self.promised.get_or_insert_default().raise(peer, sequence);
                }
            }
            Input::Asked { request, .. } => {
                self.elsewhere.join(&durability::told_by_request(request));
                if let Request::Pull(pull) = request {
                    self.elsewhere.join(&pull.have.vector());
                }
            }
            Input::Returned { response: Ok(response), .. } => {
                self.elsewhere.join(&durability::told_by_response(response));
            }
            _ => {}
        }
    }

    /// A core begins: what it calls durable the store just told it.
    pub(super) fn begins(&mut self, player: &Player<'_>) {
        self.durable = player.durable_frontier().map(|front| front.vector()).unwrap_or_default();
        // A crash may have kept the witness from knowing what the log knows.
        self.elsewhere.join(&self.durable);
        (self.append, self.base, self.promise) = (Vec::new(), None, None);
        self.me = player.peer_id();
    }

    /// Judges what the core wants done.
    pub(super) fn outputs(&mut self, outputs: &[Output]) -> Result<(), Finding> {
        for output in outputs {
            match output {
                Output::Append(records) => self.append.clone_from(records),
                Output::Rebase { base, .. } => self.base = Some(base.clone()),
                Output::Promise(promise) => self.promise = Some(*promise),
                Output::Ask { request, .. } => {
                    self.leaves(&durability::told_by_request(request))?;
                }
                Output::Answer { response: Response::Durable { have }, .. } => {
                    self.is_durable(have, "nothing is acknowledged before it is durable")?;
                }
                Output::Answer { response, .. } => {
                    self.leaves(&durability::told_by_response(response))?;
                }
                Output::Announce(frontier) => self.leaves(&frontier.vector())?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Judges what is about to be told to another device.
    fn leaves(&self, told: &VersionVector) -> Result<(), Finding> {
        self.is_durable(told, "nothing leaves before it is durable")?;
        let (Some(promised), Some(me)) = (&self.promised, self.me) else { return Ok(()) };
        let dot = Dot { peer: me, sequence: told.get(me) };
        durability::judge_promised(ME, dot, promised.get(me).max(self.elsewhere.get(me)))
    }

    fn is_durable(&self, told: &VersionVector, property: &'static str) -> Result<(), Finding> {
        let beyond = told.iter().find(|&(peer, sequence)| self.durable.get(peer) < sequence);
        let Some((peer, sequence)) = beyond else { return Ok(()) };
        let detail =
            format!("the disk holds {} of this author", counted(self.durable.get(peer), "entry"));
        Err(Finding { property, peers: vec![ME], operations: vec![Dot { peer, sequence }], detail })
    }

    /// Judges what a reader sees: of others nothing that the disk does not hold.
    pub(super) fn shown(&mut self, player: &Player<'_>) -> Result<(), Finding> {
        self.own.extend(player.peer_id());
        let Some(mut shown) = player.version_vector() else { return Ok(()) };
        let others = shown.iter().filter(|(peer, _)| !self.own.contains(peer));
        shown = others.collect();
        self.is_durable(&shown, "nothing of others is shown before it is durable")
    }

    /// Judges the history and the graph that is made of it, if the whole history is known; whether
    /// it is.
    pub(super) fn at_end(&self, player: &mut Player<'_>) -> Result<bool, Finding> {
        let records: Vec<Record> = self.log.values().cloned().collect();
        let history = recording::history(&records);
        let (Some(graph), Some(applied), Some(frontier), Some(state)) = (
            player.graph(),
            player.version_vector(),
            player.durable_frontier(),
            player.state_bytes(),
        ) else {
            return Ok(false);
        };
        // What was cut, or stood in a snapshot, is not known.
        let dots: BTreeSet<Dot> = history.iter().map(|entry| entry.dot()).collect();
        let has = |peer, last| (1..=last).all(|sequence| dots.contains(&Dot { peer, sequence }));
        let whole = history.len() as u64 == applied.iter().map(|(_, last)| last).sum::<u64>()
            && applied.iter().all(|(peer, last)| has(peer, last));
        let view = View { peer: ME, graph, history, applied, frontier, state };
        if !whole || !view.settled() {
            return Ok(false);
        }
        causality::judge(&view)?;
        model::judge(&view)?;
        Ok(true)
    }
}
