//! What arguments are read into: seeds, shards, spans of time.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One part of a sweep, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(crate) nth: u64,
    pub(crate) of: u64,
}

impl Default for Shard {
    fn default() -> Self {
        Shard { nth: 1, of: 1 }
    }
}

impl FromStr for Shard {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.split_once('/').map(|(nth, of)| (nth.parse(), of.parse()));
        match numbers {
            Some((Ok(nth), Ok(of))) if (1..=of).contains(&nth) => Ok(Shard { nth, of }),
            _ => Err("expected a shard and how many there are, such as 1/8, 2/8 … 8/8"),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.nth, self.of)
    }
}

/// A span of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(Duration);

impl Deref for Span {
    type Target = Duration;

    fn deref(&self) -> &Duration {
        &self.0
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected a span of time, such as 90s, 10m or 1h 30m";
        match humantime::parse_duration(text) {
            Ok(span) if !span.is_zero() => Ok(Span(span)),
            Ok(_) => Err(format!("found none; {expected}")),
            Err(error) => Err(format!("{error}; {expected}")),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", humantime::format_duration(self.0).to_string().replace(' ', ""))
    }
}

/// A seed: any 64 bits. Read as decimal or `0x` hexadecimal, always written as hexadecimal, in JSON
/// as a string because a JSON number holds only 53 of the bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Seed(pub(crate) u64);

impl FromStr for Seed {
    type Err = SeedError;

    fn from_str(text: &str) -> Result<Self, SeedError> {
        let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) => (digits, 16),
            None => (text, 10),
        };
        // `from_str_radix` would take a sign.
        if !digits.starts_with(|first: char| first.is_digit(radix)) {
            return Err(SeedError);
        }
        u64::from_str_radix(digits, radix).map(Seed).map_err(|_| SeedError)
    }
}

impl From<Seed> for String {
    fn from(seed: Seed) -> Self {
        seed.to_string()
    }
}

impl TryFrom<String> for Seed {
    type Error = SeedError;

    fn try_from(text: String) -> Result<Self, SeedError> {
        text.parse()
    }
}

/// A text is no seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a decimal number, or 0x and hexadecimal digits, below 2^64")]
pub(crate) struct SeedError;

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_reads_what_it_writes() {
        for seed in [0, 7, 42, u64::MAX] {
            assert_eq!(Seed(seed).to_string().parse(), Ok(Seed(seed)));
            assert_eq!(seed.to_string().parse(), Ok(Seed(seed)));
        }
        assert_eq!("0X2A".parse(), Ok(Seed(42)));
    }

    #[test]
    fn what_is_no_seed_is_refused() {
        for text in ["", "0x", "-1", "+1", "0x+1", "2a", "18446744073709551616", " 1"] {
            assert_eq!(text.parse::<Seed>(), Err(SeedError), "{text:?}");
        }
    }

    #[test]
    fn a_shard_and_a_span_read_what_they_write() {
        assert_eq!("2/8".parse::<Shard>().map(|shard| shard.to_string()), Ok("2/8".to_owned()));
        for text in ["0/8", "9/8", "1", "1/0", "/", "-1/2", "a/b"] {
            assert!(text.parse::<Shard>().is_err(), "{text:?}");
        }
        assert_eq!("1h 30m".parse::<Span>().map(|span| span.to_string()), Ok("1h30m".to_owned()));
        for text in ["0s", "10", "soon", "-1s", ""] {
            assert!(text.parse::<Span>().is_err(), "{text:?}");
        }
    }
}
