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
    let width = style::prose_width();
    let mut say = |line: &str| -> io::Result<()> {
        match width {
            Some(width) => {
                text::wrap(line, width, 0).iter().try_for_each(|line| writeln!(out, "{line}"))
            }
            None => writeln!(out, "{line}"),
        }
    };
    say("On the other device, run:")?;
    writeln!(out)?;
    // In one piece, so that it can be copied; a terminal breaks it where it must.
    writeln!(out, "  {}", style::strong(&format!("graphshell-peer pair {ticket}")))?;
    writeln!(out)?;
    match picture(ticket).filter(|_| !options.no_qr && width.is_some()) {
        Some(picture) if picture.lines().next().map_or(0, |l| l.chars().count()) <= style::width(true).unwrap_or(0) => {
            writeln!(out, "{picture}\n")?;
        }
        Some(_) => say(&style::faint("(This terminal is too narrow for the QR code.)"))?,
        None => {}
    }
    let mut say = |line: &str| -> io::Result<()> {
        match width {
            Some(width) => {
                text::wrap(line, width, 0).iter().try_for_each(|line| writeln!(out, "{line}"))
            }
            None => writeln!(out, "{line}"),
        }
    };
    say(&format!(
        "The ticket is good once, until {}. Show it to nobody else. Waiting; Ctrl-C ends it.",
        text::moment(*expires_ms)
    ))
}

fn picture(ticket: &str) -> Option<String> {
    // Capitals and digits take less room in a QR code, and mean the same in a ticket.
    let code = QrCode::with_error_correction_level(ticket.to_uppercase(), EcLevel::L).ok()?;
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}
