//! Rules with several items on the left: {a, b} → c.
//!
//! Frequent sets are found by Eclat, one first item at a time, rarest first: the groups that hold it
//! are numbered afresh, so that a set is a short bitset over those only, and two sets meet by `and`.
//! Source: Zaki 2000, "Scalable algorithms for association mining".

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::Groups;
use crate::ids::{ItemId, room_for};

/// Which longer rules are wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LongRuleOptions {
    /// Share of all groups that hold both sides, at least; 0 to 1.
    pub min_support: f64,
    /// Share of the groups with the left side that also hold the right, at least; 0 to 1.
    pub min_confidence: f64,
    /// Items in a rule, both sides counted, at most.
    pub max_items: usize,
    /// Whether {} → b, which says no more than that b is popular, counts as a rule.
    pub empty_left: bool,
    /// Groups of more items than this are left out; `None` = no group is.
    pub max_group_items: Option<usize>,
    /// Frequent sets looked at, at most: where there are more, the support asked for is doubled
    /// until there are not.
    pub max_sets: usize,
}

impl Default for LongRuleOptions {
    fn default() -> Self {
        Self {
            min_support: 0.001,
            min_confidence: 0.3,
            max_items: 4,
            empty_left: false,
            max_group_items: Some(500),
            max_sets: 1_000_000,
        }
    }
}

/// Who has all of `left` often takes `right` too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LongRule {
    /// The left side, ascending.
    pub left: Vec<ItemId>,
    /// The right side, not in `left`.
    pub right: ItemId,
    /// Groups that hold both sides.
    pub together: u32,
    /// Groups that hold the left side.
    pub left_groups: u32,
}

/// All rules found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LongRules {
    /// Sorted by left side, then right: the rules of one left side are neighbours.
    pub rules: Vec<LongRule>,
    /// How many groups were looked at.
    pub groups: u32,
    /// Groups that hold both sides, at least, as it was in the end.
    pub min_together: u32,
    /// True if `min_together` had to be raised to stay within [`LongRuleOptions::max_sets`].
    pub cut: bool,
}

/// Finds the rules whose left side is wholly among some items.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LeftSides {
    /// What one more item, higher than the others, makes of a left side; the empty one is 0.
    longer: FxHashMap<(u32, ItemId), u32>,
    /// The places of each left side's rules.
    rules: Vec<Range<u32>>,
}

impl LeftSides {
    /// Of rules of which those of one left side are neighbours; {} → b is left out.
    pub fn of(rules: &[LongRule]) -> Self {
        let mut sides = Self::default();
        sides.rules.push(0..0);
        for (rule, place) in rules.iter().zip(0..).filter(|(rule, _)| !rule.left.is_empty()) {
            let side = rule.left.iter().fold(0, |side, &item| sides.made(side, item));
            let places = &mut sides.rules[side as usize];
            let start = if places.end == 0 { place } else { places.start };
            *places = start..place + 1;
        }
        sides
    }

    fn made(&mut self, side: u32, item: ItemId) -> u32 {
        *self.longer.entry((side, item)).or_insert_with(|| {
            self.rules.push(0..0);
            self.rules.len() as u32 - 1 // at most one for each item of some rules
        })
    }

    /// The places of the rules whose left side is wholly among `items` (ascending, distinct).
    pub fn among(&self, items: &[ItemId]) -> Vec<u32> {
        let mut found = Vec::new();
        self.add_among(0, items, &mut found);
        found
    }

    fn add_among(&self, side: u32, more: &[ItemId], found: &mut Vec<u32>) {
        found.extend(self.rules.get(side as usize).cloned().into_iter().flatten());
        for (place, &item) in more.iter().enumerate() {
            if let Some(&longer) = self.longer.get(&(side, item)) {
                self.add_among(longer, &more[place + 1..], found);
            }
        }
    }
}

type Counts = FxHashMap<Box<[u32]>, u32>;
type Found = Vec<(Box<[u32]>, u32)>;

