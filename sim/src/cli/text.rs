//! Text for people: virtual time, wrapped columns, the story of a run.

use console::measure_text_width;
use graphshell_sim::trace::Line;

/// Narrowest column that text is wrapped into; a terminal narrower than that wraps for itself.
const NARROWEST: usize = 16;

/// Virtual milliseconds as seconds: `12.345 s`.
pub(crate) fn seconds(virtual_ms: u64) -> String {
    format!("{}.{:03} s", virtual_ms / 1_000, virtual_ms % 1_000)
}

/// The lines of a story: virtual time, peer, and what happened, wrapped to `columns`.
pub(crate) fn story(lines: &[Line], columns: usize) -> impl Iterator<Item = String> + '_ {
    let width = |texts: &mut dyn Iterator<Item = String>| {
        texts.map(|text| measure_text_width(&text)).max().unwrap_or(0)
    };
    let time = width(&mut lines.iter().map(|line| seconds(line.virtual_ms)));
    let peer = width(&mut lines.iter().map(|line| printable(&line.peer)));
    lines.iter().map(move |line| {
        let name = printable(&line.peer);
        let pad = " ".repeat(peer - measure_text_width(&name));
        hanging(&format!("{:>time$}  {name}{pad}  ", seconds(line.virtual_ms)), &line.text, columns)
    })
}

/// `text` after `head`, wrapped to `columns`, further lines indented by the width of `head`.
pub(crate) fn hanging(head: &str, text: &str, columns: usize) -> String {
    let indent = measure_text_width(head);
    let room = columns.saturating_sub(indent).max(NARROWEST);
    let mut block = head.to_owned();
    for (n, line) in text.lines().flat_map(|line| wrapped(&printable(line), room)).enumerate() {
        if n > 0 {
            block += &format!("\n{:indent$}", "");
        }
        block += &line;
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
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(virtual_ms: u64, peer: &str, text: &str) -> Line {
        Line { virtual_ms, peer: peer.into(), text: text.into() }
    }

    #[test]
    fn a_story_lines_up_and_wraps_between_words() {
        let lines =
            [line(5, "α", "adds node home"), line(12_345, "beta", "pulls 14 entries from α")];
        let told: Vec<String> = story(&lines, 36).collect();
        let expected = [
            " 0.005 s  α     adds node home",
            "12.345 s  beta  pulls 14 entries\n                from α",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn text_for_programs_stays_on_one_line() {
        let text = "word ".repeat(100);
        let lines = [line(0, "a", &text)];
        let told: Vec<String> = story(&lines, usize::MAX).collect();
        assert_eq!(told, [format!("0.000 s  a  {}", text.trim_end())]);
    }

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
    fn a_title_cannot_drive_the_terminal() {
        assert_eq!(hanging("", "\u{1b}[2Jred", 80), "\u{fffd}[2Jred");
    }
}
