//! Bookmarks files as browsers export them (`NETSCAPE-Bookmark-file-1`): in and out.
//!
//! The format is HTML that was never valid: items are not closed, a folder's list follows its heading
//! inside or outside of its item. So the file is read in the order in which it stands: a heading names
//! the next list, a list is a folder, an anchor is a bookmark of the innermost list.

use std::path::Path;

use scraper::{ElementRef, Html};

use crate::failure::{Failure, Result};
use crate::files;

/// Longest file that is read, in bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Most bookmarks and folders of one file.
const MAX_ENTRIES: usize = 200_000;
/// Most folders in each other.
const MAX_DEPTH: usize = 64;
/// How such a file begins.
const DOCTYPE: &str = "<!doctype netscape-bookmark-file-1";

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bookmarks {
    /// The folders, each after the one that it lies in.
    pub(crate) folders: Vec<Folder>,
    /// The bookmarks, in the file's order.
    pub(crate) bookmarks: Vec<Bookmark>,
    /// Anchors that are no pages.
    pub(crate) left_out: u64,
}

/// A folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folder {
    /// Its name.
    pub(crate) name: String,
    /// The folder that it lies in, by its place in [`Bookmarks::folders`].
    pub(crate) parent: Option<usize>,
}

/// A bookmark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bookmark {
    /// The address.
    pub(crate) url: String,
    /// The title; may be empty.
    pub(crate) title: String,
    /// The folder, by its place in [`Bookmarks::folders`].
    pub(crate) folder: Option<usize>,
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Bookmarks> {
    let name = path.display();
    let bytes = files::read(path, MAX_BYTES)?
        .ok_or_else(|| Failure::failed(format!("there is no file {name}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::failed(format!("{name} is not UTF-8 at byte {at}"))
            .next("export the bookmarks again, or save the file as UTF-8")
    })?;
    parse(&text).map_err(|what| {
        Failure::failed(format!("{name}: {what}")).next(
            "in the browser's bookmark manager choose \"Export bookmarks to HTML\" and import that file",
        )
    })
}

fn parse(text: &str) -> Result<Bookmarks, String> {
    let body = text.trim_start_matches('\u{feff}').trim_start();
    let begins = body.as_bytes().get(..DOCTYPE.len());
    if !begins.is_some_and(|begin| begin.eq_ignore_ascii_case(DOCTYPE.as_bytes())) {
        let found: String = body.chars().take(40).collect();
        return Err(format!(
            "it is no bookmarks file: expected <!DOCTYPE NETSCAPE-Bookmark-file-1> at the beginning, found {found:?}"
        ));
    }
    check_depth(body)?;
    let document = Html::parse_document(body);
    let mut reader = Reader::default();
    let mut node = document.tree.root();
    'walk: loop {
        if let Some(element) = ElementRef::wrap(node) {
            reader.opens(element)?;
        }
        if let Some(child) = node.first_child() {
            node = child;
            continue;
        }
        loop {
            if let Some(element) = ElementRef::wrap(node) {
                reader.closes(element);
            }
            if let Some(next) = node.next_sibling() {
                node = next;
                continue 'walk;
            }
            match node.parent() {
                Some(parent) => node = parent,
                None => return Ok(reader.found),
            }
        }
    }
}

/// What was seen on the way through a document.
#[derive(Default)]
struct Reader {
    found: Bookmarks,
    /// The folder of each open list, the innermost last.
    lists: Vec<Option<usize>>,
    /// The name of the list that comes next.
    heading: Option<String>,
}

impl Reader {
    fn opens(&mut self, element: ElementRef<'_>) -> Result<(), String> {
        let inside = self.lists.last().copied().flatten();
        let found = &mut self.found;
        match element.value().name() {
            "h3" => self.heading = Some(text_of(element)),
            "dl" => self.lists.push(match self.heading.take() {
                Some(name) => {
                    found.folders.push(Folder { name, parent: inside });
                    Some(found.folders.len() - 1)
                }
                None => inside,
            }),
            "a" => {
                let url = element.attr("href").unwrap_or_default().trim().to_owned();
                match is_page(&url) {
                    true => {
                        let title = text_of(element);
                        found.bookmarks.push(Bookmark { url, title, folder: inside });
                    }
                    false => found.left_out += 1,
                }
            }
            _ => {}
        }
        match found.bookmarks.len() + found.folders.len() > MAX_ENTRIES {
            true => Err(format!("it holds more than {MAX_ENTRIES} bookmarks and folders")),
            false => Ok(()),
        }
    }

