//! The time of a recording's story: what has passed by a clock that may be set.

/// What is told as a leap, in milliseconds: nobody wants to read a story's time in weeks.
const LEAP_MS: u64 = 3_600_000;

/// Set back, or far on, time goes on from there as if nothing had passed.
#[derive(Default)]
pub(super) struct Elapsed {
    /// The clock at the last step, in Unix milliseconds.
    pub(super) clock_ms: Option<u64>,
    /// What has passed since the first.
    pub(super) ms: u64,
}

impl Elapsed {
    /// The clock shows this at the next step; says in words how far it leapt, if it did.
    pub(super) fn go_to(&mut self, clock_ms: u64) -> Option<String> {
        let before = self.clock_ms.replace(clock_ms).unwrap_or(clock_ms);
        let (on, back) = (clock_ms.saturating_sub(before), before.saturating_sub(clock_ms));
        if back > 0 {
            return Some(format!("the device's clock is set back by {}", span(back)));
        }
        if on >= LEAP_MS {
            return Some(format!("nothing for {}, by the device's clock", span(on)));
        }
        self.ms = self.ms.saturating_add(on);
        None
    }
}

/// A time in the unit that suits it, cut off behind the first decimal.
fn span(ms: u64) -> String {
    let units = [(86_400_000, "days"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    match units.into_iter().find(|(unit, _)| ms >= 2 * unit) {
        Some((unit, name)) => format!("{}.{} {name}", ms / unit, ms % unit * 10 / unit),
        None => format!("{ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_whatever_the_clock_is_set_to() {
        let mut elapsed = Elapsed::default();
        let mut at = |clock_ms| (elapsed.go_to(clock_ms), elapsed.ms);
        assert_eq!(at(1_000_000), (None, 0));
        assert_eq!(at(1_000_400), (None, 400));
        let back = "the device's clock is set back by 15.0 min".to_owned();
        assert_eq!(at(100_000), (Some(back), 400));
        assert_eq!(at(100_100), (None, 500));
        let weeks = "nothing for 50.0 days, by the device's clock".to_owned();
        assert_eq!(at(100_100 + 50 * 86_400_000), (Some(weeks), 500));
    }
}
