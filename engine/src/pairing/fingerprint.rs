//! What two people compare to know that nobody sits between their devices.

use std::fmt;

/// Twelve decimal digits that both sides of one pairing show, and that differ if somebody sits
/// between them: shown as `1234 5678 9012`.
///
/// Who sits in between has one guess per attempt, and hits with a chance of one in 10^12.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint that stands for these bytes.
    pub(super) fn of(hash: &[u8; 32]) -> Self {
        // Of 128 bits the rest of the division is as good as evenly spread.
        let mut half = [0; 16];
        half.copy_from_slice(&hash[..16]);
        Fingerprint((u128::from_le_bytes(half) % 1_000_000_000_000) as u64)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = |place: u64| self.0 / place % 10_000;
        write!(f, "{:04} {:04} {:04}", group(100_000_000), group(10_000), group(1))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_has_three_groups_of_four_digits() {
        assert_eq!(Fingerprint(0).to_string(), "0000 0000 0000");
        assert_eq!(Fingerprint(999_999_999_999).to_string(), "9999 9999 9999");
        assert_eq!(Fingerprint(12_345_678_901).to_string(), "0123 4567 8901");
        assert_eq!(Fingerprint::of(&[0xff; 32]).to_string(), "4317 6821 1455");
    }
}
