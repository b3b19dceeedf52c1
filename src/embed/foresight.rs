//! What people like this one bought next.
//!
//! A lesson is one customer at one moment: what they had by then, and what they bought in the days after. From
//! many lessons it is learnt what a past foretells. Where EASE says what goes with what, this says what comes
//! *after* what, knows for each item how readily it is bought again, and follows the season, for the lessons are
//! those of the last weeks.
//!
//! It is ridge regression from pasts to purchases in its dual form, with one weight per lesson and not one per pair
//! of items: any number of items takes part, and time grows with the third power of the lessons.
//! Source: Saunders, Gammerman & Vovk 1998, "Ridge regression learning algorithm in dual variables".

use std::collections::BTreeSet;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::ease::best;
use super::{Ease, EaseOptions, Holders, Interactions, Pull};
use crate::ids::ItemId;
use crate::lists::Lists;

/// How foresight is learnt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForesightOptions {
    /// λ, where a lesson of usual weight has an x of length 1; > 0.
    pub regularization: f32,
    /// Lessons at most. Memory is 12 bytes times its square while it learns, and then 4 bytes a lesson for each item that
    /// many of them hold.
    pub lessons: usize,
    /// What is bought within so many days of a moment is what its lessons foretell; ≥ 1.
    pub days: u32,
    /// So many moments are looked at, each so many days before the next; ≥ 1.
    pub moments: u32,
    /// What a lesson weighs beside one of the moment after; above 0, at most 1.
    pub fading: f32,
}

impl Default for ForesightOptions {
    fn default() -> Self {
        Self { regularization: 10.0, lessons: 4_000, days: 14, moments: 6, fading: 0.7 }
    }
}

/// One customer at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ForesightLesson {
    /// What they had by then, and how much each counts.
    pub past: Vec<(ItemId, f32)>,
    /// What they bought next, and whether they had it before.
    pub next: Vec<(ItemId, bool)>,
    /// How much the lesson counts; > 0.
    pub weight: f32,
}

/// What was learnt from lessons.
#[derive(Debug)]
pub struct Foresight {
    /// (K + λI)⁻¹ with K_rs = x_r·x_s, in whole rows of `width`.
    inverse: Vec<f32>,
    width: usize,
    /// Per item the lessons whose past holds it, with x.
    holders: Lists<(u32, f32)>,
    /// Of items that [`MANY`] lessons hold, what these say together: Σ x times their rows of the inverse.
    together: Vec<f32>,
    /// Per item which of these rows is its own, if any.
    row_of: Vec<Option<u32>>,
    /// What was bought next in any lesson, ascending.
    items: Vec<ItemId>,
    /// Per lesson what was bought next, and how much it says.
    next: Lists<Said>,
}

#[derive(Clone, Copy, Debug)]
struct Said {
    /// Its place among the items.
    place: u32,
    /// Of whoever had it before.
    again: f32,
    /// Of whoever had not.
    new: f32,
}

/// What so many lessons say of an item is summed up once and kept, in 4 bytes a lesson; what fewer say is summed for each
/// who is asked about.
const MANY: usize = 16;

impl Foresight {
    /// Learns from lessons about items below `items`; nothing where none of them has a past.
    pub fn learn(
        lessons: &[ForesightLesson],
        items: usize,
        options: &ForesightOptions,
    ) -> Option<Self> {
        let mean = lessons.iter().map(|lesson| lesson.weight).sum::<f32>() / lessons.len() as f32;
        let root = |lesson: &ForesightLesson| (lesson.weight / mean).sqrt();
        // Rows that weigh w are rows times √w: in the past as in what follows.
        let entries = lessons.iter().enumerate().flat_map(|(number, lesson)| {
            let past = of_length_one(&lesson.past).into_iter();
            let root = root(lesson);
            past.map(move |(item, x)| (item.index(), ItemId::new(number), root * x))
        });
        let across = Interactions::new(items, lessons.len(), entries);
        let options = EaseOptions {
            regularization: options.regularization,
            head: lessons.len(),
            ..EaseOptions::default()
        };
        let Holders { head, rank, rows, width, .. } =
            Holders::from(&Ease::learn(&across, &options));
        let ranked = |entries: &[(u32, f32)]| {
            entries.iter().map(|&(lesson, x)| (rank[lesson as usize], x)).collect::<Vec<_>>()
        };
        let bought = lessons.iter().flat_map(|lesson| &lesson.next).map(|&(item, _)| item);
        let items: Vec<ItemId> = bought.collect::<BTreeSet<_>>().into_iter().collect();
        let next: Lists<Said> = head
            .iter()
            .map(|&lesson| {
                let lesson = &lessons[lesson as usize];
                let (root, items) = (root(lesson), &items);
                lesson.next.iter().map(move |(item, had)| Said {
                    place: items.partition_point(|i| i < item) as u32,
                    again: root,
                    // Half by all who bought it, half by those alone to whom it was new.
                    new: if *had { 0.5 * root } else { root },
                })
            })
            .collect();
        if width == 0 {
            return None;
        }
        let holders: Lists<(u32, f32)> = across.by_row().rows().map(ranked).collect();
        let many: Vec<usize> =
            (0..holders.len()).filter(|&i| holders.row(i).len() >= MANY).collect();
        let mut row_of = vec![None; holders.len()];
        many.iter().zip(0..).for_each(|(&item, row)| row_of[item] = Some(row));
        let mut together = vec![0.0f32; many.len() * width];
        together.par_chunks_exact_mut(width).zip(&many).for_each(|(sum, &item)| {
            for &(lesson, x) in holders.row(item) {
                add(sum, x, &rows[lesson as usize * width..]);
            }
        });
        Some(Self { inverse: rows, width, holders, together, row_of, items, next })
    }

