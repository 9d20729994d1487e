//! Which faults a plan has. They are read off the plan, so no list of them can contradict it, and
//! go by one name each in ledgers, reports and fingerprints.

use std::collections::BTreeSet;

use graphshell_sync::wire::PROTOCOL_VERSION;

use super::{Action, Network, Peer, Plan};

/// From how wide a range of delays on frames are said to be reordered, in milliseconds.
const REORDERS_FROM_MS: u64 = 100;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is explained at the action or setting of the plan")]
pub enum FaultKind {
    Loss,
    Duplication,
    Reordering,
    Corruption,
    Truncation,
    /// Damaged frames that the transport hands on; see [`Network::unchecked`].
    Unchecked,
    Partition,
    Flapping,
    /// A link of limited bandwidth.
    SlowLink,
    /// A link with a delay of its own.
    LinkDelay,
    Reset,
    Crash,
    Restore,
    LoseTail,
    TimePasses,
    PowerCut,
    /// The program is killed within a write; the machine runs on.
    Kill,
    FullDisk,
    Rot,
    SyncError,
    SyncLie,
    ReadError,
    WriteError,
    WitnessError,
    ClockOffset,
    ClockDrift,
    ClockJump,
    /// A peer that lies.
    Lies,
    /// A peer that asks though nobody lets it in.
    Stranger,
    /// A peer that speaks another version of the protocol.
    OtherVersion,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [FaultKind; 30] = [
        FaultKind::Loss,
        FaultKind::Duplication,
        FaultKind::Reordering,
        FaultKind::Corruption,
        FaultKind::Truncation,
        FaultKind::Unchecked,
        FaultKind::Partition,
        FaultKind::Flapping,
        FaultKind::SlowLink,
        FaultKind::LinkDelay,
        FaultKind::Reset,
        FaultKind::Crash,
        FaultKind::Restore,
        FaultKind::LoseTail,
        FaultKind::TimePasses,
        FaultKind::PowerCut,
        FaultKind::Kill,
        FaultKind::FullDisk,
        FaultKind::Rot,
        FaultKind::SyncError,
        FaultKind::SyncLie,
        FaultKind::ReadError,
        FaultKind::WriteError,
        FaultKind::WitnessError,
        FaultKind::ClockOffset,
        FaultKind::ClockDrift,
        FaultKind::ClockJump,
        FaultKind::Lies,
        FaultKind::Stranger,
        FaultKind::OtherVersion,
    ];

    /// Its name, as in the plan's format where that has one.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::Loss => "loss",
            FaultKind::Duplication => "duplication",
            FaultKind::Reordering => "reordering",
            FaultKind::Corruption => "corruption",
            FaultKind::Truncation => "truncation",
            FaultKind::Unchecked => "unchecked",
            FaultKind::Partition => "partition",
            FaultKind::Flapping => "flap",
            FaultKind::SlowLink => "slow_link",
            FaultKind::LinkDelay => "link_delay",
            FaultKind::Reset => "reset",
            FaultKind::Crash => "crash",
            FaultKind::Restore => "restore",
            FaultKind::LoseTail => "lose_tail",
            FaultKind::TimePasses => "time_passes",
            FaultKind::PowerCut => "power_cut",
            FaultKind::Kill => "kill",
            FaultKind::FullDisk => "fill_disk",
            FaultKind::Rot => "rot",
            FaultKind::SyncError => "sync_error",
            FaultKind::SyncLie => "sync_lie",
            FaultKind::ReadError => "read_error",
            FaultKind::WriteError => "write_error",
            FaultKind::WitnessError => "witness_error",
            FaultKind::ClockOffset => "clock_offset",
            FaultKind::ClockDrift => "clock_drift",
            FaultKind::ClockJump => "clock_jump",
            FaultKind::Lies => "lies",
            FaultKind::Stranger => "stranger",
            FaultKind::OtherVersion => "protocol",
        }
    }
}

/// Where in a plan a fault stands; peers and steps by their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The rates of the network, at the start or by a step that changes the weather.
    Network,
    /// The rates of the disks.
    Disk,
    /// A setting of one peer.
    Peer(usize),
    /// One step.
    Step(usize),
}

/// One fault of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Of which kind.
    pub kind: FaultKind,
    /// Where the plan says so.
    pub source: Source,
}

