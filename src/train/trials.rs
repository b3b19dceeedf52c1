//! Cases with their candidates, laid out so that thousands of blends can be tried on them.

use rayon::prelude::*;

use super::Learnt;
use super::cases::Case;
use crate::ids::ItemId;
use crate::index::{Contents, Powers};
use crate::recommend::{Kind, Query, SOURCES, Scratch, Weights, gathered};

/// What an answer is judged by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Metric {
    /// Gain at the first 10 places, discounted by place, over the best there could be.
    Ndcg10,
    /// Share of all that is right among the first 10.
    Recall10,
    /// 1 / place of the first right one, among the first 20.
    Mrr20,
}

impl Metric {
    /// The headline figure of each question.
    pub(super) fn of_question(kind: Kind) -> Self {
        match kind {
            Kind::Related | Kind::Customer | Kind::CustomerNew => Self::Ndcg10,
            Kind::Basket | Kind::BasketAnonymous => Self::Recall10,
            Kind::Session => Self::Mrr20,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ndcg10 => "ndcg@10",
            Self::Recall10 => "recall@10",
            Self::Mrr20 => "mrr@20",
        }
    }

    pub(super) fn cutoff(self) -> usize {
        if self == Self::Mrr20 { 20 } else { 10 }
    }

    /// `right` says of each place, best first, whether it is right; `all` is how many there are.
    pub(super) fn of(self, right: &[bool], all: usize) -> f64 {
        self.weighed(right, all, |place| if place < self.cutoff() { 1.0 } else { 0.0 })
    }

    /// The same for a climb: places count less and less from half the cut-off to half as much again, where they count
    /// nothing. Whether an item comes tenth or eleventh is chance, and with few cases it would be chance that is climbed.
    pub(super) fn fading(self, right: &[bool], all: usize) -> f64 {
        let cutoff = self.cutoff() as f64;
        self.weighed(right, all, |place| {
            ((1.5 * cutoff - 0.5 - place as f64) / cutoff).clamp(0.0, 1.0)
        })
    }

    fn weighed(self, right: &[bool], all: usize, weight: impl Fn(usize) -> f64) -> f64 {
        let gain = |place: usize| weight(place) / (place as f64 + 2.0).log2();
        let mut places =
            right.iter().enumerate().filter(|(_, right)| **right).map(|(place, _)| place);
        match self {
            Self::Ndcg10 => {
                let ideal: f64 = (0..all.min(MOST_PLACES)).map(gain).sum();
                places.map(gain).sum::<f64>() / ideal
            }
            Self::Recall10 => places.map(weight).sum::<f64>() / all as f64,
            Self::Mrr20 => places.next().map_or(0.0, |place| weight(place) / (place + 1) as f64),
        }
    }
}

/// Candidates kept per case by each source's own order …
const PER_SOURCE: usize = 60;
/// … and by the blend that is started from.
const BY_BLEND: usize = 150;
/// No [`Metric`] looks further, fading or not.
const MOST_PLACES: usize = 30;

/// Cases, with what is known of every candidate's sales raised to the same powers.
pub(super) struct Trials {
    each: Vec<Trial>,
    powers: Option<Powers>,
}

/// One case with its candidates, by id: a column each of what is known of them.
pub(super) struct Trial {
    /// Which of them are right, by place.
    right: Vec<u32>,
    /// Logarithms of each one's momentum and reach.
    sales: Vec<(f32, f32)>,
    /// Momentum and reach to their [`Trials::powers`].
    raised: Vec<f32>,
    /// What each source says of each, source by source.
    says: Vec<f32>,
    truths: usize,
}

impl Trials {
    pub(super) fn new(each: Vec<Trial>) -> Self {
        Self { each, powers: None }
    }

    pub(super) fn each(&self) -> &[Trial] {
        &self.each
    }

    /// Every other one, and the rest.
    pub(super) fn halves(self) -> [Self; 2] {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        for (trial, nth) in self.each.into_iter().zip(0..) {
            if nth % 2 == 0 { one.push(trial) } else { other.push(trial) }
        }
        [one, other].map(Self::new)
    }

    fn raise(&mut self, powers: Powers) {
        if self.powers != Some(powers) {
            let raise = |Trial { raised, sales, .. }: &mut Trial| {
                for (raised, (momentum, reach)) in raised.iter_mut().zip(sales) {
                    *raised = (powers.momentum * *momentum + powers.reach * *reach).exp();
                }
            };
            self.each.par_iter_mut().for_each(raise);
            self.powers = Some(powers);
        }
    }

