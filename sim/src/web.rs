//! A real web of pages to browse: the documentation that ships with Rust, its texts and links.
//!
//! Lengths of texts and numbers of links are those of the world and not of somebody's taste in
//! random numbers. The data is part of the program; nothing is read at run time.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde::Deserialize;

/// One page.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Its number: its place in [`Web::pages`].
    pub id: usize,
    /// Its address.
    pub url: String,
    /// Its title; a few have none.
    pub title: String,
    /// The numbers of the pages that it links to, in the order of the page.
    pub links: Vec<usize>,
}

/// All pages.
#[derive(Debug)]
pub struct Web {
    pages: Vec<Page>,
}

/// JSON lines, one page each, compressed.
const DATA: &[u8] = include_bytes!("../data/rust-docs-web.jsonl.zst");

impl Web {
    /// The one web; unpacked at the first call.
    pub fn get() -> &'static Web {
        static WEB: OnceLock<Web> = OnceLock::new();
        WEB.get_or_init(|| {
            let text = zstd::decode_all(DATA).expect("the data compiled in is whole");
            let lines = serde_json::Deserializer::from_slice(&text).into_iter();
            let pages =
                lines.collect::<Result<_, _>>().expect("the data compiled in is well-formed");
            Web { pages }
        })
    }

    /// The pages, by number.
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// A walk from `from` over `pages` different pages (or all, if fewer), each with the page
    /// whose link led there.
    ///
    /// From each page it goes to the unseen link that is nearest by number (pages are numbered in
    /// the order of their addresses, so that is reading on), or, without one, to the next unseen
    /// number, round to 0.
    pub fn stroll(&self, from: usize, pages: usize) -> Vec<(usize, Option<usize>)> {
        let count = pages.min(self.pages.len());
        let mut seen = BTreeSet::from([from]);
        let mut walk = vec![(from, None)];
        let mut here = from;
        while walk.len() < count {
            let links = self.pages[here].links.iter().copied().filter(|page| !seen.contains(page));
            let link = links.min_by_key(|&page| (page.abs_diff(here), page));
            walk.push(match link {
                Some(page) => (page, Some(here)),
                None => {
                    let unseen = |page: &usize| !seen.contains(page);
                    let next = (here..self.pages.len()).chain(0..here).find(unseen);
                    (next.expect("fewer pages are seen than there are"), None)
                }
            });
            here = walk[walk.len() - 1].0;
            seen.insert(here);
        }
        walk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_stand_at_their_number_and_links_lead_somewhere() {
        let pages = Web::get().pages();
        assert_eq!(pages.len(), 3396);
        for (place, page) in pages.iter().enumerate() {
            assert_eq!(page.id, place);
            assert!(page.links.iter().all(|&link| link < pages.len()), "{}", page.url);
        }
    }

    #[test]
    fn a_stroll_sees_each_page_once_and_follows_real_links() {
        let web = Web::get();
        for (from, length) in [(0, 1), (17, 400), (3395, 3396), (5, 10_000)] {
            let walk = web.stroll(from, length);
            let different: BTreeSet<_> = walk.iter().map(|(page, _)| page).collect();
            assert_eq!(different.len(), walk.len());
            assert_eq!(walk.len(), length.min(3396));
            for (page, before) in walk {
                assert!(before.is_none_or(|before| web.pages()[before].links.contains(&page)));
            }
        }
    }
}
