//! Customers who are alike: k-means++ over a few standardised features, as many groups as keep coming out
//! the same, each named by what stands out.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// A feature, with what a group is called that has much, or little, of it.
pub(super) struct Feature {
    pub(super) name: &'static str,
    much: &'static str,
    little: &'static str,
}

/// What groups are made by, in the order of [`Point`]. Counts and money go in as ln(1 + x).
pub(super) const FEATURES: [Feature; 7] = [
    Feature { name: "recency, days", much: "long gone", little: "here lately" },
    Feature { name: "orders", much: "frequent", little: "few orders" },
    Feature { name: "average order", much: "large orders", little: "small orders" },
    Feature { name: "discount share", much: "after discounts", little: "at full price" },
    Feature { name: "price level", much: "dear goods", little: "cheap goods" },
    Feature { name: "items per order", much: "full baskets", little: "one thing at a time" },
    Feature { name: "growth", much: "growing", little: "fading" },
];

/// The features of one customer.
pub(super) type Point = [f32; FEATURES.len()];

/// Groups of customers who are alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Segments {
    /// The groups, largest first.
    pub groups: Vec<Segment>,
    /// Names of the features.
    pub features: Vec<String>,
    /// For each number of groups tried: how alike fits on two draws of customers are (adjusted Rand
    /// index; 1 = the same, 0 = chance).
    pub stability: Vec<(u32, f32)>,
    means: Vec<f32>,
    deviations: Vec<f32>,
}

/// One group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// By what stands out: "frequent, full baskets".
    pub name: String,
    /// How many customers.
    pub customers: u32,
    /// Its middle, in standard deviations from the shop's; by feature.
    pub centre: Vec<f32>,
    /// Its mean, in the features' own units (counts and money as ln(1 + x)).
    pub means: Vec<f32>,
}

const FEWEST: usize = 3;
const MOST: usize = 8;
/// Learnt from at most so many customers: more move no centre.
const SAMPLE: usize = 20_000;
const RESAMPLE: usize = 3_000;
const RESAMPLES: u64 = 6;
const ROUNDS: usize = 50;
/// Standard deviations; beyond, a customer is as odd as can be.
const ODDEST: f32 = 3.0;
/// Fewer customers form no groups.
const LEAST: usize = 100;

