//! Text for people: virtual time, and words in columns as wide as the terminal.

use std::fmt::Display;

use console::{Style, measure_text_width};

/// Narrowest column that text is wrapped into; a terminal narrower than that wraps for itself.
const NARROWEST: usize = 8;

/// Virtual milliseconds as seconds: `12.345 s`.
pub fn seconds(virtual_ms: u64) -> String {
    format!("{} s", bare_seconds(virtual_ms))
}

/// The same without the unit.
pub(crate) fn bare_seconds(virtual_ms: u64) -> String {
    format!("{}.{:03}", virtual_ms / 1_000, virtual_ms % 1_000)
}

/// So many of something: `1 seed`, `2 seeds`, `2 entries`.
pub fn counted(count: impl Display + Copy + PartialEq + From<u8>, what: &str) -> String {
    format!("{count} {}", plural(count, what))
}

/// The word for so many of something, where the number is written apart.
pub fn plural(count: impl PartialEq + From<u8>, what: &str) -> String {
    if count == 1.into() {
        return what.to_owned();
    }
    what.strip_suffix('y').map_or_else(|| format!("{what}s"), |stem| format!("{stem}ies"))
}

/// `text` after `head`, wrapped to `columns`, further lines indented by the width of `head`.
pub fn hanging(head: &str, text: &str, columns: usize) -> String {
    hanging_in(&Style::new(), head, text, columns)
}

/// The same with the text in a style; the head has what style it has.
pub(crate) fn hanging_in(style: &Style, head: &str, text: &str, columns: usize) -> String {
    let indent = measure_text_width(head);
    let room = columns.saturating_sub(indent).max(NARROWEST);
    let mut block = head.to_owned();
    for (n, line) in text.lines().flat_map(|line| wrapped(&printable(line), room)).enumerate() {
        if n > 0 {
            block += &format!("\n{:indent$}", "");
        }
        block += &style.apply_to(line).to_string();
    }
    block.truncate(block.trim_end().len());
    block
}

/// Breaks a line between words, and a word that is too long within.
fn wrapped(line: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in line.split_inclusive(' ') {
        let width = measure_text_width(word.trim_end());
        if used > 0 && used + width > room {
            lines.push(String::new());
            used = 0;
        }
        for c in word.chars() {
            let width = measure_text_width(c.encode_utf8(&mut [0; 4]));
            if used + width > room && c != ' ' {
                lines.push(String::new());
                used = 0;
            }
            lines.last_mut().expect("begins with one line").push(c);
            used += width;
        }
    }
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    lines
}

/// `text` with control characters replaced: a title in a plan must not drive the terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let url = "https://doc.rust-lang.org/std/vec/struct.Vec.html ".repeat(3);
        for columns in [40, 80] {
            for text in [&*url, "宽字符宽字符宽字符宽字符宽字符宽字符宽字符宽字符宽字符"]
            {
                let told = hanging("0.000 s  alpha  ", text, columns);
                assert!(told.lines().all(|line| measure_text_width(line) <= columns), "{told}");
                let said = |text: &str| text.replace([' ', '\n'], "");
                assert!(said(&told).ends_with(&said(text)), "{told}");
            }
        }
    }

    #[test]
    fn every_line_of_a_block_has_its_style() {
        let red = Style::new().red().force_styling(true);
        let told = hanging_in(&red, "head  ", "some words", 12);
        assert_eq!(told, "head  \u{1b}[31msome\u{1b}[0m\n      \u{1b}[31mwords\u{1b}[0m");
    }

    #[test]
    fn one_is_not_many() {
        let told = [0_u64, 1, 2].map(|count| counted(count, "entry"));
        assert_eq!(told, ["0 entries", "1 entry", "2 entries"]);
        assert_eq!(counted(2_usize, "seed"), "2 seeds");
    }

    #[test]
    fn a_title_cannot_drive_the_terminal() {
        assert_eq!(hanging("", "\u{1b}[2Jred", 80), "\u{fffd}[2Jred");
    }
}
