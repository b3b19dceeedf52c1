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

use serde::{Deserialize, Serialize};

use super::dense::products;
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
    /// Lessons at most. Memory is 12 bytes times its square while it learns.
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
    /// Per lesson what was bought next, and how much it says.
    next: Lists<Said>,
}

#[derive(Clone, Copy, Debug)]
struct Said {
    item: ItemId,
    /// Of whoever had it before.
    again: f32,
    /// Of whoever had not.
    new: f32,
}

impl Foresight {
    /// Learns from lessons about items below `items`; nothing where there are none.
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
        let next = head.iter().map(|&lesson| {
            let lesson = &lessons[lesson as usize];
            let root = root(lesson);
            lesson.next.iter().map(move |&(item, had)| Said {
                item,
                again: root,
                // Half by all who bought it, half by those alone to whom it was new.
                new: if had { 0.5 * root } else { root },
            })
        });
        (width > 0).then(|| Self {
            inverse: rows,
            width,
            holders: across.by_row().rows().map(ranked).collect(),
            next: next.collect(),
        })
    }

    /// What each of these pasts foretells, and about the chance that it is bought within the days that were learnt
    /// from, drawn towards 0: at most `new` items that are not in it and `again` that are, each part
    /// best first, then by id.
    pub fn foretold(
        &self,
        pasts: &[Vec<(ItemId, f32)>],
        new: usize,
        again: usize,
    ) -> Vec<Vec<Pull>> {
        let Self { inverse, width, holders, next } = self;
        let mut likeness = vec![0.0f32; pasts.len() * width];
        for (past, row) in pasts.iter().zip(likeness.chunks_exact_mut(*width)) {
            for (item, x) in of_length_one(past) {
                for &(lesson, y) in holders.row(item.index()) {
                    row[lesson as usize] += x * y;
                }
            }
        }
        let mut voices = vec![0.0f32; pasts.len() * width];
        products(&likeness, inverse, *width, &mut voices);
        let mut sums = vec![[0.0f32; 2]; holders.len()];
        let of_past = |(past, voices): (&Vec<(ItemId, f32)>, &[f32])| {
            sums.fill([0.0; 2]);
            for (said, &voice) in next.rows().zip(voices) {
                for &Said { item, again, new } in said {
                    let [of_again, of_new] = &mut sums[item.index()];
                    *of_again += voice * again;
                    *of_new += voice * new;
                }
            }
            let held = past.iter().map(|&(item, _)| Pull {
                item,
                weight: std::mem::take(&mut sums[item.index()])[0],
            });
            let mut foretold = best(&mut held.filter(says_something).collect(), again);
            let others = sums.iter().enumerate();
            let others =
                others.map(|(item, &[_, weight])| Pull { item: ItemId::new(item), weight });
            foretold.extend(best(&mut others.filter(says_something).collect(), new));
            foretold
        };
        pasts.iter().zip(voices.chunks_exact(*width)).map(of_past).collect()
    }

    /// So many pasts at once are quickest.
    pub const AT_ONCE: usize = 64;
}

fn says_something(pull: &Pull) -> bool {
    pull.weight > 0.0 && pull.weight.is_finite()
}

/// The same, with Σ x² = 1.
fn of_length_one(past: &[(ItemId, f32)]) -> Vec<(ItemId, f32)> {
    let length = past.iter().map(|(_, x)| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    past.iter().map(|&(item, x)| (item, x / length)).collect()
}