    /// What each of these pasts foretells, and about the chance that it is among what is bought next, if anything
    /// is, drawn towards 0: at most `new` items that are not in it and `again` that are, each part
    /// best first, then by id.
    pub fn foretold(
        &self,
        pasts: &[Vec<(ItemId, f32)>],
        new: usize,
        again: usize,
    ) -> Vec<Vec<Pull>> {
        let Self { items, next, .. } = self;
        let mut voices = vec![0.0f32; self.width];
        let mut sums = vec![[0.0f32; 2]; items.len()];
        let of_past = |past: &Vec<(ItemId, f32)>| {
            self.speak(past, &mut voices);
            sums.fill([0.0; 2]);
            for (said, &voice) in next.rows().zip(&voices) {
                for &Said { place, again, new } in said {
                    let [of_again, of_new] = &mut sums[place as usize];
                    *of_again += voice * again;
                    *of_new += voice * new;
                }
            }
            let held = past.iter().filter_map(|&(item, _)| {
                let sum = &mut sums[items.binary_search(&item).ok()?];
                Some(Pull { item, weight: std::mem::take(sum)[0] })
            });
            let mut foretold = best(held, again);
            let others = items.iter().zip(&sums);
            let others = others.map(|(&item, &[_, weight])| Pull { item, weight });
            foretold.extend(best(others, new));
            foretold
        };
        pasts.iter().map(of_past).collect()
    }

    /// How much each lesson has to say to a past: x (K + λI)⁻¹, where x is how like it is to each.
    fn speak(&self, past: &[(ItemId, f32)], voices: &mut [f32]) {
        voices.fill(0.0);
        for (item, x) in of_length_one(past) {
            match self.row_of[item.index()] {
                Some(row) => add(voices, x, &self.together[row as usize * self.width..]),
                None => {
                    for &(lesson, y) in self.holders.row(item.index()) {
                        add(voices, x * y, &self.inverse[lesson as usize * self.width..]);
                    }
                }
            }
        }
    }
}

/// sum + x · row, as far as `sum` goes.
fn add(sum: &mut [f32], x: f32, row: &[f32]) {
    sum.iter_mut().zip(row).for_each(|(sum, y)| *sum += x * y);
}