impl Segments {
    /// Learns groups from all customers, and says which each is in. Empty in a shop with hardly any.
    pub(super) fn learn(points: &[Option<Point>]) -> (Self, Vec<Option<u32>>) {
        let known: Vec<Point> = points.iter().flatten().copied().collect();
        if known.len() < LEAST {
            return (Self::default(), vec![None; points.len()]);
        }
        let mut segments = Self {
            features: FEATURES.iter().map(|feature| feature.name.to_owned()).collect(),
            ..Self::default()
        };
        segments.standardise(&known);
        let step = known.len().div_ceil(SAMPLE);
        let sample: Vec<Point> =
            known.iter().step_by(step).map(|point| segments.standard(point)).collect();
        let stability = (FEWEST..=MOST).into_par_iter().map(|k| (k as u32, stability(&sample, k)));
        segments.stability = stability.collect();
        let (k, _) = segments
            .stability
            .iter()
            .copied()
            .max_by(|a, b| {
                a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)) // of equals the fewer
            })
            .unwrap_or((FEWEST as u32, 0.0));
        let centres = k_means(&sample, k as usize, 0);
        let places: Vec<Option<u32>> = points
            .par_iter()
            .map(|point| point.map(|point| nearest(&centres, &segments.standard(&point)) as u32))
            .collect();
        let renumbered = segments.describe(&centres, points, &places);
        let places =
            places.into_iter().map(|place| place.map(|at| renumbered[at as usize])).collect();
        (segments, places)
    }

    fn standardise(&mut self, known: &[Point]) {
        let count = known.len() as f64;
        for at in 0..FEATURES.len() {
            let mean = known.iter().map(|point| f64::from(point[at])).sum::<f64>() / count;
            let square = known.iter().map(|p| (f64::from(p[at]) - mean).powi(2)).sum::<f64>();
            let deviation = (square / count).sqrt();
            self.means.push(mean as f32);
            self.deviations.push(if deviation > 1e-6 { deviation as f32 } else { 1.0 });
        }
    }

    fn standard(&self, point: &Point) -> Point {
        let one = |at: usize| (point[at] - self.means[at]) / self.deviations[at];
        std::array::from_fn(|at| one(at).clamp(-ODDEST, ODDEST))
    }

    /// Fills in the groups, largest first; the new number of each old one.
    fn describe(
        &mut self,
        centres: &[Point],
        points: &[Option<Point>],
        places: &[Option<u32>],
    ) -> Vec<u32> {
        let mut sizes = vec![0u32; centres.len()];
        let mut sums = vec![[0.0f64; FEATURES.len()]; centres.len()];
        for (point, &place) in points.iter().zip(places) {
            if let (Some(point), Some(place)) = (point, place) {
                sizes[place as usize] += 1;
                (0..FEATURES.len()).for_each(|at| sums[place as usize][at] += f64::from(point[at]));
            }
        }
        let mut order: Vec<usize> = (0..centres.len()).collect();
        order.sort_by_key(|&old| (std::cmp::Reverse(sizes[old]), old));
        let mut renumbered = vec![0; centres.len()];
        for (new, &old) in order.iter().enumerate() {
            renumbered[old] = new as u32;
            let size = f64::from(sizes[old].max(1));
            self.groups.push(Segment {
                name: self.free_name(&centres[old]),
                customers: sizes[old],
                centre: centres[old].to_vec(),
                means: sums[old].iter().map(|sum| (sum / size) as f32).collect(),
            });
        }
        renumbered
    }

    /// The two features that stand out most, or a third, or a number where that name is taken.
    fn free_name(&self, centre: &Point) -> String {
        let mut standing_out: Vec<usize> = (0..FEATURES.len()).collect();
        standing_out.sort_by(|&a, &b| centre[b].abs().total_cmp(&centre[a].abs()));
        let word = |&at: &usize| {
            if centre[at] > 0.0 { FEATURES[at].much } else { FEATURES[at].little }
        };
        let words: Vec<&str> = standing_out.iter().map(word).collect();
        let taken = |name: &String| self.groups.iter().any(|group| group.name == *name);
        (2..=4)
            .map(|length| words[..length].join(", "))
            .chain((2..).map(|n| format!("{} ({n})", words[..2].join(", "))))
            .find(|name| !taken(name))
            .expect("numbers do not end")
    }
}

/// Mean adjusted Rand index between fits on two different draws, over the same customers.
fn stability(sample: &[Point], k: usize) -> f32 {
    let judged: Vec<&Point> = sample.iter().step_by(sample.len().div_ceil(RESAMPLE)).collect();
    let rand = |draw: u64| {
        let mut random = fastrand::Rng::with_seed(1_000 + draw);
        let mut half = || -> Vec<Point> {
            let size = (sample.len() / 2).min(RESAMPLE);
            (0..size).map(|_| sample[random.usize(..sample.len())]).collect()
        };
        let (first, second) = (half(), half());
        let (first, second) = (k_means(&first, k, 2 * draw + 1), k_means(&second, k, 2 * draw + 2));
        let places = |centres: &[Point]| -> Vec<usize> {
            judged.iter().map(|point| nearest(centres, point)).collect()
        };
        adjusted_rand(&places(&first), &places(&second), k)
    };
    ((0..RESAMPLES).map(rand).sum::<f64>() / RESAMPLES as f64) as f32
}

/// How alike two divisions of the same things are: 1 = the same, 0 = as by chance. Source: Hubert & Arabie
/// 1985, eq. 5.
fn adjusted_rand(a: &[usize], b: &[usize], k: usize) -> f64 {
    let mut table = vec![0u64; k * k];
    a.iter().zip(b).for_each(|(&a, &b)| table[a * k + b] += 1);
    let pairs = |n: u64| (n * n.saturating_sub(1) / 2) as f64;
    let rows: f64 = (0..k).map(|i| pairs(table[i * k..(i + 1) * k].iter().sum())).sum();
    let columns: f64 = (0..k).map(|j| pairs((0..k).map(|i| table[i * k + j]).sum())).sum();
    let both: f64 = table.iter().map(|&n| pairs(n)).sum();
    let expected = rows * columns / pairs(a.len() as u64).max(1.0);
    let most = (rows + columns) / 2.0;
    if most > expected { (both - expected) / (most - expected) } else { 1.0 }
}

