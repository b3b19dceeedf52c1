//! The next click of a visitor, from everything that sessions tell: those like this one, what follows
//! the last item, what goes with the best of these, and what this visitor looked at before.
//!
//! Measured on a shop's later sessions beside VMIS-kNN alone: going back to an item seen before is a
//! third of all clicks, and the largest gain; going with the best (two hops) fills the list for rare
//! items; the trend is a small gain on top.

use serde::{Deserialize, Serialize};

use super::visits::{VisitOptions, VisitScratch, Visits};
use crate::ids::ItemId;
use crate::lists::Ranked;

/// Sessions of more items than this go with too much to say anything.
const LONGEST_SESSION: usize = 30;

/// How the parts are weighed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OnwardOptions {
    /// How sessions like this one are found.
    pub visits: VisitOptions,
    /// Weight of what follows the last item, best = 1; ≥ 0.
    pub followers: f32,
    /// Weight of what goes with the best so far; ≥ 0.
    pub hop: f32,
    /// From so many of the best.
    pub hop_from: usize,
    /// What an item without any such evidence has, where the best session evidence is 1; > 0.
    pub base: f32,
    /// Power of the sum of these parts; > 0.
    pub power: f32,
    /// Power of an item's trend; 0 = ignored.
    pub trend: f32,
    /// What the visitor's own clicks count.
    pub returns: Returns,
}

/// How much more likely than others an item is to come next that this visitor looked at before: factors of its score,
/// ≥ 0; 0 = never proposed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Returns {
    /// Of the last item itself.
    pub still: f32,
    /// Of any other.
    pub again: f32,
    /// Of the one looked at just before the last, beside `again`.
    pub back: f32,
    /// Of one to which the visitor once went from the last, beside these.
    pub same_way: f32,
}

impl Returns {
    /// Nobody goes back to anything.
    pub const NEVER: Self = Self { still: 0.0, again: 0.0, back: 0.0, same_way: 0.0 };
}

impl Default for Returns {
    fn default() -> Self {
        Self { still: 0.0, again: 4.5, back: 4.5, same_way: 1.8 }
    }
}

/// What an item has been to this visitor so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    /// Not looked at.
    #[default]
    Never,
    /// Looked at last.
    Last,
    /// Looked at just before the last.
    JustBefore,
    /// Looked at earlier.
    Earlier,
}

impl Returns {
    /// The factor of an item.
    pub fn factor(&self, seen: Seen, same_way: bool) -> f32 {
        let factor = match seen {
            Seen::Never => return 1.0,
            Seen::Last => return self.still,
            Seen::JustBefore => self.again * self.back,
            Seen::Earlier => self.again,
        };
        if same_way { factor * self.same_way } else { factor }
    }

    /// As numbers, to be kept.
    pub fn to_parts(self) -> [f32; 4] {
        [self.still, self.again, self.back, self.same_way]
    }

    /// From what [`Self::to_parts`] gave; nothing if they can't be factors.
    pub fn from_parts(parts: &[f32]) -> Option<Self> {
        let &[still, again, back, same_way] = parts else { return None };
        let are_factors = parts.iter().all(|factor| factor.is_finite() && *factor >= 0.0);
        are_factors.then_some(Self { still, again, back, same_way })
    }
}

impl Default for OnwardOptions {
    fn default() -> Self {
        Self {
            visits: VisitOptions {
                last_items: 20,
                decay: Some(0.6),
                size: 0.5,
                ..VisitOptions::default()
            },
            followers: 0.3,
            hop: 3.0,
            hop_from: 10,
            base: 0.1,
            power: 0.7,
            trend: 0.2,
            returns: Returns::default(),
        }
    }
}

/// What a shop's sessions say.
#[derive(Clone, Copy, Debug)]
pub struct Onward<'a> {
    /// Sessions as they were.
    pub visits: &'a Visits,
    /// Per item what follows it, best first, as [`count_next`](super::next::count_next) gives it.
    pub followers: &'a Ranked,
    /// Per item how it stands now beside usual, > 0: the sessions that hold it, newer ones weighing more
    /// (halved every two days, say) plus ½, over all that hold it. Beyond its end: 1.
    pub trend: &'a [f32],
}

/// An item the visitor may look at next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NextClick {
    /// Which.
    pub item: ItemId,
    /// Rank score, > 0, comparable within one answer only.
    pub score: f32,
    /// How many of the most similar sessions hold it; 0 if it was found otherwise.
    pub sessions: u32,
    /// What it has been to this visitor so far.
    pub seen: Seen,
    /// True if the visitor once went to it from the last item.
    pub same_way: bool,
}

