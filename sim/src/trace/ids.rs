//! Readable names for the ids in a text.

use graphshell_sync::DeviceId;
use uuid::Uuid;

/// Length of a UUID's usual form, in bytes.
const UUID_BYTES: usize = 36;
/// Length of a device's id, in hexadecimal digits.
const DEVICE_DIGITS: usize = 64;

/// `text` with every UUID replaced by its name, if it has one.
pub(crate) fn name_uuids(text: &str, name: impl Fn(Uuid) -> Option<String>) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dash) = rest.find('-') {
        // The first dash of a UUID stands after eight digits.
        let start = dash.checked_sub(8).filter(|&start| rest.is_char_boundary(start));
        let found = start.and_then(|start| {
            let id = Uuid::try_parse(rest.get(start..start + UUID_BYTES)?).ok()?;
            Some((start, name(id)?))
        });
        match found {
            Some((start, name)) => {
                told.push_str(&rest[..start]);
                told.push_str(&name);
                rest = &rest[start + UUID_BYTES..];
            }
            None => {
                told.push_str(&rest[..=dash]);
                rest = &rest[dash + 1..];
            }
        }
    }
    told + rest
}

/// `text` with every device's id replaced by its name, if it has one; the word for it before goes with it.
pub(crate) fn name_devices(text: &str, name: impl Fn(DeviceId) -> Option<String>) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let digits = rest[start..].bytes().take_while(u8::is_ascii_hexdigit).count();
        let word = &rest[start..start + digits];
        let name = (digits == DEVICE_DIGITS).then(|| device(word)).flatten().and_then(&name);
        told.push_str(&rest[..start]);
        match name {
            Some(name) => {
                told.truncate(told.strip_suffix("device ").unwrap_or(&told).len());
                told.push_str(&name);
            }
            None => told.push_str(word),
        }
        rest = &rest[start + digits..];
    }
    told + rest
}

fn device(digits: &str) -> Option<DeviceId> {
    let bytes = data_encoding::HEXLOWER.decode(digits.as_bytes()).ok()?;
    bytes.try_into().ok().map(DeviceId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_ids_read_as_names_and_everything_else_stays() {
        let id = Uuid::from_u128(0xbda5_0e85_9bb2_8aea_805c_d004_415c_5e5a);
        let name = |other| (other == id).then(|| "home".to_owned());
        let told = name_uuids(&format!("é-node {id}: {id}#3, {}", Uuid::nil()), name);
        assert_eq!(told, format!("é-node home: home#3, {}", Uuid::nil()));
        assert_eq!(name_uuids("-a--", name), "-a--");
    }

    #[test]
    fn known_devices_read_as_names_and_everything_else_stays() {
        let (ada, other) = (DeviceId([0xad; 32]), DeviceId([7; 32]));
        let name = |device| (device == ada).then(|| "ada".to_owned());
        let told = name_devices(&format!("é: a round with device {ada}, {other}, {ada}0 a"), name);
        assert_eq!(told, format!("é: a round with ada, {other}, {ada}0 a"));
    }
}
