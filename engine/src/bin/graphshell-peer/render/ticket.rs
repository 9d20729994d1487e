//! A ticket as text and as a picture.

use std::io::{self, Write};

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use super::{Options, style};
use crate::item::Item;
use crate::text;

/// Writes an [`Item::Ticket`]. The picture is left out where it does not fit or nobody looks.
pub(super) fn write(item: &Item, options: &Options, out: &mut impl Write) -> io::Result<()> {
    let Item::Ticket { ticket, expires_ms, .. } = item else { return Ok(()) };
    say(out, "On the other device, run:")?;
    writeln!(out)?;
    // In one piece, so that it can be copied; a terminal breaks it where it must.
    writeln!(out, "  {}", style::strong(&format!("graphshell-peer pair {ticket}")))?;
    writeln!(out)?;
    let columns = style::width(true).filter(|_| !options.no_qr);
    if let (Some(columns), Some(picture)) = (columns, picture(ticket)) {
        match picture.lines().next().map_or(0, |line| line.chars().count()) <= columns {
            true => writeln!(out, "{picture}\n")?,
            false => say(out, &style::faint("(This terminal is too narrow for the QR code.)"))?,
        }
    }
    say(
        out,
        &format!(
            "The ticket is good once, until {}. Show it to nobody else. Waiting; Ctrl-C ends it.",
            text::moment(*expires_ms)
        ),
    )
}

fn say(out: &mut impl Write, line: &str) -> io::Result<()> {
    match style::prose_width() {
        Some(width) => {
            text::wrap(line, width, 0).iter().try_for_each(|line| writeln!(out, "{line}"))
        }
        None => writeln!(out, "{line}"),
    }
}

fn picture(ticket: &str) -> Option<String> {
    // Capitals and digits take less room in a QR code, and mean the same in a ticket.
    let code = QrCode::with_error_correction_level(ticket.to_uppercase(), EcLevel::L).ok()?;
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}
