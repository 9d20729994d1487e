//! The lies themselves: which frame each of them is, as an answer and as a request.

use graphshell_sync::limits::{MAX_FRAME_BYTES, MAX_PARKED_BATCHES, SEQUENCE_END};
use graphshell_sync::wire::{
    Budget, Exclusion, Frontier, FrontierRow, PullRequest, Reject, Request, Response, SnapshotPart,
    SnapshotRequest,
};
use graphshell_sync::{Hash, LogEntry, PeerId, Position, VersionVector};

use super::forge::{self, Content, Head};
use super::{Asked, Liar, Slander, Victim, version};
use crate::plan::{Lie, workspace_id};
use crate::world::choice::Choice;

/// The lies that can answer a question for the frontier.
pub(super) const OF_FRONTIERS: [Lie; 6] =
    [Lie::Malformed, Lie::Oversized, Lie::Replay, Lie::FalseFrontier, Lie::FalseFork, Lie::Silence];
/// The lies that can answer a pull.
pub(super) const OF_PULLS: [Lie; 9] = [
    Lie::Malformed,
    Lie::Oversized,
    Lie::Forgery,
    Lie::Replay,
    Lie::GapFlood,
    Lie::FalseHashes,
    Lie::Equivocation,
    Lie::Silence,
    Lie::FalseSnapshot,
];
/// The lies that can answer a push.
pub(super) const OF_PUSHES: [Lie; 5] =
    [Lie::Malformed, Lie::Oversized, Lie::FalseAcknowledgement, Lie::FalseFork, Lie::Silence];
/// The lies that can answer a question for a part of a snapshot.
pub(super) const OF_SNAPSHOTS: [Lie; 3] = [Lie::FalseSnapshot, Lie::Malformed, Lie::Silence];

/// Batches of one flood, and of a great one: more than a receiver keeps.
const FLOOD: u64 = 8;
const GREAT_FLOOD: u64 = MAX_PARKED_BATCHES as u64 * 3 / 2;
/// A kind that no engine knows.
const KIND: u16 = 60_000;
const TAG_PUSH: u8 = 3;
const TAG_FRONTIER: u8 = 130;
const TAG_BATCH: u8 = 131;

impl Liar {
    /// The frames of a lie that it tells unasked.
    pub(super) fn request(
        &mut self,
        lie: Lie,
        victim: Victim,
        slander: &mut Slander,
    ) -> Vec<Vec<u8>> {
        let choice = self.choice(victim.key);
        let push = |batch: Vec<u8>| [&[version(), TAG_PUSH][..], &batch].concat();
        match lie {
            Lie::Malformed => vec![self.malformed(choice)],
            Lie::Oversized => vec![oversized(choice, TAG_PUSH)],
            Lie::Forgery | Lie::FalseHashes | Lie::Equivocation => {
                self.batch(lie, choice, victim, slander).map(push).into_iter().collect()
            }
            Lie::GapFlood => {
                let great = choice.chance(1, 100);
                let count = if great { GREAT_FLOOD } else { choice.within(0, (1, FLOOD)) };
                let batches = (0..count).filter_map(|_| {
                    let choice = self.choice(victim.key);
                    self.batch(lie, choice, victim, slander).map(push)
                });
                batches.collect()
            }
            Lie::Replay => {
                let nth = choice.below(0, self.frames.len() as u64) as usize;
                self.frames.get(nth).cloned().into_iter().collect()
            }
            Lie::FalseFrontier | Lie::FalseAcknowledgement => {
                let have = self.false_frontier(choice, victim, slander);
                vec![pull(have, Vec::new())]
            }
            Lie::FalseFork => {
                let excluded = self.false_fork(choice, slander);
                vec![pull(Frontier::default(), excluded.into_iter().collect())]
            }
            Lie::FalseSnapshot => {
                let request = SnapshotRequest {
                    workspace: workspace_id(),
                    id: choice.chance(0, 500).then_some(Hash(choice.bytes())),
                    offset: choice.below(1, SEQUENCE_END),
                    bytes: choice.below(2, 3) as u32,
                };
                vec![Request::Snapshot(request).encode()]
            }
            // Nobody waits for a request.
            Lie::Silence => Vec::new(),
        }
    }

