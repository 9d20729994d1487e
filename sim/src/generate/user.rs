//! What a person in front of a browser does: walks over real pages and tidies up the graph.
//!
//! A user knows what it opened itself and what it may have heard of in syncs. That is a guess
//! (a sync may fail), and edits that turn out to be impossible are no-ops at run time.

use std::collections::BTreeSet;

use graphshell_sync::{EdgeKind, EdgeType, Position, Trigger};

use super::dice::Dice;
use crate::plan::{Action, Choice, Edit};
use crate::web::Web;

pub(super) const TYPES: [EdgeType; 3] =
    [EdgeType::Hyperlink, EdgeType::History, EdgeType::UserGrouped];

/// A node: the page, and whose own copy of it, if it is one that a user added a second time.
pub(super) type Tab = (usize, Option<usize>);

/// What one user knows and where it stands.
#[derive(Clone, Default)]
pub(super) struct User {
    pub(super) known: BTreeSet<Tab>,
    pub(super) removed: BTreeSet<Tab>,
    pub(super) links: BTreeSet<(Tab, Tab)>,
    /// Pages in the order of visiting; `cursor` is one past the open one.
    history: Vec<Tab>,
    cursor: usize,
}

impl User {
    /// Both learn what the other may have told.
    pub(super) fn meets(&mut self, other: &mut User) {
        fn share<T: Ord + Copy>(one: &mut BTreeSet<T>, two: &mut BTreeSet<T>) {
            // Who meets often tells little that is new.
            let news: Vec<T> = one.difference(two).copied().collect();
            one.extend(two.difference(&*one).copied().collect::<Vec<T>>());
            two.extend(news);
        }
        share(&mut self.known, &mut other.known);
        share(&mut self.removed, &mut other.removed);
        share(&mut self.links, &mut other.links);
    }
}

/// What all users of a plan share.
pub(super) struct Habits<'a> {
    pub(super) dice: Dice,
    pub(super) names: &'a [String],
    /// Pages that everybody visits, so that users meet.
    pub(super) popular: Vec<usize>,
    pub(super) clears: bool,
    pub(super) unknown_kinds: bool,
    renamed: u64,
}

#[derive(Clone, Copy)]
enum Wish {
    Follow,
    Open,
    BackOrForward,
    Copy,
    Rename,
    Readdress,
    Move,
    Pin,
    Remove,
    Restore,
    Connect,
    Disconnect,
    Clear,
    Unknown,
}

impl<'a> Habits<'a> {
    pub(super) fn new(dice: Dice, names: &'a [String], clears: bool, unknown_kinds: bool) -> Self {
        let mut habits =
            Habits { dice, names, popular: Vec::new(), clears, unknown_kinds, renamed: 0 };
        let pages = Web::get().pages();
        let mut hub = habits.dice.index(pages.len());
        while pages[hub].links.len() < 3 {
            hub = (hub + 1) % pages.len();
        }
        let most = habits.dice.between(3, 7) as usize;
        let mut popular = BTreeSet::from([hub]);
        popular.extend(pages[hub].links.iter().take(most));
        habits.popular = popular.into_iter().collect();
        habits
    }

    /// The legacy profile that several devices carry: popular pages, titled and linked.
    pub(super) fn profile(&mut self) -> Vec<Edit> {
        let mut edits = Vec::new();
        let pages = self.popular.clone();
        for (place, &page) in pages.iter().enumerate() {
            let tab = (page, None);
            edits.push(self.add(tab));
            edits.push(self.title(tab));
            if place > 0 {
                let (from, to) = (self.name((pages[place - 1], None)), self.name(tab));
                edits.push(Edit::AddEdge { from, to, edge_type: self.dice.pick(&TYPES) });
            }
        }
        edits
    }

    /// The user knows what is in the legacy profile.
    pub(super) fn brings_profile(&self, user: &mut User) {
        let tabs = self.popular.iter().map(|&page| (page, None));
        user.links.extend(tabs.clone().zip(tabs.clone().skip(1)));
        user.known.extend(tabs);
    }

    /// At least `want` edits of one user.
    pub(super) fn burst(&mut self, who: usize, user: &mut User, want: usize) -> Vec<Edit> {
        let mut edits = Vec::new();
        while edits.len() < want {
            self.act(who, user, &mut edits);
        }
        edits
    }

