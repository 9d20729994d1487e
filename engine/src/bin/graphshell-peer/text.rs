//! Texts for people: made harmless, wrapped to the terminal, times in words.

use graphshell_sync::SystemClock;
use graphshell_sync::ports::Clock;

/// Narrower than this nothing is laid out.
pub(crate) const MIN_WIDTH: usize = 20;
/// Lines of prose are not longer than this, however wide the terminal.
pub(crate) const PROSE_WIDTH: usize = 100;

/// The text without anything that steers a terminal or hides what it says: control characters and
/// those that turn the direction of writing are shown as their numbers.
pub(crate) fn clean(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_harmless(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_unicode()),
        }
    }
    shown
}

fn is_harmless(c: char) -> bool {
    let directs = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    let invisible = matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    !(c.is_control() || directs || breaks || invisible)
}

/// `text` cut into lines of at most `width` columns, at spaces where there are any. Every line but
/// the first begins with `indent` spaces.
pub(crate) fn wrap(text: &str, width: usize, indent: usize) -> Vec<String> {
    let width = width.max(MIN_WIDTH).max(indent + 8);
    let mut lines = Vec::new();
    let mut line = String::new();
    let lead = text.len() - text.trim_start().len();
    line.push_str(&text[..lead]);
    let mut begun = false;
    for word in text[lead..].split(' ') {
        let mut word = word;
        if begun
            && console::measure_text_width(&line) + 1 + console::measure_text_width(word) > width
        {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            begun = false;
        }
        if begun {
            line.push(' ');
        }
        begun = true;
        // A word that no line holds, a url say, is cut.
        while console::measure_text_width(&line) + console::measure_text_width(word) > width {
            let room = width - console::measure_text_width(&line).min(width - 1);
            let at = cut_at(word, room);
            line.push_str(&word[..at]);
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            word = &word[at..];
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// The byte at which `word` is to be cut so that `room` columns hold what is before; at least one
/// character.
fn cut_at(word: &str, room: usize) -> usize {
    let mut columns = 0;
    for (at, c) in word.char_indices() {
        columns += console::measure_text_width(c.encode_utf8(&mut [0; 4]));
        if columns > room && at > 0 {
            return at;
        }
    }
    word.len()
}

/// `count` with the noun that fits it.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// 12345 as "12,345".
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Unix milliseconds as "2026-11-28 08:01:02 UTC".
pub(crate) fn moment(ms: u64) -> String {
    // The year 9999; a peer may claim any time.
    let ms = ms.min(253_402_300_799_000);
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(ms);
    let text = humantime::format_rfc3339_seconds(at).to_string();
    format!("{} UTC", text.trim_end_matches('Z').replace('T', " "))
}

/// How long ago a moment was, in one unit.
pub(crate) fn ago(ms: u64) -> String {
    ago_at(ms, SystemClock.now_ms())
}

fn ago_at(ms: u64, now_ms: u64) -> String {
    if ms > now_ms + 2_000 {
        return format!("at {}, which is ahead of the clock here", moment(ms));
    }
    let seconds = now_ms.saturating_sub(ms) / 1000;
    match seconds {
        0..=1 => "just now".to_owned(),
        2..=89 => format!("{seconds} s ago"),
        90..=5399 => format!("{} min ago", (seconds + 30) / 60),
        5400..=129_599 => format!("{} h ago", (seconds + 1800) / 3600),
        129_600..=3_887_999 => format!("{} days ago", (seconds + 43_200) / 86_400),
        _ => format!("on {}", &moment(ms)[..10]),
    }
}

/// A time of the day, for lines that follow each other.
pub(crate) fn clock(ms: u64) -> String {
    moment(ms)[11..19].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_left() {
        let text = "a\u{1b}[31mred\u{7}\r\n\u{202e}evil\u{200b}\u{9b}2J";
        let shown = clean(text);
        assert!(shown.chars().all(|c| !c.is_control()), "{shown:?}");
        assert!(shown.contains("\\u{1b}[31mred") && shown.contains("\\u{202e}"), "{shown}");
        assert_eq!(clean("Grüße, 世界 🦀"), "Grüße, 世界 🦀");
    }

    #[test]
    fn no_wrapped_line_is_longer_than_asked() {
        let text = "  one two https://example.com/a/very/long/address/that/fits/nowhere 世界世界世界世界世界世界 end";
        for width in 20..60 {
            let lines = wrap(text, width, 4);
            assert!(
                lines.iter().all(|line| console::measure_text_width(line) <= width),
                "{width}: {lines:#?}"
            );
            let joined: String = lines.concat().split(' ').collect();
            assert_eq!(joined, text.split(' ').collect::<String>());
        }
        assert_eq!(wrap("short", 80, 2), ["short"]);
        assert_eq!(wrap("", 80, 2), [""]);
    }

    #[test]
    fn times_are_told_in_one_unit_and_any_time_is_taken() {
        let now = 1_700_000_000_000;
        for (seconds, said) in [
            (0, "just now"),
            (5, "5 s ago"),
            (120, "2 min ago"),
            (7_200, "2 h ago"),
            (172_800, "2 days ago"),
            (40_000_000, "on 2022-08-08"),
        ] {
            assert_eq!(ago_at(now - seconds * 1000, now), said);
        }
        assert!(ago_at(u64::MAX, now).contains("9999-12-31"));
        assert_eq!(moment(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(clock(3_661_000), "01:01:01");
        assert_eq!([grouped(7), grouped(1_234), grouped(1_234_567)], ["7", "1,234", "1,234,567"]);
    }
}