    /// The lie as an answer; none if it keeps silent or knows too little to lie.
    pub(super) fn answer(
        &mut self,
        lie: Lie,
        asked: Asked,
        victim: Victim,
        slander: &mut Slander,
    ) -> Option<Vec<u8>> {
        let choice = self.choice(victim.key);
        let more = choice.chance(3, 500);
        let batch =
            |batch: Vec<u8>| [&[version(), TAG_BATCH, 2 | u8::from(more)][..], &batch].concat();
        match (lie, asked) {
            (Lie::Silence, _) => None,
            (Lie::Malformed, _) => Some(self.malformed(choice)),
            (Lie::Oversized, _) => Some(oversized(choice, TAG_FRONTIER)),
            (Lie::Replay, Asked::Frontier) => self.frames.front().cloned(),
            (Lie::Replay, _) => {
                let mut batches = self.frames.iter().rev().filter_map(|frame| pushed(frame));
                batches.nth(choice.below(0, 4) as usize).map(batch)
            }
            (Lie::Forgery | Lie::GapFlood | Lie::FalseHashes | Lie::Equivocation, _) => {
                self.batch(lie, choice, victim, slander).map(batch)
            }
            (Lie::FalseFrontier, _) if choice.chance(0, 300) => Some(Response::InStep.encode()),
            (Lie::FalseFrontier, _) => {
                let frontier = self.false_frontier(choice, victim, slander);
                Some(Response::Frontier { frontier, excluded: Vec::new() }.encode())
            }
            (Lie::FalseFork, Asked::Frontier) => {
                let excluded = self.false_fork(choice, slander).into_iter().collect();
                Some(Response::Frontier { frontier: Frontier::default(), excluded }.encode())
            }
            (Lie::FalseFork, _) => {
                let Exclusion { peer, common, .. } = self.false_fork(choice, slander)?;
                let reject = Reject::Fork { author: peer, common };
                Some(Response::Refused(reject).encode())
            }
            (Lie::FalseAcknowledgement, _) => {
                let far = if choice.chance(0, 500) { SEQUENCE_END - 1 } else { 1 };
                let have: VersionVector = self.heads.keys().map(|&author| (author, far)).collect();
                Some(Response::Durable { have }.encode())
            }
            (Lie::FalseSnapshot, Asked::Snapshot(offset)) => {
                Some(self.false_snapshot(choice, offset, slander))
            }
            (Lie::FalseSnapshot, _) => Some(Response::Refused(Reject::Behind).encode()),
        }
    }

    /// A frame that it heard, or the beginning of one, with something wrong.
    fn malformed(&self, choice: Choice) -> Vec<u8> {
        let nth = choice.below(0, self.frames.len() as u64) as usize;
        let mut frame = self.frames.get(nth).cloned().unwrap_or_default();
        let at = choice.below(1, frame.len() as u64) as usize;
        match choice.below(2, 5) {
            0 => frame.truncate(at),
            1 => frame.extend_from_slice(&choice.bytes()[..7]),
            2 if !frame.is_empty() => frame[at] ^= 1 << choice.below(3, 8),
            3 => {
                let end = frame.len().min(at + 32);
                frame[at..end].copy_from_slice(&choice.bytes()[..end - at]);
            }
            _ => {
                frame = choice.bytes().to_vec();
                (frame[0], frame[1]) = (version(), frame[1] % 8);
            }
        }
        // A change can make another frame, which would be another lie; the beginning of one is none.
        if Request::decode(&frame).is_ok() || Response::decode(&frame).is_ok() {
            frame.pop();
        }
        frame
    }

