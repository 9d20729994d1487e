//! The times that the machine goes by.

use std::time::Duration;

/// How eager to be. Zero is as valid as any time; the defaults suit people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long nothing must be edited before a device that is not connected is dialed.
    pub quiescence: Duration,
    /// How long edits may put that off in all.
    pub postponement: Duration,
    /// How long what came from others is gathered before it is passed on to connected devices.
    pub gathering: Duration,
    /// How long that may be put off in all, by more that comes.
    pub gathering_most: Duration,
    /// How long a device that asks is left alone with what came from others.
    pub listening: Duration,
    /// How often to sync with each device though nothing is known to be new; `None` means never.
    pub interval: Option<Duration>,
    /// How long to wait after the first failure.
    pub retry_first: Duration,
    /// How long to wait after many.
    pub retry_most: Duration,
    /// Most devices that are dialed at once; at least one.
    pub dials_at_once: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            quiescence: Duration::from_secs(2),
            postponement: Duration::from_secs(30),
            gathering: Duration::from_millis(20),
            gathering_most: Duration::from_secs(1),
            listening: Duration::from_millis(500),
            interval: Some(Duration::from_secs(5 * 60)),
            retry_first: Duration::from_secs(1),
            retry_most: Duration::from_secs(5 * 60),
            dials_at_once: 4,
        }
    }
}

pub(super) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
