//! Content vectors: where an item belongs among the others, from what the catalogue says of it alone.
//!
//! An item that nobody has touched has no vector of its own. Items that many have touched have one, and a
//! catalogue says things of both: ridge regression learns from the latter which words, categories and brands
//! point where, and so places the former. How well is measured on items held back, before it is believed.

use std::collections::BTreeSet;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use super::dense::Vectors;
use super::exam::Exam;
use super::features::Features;
use super::neighbours::{Points, unit};
use super::ridge::Lessons;
use super::unit::UnitVectors;
use crate::catalog::Item;
use crate::ids::ItemId;
use crate::lists::Lists;

/// How content vectors are learnt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContentOptions {
    /// Buckets that features are hashed into; 1 to 1,048,576. Those that hold nothing cost nothing: on two shops
    /// 16,384 found a tenth more true neighbours than 4,096, and four times as many hardly more.
    pub buckets: usize,
    /// Items with at least so many interactions are learnt from, and the others placed; ≥ 1.
    pub enough: u32,
    /// The most touched items up to so many are learnt from.
    pub lessons: usize,
}

impl Default for ContentOptions {
    fn default() -> Self {
        Self { buckets: 16_384, enough: 3, lessons: 100_000 }
    }
}

/// How well items held back were placed: the share of their 20 true neighbours found by 20 guesses, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContentQuality {
    /// Items held back, each judged by what was learnt from the others; 0: too few for a judgement.
    pub held_back: u32,
    /// By what the catalogue says.
    pub content: f32,
    /// By guessing the most touched of the item's own category.
    pub same_category: f32,
    /// By guessing the most touched of all.
    pub popular: f32,
    /// By guessing blindly.
    pub chance: f32,
    /// The λ that did best.
    pub lambda: f32,
}

impl ContentQuality {
    /// True if what the catalogue says finds more than guessing does, by more than two standard errors of so
    /// many guesses.
    fn is_telling(&self) -> bool {
        let guess = self.popular.max(self.chance).min(1.0);
        let error = (guess * (1.0 - guess) / (self.held_back as f32).max(1.0)).sqrt();
        self.held_back > 0 && self.content > guess + 2.0 * error
    }
}

/// Places items by what the catalogue says of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContentModel {
    features: Features,
    /// Where the items that were learnt from are on average.
    mean: Vec<f32>,
    /// Per feature, where it points from there.
    pulls: Vectors,
    quality: ContentQuality,
}

/// What a model is made of beside its floats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContentCard {
    /// Floats per vector; 0: nothing was learnt.
    pub dim: usize,
    /// Buckets of features.
    pub buckets: usize,
    /// The buckets that hold something, ascending.
    pub known: Vec<u32>,
    /// Names of the attributes that are looked at.
    pub attributes: BTreeSet<String>,
    /// How good it is.
    pub quality: ContentQuality,
}

/// More than these no catalogue fills.
const MOST_BUCKETS: usize = 1 << 20;
/// Fewer items than this teach nothing.
const FEWEST: usize = 30;
/// The λ that are tried, strongest first: each starts from the one before.
const TRIED: [f32; 5] = [10.0, 3.0, 1.0, 0.3, 0.1];
/// Steps of the solver for a λ that is tried, and for the one that is kept.
const STEPS: (usize, usize) = (12, 40);
/// A tenth is held back at a time, as often as it takes to judge by so many items …
const JUDGED: usize = 300;
/// … but of each tenth at most so many, as far as these many comparisons go.
const COMPARED: usize = 40_000_000;

impl ContentModel {
    /// Learns from the items that at least `enough` of `touched` (customers, or nameless orders and sessions)
    /// have to do with; all three are by item. Empty where they are too few, where the catalogue says nothing
    /// of them, or where it does hardly better than guessing
    /// what is popular.
    pub fn learn(
        items: &[Item],
        vectors: &UnitVectors,
        touched: &[u32],
        options: &ContentOptions,
    ) -> Self {
        let Some(class) = Class::gather(items, vectors, touched, options) else {
            return Self::default();
        };
        let quality = class.judge(items, touched);
        if !quality.is_telling() {
            return Self { quality, ..Self::default() };
        }
        let all: Vec<usize> = (0..class.points.ids.len()).collect();
        let mut pulls = Vectors::zeros(vectors.dim(), class.features.known().len());
        class.lessons(&all).solve(quality.lambda, STEPS.1, &mut pulls);
        let Class { features, mean, .. } = class;
        Self { features, mean, pulls, quality }
    }