/// Buffers of one worker, to be used again for the next question.
#[derive(Clone, Debug, Default)]
pub struct OnwardScratch {
    visits: VisitScratch,
    found: Found,
    best: Vec<(f32, ItemId)>,
}

/// What may come next.
#[derive(Clone, Debug, Default)]
struct Found {
    /// Per item; all as new between questions.
    parts: Vec<Part>,
    /// Those that were found, and one more place that may be written to in vain.
    listed: Vec<ItemId>,
    count: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    sum: f32,
    hop: f32,
    sessions: u32,
    listed: bool,
    seen: Seen,
}

impl Onward<'_> {
    /// Tells `out` of what may come next after the visitor's clicks, in no particular but always the
    /// same order.
    ///
    /// score = (base + V + followers · F + hop · H)^power · trend^trend · the factor of [`Returns`], with V the
    /// score among sessions like this one and F that of the last item's followers, the best of each 1, and H of item j
    /// = Σ x_i ÷ (n_i + 1) · Σ 1 ÷ |s| over the `hop_from` items i with the largest x = V + followers · F, and over
    /// the n_i sessions s kept of i, those that hold j.
    pub fn score(
        &self,
        latest_first: &[ItemId],
        options: &OnwardOptions,
        scratch: &mut OnwardScratch,
        mut out: impl FnMut(NextClick),
    ) {
        let Some(&last) = latest_first.first() else { return };
        let items = self.visits.held_by().len();
        if latest_first.iter().any(|item| item.index() >= items) {
            let known: Vec<ItemId> =
                latest_first.iter().copied().filter(|item| item.index() < items).collect();
            return self.score(&known, options, scratch, out);
        }
        scratch.found.make_room(items);
        self.add_visits(latest_first, options, scratch);
        self.add_followers(last, options, scratch);
        self.add_hops(last, options, scratch);
        for &item in latest_first {
            scratch.found.part(item).seen = Seen::Earlier;
        }
        if let Some(&before) = latest_first.iter().find(|item| **item != last) {
            scratch.found.part(before).seen = Seen::JustBefore;
        }
        scratch.found.part(last).seen = Seen::Last;
        let Found { parts, listed, count } = &mut scratch.found;
        for &item in &listed[..std::mem::take(count)] {
            let part = std::mem::take(&mut parts[item.index()]);
            let evidence = options.base + part.sum + options.hop * part.hop;
            let trend = self.trend.get(item.index()).copied().unwrap_or(1.0);
            let Part { seen, sessions, .. } = part;
            let same_way =
                seen != Seen::Never && latest_first.windows(2).any(|pair| pair == [item, last]);
            let score = evidence.powf(options.power)
                * trend.powf(options.trend)
                * options.returns.factor(seen, same_way);
            if score > 0.0 && score.is_finite() {
                out(NextClick { item, score, sessions, seen, same_way });
            }
        }
    }

    fn add_visits(
        &self,
        latest_first: &[ItemId],
        options: &OnwardOptions,
        scratch: &mut OnwardScratch,
    ) {
        let OnwardScratch { visits, found, .. } = scratch;
        let mut most = 0.0f32;
        self.visits.score(latest_first, &options.visits, visits, |item, score, sessions| {
            most = most.max(score);
            let part = found.part(item);
            (part.sum, part.sessions) = (score, sessions);
        });
        let Found { parts, listed, count } = found;
        listed[..*count].iter().for_each(|item| parts[item.index()].sum /= most);
    }

    fn add_followers(&self, last: ItemId, options: &OnwardOptions, scratch: &mut OnwardScratch) {
        let followers = self.followers.row(last.index());
        let items = scratch.found.parts.len();
        for (item, score) in followers.iter().filter(|(item, _)| item.index() < items) {
            scratch.found.part(item).sum += options.followers * score / followers.best();
        }
    }

    fn add_hops(&self, last: ItemId, options: &OnwardOptions, scratch: &mut OnwardScratch) {
        let OnwardScratch { found, best, .. } = scratch;
        best.clear();
        best.extend(found.items().iter().map(|&item| (found.parts[item.index()].sum, item)));
        let order =
            |a: &(f32, ItemId), b: &(f32, ItemId)| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1));
        if options.hop_from < best.len() {
            best.select_nth_unstable_by(options.hop_from, order);
            best.truncate(options.hop_from);
        }
        best.sort_unstable_by(order);
        for &(strength, from) in best.iter().filter(|_| options.hop > 0.0) {
            let sessions = self.visits.postings().row(from.index());
            let share = strength / (sessions.len() + 1) as f32;
            let rows = sessions.iter().map(|&s| self.visits.sessions().row(s as usize));
            for row in rows.filter(|row| row.len() <= LONGEST_SESSION) {
                let each = share / row.len() as f32;
                for &item in row.iter().filter(|item| **item != from && **item != last) {
                    found.part(item).hop += each;
                }
            }
        }
    }
}

