//! What a device calls itself, shown to people on other devices.

use crate::codec::{DecodeError, Reader, put_varint};
use crate::limits::MAX_DEVICE_NAME_BYTES;

/// A device's name: one line of 1 to [`MAX_DEVICE_NAME_BYTES`] bytes of UTF-8, without characters
/// that steer a terminal or turn the direction of writing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceName(String);

impl DeviceName {
    /// The name, if it may be one. Blanks around it are dropped.
    ///
    /// # Errors
    /// If it is empty, too long, or has characters that a name may not have.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        match text.len() {
            0 => Err(NameError::Empty),
            length if length > MAX_DEVICE_NAME_BYTES => Err(NameError::TooLong(length)),
            _ => match text.chars().find(|&c| !may_be_shown(c)) {
                Some(character) => Err(NameError::Character(character)),
                None => Ok(DeviceName(text.to_owned())),
            },
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u64);
        out.extend_from_slice(self.0.as_bytes());
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let length = reader.bounded(MAX_DEVICE_NAME_BYTES, "the length of a name, at most 64")?;
        let start = reader.clone();
        let name = std::str::from_utf8(reader.bytes(length, "a name of the given length")?);
        // What is trimmed has another encoding.
        let name = name.ok().and_then(|text| Some((text, DeviceName::new(text).ok()?)));
        let name = name.filter(|(text, name)| *text == name.as_str()).map(|(_, name)| name);
        name.ok_or_else(|| start.error("a device's name: one line, nothing that steers a terminal"))
    }
}

/// Whether a character of a stranger's may be shown as it is.
pub(super) fn may_be_shown(c: char) -> bool {
    let turns_direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c);
    let ends_line = matches!(c, '\u{2028}' | '\u{2029}');
    !c.is_control() && !turns_direction && !ends_line
}

impl std::fmt::Display for DeviceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl std::str::FromStr for DeviceName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        DeviceName::new(text)
    }
}

/// A text is no name of a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is nothing in it.
    #[error("a device's name must not be empty")]
    Empty,
    /// It is too long.
    #[error("the device's name has {0} bytes; at most {MAX_DEVICE_NAME_BYTES} are allowed")]
    TooLong(usize),
    /// It has a character that others should not be shown.
    #[error("a device's name must be one line of plain text; {0:?} may not be in it")]
    Character(char),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_steer_a_terminal_are_refused() {
        for name in ["\u{1b}[2J", "a\nb", "a\u{202e}gpj.exe", "a\u{2028}b", "\u{7f}x"] {
            assert!(matches!(DeviceName::new(name), Err(NameError::Character(_))), "{name:?}");
        }
        for name in ["Läptop", "电脑", "Ada's phone 📱", "  blanks around  "] {
            assert_eq!(DeviceName::new(name).unwrap().as_str(), name.trim());
        }
        assert_eq!(DeviceName::new(" \t"), Err(NameError::Empty));
        assert_eq!(DeviceName::new(&"ä".repeat(33)), Err(NameError::TooLong(66)));
    }
}
