//! One object per line.

use std::io::{self, Write};

use serde::Serialize;

use crate::failure::Failure;
use crate::item::Item;

pub(super) fn write(item: &Item, out: &mut impl Write) -> io::Result<()> {
    line(item, out)
}

/// A failure as an object with the type `error` and the exit code.
pub(super) fn write_failure(failure: &Failure, out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        r#type: &'static str,
        exit_code: u8,
        #[serde(flatten)]
        failure: &'a Failure,
    }
    line(&Line { r#type: "error", exit_code: failure.kind.exit_code(), failure }, out)
}

/// JSON escapes control characters by itself; those that turn the direction of writing stay, since a
/// script reads them.
fn line<T: Serialize>(value: &T, out: &mut impl Write) -> io::Result<()> {
    let mut text = serde_json::to_string(value)?;
    // U+0080 to U+009F may steer a terminal, too, if somebody looks at the output.
    if text.chars().any(|c| c.is_control()) {
        let escaped = |c: char| match c.is_control() {
            true => format!("\\u{:04x}", u32::from(c)),
            false => c.to_string(),
        };
        text = text.chars().map(escaped).collect();
    }
    text.push('\n');
    out.write_all(text.as_bytes())
}
