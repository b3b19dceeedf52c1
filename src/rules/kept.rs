//! Rules as they are kept for answers: five bytes each instead of twelve.

use super::{Rule, Rules};
use crate::ids::ItemId;
use crate::lists::{Lists, Ranked, RankedRow};

/// Per item its rules, best score first. Scores are as exact as [`Ranked`] has them, counts are exact.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleLists {
    ranked: Ranked,
    /// Of each rule its count, or [`MANY`].
    together: Vec<u8>,
    /// The counts that are no smaller: row, place in the row and count, ascending.
    many: Vec<[u32; 3]>,
}

/// One item's rules.
#[derive(Clone, Copy, Debug)]
pub struct RuleRow<'a> {
    ranked: RankedRow<'a>,
    together: &'a [u8],
    many: &'a [[u32; 3]],
    row: u32,
}

const MANY: u8 = u8::MAX;

impl From<&Rule> for (ItemId, f32) {
    fn from(rule: &Rule) -> Self {
        (rule.item, rule.score)
    }
}

impl Rules {
    /// The same, as they are kept.
    pub fn kept(self) -> Rules<RuleLists> {
        let Self { groups, item_groups, lists, gate, left_out_groups } = self;
        Rules { groups, item_groups, lists: RuleLists::of(&lists), gate, left_out_groups }
    }
}

impl RuleLists {
    /// Keeps these, a row for each of the shop's items.
    pub fn of(lists: &Lists<Rule>) -> Self {
        let ranked = Ranked::of(lists.len(), lists);
        let few = |rule: &Rule| u8::try_from(rule.together).unwrap_or(MANY);
        let together = lists.entries().iter().map(few).collect();
        let rows = (0..).zip(lists.rows());
        let placed = rows.flat_map(|(row, rules)| {
            rules.iter().zip(0..).map(move |(rule, place)| [row, place, rule.together])
        });
        let many = placed.filter(|[_, _, together]| *together >= u32::from(MANY)).collect();
        Self { ranked, together, many }
    }

    /// What [`Self::ranked`], [`Self::together`] and [`Self::many`] gave; `None` if they don't belong together.
    pub fn from_parts(ranked: Ranked, together: Vec<u8>, many: Vec<[u32; 3]>) -> Option<Self> {
        let lists = Self { ranked, together, many };
        let is_told = |&[row, place, _]: &[u32; 3]| {
            let span = lists.ranked.entries().span(row as usize);
            let told = lists.together.get(span).and_then(|row| row.get(place as usize));
            told == Some(&MANY)
        };
        let count = lists.together.iter().filter(|together| **together == MANY).count();
        let is_sound = lists.together.len() == lists.ranked.count()
            && count == lists.many.len()
            && lists.many.is_sorted_by(|a, b| a[..2] < b[..2])
            && lists.many.iter().all(is_told);
        is_sound.then_some(lists)
    }

    /// The right sides and their scores.
    pub fn ranked(&self) -> &Ranked {
        &self.ranked
    }

    /// Of each rule, row after row, its count, or 255 if it is among [`Self::many`].
    pub fn together(&self) -> &[u8] {
        &self.together
    }

    /// Row, place in the row and count, where that is 255 or more.
    pub fn many(&self) -> &[[u32; 3]] {
        &self.many
    }

    /// How many rules there are.
    pub fn count(&self) -> usize {
        self.together.len()
    }

    /// The rules of item `index`; none beyond the last.
    #[inline]
    pub fn row(&self, index: usize) -> RuleRow<'_> {
        let together = &self.together[self.ranked.entries().span(index)];
        RuleRow { ranked: self.ranked.row(index), together, many: &self.many, row: index as u32 }
    }
}

impl<'a> RuleRow<'a> {
    /// True if there is none.
    pub fn is_empty(self) -> bool {
        self.ranked.is_empty()
    }

    /// The best first.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Rule> + use<'a> {
        let rule =
            move |((item, score), place)| Rule { item, together: self.together(place), score };
        self.ranked.iter().zip(0..self.together.len()).map(rule)
    }

    /// In how many groups both are; `None` if that is no rule.
    pub fn together_with(self, item: ItemId) -> Option<u32> {
        self.ranked.place(item).map(|place| self.together(place))
    }

    fn together(self, place: usize) -> u32 {
        match self.together[place] {
            MANY => {
                let at = |many: &[u32; 3]| (many[0], many[1]).cmp(&(self.row, place as u32));
                let found = self.many.binary_search_by(at);
                found.map_or(u32::from(MANY), |found| self.many[found][2])
            }
            few => u32::from(few),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lists() -> impl Strategy<Value = Lists<Rule>> {
        let together = prop_oneof![1u32..20, 250u32..260, any::<u32>()];
        let rule =
            (0usize..30, together).prop_map(|(item, together)| (ItemId::new(item), together));
        let row = prop::collection::vec(rule, 0..6).prop_map(|row| {
            let rules = row.into_iter().zip(1u16..);
            rules
                .map(|((item, together), n)| Rule { item, together, score: 1.0 / f32::from(n) })
                .collect()
        });
        prop::collection::vec(row, 30).prop_map(|rows: Vec<Vec<Rule>>| rows.into_iter().collect())
    }

    proptest! {
        #[test]
        fn counts_of_any_size_come_back(lists in lists()) {
            let kept = RuleLists::of(&lists);
            prop_assert_eq!(kept.count(), lists.entries().len());
            for (index, rules) in lists.rows().enumerate() {
                let row: Vec<Rule> = kept.row(index).iter().collect();
                let plain = |rules: &[Rule]| rules.iter().map(|rule| (rule.item, rule.together)).collect::<Vec<_>>();
                prop_assert_eq!(plain(&row), plain(rules));
                for rule in rules {
                    let first = rules.iter().find(|other| other.item == rule.item);
                    prop_assert_eq!(kept.row(index).together_with(rule.item), first.map(|rule| rule.together));
                }
            }
        }

        #[test]
        fn parts_that_do_not_belong_together_are_refused(lists in lists(), at in any::<prop::sample::Index>()) {
            let kept = RuleLists::of(&lists);
            let RuleLists { ranked, together, many } = kept.clone();
            let refused = |together: &[u8], many: &[[u32; 3]]| {
                RuleLists::from_parts(ranked.clone(), together.to_vec(), many.to_vec()).is_none()
            };
            prop_assert_eq!(RuleLists::from_parts(ranked.clone(), together.clone(), many.clone()), Some(kept.clone()));
            prop_assert!(refused(&[&together[..], &[1]].concat(), &many));
            if !many.is_empty() {
                let at = at.index(many.len());
                let mut fewer = many.clone();
                fewer.remove(at);
                prop_assert!(refused(&together, &fewer));
                let mut elsewhere = many.clone();
                elsewhere[at][1] = 6;
                prop_assert!(refused(&together, &elsewhere));
            }
        }
    }
}