/// Finds every rule with one item on the right that reaches the support and the confidence asked for.
pub fn mine(groups: &Groups, options: &LongRuleOptions) -> LongRules {
    let largest = options.max_group_items.unwrap_or(usize::MAX);
    let rows: Vec<&[ItemId]> = groups.items().rows().filter(|row| row.len() <= largest).collect();
    let groups = u32::try_from(rows.len()).expect("fewer than 2^32 groups");
    let asked = least_count(groups, options.min_support);
    let mut found = LongRules { groups, min_together: asked, ..LongRules::default() };
    while found.min_together <= groups {
        if let Some(frequent) = Frequent::mine(&rows, found.min_together, options) {
            found.rules = frequent.rules(groups, options);
            break;
        }
        found.min_together = found.min_together.saturating_mul(2);
        found.cut = true;
    }
    found
}

/// The smallest count, at least 1, that is `share` of `groups`.
fn least_count(groups: u32, share: f64) -> u32 {
    let mut count = ((share * f64::from(groups)) as u32).max(1);
    // Decided by the division that readers of the rule will do, whatever the product was rounded to.
    while f64::from(count) < f64::from(groups) && f64::from(count) / f64::from(groups) < share {
        count += 1;
    }
    count
}

/// Frequent sets of items. Items are ranks: 0 is the rarest frequent item.
struct Frequent {
    items: Vec<ItemId>,
    counts: Counts,
}

impl Frequent {
    /// All sets in at least `min_count` groups; `None` if there are more than allowed.
    fn mine(rows: &[&[ItemId]], min_count: u32, options: &LongRuleOptions) -> Option<Self> {
        let (items, singles) = frequent_items(rows, min_count);
        let ranked = ranked(rows, &items);
        let postings = postings(&ranked, &singles);
        let sets = AtomicUsize::new(items.len());
        let per_first: Vec<Option<Found>> = (0..items.len())
            .into_par_iter()
            .with_max_len(1)
            .map(|first| {
                let mut search = Search {
                    min_count,
                    max_items: options.max_items,
                    max_sets: options.max_sets,
                    sets: &sets,
                    prefix: vec![first as u32],
                    found: Vec::new(),
                };
                let tails = tails(&ranked, &postings[first], first as u32, min_count);
                search.extend(&tails).then_some(search.found)
            })
            .collect();
        let mut counts: Counts =
            singles.iter().enumerate().map(|(rank, &n)| (Box::from([rank as u32]), n)).collect();
        for found in per_first {
            counts.extend(found?);
        }
        (counts.len() <= options.max_sets.max(items.len())).then_some(Self { items, counts })
    }

    fn rules(&self, groups: u32, options: &LongRuleOptions) -> Vec<LongRule> {
        let sets: Vec<_> =
            self.counts.iter().filter(|(set, _)| set.len() <= options.max_items).collect();
        let mut rules: Vec<LongRule> = sets
            .into_par_iter()
            .flat_map_iter(|(set, &together)| {
                (0..set.len())
                    .filter_map(move |right| self.rule(set, right, together, groups, options))
            })
            .collect();
        rules.par_sort_unstable();
        rules
    }

    fn rule(
        &self,
        set: &[u32],
        right: usize,
        together: u32,
        groups: u32,
        options: &LongRuleOptions,
    ) -> Option<LongRule> {
        let left: Vec<u32> = [&set[..right], &set[right + 1..]].concat();
        let left_groups = match left.len() {
            0 if options.empty_left => groups,
            0 => return None,
            _ => self.counts[left.as_slice()],
        };
        if f64::from(together) / f64::from(left_groups) < options.min_confidence {
            return None;
        }
        let mut left: Vec<ItemId> = left.iter().map(|&rank| self.items[rank as usize]).collect();
        left.sort_unstable();
        Some(LongRule { left, right: self.items[set[right] as usize], together, left_groups })
    }
}

