//! The story of a run as text, and what the library has for text.

use console::measure_text_width;
use graphshell_sim::text::printable;
pub(crate) use graphshell_sim::text::{counted, hanging, plural, seconds};
use graphshell_sim::trace::Line;

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
}