    /// The mean figure with these weights.
    pub(super) fn mean(&mut self, weights: &Weights, metric: Metric) -> f64 {
        self.mean_of(weights, |right, all| metric.of(right, all))
    }

    /// The same, fading: what is climbed.
    pub(super) fn fading(&mut self, weights: &Weights, metric: Metric) -> f64 {
        self.mean_of(weights, |right, all| metric.fading(right, all))
    }

    fn mean_of(&mut self, weights: &Weights, figure: impl Fn(&[bool], usize) -> f64 + Sync) -> f64 {
        self.raise(weights.powers());
        let by_source = weights.by_source();
        let judge = |scores: &mut Vec<f32>, trial: &Trial| {
            trial.sum(&by_source, scores);
            scores.iter_mut().zip(&trial.raised).for_each(|(score, raised)| *score *= raised);
            trial.judge(&figure, scores)
        };
        let figures: Vec<f64> = self.each.par_iter().map_init(Vec::new, judge).collect();
        figures.iter().sum::<f64>() / figures.len() as f64 // in order: the same on any number of threads
    }

    /// [`Self::fading`] with each of these weights for one source, the others being as they are.
    pub(super) fn each_fading(
        &mut self,
        weights: &Weights,
        source: usize,
        values: &[f32],
        metric: Metric,
    ) -> Vec<f64> {
        self.raise(weights.powers());
        let heard: Vec<f32> =
            values.iter().map(|&v| weights.with_source(source, v).by_source()[source]).collect();
        let mut others = weights.by_source();
        others[source] = 0.0;
        let judge = |(sums, scores): &mut (Vec<f32>, Vec<f32>), trial: &Trial| {
            trial.sum(&others, sums);
            let mut figure = |value: f32| {
                let each = sums.iter().zip(trial.of_source(source)).zip(&trial.raised);
                scores.clear();
                scores.extend(each.map(|((sum, says), raised)| (sum + value * says) * raised));
                trial.judge(|right, all| metric.fading(right, all), scores)
            };
            heard.iter().map(|&value| figure(value)).collect::<Vec<_>>()
        };
        let figures: Vec<Vec<f64>> =
            self.each.par_iter().map_init(Default::default, judge).collect();
        let mean = |nth| figures.iter().map(|of_trial| of_trial[nth]).sum::<f64>();
        (0..values.len()).map(|nth| mean(nth) / figures.len() as f64).collect()
    }
}

impl Trial {
    /// The cases with the candidates that `heard` listens to and `start` or one source puts near its top.
    pub(super) fn all<'a>(
        learnt: &Learnt,
        kind: Kind,
        asked: impl Iterator<Item = &'a Case>,
        heard: &Weights,
        start: &Weights,
    ) -> Vec<Self> {
        let trial = |scratch: &mut Scratch, case: &&Case| {
            let query = Query::new(
                kind.question(case.keys(&learnt.contents)),
                case.history(&learnt.histories),
                50,
            );
            Self::new(&learnt.contents, heard, start, &query, &case.truth, scratch)
        };
        let asked: Vec<&Case> = asked.collect();
        asked.par_iter().map_init(Scratch::default, trial).collect()
    }

    fn new(
        contents: &Contents,
        heard: &Weights,
        weights: &Weights,
        query: &Query<'_>,
        truth: &[ItemId],
        scratch: &mut Scratch,
    ) -> Self {
        let gathered = gathered(contents, heard, query, scratch);
        let (by_source, standing) = (weights.by_source(), contents.standing(weights.powers()));
        let blend = gathered.items.iter().zip(&gathered.says);
        let score = |(&item, says)| Weights::sum(&by_source, says) * standing.of(item);
        let blend: Vec<f32> = blend.map(score).collect();
        let kept = kept(&gathered.says, &blend);
        let candidates = gathered.items.iter().zip(&gathered.says).zip(kept);
        let candidates =
            candidates.filter(|(_, kept)| *kept).map(|((&item, says), _)| (item, says));
        let sales = |item: ItemId| (contents.trends.momentum[item.index()], contents.reach(item));
        Self::of(candidates.collect(), sales, truth)
    }

    /// Of these candidates.
    fn of(
        mut candidates: Vec<(ItemId, &[f32; SOURCES])>,
        sales: impl Fn(ItemId) -> (f32, f32),
        truth: &[ItemId],
    ) -> Self {
        candidates.sort_unstable_by_key(|(item, _)| *item);
        let items = || candidates.iter().map(|(item, _)| *item);
        let is_right = |item: &ItemId| truth.binary_search(item).is_ok();
        let of_source = |source: usize| candidates.iter().map(move |(_, says)| says[source]);
        let sales = items().map(sales).map(|(momentum, reach)| (momentum.ln(), reach.ln()));
        Self {
            right: (0..)
                .zip(items())
                .filter(|(_, item)| is_right(item))
                .map(|(at, _)| at)
                .collect(),
            sales: sales.collect(),
            raised: vec![f32::NAN; candidates.len()],
            says: (0..SOURCES).flat_map(of_source).collect(),
            truths: truth.len(),
        }
    }

    /// The most that a source says of any candidate.
    pub(super) fn loudest(&self, source: usize) -> f32 {
        self.of_source(source).iter().copied().fold(0.0, f32::max)
    }

    /// What a source says of each candidate.
    fn of_source(&self, source: usize) -> &[f32] {
        &self.says[source * self.sales.len()..][..self.sales.len()]
    }

    /// Per candidate what the sources say together, with their weights, as [`Weights::sum`].
    fn sum(&self, by_source: &[f32; SOURCES], sums: &mut Vec<f32>) {
        sums.clear();
        sums.resize(self.sales.len(), 0.0);
        for (source, &weight) in by_source.iter().enumerate().filter(|(_, weight)| **weight != 0.0)
        {
            let each = sums.iter_mut().zip(self.of_source(source));
            each.for_each(|(sum, says)| *sum += weight * says);
        }
    }

    /// How good the order is that the scores put the candidates in; of equals the lower id comes first. Only the
    /// places of the few that are right must be known.
    fn judge(&self, figure: impl Fn(&[bool], usize) -> f64, scores: &[f32]) -> f64 {
        let mut right = [false; MOST_PLACES];
        for &candidate in &self.right {
            let (before, score) = (&scores[..candidate as usize], scores[candidate as usize]);
            let behind = &scores[candidate as usize + 1..];
            let ahead =
                count(before, |other| other >= score) + count(behind, |other| other > score);
            if let Some(place) = right.get_mut(ahead as usize) {
                *place = true;
            }
        }
        figure(&right[..right.len().min(scores.len())], self.truths)
    }
}

