//! What becomes of a frame on its way.
//!
//! Everything here is a function of the plan's weather and of choices about the frame: by which
//! link it goes, its number there, its bytes.

use super::choice::{Choices, Topic};
use crate::plan::{FaultKind, Network};

/// Bits that flip in one corrupted frame, at most.
const MOST_FLIPS: u64 = 4;

/// A link: sender and receiver, by their keys.
pub(crate) type Link = (u64, u64);

/// The delays, in virtual milliseconds, after which copies of a frame arrive: none if it is lost,
/// two if it is doubled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) first: Option<u64>,
    pub(crate) second: Option<u64>,
}

/// The fate of the `nth` frame on a link.
pub(crate) fn fate(choices: Choices, weather: Network, link: Link, nth: u64) -> Fate {
    let choice = choices.about(Topic::Frame, [link.0, link.1, nth]);
    if choice.chance(0, weather.loss) {
        return Fate { first: None, second: None };
    }
    let delay = |question| choice.within(question, weather.delay_ms);
    let doubled = choice.chance(1, weather.duplication);
    Fate { first: Some(delay(2)), second: doubled.then(|| delay(3)) }
}

/// What a frame was on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Corruption or truncation.
    pub(crate) kind: FaultKind,
    /// Whether the transport hands it on all the same.
    pub(crate) unchecked: bool,
    /// What it is now; never what it was.
    pub(crate) body: Vec<u8>,
}

/// The damage that the `nth` frame on a link takes, if it takes any.
pub(crate) fn damage(
    choices: Choices,
    weather: Network,
    link: Link,
    nth: u64,
    body: &[u8],
) -> Option<Damage> {
    if weather.corruption == 0 && weather.truncation == 0 || body.is_empty() {
        return None;
    }
    let choice = choices.about(Topic::Damage, [link.0, link.1, nth]);
    let (kind, body) = if choice.chance(0, weather.corruption) {
        let mut body = body.to_vec();
        let bits = choices.about(Topic::Flip, [link.0, link.1, nth]);
        // The same bit must not flip back, so each flips in a part of its own.
        let flips = choice.within(3, (1, MOST_FLIPS)).min(body.len() as u64);
        let part = body.len() as u64 * 8 / flips;
        for flip in 0..flips {
            let bit = flip * part + bits.below(flip as usize, part);
            body[bit as usize / 8] ^= 1 << (bit % 8);
        }
        (FaultKind::Corruption, body)
    } else if choice.chance(1, weather.truncation) {
        let length = choice.below(3, body.len() as u64) as usize;
        (FaultKind::Truncation, body[..length].to_vec())
    } else {
        return None;
    };
    Some(Damage { kind, unchecked: choice.chance(2, weather.unchecked), body })
}

/// How long a frame takes over a link of this bandwidth, in virtual milliseconds.
pub(crate) fn transmission_ms(bytes: usize, bytes_per_s: u64) -> u64 {
    (bytes as u64).saturating_mul(1000).div_ceil(bytes_per_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUGH: Network = Network {
        delay_ms: (10, 90),
        loss: 300,
        duplication: 200,
        corruption: 200,
        truncation: 200,
        unchecked: 500,
    };

    #[test]
    fn rates_are_met_and_delays_keep_their_range() {
        let fates: Vec<_> =
            (0..10_000).map(|nth| fate(Choices::new(1), ROUGH, (1, 2), nth)).collect();
        let lost = fates.iter().filter(|fate| fate.first.is_none()).count();
        let doubled = fates.iter().filter(|fate| fate.second.is_some()).count();
        assert!((2800..3200).contains(&lost), "{lost} lost");
        assert!((1250..1550).contains(&doubled), "{doubled} doubled of those not lost");
        let delays = fates.iter().flat_map(|fate| [fate.first, fate.second]).flatten();
        assert!(delays.clone().all(|delay| (10..=90).contains(&delay)));
        assert!(delays.min() == Some(10));
    }

    #[test]
    fn fate_does_not_depend_on_other_frames() {
        let choices = Choices::new(1);
        let alone = fate(choices, ROUGH, (1, 2), 7);
        let _ = fate(choices, ROUGH, (1, 2), 6);
        assert_eq!(fate(choices, ROUGH, (1, 2), 7), alone);
        assert_ne!(fate(choices, ROUGH, (2, 1), 7), alone, "the way back has its own fates");
    }

    #[test]
    fn calm_weather_loses_doubles_and_damages_nothing() {
        for nth in 0..1000 {
            let (choices, calm) = (Choices::new(3), Network::default());
            let fate = fate(choices, calm, (1, 2), nth);
            assert!(fate.first.is_some() && fate.second.is_none());
            assert_eq!(damage(choices, calm, (1, 2), nth, b"frame"), None);
        }
    }

    #[test]
    fn damage_meets_its_rates_and_always_changes_the_frame() {
        let mut seen = [0; 3];
        for nth in 0..10_000 {
            let body = vec![7; 1 + nth as usize % 40];
            let Some(damage) = damage(Choices::new(5), ROUGH, (1, 2), nth, &body) else { continue };
            assert_ne!(damage.body, body);
            let cut = damage.kind == FaultKind::Truncation;
            assert_eq!(cut, damage.body.len() < body.len());
            seen[usize::from(cut)] += 1;
            seen[2] += usize::from(damage.unchecked);
        }
        assert!((1800..2200).contains(&seen[0]), "{seen:?}");
        assert!((1400..1800).contains(&seen[1]), "those that are not corrupted already: {seen:?}");
        assert!((1600..2000).contains(&seen[2]), "{seen:?}");
    }

    #[test]
    fn a_frame_takes_its_bytes_over_the_bandwidth() {
        assert_eq!(transmission_ms(500, 1000), 500);
        assert_eq!(transmission_ms(1, 1000), 1);
        assert_eq!(transmission_ms(1, 1_000_000), 1, "no frame takes no time");
    }
}