    /// A decision about a node or pair that the user knows, listed as a conflict or not.
    pub(super) fn decision(&mut self, who: usize, user: &User) -> Option<Action> {
        let peer = self.names[who].clone();
        if self.dice.chance(30) {
            let &(from, to) = self.one_of(&user.links)?;
            let edge_type = self.dice.pick(&TYPES);
            let choice = if self.dice.chance(50) {
                Choice::KeepBoth
            } else {
                Choice::KeepEdge { edge_type }
            };
            let (about, to) = (self.name(from), Some(self.name(to)));
            return Some(Action::Resolve { peer, about, to, choice });
        }
        let tabs = if user.removed.is_empty() { &user.known } else { &user.removed };
        let &tab = self.one_of(tabs)?;
        let whose = self.dice.index(self.names.len());
        let choice = match self.dice.below(3) {
            0 => Choice::KeepDeleted,
            1 => Choice::Restore { writes_of: None },
            _ => Choice::Restore { writes_of: Some(self.names[whose].clone()) },
        };
        Some(Action::Resolve { peer, about: self.name(tab), to: None, choice })
    }

    fn act(&mut self, who: usize, user: &mut User, edits: &mut Vec<Edit>) {
        let wish = self.dice.weighted(&[
            (22, Wish::Follow),
            (8, Wish::Open),
            (8, Wish::BackOrForward),
            (2, Wish::Copy),
            (13, Wish::Rename),
            (4, Wish::Readdress),
            (10, Wish::Move),
            (6, Wish::Pin),
            (8, Wish::Remove),
            (5, Wish::Restore),
            (11, Wish::Connect),
            (6, Wish::Disconnect),
            (u64::from(self.clears), Wish::Clear),
            (2 * u64::from(self.unknown_kinds), Wish::Unknown),
        ]);
        if self.tidy(wish, user, edits).is_some() {
            return;
        }
        match wish {
            Wish::BackOrForward if user.history.len() > 1 => self.back_or_forward(user, edits),
            Wish::Copy => {
                let page = self.dice.pick(&self.popular);
                self.visit((page, Some(who)), None, user, edits);
            }
            Wish::Follow if user.cursor > 0 => {
                let (here, copy) = user.history[user.cursor - 1];
                let links = &Web::get().pages()[here].links;
                // People follow the links at the top of a page.
                let top = &links[..links.len().min(12)];
                let next = if top.is_empty() || self.dice.chance(35) {
                    self.dice.pick(&self.popular)
                } else {
                    self.dice.pick(top)
                };
                self.visit((next, None), Some((here, copy)), user, edits);
            }
            _ => {
                let page = if self.dice.chance(80) {
                    self.dice.pick(&self.popular)
                } else {
                    self.dice.index(Web::get().pages().len())
                };
                self.visit((page, None), None, user, edits);
            }
        }
    }

    /// Edits of what is there; `None` if the wish is another, or nothing is there for it.
    fn tidy(&mut self, wish: Wish, user: &mut User, edits: &mut Vec<Edit>) -> Option<()> {
        let edit = match wish {
            Wish::Rename => {
                let tab = self.known(user)?;
                self.rename(tab)
            }
            Wish::Readdress => {
                let node = self.known(user)?;
                let other = self.dice.index(Web::get().pages().len());
                let url = Web::get().pages()[other].url.clone();
                Edit::SetUrl { node: self.name(node), url }
            }
            Wish::Move => Edit::Move { node: self.some_name(user)?, to: self.position() },
            Wish::Pin => Edit::Pin { node: self.some_name(user)?, pinned: self.dice.chance(70) },
            Wish::Remove => {
                let tab = self.known(user)?;
                user.known.remove(&tab);
                user.removed.insert(tab);
                Edit::RemoveNode { node: self.name(tab) }
            }
            Wish::Restore => {
                let tab = *self.one_of(&user.removed)?;
                user.known.insert(tab);
                Edit::RestoreNode { node: self.name(tab) }
            }
            Wish::Connect => {
                let (from, to) = self.pair(user)?;
                user.links.insert((from, to));
                let (from, to) = (self.name(from), self.name(to));
                if self.dice.chance(65) {
                    Edit::AddEdge { from, to, edge_type: self.dice.pick(&TYPES) }
                } else {
                    Edit::AssertEdge { from, to }
                }
            }
            Wish::Disconnect => {
                let &(from, to) = self.one_of(&user.links)?;
                let kind = match self.dice.below(3) {
                    0 => None,
                    1 => Some(EdgeKind::Asserted),
                    _ => Some(EdgeKind::Typed(self.dice.pick(&TYPES))),
                };
                Edit::RemoveEdge { from: self.name(from), to: self.name(to), kind }
            }
            Wish::Clear => {
                user.removed.append(&mut user.known);
                user.history.clear();
                user.cursor = 0;
                Edit::Clear
            }
            Wish::Unknown => {
                let kind = self.dice.between(1000, 1003) as u16;
                let payload = (0..self.dice.below(24)).map(|byte| byte as u8).collect();
                Edit::Unknown { kind, payload }
            }
            Wish::Follow | Wish::Open | Wish::BackOrForward | Wish::Copy => return None,
        };
        edits.push(edit);
        Some(())
    }