/// How many of the scores it holds for.
fn count(scores: &[f32], holds: impl Fn(f32) -> bool) -> u32 {
    scores.iter().map(|&score| u32::from(holds(score))).sum()
}

/// Which candidates some source, or the blend, puts near its top.
fn kept(says: &[[f32; SOURCES]], blend: &[f32]) -> Vec<bool> {
    let mut kept = vec![false; says.len()];
    let mut scored: Vec<(f32, usize)> = Vec::with_capacity(says.len());
    let mut keep_top = |limit: usize, score: &dyn Fn(usize) -> f32| {
        scored.clear();
        let scores = (0..says.len()).map(|place| (score(place), place));
        scored.extend(scores.filter(|(score, _)| *score > 0.0));
        if scored.len() > limit {
            scored.select_nth_unstable_by(limit, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            scored.truncate(limit);
        }
        scored.iter().for_each(|&(_, place)| kept[place] = true);
    };
    (0..SOURCES).for_each(|source| keep_top(PER_SOURCE, &|place: usize| says[place][source]));
    keep_top(BY_BLEND, &|place: usize| blend[place]);
    kept
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Cases in which what sells best is right most often, and no other source says anything but noise.
    pub(in crate::train) fn of_noise(cases: usize, seed: u64) -> Trials {
        let popular = Weights::NAMES.iter().position(|name| *name == "popular").expect("a source");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut trial = |_| {
            let mut truth = Vec::new();
            let says: Vec<[f32; SOURCES]> = (0..60)
                .map(|item| {
                    let share = 1.0 / (item + 1) as f32;
                    if random.f32() < 0.3 * share {
                        truth.push(ItemId::new(item));
                    }
                    std::array::from_fn(|source| match source == popular {
                        true => share,
                        false if random.u8(..4) == 0 => random.f32(),
                        false => 0.0,
                    })
                })
                .collect();
            truth.push(ItemId::new(60));
            Trial::of((0..).map(ItemId::new).zip(&says).collect(), |_| (1.0, 1.0), &truth)
        };
        Trials::new((0..cases).map(&mut trial).collect())
    }

    /// Items from 0, and what is known of each.
    struct Shop {
        says: Vec<[f32; SOURCES]>,
        sales: Vec<(f32, f32)>,
        truth: Vec<ItemId>,
    }

    /// Scores are few, so that many are equal.
    fn random(cases: usize, candidates: usize) -> Vec<Shop> {
        let mut random = fastrand::Rng::with_seed(23);
        let mut shop = |_| {
            let says = |_| std::array::from_fn(|_| f32::from(random.u8(..3)));
            let says = (0..candidates).map(says).collect();
            let mut one_of = |few: [f32; 3]| few[random.usize(..3)];
            let sales = |_| (one_of([0.25, 1.0, 4.0]), one_of([1.0, 2.0, 16.0]));
            let sales = (0..candidates).map(sales).collect();
            let truth = (0..candidates).filter(|_| random.u8(..5) == 0).map(ItemId::new);
            Shop { says, sales, truth: truth.chain([ItemId::new(candidates)]).collect() }
        };
        (0..cases).map(&mut shop).collect()
    }

    fn trials(shops: &[Shop]) -> Trials {
        let trial = |shop: &Shop| {
            let candidates = (0..).map(ItemId::new).zip(&shop.says).collect();
            Trial::of(candidates, |item| shop.sales[item.index()], &shop.truth)
        };
        Trials::new(shops.iter().map(trial).collect())
    }

    #[test]
    fn a_figure_is_that_of_the_candidates_sorted_by_score_and_id() {
        let weights = Weights { momentum: 0.5, reach: -0.25, ..Weights::default() };
        for metric in [Metric::Ndcg10, Metric::Recall10, Metric::Mrr20] {
            for candidates in [0, 1, 9, 10, 60] {
                let shops = random(40, candidates);
                let sorted = |shop: &Shop| {
                    let score = |&item: &usize| {
                        let by_source = weights.by_source();
                        let (momentum, reach) = shop.sales[item];
                        let standing = (0.5 * momentum.ln() - 0.25 * reach.ln()).exp();
                        Weights::sum(&by_source, &shop.says[item]) * standing
                    };
                    let mut all: Vec<usize> = (0..candidates).collect();
                    all.sort_by(|a, b| score(b).total_cmp(&score(a)).then(a.cmp(b)));
                    let items = all.into_iter().map(ItemId::new);
                    let right: Vec<bool> = items.map(|item| shop.truth.contains(&item)).collect();
                    [Metric::of, Metric::fading].map(|of| of(metric, &right, shop.truth.len()))
                };
                let plain: Vec<[f64; 2]> = shops.iter().map(sorted).collect();
                let mean = |of: usize| plain.iter().map(|both| both[of]).sum::<f64>() / 40.0;
                let mut trials = trials(&shops);
                let found = [trials.mean(&weights, metric), trials.fading(&weights, metric)];
                assert!((found[0] - mean(0)).abs() < 1e-12, "{metric:?}");
                assert!((found[1] - mean(1)).abs() < 1e-12, "{metric:?}");
            }
        }
    }

    #[test]
    fn around_the_last_place_a_fading_figure_counts_half_and_all_places_together_as_many() {
        let only = |place: usize| -> Vec<bool> { (0..40).map(|at| at == place).collect() };
        let recall = |place: usize| Metric::Recall10.fading(&only(place), 1);
        assert_eq!([0, 4, 7, 12, 15, 39].map(recall), [1.0, 1.0, 0.75, 0.25, 0.0, 0.0]);
        assert!(
            (recall(9) + recall(10) - 1.0).abs() < 1e-12,
            "the last within and the first without"
        );
        assert!(((0..40).map(recall).sum::<f64>() - 10.0).abs() < 1e-12);
        let all_right = [true; 40];
        assert_eq!(Metric::Ndcg10.fading(&all_right, 40), 1.0, "nothing is better than the best");
        assert_eq!(Metric::Mrr20.fading(&only(19), 1), 0.525 / 20.0);
        assert_eq!(Metric::Recall10.of(&only(10), 1), 0.0);
    }

    #[test]
    fn halves_are_every_other_case_and_the_rest() {
        for cases in [0, 1, 6, 7] {
            let whole = trials(&random(cases, 9));
            let right = |of: &Trials| of.each.iter().map(|t| t.right.clone()).collect::<Vec<_>>();
            let all = right(&whole);
            for (half, first) in whole.halves().iter().zip(0..) {
                assert!(right(half).iter().eq(all.iter().skip(first).step_by(2)), "{cases}");
            }
        }
    }

    #[test]
    fn weights_tried_at_once_have_the_figures_they_have_one_by_one() {
        let mut trials = trials(&random(40, 60));
        let weights = Weights { momentum: 0.5, reach: -0.25, viewed: 0.5, ..Weights::default() };
        let values = [0.0, 0.25, 1.0, 8.0];
        for source in 0..SOURCES {
            let at_once = trials.each_fading(&weights, source, &values, Metric::Ndcg10);
            let alone = values
                .map(|value| trials.fading(&weights.with_source(source, value), Metric::Ndcg10));
            assert_eq!(at_once, alone, "{}", Weights::NAMES[source]);
        }
    }
}