    /// The direction of an item, of length 1; none where nothing is said of it that was also said of items
    /// learnt from.
    pub fn vector(&self, item: &Item) -> Option<Vec<f32>> {
        if self.is_empty() {
            return None;
        }
        place(&self.features.row(item), &self.mean, &self.pulls)
    }

    /// How good it is.
    pub fn quality(&self) -> ContentQuality {
        self.quality
    }

    /// True if it places no item.
    pub fn is_empty(&self) -> bool {
        self.pulls.is_empty()
    }

    /// All there is to keep of it.
    pub fn to_parts(&self) -> (ContentCard, Vec<f32>) {
        let card = ContentCard {
            dim: self.mean.len(),
            buckets: self.features.buckets(),
            known: self.features.known(),
            attributes: self.features.attributes().clone(),
            quality: self.quality,
        };
        (card, [&self.mean, self.pulls.data()].concat())
    }

    /// The model with these parts; none if they do not fit together.
    pub fn from_parts(card: ContentCard, floats: &[f32]) -> Option<Self> {
        let ContentCard { dim, buckets, known, attributes, quality } = card;
        if dim == 0 {
            return floats.is_empty().then(|| Self { quality, ..Self::default() });
        }
        let (mean, pulls) = floats.split_at_checked(dim)?;
        let whole = !known.is_empty() && Some(pulls.len()) == known.len().checked_mul(dim);
        let buckets = Some(buckets).filter(|buckets| whole && *buckets <= MOST_BUCKETS)?;
        Some(Self {
            features: Features::from_parts(attributes, &known, buckets)?,
            mean: mean.to_vec(),
            pulls: Vectors::new(dim, pulls.to_vec()),
            quality,
        })
    }
}

/// Where a row of features points; nowhere without any.
fn place(row: &[(u32, f32)], mean: &[f32], pulls: &Vectors) -> Option<Vec<f32>> {
    if row.is_empty() {
        return None;
    }
    let mut vector = mean.to_vec();
    for &(feature, x) in row {
        let pull = pulls.row(feature as usize);
        vector.iter_mut().zip(pull).for_each(|(v, p)| *v += x * p);
    }
    unit(&vector)
}

/// The items that are learnt from.
struct Class {
    features: Features,
    /// Their vectors.
    points: Points,
    rows: Vec<Vec<(u32, f32)>>,
    /// What each says; 1 on average.
    weights: Vec<f32>,
    mean: Vec<f32>,
}

impl Class {
    fn gather(
        items: &[Item],
        vectors: &UnitVectors,
        touched: &[u32],
        options: &ContentOptions,
    ) -> Option<Self> {
        let buckets = options.buckets.clamp(1, MOST_BUCKETS);
        let known = |id: &ItemId| touched[id.index()] >= options.enough.max(1) && vectors.has(*id);
        let mut ids: Vec<ItemId> = (0..items.len()).map(ItemId::new).filter(known).collect();
        ids.sort_by_key(|id| std::cmp::Reverse(touched[id.index()]));
        ids.truncate(options.lessons);
        ids.sort_unstable();
        let told: Vec<&Item> = ids.iter().map(|id| &items[id.index()]).collect();
        let features = Features::learn(&told, buckets);
        let rows: Vec<_> = told.par_iter().map(|item| features.row(item)).collect();

        let mut points = Points::new(vectors.dim());
        let mut taught = Vec::new();
        let mut weights = Vec::new();
        for (id, row) in ids.into_iter().zip(rows) {
            if let (false, Some(vector)) = (row.is_empty(), vectors.of(id)) {
                points.push(id, &vector);
                weights.push((touched[id.index()] as f32).ln_1p());
                taught.push(row);
            }
        }
        if taught.len() < FEWEST {
            return None;
        }
        let average = weights.iter().sum::<f32>() / weights.len() as f32;
        weights.iter_mut().for_each(|weight| *weight /= average);
        let mean = mean(&points, &weights);
        Some(Self { features, points, rows: taught, weights, mean })
    }

