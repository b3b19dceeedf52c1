//! Rules against independent brute force, known truths, and the laws they must keep.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use cartwright::ids::{CustomerId, Interner, ItemId};
use cartwright::rules::longer::{LongRule, LongRuleOptions, mine};
use cartwright::rules::{
    Groups, RuleOptions, Rules, confidence, count, lift, llr, p_value, support,
};
use proptest::prelude::*;

/// The folder of real shops' data, or a word on what was left out.
fn data(file: &str) -> Option<PathBuf> {
    let path = std::env::var_os("CARTWRIGHT_DATA").map(|folder| PathBuf::from(folder).join(file));
    if path.is_none() {
        println!("left out: set CARTWRIGHT_DATA to the folder that holds {file}");
    }
    path
}

/// `basket_id,item_id` as groups, and the items' keys.
fn groceries() -> Option<(Groups, Interner<ItemId>)> {
    let file = std::fs::File::open(data("groceries.csv.gz")?).expect("groceries.csv.gz is there");
    let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(file));
    let mut keys = Interner::new();
    let mut baskets: BTreeMap<String, Vec<ItemId>> = BTreeMap::new();
    for row in reader.records() {
        let row = row.expect("a readable row");
        baskets.entry(row[0].to_string()).or_default().push(keys.intern(&row[1]));
    }
    Some((Groups::new(baskets.into_values().map(|items| (None, items))), keys))
}

/// Every pair that passes no gate but lift > 1.
fn ungated(options: RuleOptions) -> RuleOptions {
    RuleOptions { false_discovery_rate: 1.0, ..options }
}

#[test]
fn groceries_counts_equal_an_independent_brute_force() {
    let Some((groups, keys)) = groceries() else { return };
    assert_eq!((groups.len(), keys.len()), (9835, 169));
    let options = RuleOptions { min_count: 1, ..ungated(RuleOptions::default()) };
    let rules = count(&groups, keys.len(), &options);
    let mut pairs: HashMap<(ItemId, ItemId), u32> = HashMap::new();
    for row in groups.items().rows() {
        for a in row {
            row.iter().for_each(|b| *pairs.entry((*a, *b)).or_default() += 1);
        }
    }
    let n = groups.len() as u64;
    for source in 0..keys.len() {
        let a = ItemId::new(source);
        let n_a = pairs[&(a, a)];
        assert_eq!(rules.item_groups[source], n_a);
        let mut expected: Vec<_> = (0..keys.len())
            .map(ItemId::new)
            .filter_map(|b| Some((b, *pairs.get(&(a, b))?)))
            .filter(|&(b, n_ab)| {
                b != a && u64::from(n_ab) * n > u64::from(n_a) * u64::from(pairs[&(b, b)])
            })
            .collect();
        let mut counted: Vec<_> =
            rules.lists.row(source).iter().map(|rule| (rule.item, rule.together)).collect();
        expected.sort_unstable();
        counted.sort_unstable();
        assert_eq!(counted, expected, "rules of {}", keys.key(a));
    }
    assert_eq!(rules.gate.tested, 169 * 168 / 2);
}

#[test]
fn groceries_rules_carry_the_published_measures() {
    let Some((groups, keys)) = groceries() else { return };
    let rules = count(&groups, keys.len(), &RuleOptions::default());
    let (herbs, roots) = (keys.get("herbs").unwrap(), keys.get("root vegetables").unwrap());
    let rule = rules.lists.row(herbs.index()).iter().find(|rule| rule.item == roots).unwrap();
    let (n_a, n_b) = (rules.item_groups[herbs.index()], rules.item_groups[roots.index()]);
    assert_eq!(format!("{:.6}", support(rule.together, rules.groups)), "0.007016");
    assert_eq!(format!("{:.4}", confidence(rule.together, n_a)), "0.4313");
    assert_eq!(format!("{:.4}", lift(rule.together, n_a, n_b, rules.groups)), "3.9565");
    assert!(llr(rule.together, n_a, n_b, rules.groups) > rules.gate.llr_threshold.unwrap());
}

