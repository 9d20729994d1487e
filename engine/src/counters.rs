//! How often rare things happened since a workspace was opened: diagnostics for whoever embeds the
//! engine, and probes for whoever tests it.
//!
//! Counting changes nothing. Nobody decides anything by a counter, and none is stored.

use std::fmt;

/// Declares the counters once: variant, name in words, meaning.
macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Something that happens now and then and is worth to be counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Counter {
            $($(#[$doc])* $variant,)*
        }

        impl Counter {
            /// All of them, in order.
            pub const ALL: [Counter; [$($name),*].len()] = [$(Counter::$variant),*];

            /// Its name in a few words, the same in every version that has it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Counter::$variant => $name,)*
                }
            }
        }
    };
}

counters! {
    /// A batch came before its causes and waits for them.
    GapParked = "gap parked",
    /// A batch came before its causes and was not kept: it waits already, or too many do.
    GapTurnedAway = "gap turned away",
    /// The causes of a batch that waited have come.
    GapFilled = "gap filled",
    /// A batch brought nothing that was not known; its running hashes were compared.
    BatchKnown = "batch known already",
    /// A batch was known in part and cut to what is new.
    BatchTrimmed = "batch known in part",
    /// There was more to send than one batch could hold.
    BatchCut = "batch cut by its budget",
    /// An entry of a kind that this version does not know was kept.
    UnknownKind = "unknown kind kept",
    /// An entry of a known kind whose payload means nothing was kept.
    VoidPayload = "void payload kept",
    /// Both branches of a history were seen.
    ForkProven = "fork proven",
    /// A history seems to have two branches.
    ForkSuspected = "fork suspected",
    /// What a peer says it has quarantined showed that its branch is not ours.
    ForkToldByPeer = "fork told by a peer",
    /// A batch was refused because an author of it is quarantined.
    QuarantinedRefused = "entries of a quarantined author refused",
    /// The device took a new name: somebody has entries of its own that it does not know.
    RenamedForUnknown = "renamed for unknown own entries",
    /// The device took a new name: its own history has another branch.
    RenamedForFork = "renamed for a fork of its own",
    /// Own entries that had not left were made again under another name.
    AuthoredAnew = "entries authored anew",
    /// The store failed, and everything was replayed from it.
    StoreReplayed = "store failed and replayed",
    /// Edits that were not durable when the store failed were taken back.
    EditTakenBack = "edit taken back",
    /// A round was begun again, since a new core took the place of the one that led it.
    RoundRemade = "round made again",
    /// A call of a round was lost and made again.
    CallRepeated = "call made again",
    /// Pushes were not acknowledged, and what they held was sent again.
    PushRepeated = "push sent again",
    /// A peer refused a push because of a fork.
    PushParted = "push refused for a fork",
    /// A round gave up after too many exchanges that moved nothing.
    RoundStalled = "round stalled",
    /// Something waited until the witness had promised.
    PromiseAwaited = "promise awaited",
    /// The witness failed, so nothing was sent.
    PromiseFailed = "promise failed",
    /// A request was answered with `Busy`.
    AnsweredBusy = "answered busy",
    /// A request of a device with which the workspace is not shared was turned away.
    TurnedAway = "device turned away",
    /// A peer asked for entries that stand in no record any more.
    PeerSentToSnapshot = "peer sent to the snapshot",
    /// A round found that the peer lacks what only a snapshot can give it.
    PeerBehind = "peer behind the cut",
    /// A snapshot was made to be handed to a peer.
    SnapshotOffered = "snapshot offered",
    /// The snapshot that was being fetched gave way to another one.
    SnapshotAnew = "snapshot begun anew",
    /// A round waited for the snapshot that another round fetched.
    SnapshotAwaited = "snapshot of another round awaited",
    /// A snapshot of a peer was joined.
    SnapshotJoined = "snapshot joined",
    /// A snapshot of a peer brought nothing.
    SnapshotKnown = "snapshot known already",
    /// A snapshot of a peer was refused.
    SnapshotRefused = "snapshot refused",
    /// Records were cut from the log.
    LogCut = "log cut",
    /// Nothing could be cut: somebody lacks the oldest record.
    CutHeldBack = "cut held back by a device",
    /// Nothing was cut because an author's history has, or seems to have, two branches.
    CutHeldBackByFork = "cut held back by a fork",
}

/// How often each [`Counter`] was counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Counters([u64; Counter::ALL.len()]);

impl Counters {
    /// How often that happened.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Counter, u64)> + '_ {
        Counter::ALL.into_iter().zip(self.0)
    }

    pub(crate) fn note(&mut self, counter: Counter) {
        self.note_many(counter, 1);
    }

    pub(crate) fn note_many(&mut self, counter: Counter, times: u64) {
        self.0[counter as usize] += times;
    }

    /// Goes on from what another counted.
    pub(crate) fn add(&mut self, before: &Counters) {
        self.0.iter_mut().zip(before.0).for_each(|(sum, more)| *sum += more);
    }
}

impl Default for Counters {
    fn default() -> Self {
        Counters([0; Counter::ALL.len()])
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.iter().filter(|&(_, times)| times > 0);
        f.debug_map().entries(seen.map(|(counter, times)| (counter.name(), times))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_a_name_and_a_place_of_its_own() {
        let names: std::collections::BTreeSet<_> = Counter::ALL.map(Counter::name).into();
        assert_eq!(names.len(), Counter::ALL.len());
        let mut counters = Counters::default();
        Counter::ALL.into_iter().for_each(|counter| counters.note(counter));
        assert!(counters.iter().all(|(counter, times)| times == 1 && counters.get(counter) == 1));
        let before = counters;
        counters.add(&before);
        assert_eq!(counters.get(Counter::LogCut), 2);
    }
}