    /// A batch that is well formed and says what is not so.
    fn batch(
        &mut self,
        lie: Lie,
        choice: Choice,
        victim: Victim,
        slander: &mut Slander,
    ) -> Option<Vec<u8>> {
        let workspace = workspace_id();
        let own = Head::start(workspace, self.name);
        let nobody = choice.chance(0, 150);
        let other = self.somebody(choice, victim);
        let (head, seen) = match lie {
            Lie::Forgery if nobody => {
                let author = graphshell_sync::Incarnation(first16(choice.bytes()));
                let device = graphshell_sync::DeviceId(choice.bytes());
                (Head::start(workspace, PeerId::derive(device, author)), None)
            }
            Lie::Forgery => (other?, None),
            Lie::GapFlood => {
                let sequence = 1000 + choice.below(0, 1 << 20);
                (Head { sequence, hash: Hash(choice.bytes()), ..own }, None)
            }
            Lie::FalseHashes => (own, Some(Head { hash: Hash(choice.bytes()), ..other? })),
            _ => (own, None),
        };
        let named = seen.filter(|seen| seen.sequence > 0);
        let (author, first) =
            named.map_or((head.author, head.sequence + 1), |seen| (seen.author, seen.sequence));
        if lie != Lie::GapFlood {
            slander.name(author, first);
            slander.name(head.author, head.sequence + 1);
        }
        let count = choice.within(1, (1, 3));
        let contents: Vec<_> =
            (0..count).map(|nth| self.content(lie, choice, victim, nth)).collect();
        Some(forge::batch(workspace, head, named, &contents))
    }

    /// What an entry of its making says. The same to everybody, unless it equivocates.
    fn content(&self, lie: Lie, choice: Choice, victim: Victim, nth: u64) -> Content {
        let timestamp_ms = 1_700_000_000_000 + choice.below(2, 1 << 40);
        if lie == Lie::GapFlood {
            let payload = choice.bytes().repeat(1 + choice.below(0, 400) as usize);
            return Content { timestamp_ms, kind: KIND, payload };
        }
        let text = match lie {
            Lie::Equivocation => format!("told to {:x}", victim.key),
            _ => format!("false {:x}", choice.below(3, 1 << 32)),
        };
        let place = choice.below(2, 1 << 32).wrapping_add(nth) % (self.pages.len() as u64 + 1);
        let Some(&node_id) = self.pages.get(place as usize) else {
            // A kind that is known, with a payload that means nothing.
            return Content { timestamp_ms, kind: 1, payload: text.into_bytes() };
        };
        let entry = match choice.bytes()[0] % 4 {
            0 => LogEntry::RemoveNode { node_id },
            1 => LogEntry::UpdateNodeUrl { node_id, new_url: text },
            2 => LogEntry::MoveNode { node_id, position: Position::default() },
            _ => LogEntry::UpdateNodeTitle { node_id, title: text },
        };
        Content::of(timestamp_ms, &entry)
    }

    /// Whom a lie names: often whoever hears it.
    fn somebody(&self, choice: Choice, victim: Victim) -> Option<Head> {
        let own = victim.author.and_then(|author| self.heads.get(&author));
        if let Some(head) = own.filter(|_| choice.chance(2, 400)) {
            return Some(*head);
        }
        let nth = choice.below(3, self.heads.len() as u64) as usize;
        self.heads.values().nth(nth).copied()
    }

    /// Rows of everybody, some of them beyond what there is, or with another hash.
    fn false_frontier(&self, choice: Choice, victim: Victim, slander: &mut Slander) -> Frontier {
        let mut rows: Vec<FrontierRow> = Vec::new();
        for (nth, head) in self.heads.values().enumerate() {
            let row = FrontierRow { peer: head.author, sequence: head.sequence, hash: head.hash };
            let own = victim.author == Some(head.author);
            let byte = choice.bytes()[8 + nth % 24];
            rows.push(match byte % 4 {
                0 | 1 => row,
                // What the asked device surely knows of itself is not far to say wrong.
                2 if !own || byte < 64 => {
                    let sequence = row.sequence + 1 + u64::from(byte);
                    slander.name(row.peer, row.sequence);
                    FrontierRow { sequence, hash: Hash(choice.bytes()), ..row }
                }
                2 => row,
                _ => {
                    slander.name(row.peer, row.sequence);
                    FrontierRow { hash: Hash(choice.bytes()), ..row }
                }
            });
        }
        Frontier::new(rows)
    }