impl Action {
    /// The kind of fault that the step is, if it is one.
    pub fn fault(&self) -> Option<FaultKind> {
        Some(match self {
            Action::Partition { .. } => FaultKind::Partition,
            Action::Flap { .. } => FaultKind::Flapping,
            Action::SlowLink { bytes_per_s: Some(_), .. } => FaultKind::SlowLink,
            Action::SlowLink { bytes_per_s: None, .. } => FaultKind::LinkDelay,
            Action::Reset { .. } => FaultKind::Reset,
            Action::Crash { .. } => FaultKind::Crash,
            Action::PowerCut { program_only: false, .. } => FaultKind::PowerCut,
            Action::PowerCut { program_only: true, .. } => FaultKind::Kill,
            Action::FillDisk { .. } => FaultKind::FullDisk,
            Action::Rot { .. } => FaultKind::Rot,
            Action::Restore { .. } => FaultKind::Restore,
            Action::LoseTail { .. } => FaultKind::LoseTail,
            Action::TimePasses { .. } => FaultKind::TimePasses,
            Action::ClockJump { .. } => FaultKind::ClockJump,
            Action::Edit { .. }
            | Action::Browse { .. }
            | Action::Sync { .. }
            | Action::Resolve { .. }
            | Action::Mend { .. }
            | Action::Weather { .. }
            | Action::ClearDisk { .. }
            | Action::Restart { .. }
            | Action::Backup { .. }
            | Action::Checkpoint { .. }
            | Action::Compact { .. }
            | Action::Share { .. }
            | Action::Withdraw { .. }
            | Action::Expect { .. } => return None,
        })
    }
}

impl Network {
    fn faults(&self) -> impl Iterator<Item = FaultKind> {
        let damages = self.corruption > 0 || self.truncation > 0;
        let all = [
            (FaultKind::Loss, self.loss > 0),
            (FaultKind::Duplication, self.duplication > 0),
            (FaultKind::Reordering, self.delay_ms.1 - self.delay_ms.0 >= REORDERS_FROM_MS),
            (FaultKind::Corruption, self.corruption > 0),
            (FaultKind::Truncation, self.truncation > 0),
            (FaultKind::Unchecked, damages && self.unchecked > 0),
        ];
        all.into_iter().filter_map(|(kind, is_in)| is_in.then_some(kind))
    }
}

impl Plan {
    /// Every fault of a valid plan. How much a power cut takes belongs to the power cut.
    pub fn faults(&self) -> Vec<Fault> {
        let of_network: BTreeSet<_> = self.weathers().flat_map(Network::faults).collect();
        let network = of_network.into_iter().map(|kind| (kind, Source::Network));

        let disk = self.disk.iter().flat_map(|disk| {
            let all = [
                (FaultKind::SyncError, disk.sync_error),
                (FaultKind::SyncLie, disk.sync_lie),
                (FaultKind::ReadError, disk.read_error),
                (FaultKind::WriteError, disk.write_error),
                (FaultKind::WitnessError, disk.witness_error),
            ];
            all.into_iter().filter_map(|(kind, rate)| (rate > 0).then_some((kind, Source::Disk)))
        });
        let mut versions = self.peers.iter().filter(|peer| !peer.is_hostile()).map(Peer::speaks);
        let first = versions.next();
        let mixed = versions.any(|version| Some(version) != first);
        let peers = self.peers.iter().enumerate().flat_map(move |(place, peer)| {
            let all = [
                (FaultKind::ClockOffset, peer.clock_offset_ms != 0),
                (FaultKind::ClockDrift, peer.clock_drift_ppm != 0),
                (FaultKind::Lies, peer.is_hostile()),
                (FaultKind::Stranger, peer.stranger),
                (FaultKind::OtherVersion, mixed && peer.speaks() != PROTOCOL_VERSION),
            ];
            let wrong = all.into_iter().filter_map(|(kind, is_in)| is_in.then_some(kind));
            wrong.map(move |kind| (kind, Source::Peer(place)))
        });
        let steps = self
            .steps
            .iter()
            .enumerate()
            .filter_map(|(place, step)| Some((step.action.fault()?, Source::Step(place))));
        let all = network.chain(disk).chain(peers).chain(steps);
        all.map(|(kind, source)| Fault { kind, source }).collect()
    }

    /// Of a kind of fault that has rates: the greatest of them, in thousandths.
    pub fn rate(&self, kind: FaultKind) -> Option<u16> {
        let of_network = |network: &Network| {
            Some(match kind {
                FaultKind::Loss => network.loss,
                FaultKind::Duplication => network.duplication,
                FaultKind::Corruption => network.corruption,
                FaultKind::Truncation => network.truncation,
                FaultKind::Unchecked => network.unchecked,
                _ => return None,
            })
        };
        let of_disk = self.disk.and_then(|disk| {
            Some(match kind {
                FaultKind::SyncError => disk.sync_error,
                FaultKind::SyncLie => disk.sync_lie,
                FaultKind::ReadError => disk.read_error,
                FaultKind::WriteError => disk.write_error,
                FaultKind::WitnessError => disk.witness_error,
                _ => return None,
            })
        });
        self.weathers().filter_map(of_network).chain(of_disk).max()
    }

    /// The states of the network, one after the other.
    fn weathers(&self) -> impl Iterator<Item = &Network> {
        let later = self.steps.iter().filter_map(|step| match &step.action {
            Action::Weather { network } => Some(network),
            _ => None,
        });
        [&self.network].into_iter().chain(later)
    }

    /// The kinds of its faults.
    pub fn fault_kinds(&self) -> BTreeSet<FaultKind> {
        self.faults().into_iter().map(|fault| fault.kind).collect()
    }
}