#[test]
fn the_miner_finds_the_published_numbers_of_longer_rules_in_groceries() {
    let Some((groups, keys)) = groceries() else { return };
    let options = LongRuleOptions {
        min_support: 0.001,
        min_confidence: 0.5,
        max_items: 10,
        empty_left: true,
        ..LongRuleOptions::default()
    };
    let started = std::time::Instant::now();
    let found = mine(&groups, &options);
    println!("5,668 rules in {:?}", started.elapsed());
    assert_eq!((sizes(&found.rules), found.cut), (vec![0, 11, 1461, 3211, 939, 46], false));
    let wanted = LongRuleOptions { min_support: 0.006, min_confidence: 0.25, ..options };
    assert_eq!(sizes(&mine(&groups, &wanted).rules), [1, 150, 297, 16]);

    for (left, right, published) in [
        (vec!["Instant food products", "soda"], "hamburger meat", "0.001220 0.6316 18.9957"),
        (vec!["liquor", "red/blush wine"], "bottled beer", "0.001932 0.9048 11.2353"),
    ] {
        let mut left: Vec<ItemId> = left.iter().map(|key| keys.get(key).unwrap()).collect();
        left.sort_unstable();
        let right = keys.get(right).unwrap();
        let rule =
            found.rules.iter().find(|rule| rule.left == left && rule.right == right).unwrap();
        let n_b = groups.items().entries().iter().filter(|item| **item == right).count() as u32;
        let measures = format!(
            "{:.6} {:.4} {:.4}",
            support(rule.together, found.groups),
            confidence(rule.together, rule.left_groups),
            lift(rule.together, rule.left_groups, n_b, found.groups),
        );
        assert_eq!(measures, published);
    }
}

/// How many rules there are of 1 item, 2 items, …
fn sizes(rules: &[LongRule]) -> Vec<usize> {
    let longest = rules.iter().map(|rule| rule.left.len() + 1).max().unwrap_or(0);
    (1..=longest)
        .map(|size| rules.iter().filter(|rule| rule.left.len() + 1 == size).count())
        .collect()
}

#[test]
fn what_households_buy_week_by_week_is_no_rule_unless_it_goes_together() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut orders = Vec::new();
    for order in 0..150 * 40 {
        let mut items: Vec<usize> = [0.6, 0.6, 0.2, 0.1]
            .iter()
            .enumerate()
            .filter_map(|(item, share)| (random.f64() < *share).then_some(item))
            .collect();
        if items.contains(&3) && random.f64() < 0.5 {
            items.push(4);
        }
        orders.push((Some(order % 150), items));
    }
    let rules = count(&groups(&orders), 5, &RuleOptions::default());
    let found = rules.lists.rows().enumerate();
    let found = found.flat_map(|(from, row)| row.iter().map(move |rule| (from, rule.item.index())));
    assert_eq!(found.collect::<Vec<_>>(), [(3, 4), (4, 3)]);
    let both = orders.iter().filter(|(_, items)| items.ends_with(&[3, 4])).count();
    assert_eq!(rules.lists.row(3)[0].together as usize, both);
    assert_eq!(
        rules.item_groups[0] as usize,
        orders.iter().filter(|(_, items)| items.contains(&0)).count()
    );
}

type Row = (Option<usize>, Vec<usize>);

fn shop() -> impl Strategy<Value = Vec<Row>> {
    let row = (prop::option::of(0usize..4), prop::collection::vec(0usize..8, 0..6));
    prop::collection::vec(row, 0..40)
}

fn groups(rows: &[Row]) -> Groups {
    Groups::new(rows.iter().map(|(voter, items)| {
        (voter.map(CustomerId::new), items.iter().map(|&item| ItemId::new(item)).collect())
    }))
}

fn options() -> impl Strategy<Value = RuleOptions> {
    (0u32..4, 0.0..1.5, 1u32..3, prop::option::of(2usize..6)).prop_map(
        |(votes, size, min_count, max_group_items)| RuleOptions {
            size,
            min_count,
            max_group_items,
            votes_per_customer: (votes > 0).then_some(votes),
            ..RuleOptions::default()
        },
    )
}