    /// That somebody's history has another branch.
    fn false_fork(&self, choice: Choice, slander: &mut Slander) -> Option<Exclusion> {
        let nth = choice.below(1, self.heads.len() as u64) as usize;
        let head = self.heads.values().nth(nth)?;
        let common = choice.below(2, head.sequence);
        slander.name(head.author, common + 1);
        Some(Exclusion { peer: head.author, common, branch: Hash(choice.bytes()) })
    }

    /// A part of a snapshot with something wrong about it.
    fn false_snapshot(&self, choice: Choice, offset: u64, slander: &mut Slander) -> Vec<u8> {
        let Some(genuine) = &self.snapshot else {
            return self.malformed(choice);
        };
        // What is wrong must be the same for all parts, so the snapshot's own hash decides.
        let id = *blake3::hash(genuine).as_bytes();
        let mut whole = genuine.clone();
        let mut told = Hash(id);
        match id[0].wrapping_add(self.key as u8) % 4 {
            // Another content under the right name: another page. A changed hash would be slander.
            0 => {
                if let Some(at) = in_an_address(&whole, choice_of(&id)) {
                    whole[at] ^= 1;
                    told = Hash(*blake3::hash(&whole).as_bytes());
                    slander.alter(told.0);
                }
            }
            // The right content under another name.
            1 => told = Hash(choice.bytes()),
            2 => whole.truncate(whole.len() / 2),
            _ => {}
        }
        let total = whole.len() as u64;
        // Now and then a part that was not asked for.
        let begin = if choice.chance(0, 100) { choice.below(1, total) } else { offset };
        let begin = (begin as usize).min(whole.len() - 1);
        let end = whole.len().min(begin + choice.within(2, (1, 1 << 14)) as usize);
        let bytes = whole[begin..end].to_vec();
        Response::Snapshot(SnapshotPart { id: told, total, offset: begin as u64, bytes }).encode()
    }
}

fn first16(bytes: [u8; 32]) -> [u8; 16] {
    let mut first = [0; 16];
    first.copy_from_slice(&bytes[..16]);
    first
}

/// Where the host begins in one of the addresses that stand there.
fn in_an_address(bytes: &[u8], choice: usize) -> Option<usize> {
    let scheme = b"://";
    let places: Vec<usize> = bytes
        .windows(scheme.len() + 1)
        .enumerate()
        .filter_map(|(at, window)| window.starts_with(scheme).then_some(at + scheme.len()))
        .collect();
    (!places.is_empty()).then(|| places[choice % places.len()])
}

fn choice_of(id: &[u8; 32]) -> usize {
    usize::from(u16::from_le_bytes([id[1], id[2]]))
}

/// The batch in a frame that was pushed.
fn pushed(frame: &[u8]) -> Option<Vec<u8>> {
    frame.strip_prefix(&[version(), TAG_PUSH]).map(<[u8]>::to_vec)
}

fn pull(have: Frontier, excluded: Vec<Exclusion>) -> Vec<u8> {
    let (workspace, budget) = (workspace_id(), Budget { entries: 1, bytes: 1 });
    Request::Pull(PullRequest { workspace, have, excluded, budget }).encode()
}

/// A frame longer than any may be, or a short one that claims to hold much.
fn oversized(choice: Choice, tag: u8) -> Vec<u8> {
    let mut frame = vec![version(), tag];
    if choice.chance(0, 300) {
        let over = choice.within(1, (1, 4096)) as usize;
        frame.resize(MAX_FRAME_BYTES + over, choice.bytes()[0]);
    } else {
        let claims = choice.below(1, u64::MAX);
        frame.extend_from_slice(workspace_id().0.as_bytes());
        forge::put_varint(&mut frame, claims);
        frame.extend_from_slice(&choice.bytes());
    }
    frame
}