/// Items in at least `min_count` groups with their counts, rarest first, then by id.
fn frequent_items(rows: &[&[ItemId]], min_count: u32) -> (Vec<ItemId>, Vec<u32>) {
    let mut counts = vec![0u32; room_for(rows.iter().filter_map(|row| row.last().copied()))];
    rows.iter().copied().flatten().for_each(|item| counts[item.index()] += 1);
    let frequent = counts.iter().enumerate().filter(|(_, count)| **count >= min_count);
    let mut items: Vec<(u32, ItemId)> = frequent.map(|(i, &n)| (n, ItemId::new(i))).collect();
    items.sort_unstable();
    (items.iter().map(|(_, item)| *item).collect(), items.iter().map(|(count, _)| *count).collect())
}

/// The rows as ascending ranks of frequent items.
fn ranked(rows: &[&[ItemId]], items: &[ItemId]) -> Vec<Vec<u32>> {
    let mut rank = vec![u32::MAX; room_for(items.iter().copied())];
    items.iter().enumerate().for_each(|(r, item)| rank[item.index()] = r as u32);
    rows.par_iter()
        .map(|row| {
            let known = row.iter().filter_map(|item| rank.get(item.index()).copied());
            let mut ranks: Vec<u32> = known.filter(|&rank| rank != u32::MAX).collect();
            ranks.sort_unstable();
            ranks
        })
        .collect()
}

/// Per rank the rows that hold it.
fn postings(ranked: &[Vec<u32>], singles: &[u32]) -> Vec<Vec<u32>> {
    let mut postings: Vec<Vec<u32>> =
        singles.iter().map(|&count| Vec::with_capacity(count as usize)).collect();
    for (row, ranks) in ranked.iter().enumerate() {
        ranks.iter().for_each(|&rank| postings[rank as usize].push(row as u32));
    }
    postings
}

/// An item that may extend a set, with the groups of the first item that hold the set and it.
struct Tail {
    rank: u32,
    count: u32,
    groups: Vec<u64>,
}

/// The items after `first` that are often enough with it.
fn tails(ranked: &[Vec<u32>], postings: &[u32], first: u32, min_count: u32) -> Vec<Tail> {
    let after = |row: u32| {
        let ranks = &ranked[row as usize];
        &ranks[ranks.partition_point(|&rank| rank <= first)..]
    };
    let mut counts = FxHashMap::<u32, u32>::default();
    for &row in postings {
        after(row).iter().for_each(|&rank| *counts.entry(rank).or_default() += 1);
    }
    let frequent = counts.into_iter().filter(|(_, count)| *count >= min_count);
    let words = postings.len().div_ceil(64);
    let mut tails: Vec<Tail> =
        frequent.map(|(rank, count)| Tail { rank, count, groups: vec![0; words] }).collect();
    tails.sort_unstable_by_key(|tail| tail.rank);
    let place: FxHashMap<u32, usize> =
        tails.iter().enumerate().map(|(place, tail)| (tail.rank, place)).collect();
    for (number, &row) in postings.iter().enumerate() {
        for rank in after(row) {
            if let Some(&place) = place.get(rank) {
                tails[place].groups[number / 64] |= 1 << (number % 64);
            }
        }
    }
    tails
}

/// Depth-first search below one first item.
struct Search<'a> {
    min_count: u32,
    max_items: usize,
    max_sets: usize,
    /// Sets found by all searches: only whether the limit is passed depends on it.
    sets: &'a AtomicUsize,
    prefix: Vec<u32>,
    found: Found,
}