impl Found {
    fn make_room(&mut self, items: usize) {
        if self.parts.len() < items {
            self.parts.resize(items, Part::default());
            self.listed.resize(items + 1, ItemId::FIRST);
        }
    }

    /// The item's part, put on the list if it is not there yet; without a branch, for whether it is can't be
    /// foreseen.
    #[inline]
    fn part(&mut self, item: ItemId) -> &mut Part {
        let part = &mut self.parts[item.index()];
        self.listed[self.count] = item;
        self.count += usize::from(!part.listed);
        part.listed = true;
        part
    }

    fn items(&self) -> &[ItemId] {
        &self.listed[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Sessions;
    use crate::rules::RuleLists;
    use crate::rules::next::{NextOptions, count_next};
    use proptest::prelude::*;

    fn answers(rows: &[Vec<usize>], clicks: &[usize], options: &OnwardOptions) -> Vec<NextClick> {
        let log = Sessions {
            items: rows.iter().map(|row| row.iter().map(|&i| ItemId::new(i))).collect(),
            customers: vec![None; rows.len()],
            at: vec![],
        };
        let visits = Visits::new(&log, 9, &options.visits);
        let followers = RuleLists::of(&count_next(&log, 9, &NextOptions::default()));
        let onward = Onward { visits: &visits, followers: followers.ranked(), trend: &[] };
        let clicks: Vec<ItemId> = clicks.iter().rev().map(|&i| ItemId::new(i)).collect();
        let mut scratch = OnwardScratch::default();
        let mut ask = || {
            let mut answers = Vec::new();
            onward.score(&clicks, options, &mut scratch, |next| answers.push(next));
            answers
        };
        let (first, again) = (ask(), ask());
        assert_eq!(first, again, "the scratch is as new");
        first
    }

    fn ranked(rows: &[Vec<usize>], clicks: &[usize], options: &OnwardOptions) -> Vec<usize> {
        let mut answers = answers(rows, clicks, options);
        answers.sort_by(|a, b| b.score.total_cmp(&a.score));
        answers.iter().map(|next| next.item.index()).collect()
    }

    #[test]
    fn the_item_before_the_last_comes_first_unless_nothing_is_to_come_again() {
        let rows = [vec![0, 1, 2], vec![1, 2], vec![1, 2, 3]];
        let options = OnwardOptions::default();
        assert_eq!(ranked(&rows, &[0, 1], &options)[..2], [0, 2]);
        let returns = Returns { again: 0.0, ..options.returns };
        let never = OnwardOptions { returns, ..options.clone() };
        assert_eq!(ranked(&rows, &[0, 1], &never), [2, 3]);
        let returns = Returns { still: 999.0, ..options.returns };
        let still = OnwardOptions { returns, ..options };
        assert_eq!(ranked(&rows, &[0, 1], &still)[..3], [1, 0, 2]);
    }

    #[test]
    fn two_hops_reach_what_no_session_joins_with_the_visitor() {
        let rows = [vec![0, 1], vec![1, 2]];
        assert_eq!(ranked(&rows, &[0], &OnwardOptions::default()), [1, 2]);
        let one_hop = OnwardOptions { hop: 0.0, ..OnwardOptions::default() };
        assert_eq!(ranked(&rows, &[0], &one_hop), [1]);
    }

    #[test]
    fn no_clicks_and_unknown_items_give_nothing() {
        assert!(answers(&[vec![0, 1]], &[], &OnwardOptions::default()).is_empty());
        assert!(answers(&[vec![0, 1]], &[77], &OnwardOptions::default()).is_empty());
        assert!(answers(&[], &[3], &OnwardOptions::default()).is_empty());
    }

    proptest! {
        #[test]
        fn an_answer_is_finite_without_duplicates_and_never_the_last_item(
            rows in prop::collection::vec(prop::collection::vec(0usize..9, 1..7), 0..20),
            clicks in prop::collection::vec(0usize..9, 0..9),
        ) {
            let told = answers(&rows, &clicks, &OnwardOptions::default());
            let mut items: Vec<usize> = told.iter().map(|next| next.item.index()).collect();
            items.sort_unstable();
            prop_assert!(items.is_sorted_by(|a, b| a < b));
            prop_assert!(told.iter().all(|next| next.score.is_finite() && next.score > 0.0));
            prop_assert!(clicks.last().is_none_or(|last| !items.contains(last)));
            let again = |next: &NextClick| next.seen != Seen::Never;
            prop_assert!(told.iter().all(|n| again(n) == clicks.contains(&n.item.index())));
        }
    }
}