    /// Opens a page, over a link of another if there is one.
    fn visit(&mut self, tab: Tab, over: Option<Tab>, user: &mut User, edits: &mut Vec<Edit>) {
        if user.known.insert(tab) {
            edits.push(self.add(tab));
            edits.push(self.title(tab));
        }
        if let Some(from) = over {
            user.links.insert((from, tab));
            let (from, to) = (self.name(from), self.name(tab));
            if self.dice.chance(30) {
                let edge_type = self.dice.pick(&TYPES);
                edits.push(Edit::AddEdge { from: from.clone(), to: to.clone(), edge_type });
            }
            edits.push(Edit::Visit { from, to, trigger: Trigger::Link });
        } else if user.cursor > 0 && edits.is_empty() {
            let from = self.name(user.history[user.cursor - 1]);
            edits.push(Edit::Visit { from, to: self.name(tab), trigger: Trigger::Typed });
        }
        user.history.truncate(user.cursor);
        user.history.push(tab);
        user.cursor = user.history.len();
    }

    fn back_or_forward(&mut self, user: &mut User, edits: &mut Vec<Edit>) {
        let here = user.cursor - 1;
        let back = here > 0 && (user.cursor == user.history.len() || self.dice.chance(60));
        let (there, trigger) =
            if back { (here - 1, Trigger::Back) } else { (here + 1, Trigger::Forward) };
        let (from, to) = (user.history[here], user.history[there]);
        user.cursor = there + 1;
        user.links.insert((from, to));
        edits.push(Edit::Visit { from: self.name(from), to: self.name(to), trigger });
    }

    /// A node that the user knows; half of the time a popular one, if it knows any.
    fn known(&mut self, user: &User) -> Option<Tab> {
        let page = self.dice.pick(&self.popular);
        if self.dice.chance(50) && user.known.contains(&(page, None)) {
            return Some((page, None));
        }
        self.one_of(&user.known).copied()
    }

    /// Two nodes that the user knows; often the two that everybody connects.
    fn pair(&mut self, user: &User) -> Option<(Tab, Tab)> {
        let favourite = ((self.popular[0], None), (self.popular[1], None));
        let knows = user.known.contains(&favourite.0) && user.known.contains(&favourite.1);
        if knows && self.dice.chance(60) {
            return Some(favourite);
        }
        Some((self.known(user)?, self.known(user)?))
    }

    fn some_name(&mut self, user: &User) -> Option<String> {
        self.known(user).map(|tab| self.name(tab))
    }

    fn one_of<'t, T>(&mut self, set: &'t BTreeSet<T>) -> Option<&'t T> {
        if set.is_empty() { None } else { set.iter().nth(self.dice.index(set.len())) }
    }

    pub(super) fn name(&self, (page, copy): Tab) -> String {
        match copy {
            None => format!("p{page}"),
            Some(who) => format!("p{page}-{}", self.names[who]),
        }
    }

    pub(super) fn add(&mut self, tab: Tab) -> Edit {
        let url = Web::get().pages()[tab.0].url.clone();
        Edit::AddNode { node: self.name(tab), url, at: self.position() }
    }

    /// A title that nobody else gives.
    pub(super) fn rename(&mut self, tab: Tab) -> Edit {
        self.renamed += 1;
        let title = Web::get().pages()[tab.0].title.as_str();
        let title = format!("{title} ({})", self.renamed);
        Edit::SetTitle { node: self.name(tab), title }
    }

    fn title(&self, tab: Tab) -> Edit {
        let title = Web::get().pages()[tab.0].title.clone();
        Edit::SetTitle { node: self.name(tab), title }
    }

    pub(super) fn position(&mut self) -> Position {
        let mut coordinate = || self.dice.below(2000) as f32 - 1000.0;
        Position::new(coordinate(), coordinate()).expect("small whole numbers are finite")
    }
}
