//! What becomes of a frame on its way.
//!
//! The post office asks here what the weather makes of it.

use super::choice::{Choices, Topic};
use crate::plan::Network;

/// The delays, in virtual milliseconds, after which copies of a frame arrive: none if it is lost,
/// two if it is doubled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) first: Option<u64>,
    pub(crate) second: Option<u64>,
}

/// The fate of the `nth` frame from one peer to another, named by their keys.
pub(crate) fn fate(choices: Choices, weather: Network, link: (u64, u64), nth: u64) -> Fate {
    let choice = choices.about(Topic::Frame, [link.0, link.1, nth]);
    if choice.chance(0, weather.loss) {
        return Fate { first: None, second: None };
    }
    let delay = |question| choice.within(question, weather.delay_ms);
    let doubled = choice.chance(1, weather.duplication);
    Fate { first: Some(delay(2)), second: doubled.then(|| delay(3)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUGH: Network = Network { delay_ms: (10, 90), loss: 300, duplication: 200 };

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
    fn calm_weather_loses_and_doubles_nothing() {
        for nth in 0..1000 {
            let fate = fate(Choices::new(3), Network::default(), (1, 2), nth);
            assert!(fate.first.is_some() && fate.second.is_none());
        }
    }
}