    fn closes(&mut self, element: ElementRef<'_>) {
        if element.value().name() == "dl" {
            self.lists.pop();
            self.heading = None;
        }
    }
}

/// Refuses what is nested so deep that reading it would take for ever.
fn check_depth(text: &str) -> Result<(), String> {
    let mut depth = 0usize;
    for (at, _) in text.match_indices('<') {
        let tag = &text.as_bytes()[at + 1..];
        let is = |name: &[u8]| tag.get(..name.len()).is_some_and(|t| t.eq_ignore_ascii_case(name));
        if is(b"dl") {
            depth += 1;
        } else if is(b"/dl") {
            depth = depth.saturating_sub(1);
        }
        if depth > MAX_DEPTH {
            return Err(format!("its folders lie more than {MAX_DEPTH} deep in each other"));
        }
    }
    Ok(())
}

/// Whether an address is one that another browser could show, and that does nothing by itself.
pub(crate) fn is_page(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once(':') else { return false };
    let starts = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let valid = scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let scheme = scheme.to_ascii_lowercase();
    let own = [
        "javascript",
        "vbscript",
        "data",
        "place",
        "about",
        "chrome",
        "edge",
        "brave",
        "folder",
        "blob",
    ];
    starts && valid && !rest.is_empty() && !own.contains(&scheme.as_str())
}

fn text_of(element: ElementRef<'_>) -> String {
    let text: String = element.text().collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `text` for HTML, in an attribute too. Control characters, which HTML has none of, are left out.
pub(crate) fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "<!DOCTYPE NETSCAPE-Bookmark-file-1>\n";

    #[test]
    fn folders_nest_however_their_lists_are_closed() {
        let text = format!(
            "{HEAD}<H1>Bookmarks</H1><DL><p>
            <DT><H3 ADD_DATE=\"1\">One</H3>
            <DL><p><DT><A HREF=\"https://a.example/\">A &amp; a</A>
              <DT><H3>Two</H3><DD>described
              <DL><p><DT><A HREF=\"https://b.example/\">B</A></DL><p>
              <DT><A HREF=\"https://c.example/\">C</A>
            </DL><p>
            <DT><A HREF=\"https://d.example/\"></A>
            <DT><A HREF=\"javascript:alert(1)\">no</A><DT><A>nothing</A>
            </DL>"
        );
        let found = parse(&text).unwrap();
        let folder = |name: &str, parent| Folder { name: name.to_owned(), parent };
        assert_eq!(found.folders, [folder("One", None), folder("Two", Some(0))]);
        let seen: Vec<_> = found.bookmarks.iter().map(|b| (b.title.as_str(), b.folder)).collect();
        assert_eq!(seen, [("A & a", Some(0)), ("B", Some(1)), ("C", Some(0)), ("", None)]);
        assert_eq!(found.left_out, 2);
    }

    #[test]
    fn what_is_no_bookmarks_file_is_named() {
        for text in ["", "hello", "<!DOCTYPE html><a href='https://a.example/'>a</a>"] {
            assert!(parse(text).unwrap_err().contains("no bookmarks file"), "{text}");
        }
        let deep = format!("{HEAD}{}", "<DL><p>".repeat(65));
        assert!(parse(&deep).unwrap_err().contains("deep"));
        assert_eq!(parse(HEAD).unwrap(), Bookmarks::default());
        assert_eq!(parse(&format!("\u{feff}\r\n{HEAD}")).unwrap(), Bookmarks::default());
    }

    #[test]
    fn cut_files_are_read_as_far_as_they_go() {
        let text = format!(
            "{HEAD}<DL><DT><H3>é</H3><DL><DT><A HREF=\"https://a.example/\">世界</A></DL></DL>"
        );
        for end in HEAD.len()..text.len() {
            if text.is_char_boundary(end) {
                assert!(parse(&text[..end]).unwrap().bookmarks.len() <= 1);
            }
        }
    }

    #[test]
    fn only_addresses_of_pages_are_taken() {
        for url in
            ["https://a.example/", "http://a", "ftp://a/", "file:///a", "gemini://a", "mailto:a@b"]
        {
            assert!(is_page(url), "{url}");
        }
        for url in [
            "",
            "a",
            "a b:c",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "place:sort=8",
            "about:blank",
            "https:",
        ] {
            assert!(!is_page(url), "{url}");
        }
        assert_eq!(
            escape_html("<a \"b\" & 'c'>\u{1b}"),
            "&lt;a &quot;b&quot; &amp; &#39;c&#39;&gt; "
        );
    }
}
