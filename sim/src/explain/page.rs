//! Joins the page's parts and its data into one file.
//!
//! Titles and urls are a stranger's text. They stand in the file only as JSON, with every character
//! escaped that could end the script element, and the script puts them on the page as text. A
//! content security policy lets nothing run but the page's own script, and nothing be fetched.

use super::fit::CUTS;
use super::{Explanation, Outcome, Page};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
/// In the order in which they need each other.
const SCRIPTS: &[&str] = &[
    include_str!("page/story.js"),
    include_str!("page/elements.js"),
    include_str!("page/verdict.js"),
    include_str!("page/layout.js"),
    include_str!("page/diagram.js"),
    include_str!("page/details.js"),
    include_str!("page/graphs.js"),
    include_str!("page/list.js"),
    include_str!("page/main.js"),
];

/// The page with as much as fits into so many bytes.
pub(super) fn fitted(explanation: &Explanation, most: usize) -> Page {
    let mut page = Page { html: html(explanation), left_out: Vec::new() };
    let mut smaller = (page.html.len() > most).then(|| explanation.clone());
    for (what, cut) in CUTS {
        let Some(smaller) = smaller.as_mut().filter(|_| page.html.len() > most) else { break };
        cut(smaller);
        smaller.left_out.push(what);
        page = Page { html: html(smaller), left_out: smaller.left_out.clone() };
    }
    page
}

/// The page.
fn html(explanation: &Explanation) -> String {
    let data = serde_json::to_string(explanation).expect("an explanation has string keys");
    // Nobody who wrote a title knew the hash of the run that it is in.
    let nonce = explanation.verdict.trace_hash.get(..32).unwrap_or_default();
    let script = format!("(() => {{\n\"use strict\";\n{}}})();\n", SCRIPTS.concat());
    let values = [
        ("title", escaped(&title(explanation))),
        ("nonce", nonce.to_owned()),
        ("style", STYLE.to_owned()),
        ("data", inert(&data)),
        ("script", script),
    ];
    let mut page = String::with_capacity(data.len() + script_bytes());
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").expect("the template closes what it opens");
        let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        page.push_str(before);
        page.push_str(value.expect("the template names known values"));
        rest = after;
    }
    page + rest
}

fn script_bytes() -> usize {
    PAGE.len() + STYLE.len() + SCRIPTS.iter().map(|part| part.len()).sum::<usize>()
}

/// The page's title.
fn title(explanation: &Explanation) -> String {
    let (about, verdict) = (&explanation.about, &explanation.verdict);
    match verdict.outcome {
        Outcome::Failed => format!("{} failed: {}", about.title, verdict.what),
        outcome => format!("{} {}", about.title, outcome.as_str()),
    }
}

/// JSON that no HTML parser takes for anything but text.
fn inert(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

/// Text as HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_end_its_element() {
        let data = inert(&serde_json::to_string("</script><!--<script>&\u{2028}").unwrap());
        assert!(!data.contains(['<', '>', '&', '\u{2028}']), "{data}");
        let read: String = serde_json::from_str(&data).unwrap();
        assert_eq!(read, "</script><!--<script>&\u{2028}");
    }

    #[test]
    fn the_template_names_each_value_and_the_parts_use_no_address() {
        for name in ["title", "nonce", "style", "data", "script"] {
            assert!(PAGE.contains(&format!("{{{{{name}}}}}")), "{name}");
        }
        let parts = SCRIPTS.iter().chain([&PAGE, &STYLE]);
        for part in parts {
            let text = part.replace("http://www.w3.org/2000/svg", "");
            for banned in ["http:", "https:", "innerHTML", "insertAdjacentHTML", "eval("] {
                assert!(!text.contains(banned), "{banned}");
            }
        }
    }
}