/// Centres of k groups: k-means++ for the start, then Lloyd's rounds; the best of three.
///
/// Source: Arthur & Vassilvitskii 2007, "k-means++: The Advantages of Careful Seeding".
fn k_means(points: &[Point], k: usize, seed: u64) -> Vec<Point> {
    let attempt = |n: u64| {
        let mut random = fastrand::Rng::with_seed(seed * 31 + n);
        let mut centres = careful_start(points, k, &mut random);
        (0..ROUNDS).find(|_| !improve(points, &mut centres));
        let cost: f64 =
            points.iter().map(|p| f64::from(apart(p, &centres[nearest(&centres, p)]))).sum();
        (cost, centres)
    };
    let best = (0..3).map(attempt).min_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, centres)| centres).unwrap_or_default()
}

fn careful_start(points: &[Point], k: usize, random: &mut fastrand::Rng) -> Vec<Point> {
    let mut centres = vec![points[random.usize(..points.len())]];
    let mut away: Vec<f32> = points.iter().map(|point| apart(point, &centres[0])).collect();
    while centres.len() < k {
        let total: f64 = away.iter().map(|&a| f64::from(a)).sum();
        let mut aim = random.f64() * total;
        let chosen = away.iter().position(|&a| {
            aim -= f64::from(a);
            aim < 0.0
        });
        let fresh = points[chosen.unwrap_or(points.len() - 1)];
        centres.push(fresh);
        away.iter_mut().zip(points).for_each(|(a, point)| *a = a.min(apart(point, &fresh)));
    }
    centres
}

/// Moves every centre to the mean of its points; false once none moves.
fn improve(points: &[Point], centres: &mut [Point]) -> bool {
    let mut sums = vec![([0.0f64; FEATURES.len()], 0u32); centres.len()];
    for point in points {
        let (sum, count) = &mut sums[nearest(centres, point)];
        sum.iter_mut().zip(point).for_each(|(sum, &value)| *sum += f64::from(value));
        *count += 1;
    }
    let mut moved = false;
    for (centre, (sum, count)) in centres.iter_mut().zip(sums) {
        if count > 0 {
            let mean = sum.map(|sum| (sum / f64::from(count)) as f32);
            moved |= mean != *centre;
            *centre = mean;
        }
    }
    moved
}

fn nearest(centres: &[Point], point: &Point) -> usize {
    let at = |centre: usize| apart(&centres[centre], point);
    (0..centres.len()).min_by(|&a, &b| at(a).total_cmp(&at(b))).unwrap_or(0)
}

/// Squared distance.
fn apart(a: &Point, b: &Point) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points around `k` corners far apart.
    fn clouds(k: usize, count: usize) -> Vec<Option<Point>> {
        let mut random = fastrand::Rng::with_seed(3);
        (0..count)
            .map(|n| {
                let mut point: Point = std::array::from_fn(|_| random.f32() - 0.5);
                point[n % k] += 8.0;
                Some(point)
            })
            .collect()
    }

    #[test]
    fn clouds_that_lie_apart_are_found_as_many_as_there_are() {
        for k in [3, 5] {
            let points = clouds(k, 1_000);
            let (segments, places) = Segments::learn(&points);
            assert_eq!(segments.groups.len(), k, "{:?}", segments.stability);
            for n in k..points.len() {
                assert_eq!(places[n], places[n % k], "{n}");
            }
            let sizes: u32 = segments.groups.iter().map(|group| group.customers).sum();
            assert_eq!(sizes, 1_000);
            assert!(segments.groups.iter().any(|group| group.name.starts_with("long gone")));
        }
    }

    #[test]
    fn every_group_has_a_name_of_its_own_and_a_customer_without_orders_has_no_group() {
        let mut points = clouds(4, 500);
        points.push(None);
        let (segments, places) = Segments::learn(&points);
        let mut names: Vec<&str> = segments.groups.iter().map(|g| g.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), segments.groups.len());
        assert_eq!(places[500], None);
        assert_eq!(Segments::learn(&points[..50]).0, Segments::default());
    }

    #[test]
    fn the_index_of_rand_is_one_for_the_same_and_about_none_for_chance() {
        let a: Vec<usize> = (0..600).map(|n| n % 3).collect();
        let swapped: Vec<usize> = a.iter().map(|n| (n + 1) % 3).collect();
        assert!((adjusted_rand(&a, &swapped, 3) - 1.0).abs() < 1e-12);
        let other: Vec<usize> = (0..600).map(|n| n / 3 % 3).collect();
        assert!(adjusted_rand(&a, &other, 3).abs() < 0.02);
    }
}
