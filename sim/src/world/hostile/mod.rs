//! A hostile peer: a member that speaks the protocol and lies.
//!
//! It runs no engine. It hears frames, remembers what it can use, and answers and asks with frames
//! that it makes up (`craft.rs`, `forge.rs`). Which lie it tells is derived from whom it tells it and
//! how many it told before, so that a step taken out of a plan reshuffles little.
//!
//! What it says under the name of somebody is put down in [`Slander`]: entries are not signed, so
//! that much damage nobody can tell from the truth, and exactly that much is excused.

mod craft;
pub(super) mod forge;
mod life;
mod slander;

use std::collections::{BTreeMap, VecDeque};

use graphshell_sync::wire::{PROTOCOL_VERSION, Request, Response};
use graphshell_sync::{Batch, Incarnation, PeerId};

use super::choice::{self, Choice, Choices, Topic};
use crate::plan::{Lie, Peer, Plan, device_id, workspace_id};
use forge::Head;
pub(crate) use life::live;
pub(crate) use slander::Slander;

/// Frames that it remembers, to send them again.
const FRAMES: usize = 24;
/// Most lies of one attack.
const LIES_AT_ONCE: u64 = 4;
/// Of a thousand answers, so many are lies.
const LIES: u16 = 750;

/// A frame that it sends.
#[derive(Debug)]
pub(crate) struct Sending {
    /// The call that it answers; `None` for a call of its own.
    pub(crate) answers: Option<u64>,
    /// For the story.
    pub(crate) what: String,
    pub(crate) body: Vec<u8>,
}

/// One hostile peer.
#[derive(Debug)]
pub(crate) struct Liar {
    choices: Choices,
    key: u64,
    /// The name of its own under which it writes when it forges nobody's.
    name: PeerId,
    lies: Vec<Lie>,
    /// How often it lied; keeping silent counts.
    pub(crate) lied: u64,
    /// What it said so far to each peer, by the peer's key.
    told: BTreeMap<u64, u64>,
    /// How far others' histories go, as far as it heard.
    heads: BTreeMap<PeerId, Head>,
    /// Frames that it heard, latest last.
    frames: VecDeque<Vec<u8>>,
    /// Pages that it writes about.
    pages: Vec<graphshell_sync::NodeId>,
    /// A snapshot that it was handed: parts, and the whole once it has it.
    parts: Vec<u8>,
    snapshot: Option<Vec<u8>>,
}

/// To whom it lies, and what about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Victim {
    pub(crate) key: u64,
    /// As whom it authors.
    pub(crate) author: Option<PeerId>,
}

/// What of a request makes a difference to the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Frontier,
    Pull,
    Push,
    Snapshot(u64),
}

impl Liar {
    pub(crate) fn new(plan: &Plan, peer: &Peer) -> Self {
        Liar {
            choices: Choices::new(plan.seed),
            key: choice::key(&peer.name),
            name: PeerId::derive(device_id(&peer.name), Incarnation([0; 16])),
            lies: peer.lies.clone(),
            lied: 0,
            told: BTreeMap::new(),
            heads: BTreeMap::new(),
            frames: VecDeque::new(),
            pages: plan.node_names().into_keys().collect(),
            parts: Vec::new(),
            snapshot: None,
        }
    }

    /// Somebody asks. The answer, if it gives one.
    pub(crate) fn asked(
        &mut self,
        victim: Victim,
        call: u64,
        body: &[u8],
        slander: &mut Slander,
    ) -> Option<Sending> {
        self.remember(body);
        let request = Request::decode(body).ok()?;
        let (asked, fitting): (_, &[Lie]) = match &request {
            Request::Frontier(_) => (Asked::Frontier, &craft::OF_FRONTIERS),
            Request::Pull(_) => (Asked::Pull, &craft::OF_PULLS),
            Request::Push(_) => (Asked::Push, &craft::OF_PUSHES),
            Request::Snapshot(request) => (Asked::Snapshot(request.offset), &craft::OF_SNAPSHOTS),
        };
        match &request {
            Request::Pull(pull) => {
                pull.have
                    .rows()
                    .iter()
                    .for_each(|row| self.learn(row.peer, row.sequence, row.hash));
            }
            Request::Push(push) => self.learn_batch(&push.batch),
            Request::Frontier(_) | Request::Snapshot(_) => {}
        }
        let choice = self.choice(victim.key);
        let lies: Vec<Lie> =
            self.lies.iter().copied().filter(|lie| fitting.contains(lie)).collect();
        // A snapshot that was promised has to come for the lie to be one.
        let lies_now = choice.chance(0, LIES) || matches!(asked, Asked::Snapshot(_));
        let lie = (lies_now && !lies.is_empty())
            .then(|| lies[choice.below(1, lies.len() as u64) as usize]);
        let plain = self.plain(&request);
        let (what, body) = match lie {
            None => ("an answer".to_owned(), plain),
            Some(lie) => {
                let body = self.answer(lie, asked, victim, slander);
                // Who knows too little to lie says nothing, or what is true.
                let is_one = body.as_ref().map_or(lie == Lie::Silence, |body| *body != plain);
                self.lied += u64::from(is_one);
                (format!("{lie:?}"), body?)
            }
        };
        Some(Sending { answers: Some(call), what, body })
    }