    /// What the items at these places teach: where each is, seen from the mean.
    fn lessons(&self, places: &[usize]) -> Lessons {
        let rows: Lists<(u32, f32)> =
            places.iter().map(|&place| self.rows[place].iter().copied()).collect();
        let weights = places.iter().map(|&place| self.weights[place]).collect();
        let apart = |&place: &usize| {
            let vector = self.points.row(place);
            vector.iter().zip(&self.mean).map(|(x, mean)| x - mean).collect::<Vec<_>>()
        };
        let targets = Vectors::new(self.mean.len(), places.iter().flat_map(apart).collect());
        Lessons::new(rows, weights, &targets, self.features.known().len())
    }

    /// Holds back a tenth at a time, and looks how each λ places it.
    fn judge(&self, items: &[Item], touched: &[u32]) -> ContentQuality {
        let count = self.points.ids.len();
        let tenths = JUDGED.div_ceil(count.div_ceil(10)).clamp(1, 10);
        let most = (COMPARED / count).clamp(50, 1_000);
        let mut sums = [0.0f64; TRIED.len()];
        let mut others = [0.0f64; 3];
        let mut held_back = 0;
        for tenth in 0..tenths {
            let is_held = |place: &usize| tenth_of(self.points.ids[*place]) == tenth;
            let (mut held, kept): (Vec<usize>, Vec<usize>) = (0..count).partition(is_held);
            thin_out(&mut held, most);
            let exam = Exam::new(&self.points, held);
            let mut pulls = Vectors::zeros(self.mean.len(), self.features.known().len());
            let lessons = self.lessons(&kept);
            for (sum, lambda) in sums.iter_mut().zip(TRIED) {
                lessons.solve(lambda, STEPS.0, &mut pulls);
                *sum += exam.found(|at| place(&self.rows[at], &self.mean, &pulls));
            }
            others[0] += exam.found_in_category(items, touched);
            others[1] += exam.found_among_popular(touched);
            others[2] += exam.found_blindly();
            held_back += exam.len();
        }
        let best = (0..TRIED.len()).max_by(|a, b| sums[*a].total_cmp(&sums[*b]).then(b.cmp(a)));
        let best = best.expect("some are tried");
        let share = |sum: f64| (sum / held_back.max(1) as f64) as f32;
        ContentQuality {
            held_back: held_back as u32,
            content: share(sums[best]),
            same_category: share(others[0]),
            popular: share(others[1]),
            chance: share(others[2]),
            lambda: TRIED[best],
        }
    }
}

/// At most so many, evenly spread.
fn thin_out(places: &mut Vec<usize>, most: usize) {
    let count = places.len();
    if count > most {
        *places = (0..most).map(|n| places[n * count / most]).collect();
    }
}

/// Which tenth an item is in: by a hash of its number, so that what came in one file together is parted.
fn tenth_of(item: ItemId) -> usize {
    (XxHash3_128::oneshot(&(item.index() as u64).to_le_bytes()) % 10) as usize
}