/// The same, with Σ x² = 1.
fn of_length_one(past: &[(ItemId, f32)]) -> Vec<(ItemId, f32)> {
    let length = past.iter().map(|(_, x)| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    past.iter().map(|&(item, x)| (item, x / length)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::ease::tests::inverse;
    use super::*;
    use proptest::prelude::*;

    const ITEMS: usize = 7;

    fn items(past: &[usize]) -> Vec<(ItemId, f32)> {
        past.iter().enumerate().map(|(at, &i)| (ItemId::new(i), 1.0 / (at + 1) as f32)).collect()
    }

    fn lesson(past: &[usize], next: &[usize], weight: f32) -> ForesightLesson {
        let next = next.iter().map(|&item| (ItemId::new(item), past.contains(&item)));
        ForesightLesson { past: items(past), next: next.collect(), weight }
    }

    fn learn(lessons: &[ForesightLesson], regularization: f32) -> Option<Foresight> {
        let options = ForesightOptions { regularization, ..ForesightOptions::default() };
        Foresight::learn(lessons, ITEMS, &options)
    }

    /// x (XᵀX + λI)⁻¹ XᵀY, by item.
    fn by_formula(lessons: &[ForesightLesson], ridge: f64, past: &[(ItemId, f32)]) -> Vec<f64> {
        let mean = lessons.iter().map(|l| f64::from(l.weight)).sum::<f64>() / lessons.len() as f64;
        let dense = |past: &[(ItemId, f32)]| {
            let mut row = vec![0.0; ITEMS];
            of_length_one(past).iter().for_each(|(item, x)| row[item.index()] = f64::from(*x));
            row
        };
        let mut gram = vec![vec![0.0; ITEMS]; ITEMS];
        let mut again = vec![vec![0.0; ITEMS]; ITEMS];
        let mut new = vec![vec![0.0; ITEMS]; ITEMS];
        for lesson in lessons {
            let (x, weight) = (dense(&lesson.past), f64::from(lesson.weight) / mean);
            for i in 0..ITEMS {
                (0..ITEMS).for_each(|j| gram[i][j] += weight * x[i] * x[j]);
                for &(item, had) in &lesson.next {
                    again[i][item.index()] += weight * x[i];
                    new[i][item.index()] += weight * x[i] * if had { 0.5 } else { 1.0 };
                }
            }
        }
        let p = inverse(gram, ridge);
        let x = dense(past);
        let held = |item: usize| past.iter().any(|(held, _)| held.index() == item);
        let said = |item: usize| {
            let of = if held(item) { &again } else { &new };
            let pairs = (0..ITEMS).flat_map(|i| (0..ITEMS).map(move |j| (i, j)));
            pairs.map(|(i, j)| x[i] * p[i][j] * of[j][item]).sum()
        };
        (0..ITEMS).map(said).collect()
    }

    fn some_items() -> impl Strategy<Value = Vec<usize>> {
        prop::sample::subsequence((0..ITEMS).collect::<Vec<_>>(), 0..=ITEMS)
    }

    proptest! {
        #[test]
        fn what_is_foretold_is_what_the_formula_says(
            lessons in prop::collection::vec((some_items(), some_items(), 0.2f32..3.0), 1..60),
            asked in prop::collection::vec(some_items(), 1..4),
            ridge in 0.5f32..20.0,
        ) {
            let lessons: Vec<ForesightLesson> =
                lessons.iter().map(|(past, next, weight)| lesson(past, next, *weight)).collect();
            let asked: Vec<_> = asked.iter().map(|past| items(past)).collect();
            let Some(foresight) = learn(&lessons, ridge) else {
                prop_assert!(lessons.iter().all(|lesson| lesson.past.is_empty()));
                return Ok(());
            };
            let foretold = foresight.foretold(&asked, ITEMS, ITEMS);
            prop_assert_eq!(foretold.len(), asked.len());
            for (past, foretold) in asked.iter().zip(foretold) {
                let exact = by_formula(&lessons, f64::from(ridge), past);
                let mut found = [0.0; ITEMS];
                foretold.iter().for_each(|pull| found[pull.item.index()] = f64::from(pull.weight));
                for (found, exact) in found.iter().zip(exact) {
                    prop_assert!((found - exact.max(0.0)).abs() < 1e-4, "{} {}", found, exact);
                }
            }
        }

        #[test]
        fn nothing_makes_it_panic_or_leave_the_numbers(
            lessons in prop::collection::vec((some_items(), some_items(), 1e-20f32..1e20), 0..9),
            ridge in prop::sample::select(vec![1e-9, 1.0, 1e9]),
            x in prop::sample::select(vec![0.0, 1e-30, 1.0, 1e30, f32::INFINITY, f32::NAN]),
            new in 0usize..4,
            again in 0usize..4,
        ) {
            let lessons: Vec<ForesightLesson> =
                lessons.iter().map(|(past, next, weight)| lesson(past, next, *weight)).collect();
            let Some(foresight) = learn(&lessons, ridge) else {
                prop_assert!(lessons.iter().all(|lesson| lesson.past.is_empty()));
                return Ok(());
            };
            let asked = [vec![], vec![(ItemId::new(0), x), (ItemId::new(2), 1.0)]];
            for (foretold, past) in foresight.foretold(&asked, new, again).iter().zip(&asked) {
                let held = |pull: &&Pull| past.iter().any(|(item, _)| *item == pull.item);
                let of_past = foretold.iter().filter(held).count();
                prop_assert!(of_past <= again && foretold.len() - of_past <= new);
                prop_assert!(foretold.iter().all(|p| p.weight.is_finite() && p.weight > 0.0));
            }
        }
    }

    #[test]
    fn what_was_bought_next_is_foretold_to_those_with_the_same_past_alone() {
        let lessons =
            [lesson(&[0], &[1], 1.0), lesson(&[0], &[1, 2], 1.0), lesson(&[3], &[4], 1.0)];
        let foresight = learn(&lessons, 0.1).expect("there are lessons");
        let asked = [[0], [3], [6]].map(|past| items(&past));
        let foretold = foresight.foretold(&asked, 10, 10);
        let ids = |pulls: &Vec<Pull>| pulls.iter().map(|p| p.item.index()).collect::<Vec<_>>();
        assert_eq!(foretold.iter().map(ids).collect::<Vec<_>>(), [vec![1, 2], vec![4], vec![]]);
        let chance = foretold[0][0].weight;
        assert!((0.9..1.0).contains(&chance), "bought by all, and drawn towards 0: {chance}");
    }

    #[test]
    fn who_bought_it_again_says_half_as_much_of_it_to_whom_it_is_new() {
        let foresight = learn(&[lesson(&[0, 1], &[1], 1.0)], 1.0).expect("there is a lesson");
        let foretold = foresight.foretold(&[items(&[0, 1]), items(&[0])], 10, 10);
        let [again, new] = [&foretold[0], &foretold[1]].map(|pulls| pulls[0]);
        assert_eq!((again.item, new.item), (ItemId::new(1), ItemId::new(1)));
        let likeness = items(&[0, 1]).iter().map(|(_, x)| x * x).sum::<f32>().sqrt().recip();
        assert!((new.weight - 0.5 * likeness * again.weight).abs() < 1e-6);
    }
}