    /// An answer to one of its questions came.
    pub(crate) fn answered(&mut self, body: &[u8]) -> bool {
        self.remember(body);
        match Response::decode(body) {
            Ok(Response::Frontier { frontier, .. }) => {
                frontier.rows().iter().for_each(|row| self.learn(row.peer, row.sequence, row.hash));
            }
            Ok(Response::Batch { batch: Some(batch), .. }) => self.learn_batch(&batch),
            Ok(Response::Snapshot(part)) => {
                if part.offset == 0 {
                    self.parts.clear();
                }
                if part.offset == self.parts.len() as u64 {
                    self.parts.extend_from_slice(&part.bytes);
                }
                if part.total == self.parts.len() as u64 {
                    self.snapshot = Some(std::mem::take(&mut self.parts));
                    return true;
                }
            }
            _ => {}
        }
        false
    }

    /// Turns on somebody by itself: listens around, then lies.
    pub(crate) fn attack(&mut self, victim: Victim, slander: &mut Slander) -> Vec<Sending> {
        let mut frames = self.questions(victim);
        let count = self.choice(victim.key).within(0, (1, LIES_AT_ONCE));
        for _ in 0..count {
            let choice = self.choice(victim.key);
            let lie = self.lies[choice.below(0, self.lies.len() as u64) as usize];
            let bodies = self.request(lie, victim, slander);
            self.lied += bodies.len() as u64;
            for body in bodies {
                frames.push(Sending { answers: None, what: format!("{lie:?}"), body });
            }
        }
        frames
    }

    /// The next choice about what it tells somebody.
    fn choice(&mut self, to: u64) -> Choice {
        let nth = self.told.entry(to).or_insert(0);
        *nth += 1;
        self.choices.about(Topic::Lie, [self.key, to, *nth])
    }

    fn remember(&mut self, frame: &[u8]) {
        if self.frames.len() == FRAMES {
            self.frames.pop_front();
        }
        self.frames.push_back(frame.to_vec());
    }

    fn learn(&mut self, author: PeerId, sequence: u64, hash: graphshell_sync::Hash) {
        let head = Head { author, sequence, hash };
        let known = self.heads.entry(author).or_insert(head);
        if known.sequence < sequence {
            *known = head;
        }
    }

    fn learn_batch(&mut self, batch: &Batch) {
        for (dot, hash) in batch.running_hashes() {
            self.learn(dot.peer, dot.sequence, hash);
        }
    }

    /// What an honest device that has nothing would answer.
    fn plain(&self, request: &Request) -> Vec<u8> {
        let response = match request {
            Request::Frontier(_) => {
                Response::Frontier { frontier: Default::default(), excluded: Vec::new() }
            }
            Request::Pull(_) => Response::Batch { batch: None, more: false },
            Request::Push(push) => {
                let rows = push.batch.authors().iter();
                Response::Durable { have: rows.map(|row| (row.peer, row.last())).collect() }
            }
            Request::Snapshot(_) => Response::Refused(graphshell_sync::wire::Reject::Unavailable),
        };
        response.encode()
    }

    /// What it asks before it lies.
    fn questions(&self, victim: Victim) -> Vec<Sending> {
        use graphshell_sync::wire::{Budget, FrontierRequest, PullRequest, SnapshotRequest};
        let (workspace, key) = (workspace_id(), victim.key.to_le_bytes());
        let digest = graphshell_sync::Hash(*blake3::hash(&key).as_bytes());
        let have = Default::default();
        let pull = PullRequest { workspace, have, excluded: Vec::new(), budget: Budget::FULL };
        let mut questions =
            vec![Request::Frontier(FrontierRequest { workspace, digest }), Request::Pull(pull)];
        if self.lies.contains(&Lie::FalseSnapshot) {
            let (id, bytes) = (None, 1 << 19);
            questions.push(Request::Snapshot(SnapshotRequest { workspace, id, offset: 0, bytes }));
        }
        let what = || "a question".to_owned();
        let sending =
            |request: Request| Sending { answers: None, what: what(), body: request.encode() };
        questions.into_iter().map(sending).collect()
    }
}

/// The beginning of every frame.
const fn version() -> u8 {
    PROTOCOL_VERSION
}