impl Search<'_> {
    /// Notes every set that begins with the prefix; false if there are too many sets in all.
    fn extend(&mut self, tails: &[Tail]) -> bool {
        if self.prefix.len() >= self.max_items {
            return true;
        }
        if self.sets.fetch_add(tails.len(), Ordering::Relaxed) + tails.len() > self.max_sets {
            return false;
        }
        for (place, tail) in tails.iter().enumerate() {
            self.prefix.push(tail.rank);
            self.found.push((self.prefix.as_slice().into(), tail.count));
            let mut within = true;
            if self.prefix.len() < self.max_items {
                let others = tails[place + 1..].iter();
                let longer: Vec<Tail> = others.filter_map(|other| self.meet(tail, other)).collect();
                within = longer.is_empty() || self.extend(&longer);
            }
            self.prefix.pop();
            if !within {
                return false;
            }
        }
        true
    }

    fn meet(&self, a: &Tail, b: &Tail) -> Option<Tail> {
        let both = || a.groups.iter().zip(&b.groups).map(|(a, b)| a & b);
        let count = both().map(u64::count_ones).sum();
        (count >= self.min_count).then(|| Tail { rank: b.rank, count, groups: both().collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(rows: &[&[usize]]) -> Groups {
        Groups::new(rows.iter().map(|row| (None, row.iter().map(|&i| ItemId::new(i)).collect())))
    }

    #[test]
    fn a_rule_with_two_items_on_the_left_is_found_with_its_counts() {
        let groups = groups(&[&[0, 1, 2], &[0, 1, 2], &[0, 1], &[0], &[1], &[2, 3]]);
        let options =
            LongRuleOptions { min_support: 0.3, min_confidence: 0.6, ..LongRuleOptions::default() };
        let found = mine(&groups, &options);
        let rule = found.rules.iter().find(|rule| rule.left.len() == 2 && rule.right.index() == 2);
        assert_eq!(rule.map(|rule| (rule.together, rule.left_groups)), Some((2, 3)));
        assert!(!found.cut);
    }

    #[test]
    fn among_some_items_are_the_rules_whose_whole_left_side_is_there() {
        let groups = groups(&[&[0, 1, 2, 3], &[0, 1, 2, 3], &[1, 2, 4], &[0, 1, 2, 4], &[3]]);
        let options = LongRuleOptions { min_support: 0.2, ..LongRuleOptions::default() };
        let rules = mine(&groups, &options).rules;
        let sides = LeftSides::of(&rules);
        let subsets = (0u32..32).map(|bits| {
            let items = (0..5).filter(|item| bits >> item & 1 == 1);
            items.map(ItemId::new).collect::<Vec<ItemId>>()
        });
        let mut most = 0;
        for items in subsets {
            let is_there = |rule: &LongRule| rule.left.iter().all(|item| items.contains(item));
            let there: Vec<u32> = (0..)
                .zip(&rules)
                .filter(|(_, rule)| is_there(rule))
                .map(|(place, _)| place)
                .collect();
            assert_eq!(sides.among(&items), there, "{items:?}");
            most = most
                .max(rules.iter().filter(|r| is_there(r)).map(|r| r.left.len()).max().unwrap_or(0));
        }
        assert!(most >= 3, "rules of up to {most} items on the left were found");
        assert!(LeftSides::default().among(&[ItemId::new(0)]).is_empty());
    }

    #[test]
    fn too_many_sets_raise_the_support_and_are_reported() {
        let all: Vec<usize> = (0..20).collect();
        let groups = groups(&[&all, &all, &all, &[0, 1], &[0, 1], &[0, 1]]);
        let options =
            LongRuleOptions { max_items: 20, max_sets: 1000, ..LongRuleOptions::default() };
        let found = mine(&groups, &options);
        assert!(found.cut && found.min_together == 4);
        assert_eq!(found.rules.len(), 2);
    }

    #[test]
    fn nothing_to_look_at_gives_no_rules() {
        assert!(mine(&groups(&[]), &LongRuleOptions::default()).rules.is_empty());
        assert!(mine(&groups(&[&[], &[]]), &LongRuleOptions::default()).rules.is_empty());
        assert!(mine(&groups(&[&[4]]), &LongRuleOptions::default()).rules.is_empty());
    }
}
