//! Named profiles: which kinds of faults seeds may have, and how many of a hundred have each.
//!
//! Each kind is in or out per seed (swarm testing, Groce et al., 2012): a run with all faults at once
//! hides what one of them alone would show. What users do, and when logs are cut, is the same in all
//! profiles.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::dice::Dice;
use crate::plan::FaultKind;

/// A mixture of faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// No faults.
    Calm,
    /// Bad networks: frames are lost, doubled, damaged, delayed; links are slow and break.
    Lossy,
    /// Links that are cut, flap and break, and peers that die and come back.
    Partitions,
    /// The real store on disks that lose power, lie, rot and fill up.
    Disks,
    /// Clocks that are off, drift and jump; weeks in which nobody is online.
    Clocks,
    /// Peers that do not keep to the protocol, over a network that loses frames.
    Hostile,
    /// Any of all faults.
    #[default]
    Everything,
}

/// Of a hundred seeds, how many have each kind of fault.
#[rustfmt::skip]
const ODDS: [(FaultKind, [u64; 7]); 18] = [
    //                          calm lossy part. disks clocks hostile everything
    (FaultKind::Loss,          [   0,   90,   30,   10,   10,   20,   50]),
    (FaultKind::Duplication,   [   0,   80,   20,   10,   10,   20,   50]),
    (FaultKind::Reordering,    [   0,   80,   20,   10,   10,   20,   50]),
    (FaultKind::Corruption,    [   0,   60,   10,    0,    0,   20,   25]),
    (FaultKind::Truncation,    [   0,   50,   10,    0,    0,   20,   20]),
    (FaultKind::Unchecked,     [   0,   50,   10,    0,    0,   20,   25]),
    (FaultKind::SlowLink,      [   0,   60,   20,    0,    0,    0,   25]),
    (FaultKind::LinkDelay,     [   0,   60,   20,    0,    0,    0,   25]),
    (FaultKind::Reset,         [   0,   60,   40,    0,    0,    0,   25]),
    (FaultKind::Partition,     [   0,   10,  100,   10,   10,   20,   60]),
    (FaultKind::Flapping,      [   0,   10,   60,    0,    0,    0,   20]),
    (FaultKind::Crash,         [   0,   20,   30,   60,   20,   20,   60]),
    (FaultKind::Restore,       [   0,    0,   20,   40,   10,   10,   45]),
    (FaultKind::TimePasses,    [   0,    0,   20,    0,   70,    0,   20]),
    (FaultKind::LoseTail,      [   0,    0,    0,   30,    0,    0,   15]),
    (FaultKind::ClockOffset,   [   0,    0,   20,   10,   90,   10,   50]),
    (FaultKind::ClockDrift,    [   0,    0,   10,    0,   80,    0,   20]),
    (FaultKind::ClockJump,     [   0,    0,   10,    0,   90,    0,   40]),
];
/// Of a hundred seeds, how many have somebody of each kind. Who that is is rolled apart.
#[rustfmt::skip]
const COMPANY: [(FaultKind, [u64; 7]); 3] = [
    //                          calm lossy part. disks clocks hostile everything
    (FaultKind::Lies,          [   0,    0,    0,    0,    0,  100,   14]),
    (FaultKind::Stranger,      [   0,    0,    0,    0,    0,   30,    8]),
    (FaultKind::OtherVersion,  [   0,    0,    0,    0,    0,   30,    8]),
];
/// Of a hundred seeds, how many have peers that do not heal.
const BROKEN: [u64; 7] = [0, 20, 20, 20, 20, 20, 20];
/// Of a hundred seeds, how many have disks under real stores. What these do is rolled apart.
const DISKS: [u64; 7] = [0, 0, 0, 100, 0, 0, 34];

impl Profile {
    /// All of them, in the order in which they are explained.
    pub const ALL: [Profile; 7] = [
        Profile::Calm,
        Profile::Lossy,
        Profile::Partitions,
        Profile::Disks,
        Profile::Clocks,
        Profile::Hostile,
        Profile::Everything,
    ];

    /// The name by which a person asks for it.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Calm => "calm",
            Profile::Lossy => "lossy",
            Profile::Partitions => "partitions",
            Profile::Disks => "disks",
            Profile::Clocks => "clocks",
            Profile::Hostile => "hostile",
            Profile::Everything => "everything",
        }
    }

    /// The kinds that are in.
    pub(super) fn roll(self, dice: &mut Dice) -> BTreeSet<FaultKind> {
        let mut kinds: BTreeSet<FaultKind> = ODDS
            .iter()
            .filter_map(|(kind, odds)| dice.chance(odds[self as usize]).then_some(*kind))
            .collect();
        if kinds.contains(&FaultKind::Unchecked) {
            // Flipped bits alone often yield what reads as another frame, and is not handed on.
            kinds.insert(FaultKind::Truncation);
        }
        kinds
    }

    /// Of a hundred seeds, how many have somebody of this kind.
    pub(super) fn with_somebody(self, kind: FaultKind) -> u64 {
        let (_, odds) = COMPANY.iter().find(|(one, _)| *one == kind).expect("a kind of company");
        odds[self as usize]
    }

    /// Of a hundred seeds, how many have peers that do not heal.
    pub(super) fn with_broken(self) -> u64 {
        BROKEN[self as usize]
    }

    /// Of a hundred seeds, how many have disks.
    pub(super) fn with_disks(self) -> u64 {
        DISKS[self as usize]
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text names no profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of calm, lossy, partitions, disks, clocks, hostile, everything")]
pub struct ProfileError;

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        Profile::ALL.into_iter().find(|profile| profile.name() == text).ok_or(ProfileError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_reads_what_it_writes_and_the_error_names_them_all() {
        let said = "nothing".parse::<Profile>().unwrap_err().to_string();
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(profile));
            assert!(said.contains(profile.name()), "{said}");
        }
    }

    #[test]
    fn everything_has_every_kind_and_calm_none() {
        for (kind, odds) in ODDS.into_iter().chain(COMPANY) {
            assert_eq!(odds[Profile::Calm as usize], 0, "{kind:?}");
            assert!(odds[Profile::Everything as usize] > 0, "{kind:?}");
        }
    }
}