/// (n_ab, w_ab) by the definition: of each voter, the heaviest groups that hold all `items` weigh.
fn by_definition(groups: &Groups, items: &[ItemId], options: &RuleOptions) -> (u32, f64) {
    let mut of_voter: HashMap<(Option<CustomerId>, usize), Vec<f64>> = HashMap::new();
    for (number, (row, voter)) in groups.items().rows().zip(groups.voters()).enumerate() {
        let small = options.max_group_items.is_none_or(|most| row.len() <= most);
        if small && items.iter().all(|item| row.contains(item)) {
            let voter = (*voter, if voter.is_some() { 0 } else { number });
            of_voter.entry(voter).or_default().push((row.len() as f64).powf(-options.size));
        }
    }
    let limit = options.votes_per_customer.unwrap_or(u32::MAX) as usize;
    let mut counted = (0, 0.0);
    for weights in of_voter.values_mut() {
        weights.sort_by(|a, b| b.total_cmp(a));
        counted.0 += weights.len() as u32;
        counted.1 += weights.iter().take(limit).sum::<f64>();
    }
    counted
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_and_scores_equal_a_brute_force_with_the_vote_limit(rows in shop(), options in options()) {
        let groups = groups(&rows);
        let options = ungated(options);
        let rules = count(&groups, 8, &options);
        let often = |item: &usize| {
            by_definition(&groups, &[ItemId::new(*item)], &options).0 >= options.min_count
        };
        let often = (0..8).filter(often).count() as u64;
        prop_assert_eq!(rules.gate.tested, often * often.saturating_sub(1) / 2);
        for a in (0..8).map(ItemId::new) {
            let (n_a, w_a) = by_definition(&groups, &[a], &options);
            prop_assert_eq!(rules.item_groups[a.index()], n_a);
            prop_assert!(n_a <= rules.groups);
            for b in (0..8).map(ItemId::new).filter(|b| *b != a) {
                let (n_b, w_b) = by_definition(&groups, &[b], &options);
                let (n_ab, w_ab) = by_definition(&groups, &[a, b], &options);
                prop_assert!(n_ab <= n_a.min(n_b));
                prop_assert!(n_a + n_b - n_ab <= rules.groups, "no cell is negative");
                let above_chance = u64::from(n_ab) * u64::from(rules.groups) > u64::from(n_a) * u64::from(n_b);
                let rule = rules.lists.row(a.index()).iter().find(|rule| rule.item == b);
                prop_assert_eq!(rule.is_some(), above_chance && n_ab >= options.min_count);
                if let Some(rule) = rule {
                    prop_assert_eq!(rule.together, n_ab);
                    let score = w_ab / (w_a.powf(options.source) * w_b.powf(options.target) + options.shrink);
                    prop_assert!((f64::from(rule.score) / score - 1.0).abs() < 1e-4);
                }
            }
        }
    }

    #[test]
    fn measures_stay_in_their_bounds_and_lift_is_symmetric(rows in shop(), options in options()) {
        let groups = groups(&rows);
        let rules = count(&groups, 8, &ungated(options));
        for (a, list) in rules.lists.rows().enumerate() {
            for rule in list {
                let (n_a, n_b) = (rules.item_groups[a], rules.item_groups[rule.item.index()]);
                let confidence = confidence(rule.together, n_a);
                prop_assert!((0.0..=1.0).contains(&confidence));
                let there = lift(rule.together, n_a, n_b, rules.groups);
                prop_assert_eq!(there, lift(rule.together, n_b, n_a, rules.groups));
                prop_assert!(there > 1.0);
                let ratio = llr(rule.together, n_a, n_b, rules.groups);
                prop_assert!(ratio >= 0.0 && (0.0..=1.0).contains(&p_value(ratio)));
                prop_assert!(rule.score.is_finite() && rule.score > 0.0);
            }
            prop_assert!(list.is_sorted_by(|x, y| x.score > y.score || (x.score == y.score && x.item < y.item)));
        }
    }

    #[test]
    fn neither_threads_nor_the_order_of_groups_change_a_byte(
        rows in shop(),
        options in options(),
        seed in any::<u64>(),
    ) {
        let on = |threads, rows: &[Row]| -> Rules {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| count(&groups(rows), 200, &options))
        };
        let mut shuffled = rows.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        let expected = on(1, &rows);
        prop_assert_eq!(&expected, &on(4, &rows));
        prop_assert_eq!(&expected, &on(4, &shuffled));
    }

    #[test]
    fn longer_rules_equal_a_brute_force_over_all_sets(rows in shop()) {
        let groups = groups(&rows);
        let options = LongRuleOptions {
            min_support: 0.05,
            min_confidence: 0.4,
            max_items: 4,
            empty_left: true,
            ..LongRuleOptions::default()
        };
        let holding = |items: &[ItemId]| {
            groups.items().rows().filter(|row| items.iter().all(|item| row.contains(item))).count() as u32
        };
        let n = groups.len() as f64;
        let mut expected = Vec::new();
        for set in 1u32..256 {
            let items: Vec<ItemId> = (0..8).filter(|i| set >> i & 1 == 1).map(ItemId::new).collect();
            let together = holding(&items);
            if items.len() > 4 || together == 0 || f64::from(together) / n < 0.05 {
                continue;
            }
            for &right in &items {
                let left: Vec<ItemId> = items.iter().copied().filter(|item| *item != right).collect();
                let left_groups = holding(&left);
                if f64::from(together) / f64::from(left_groups) >= 0.4 {
                    expected.push(LongRule { left, right, together, left_groups });
                }
            }
        }
        expected.sort_unstable();
        prop_assert_eq!(mine(&groups, &options).rules, expected);
    }
}