fn mean(points: &Points, weights: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0f64; points.dim];
    for (place, weight) in weights.iter().enumerate() {
        let weighted = points.row(place).iter().map(|x| f64::from(weight * x));
        sums.iter_mut().zip(weighted).for_each(|(sum, x)| *sum += x);
    }
    sums.into_iter().map(|sum| (sum / weights.len() as f64) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items of ten kinds: the title says which, and so does the vector, but for noise.
    fn kinds(count: usize) -> (Vec<Item>, UnitVectors, Vec<u32>) {
        const NAMES: [&str; 10] =
            ["cup", "pot", "tea", "jam", "oil", "bag", "pen", "box", "mat", "jar"];
        let mut random = fastrand::Rng::with_seed(4);
        let centres: Vec<f32> = (0..10 * 8).map(|_| random.f32() - 0.5).collect();
        let mut vectors = UnitVectors::none(8, count);
        let mut items = Vec::new();
        for n in 0..count {
            let kind = random.usize(..10);
            let vector = centres[kind * 8..][..8].iter().map(|x| x + 0.1 * (random.f32() - 0.5));
            vectors.set(ItemId::new(n), &vector.collect::<Vec<_>>());
            let title = format!("{} no {n}", NAMES[kind]);
            items.push(Item { title: Some(title), ..Item::default() });
        }
        (items, vectors, (0..count as u32).map(|n| 3 + n % 7).collect())
    }

    fn learn(items: &[Item], vectors: &UnitVectors, touched: &[u32]) -> ContentModel {
        ContentModel::learn(items, vectors, touched, &ContentOptions::default())
    }

    fn called(title: &str) -> Item {
        Item { title: Some(title.into()), ..Item::default() }
    }

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn an_item_never_touched_is_placed_among_its_kind() {
        let (items, vectors, mut touched) = kinds(300);
        touched[..20].fill(0);
        let model = learn(&items, &vectors, &touched);
        for (n, item) in items.iter().enumerate().take(20) {
            let placed = model.vector(item).expect("its kind is known");
            let true_one = vectors.of(ItemId::new(n)).expect("it has one");
            assert!(cosine(&placed, &true_one) > 0.9, "{}", cosine(&placed, &true_one));
            assert!((cosine(&placed, &placed) - 1.0).abs() < 1e-5);
        }
        let quality = model.quality();
        assert!(quality.held_back >= 250 && quality.content > 3.0 * quality.popular, "{quality:?}");
        assert!((quality.chance - 20.0 / 279.0).abs() < 1e-3, "{quality:?}");
    }

    #[test]
    fn an_item_of_which_nothing_known_is_said_is_not_placed() {
        let (items, vectors, touched) = kinds(300);
        let model = learn(&items, &vectors, &touched);
        assert!(model.vector(&called("cup")).is_some());
        assert!(model.vector(&called("zeppelin")).is_none());
        assert!(model.vector(&Item::default()).is_none());
    }

    #[test]
    fn few_items_or_silent_ones_or_ones_hardly_touched_teach_nothing() {
        let (items, vectors, touched) = kinds(300);
        assert!(learn(&items[..20], &vectors, &touched[..20]).is_empty());
        assert!(learn(&vec![Item::default(); 300], &vectors, &touched).is_empty());
        assert!(learn(&items, &vectors, &[2; 300]).is_empty());
        assert!(learn(&items, &UnitVectors::none(8, 300), &touched).is_empty());
        assert!(learn(&[], &UnitVectors::default(), &[]).is_empty());
        assert!(ContentModel::default().vector(&items[0]).is_none());
    }

    #[test]
    fn words_that_say_nothing_of_the_vector_are_not_believed() {
        let (mut items, vectors, touched) = kinds(300);
        let mut random = fastrand::Rng::with_seed(8);
        random.shuffle(&mut items);
        let model = learn(&items, &vectors, &touched);
        assert!(model.is_empty(), "{:?}", model.quality());
        // Every item of one kind: there is nothing to tell them by.
        let model = learn(&vec![called("cup"); 300], &vectors, &touched);
        assert!(model.is_empty(), "{:?}", model.quality());
        assert!(model.quality().held_back > 0);
    }

    #[test]
    fn a_model_comes_back_from_its_parts_and_parts_that_do_not_fit_are_refused() {
        let (items, vectors, touched) = kinds(120);
        for model in [learn(&items, &vectors, &touched), ContentModel::default()] {
            let (card, floats) = model.to_parts();
            let card: ContentCard =
                serde_json::from_str(&serde_json::to_string(&card).expect("JSON")).expect("JSON");
            assert_eq!(ContentModel::from_parts(card, &floats), Some(model));
        }
        let (card, floats) = learn(&items, &vectors, &touched).to_parts();
        let refused = |card: &ContentCard, floats: &[f32]| {
            assert_eq!(ContentModel::from_parts(card.clone(), floats), None);
        };
        refused(&card, &floats[1..]);
        refused(&card, &[]);
        refused(&ContentCard { dim: 0, ..card.clone() }, &floats);
        refused(&ContentCard { dim: card.dim * 2, ..card.clone() }, &floats);
        refused(&ContentCard { buckets: 1, ..card.clone() }, &floats);
        refused(&ContentCard { buckets: usize::MAX, ..card.clone() }, &floats);
        let known = card.known.iter().rev().copied().collect();
        refused(&ContentCard { known, ..card }, &floats);
    }

    #[test]
    fn any_number_of_threads_gives_the_same_model() {
        let (items, vectors, touched) = kinds(200);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("threads").install(|| learn(&items, &vectors, &touched))
        };
        assert!(!on(1).is_empty());
        assert_eq!(on(1), on(3));
    }
}