/// Once, only pairs seen together counted as tested, and chance walked in: with many rare items,
/// being seen together twice is itself the rare event.
#[test]
fn a_shop_of_pure_chance_with_many_rare_items_gives_next_to_no_rules() {
    let mut random = fastrand::Rng::with_seed(23);
    let items = 3000;
    let rows = (0..20_000).map(|_| {
        let pick = |random: &mut fastrand::Rng| {
            ItemId::new((items as f64 * random.f64().powi(3)) as usize)
        };
        (None, (0..6).map(|_| pick(&mut random)).collect())
    });
    let rules = count(&Groups::new(rows), items, &RuleOptions::default());
    assert!(rules.gate.passed <= 10, "the gate lets chance through: {:?}", rules.gate);
}

#[test]
fn independent_items_rarely_pass_the_gate_and_a_planted_pair_does() {
    let mut random = fastrand::Rng::with_seed(11);
    let rows = (0..4000).map(|_| {
        let mut items: Vec<ItemId> =
            (0..60).filter(|_| random.f32() < 0.05).map(ItemId::new).collect();
        if random.f32() < 0.02 {
            items.extend([ItemId::new(60), ItemId::new(61)]);
        }
        (None, items)
    });
    let rules = count(&Groups::new(rows), 62, &RuleOptions::default());
    assert!(rules.lists.row(60).iter().any(|rule| rule.item.index() == 61));
    let false_rules = rules.lists.rows().take(60).flatten().filter(|rule| rule.item.index() < 60);
    assert!(false_rules.count() <= 4, "the gate lets chance through: {:?}", rules.gate);
}

#[test]
fn empty_single_and_uniform_shops_give_empty_lists_and_no_nan() {
    let same: Vec<Row> = (0..50).map(|_| (None, vec![0, 1, 2])).collect();
    let one_customer: Vec<Row> = (0..50).map(|i| (Some(0), vec![i % 3, 3])).collect();
    for rows in [
        vec![],
        vec![(None, vec![])],
        vec![(None, vec![0])],
        vec![(None, vec![0, 1])],
        same,
        one_customer,
    ] {
        for options in
            [RuleOptions::default(), RuleOptions { per_item: 0, ..RuleOptions::default() }]
        {
            let rules = count(&groups(&rows), 4, &options);
            assert_eq!(rules.lists.len(), 4);
            assert!(rules.lists.entries().iter().all(|rule| rule.score.is_finite()));
        }
    }
}

#[test]
fn oversized_groups_are_left_out_and_reported() {
    let mut rows: Vec<Row> =
        (0..20).map(|i| (None, if i % 2 == 0 { vec![0, 1] } else { vec![2] })).collect();
    rows.push((None, (0..600).collect()));
    let rules = count(&groups(&rows), 600, &RuleOptions::default());
    assert_eq!((rules.groups, rules.left_out_groups), (20, 1));
    assert_eq!(rules.item_groups[0], 10);
    let partners: HashSet<_> = rules.lists.row(0).iter().map(|rule| rule.item.index()).collect();
    assert_eq!(partners, HashSet::from([1]));
}
