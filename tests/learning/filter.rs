//! The laws of filters, over generated ones: they mean what a naive reading of the same tree means, they come
//! back from their own print, and no text, however odd, does worse than be refused.

use proptest::prelude::*;

use cartwright::filter::{FieldId, Filter, MAX_BYTES, Row, Schema, Type};
use cartwright::time::DAY_MS;

/// Two fields of each type, so that fields meet fields.
const FIELDS: [(&str, Type); 10] = [
    ("n", Type::Number),
    ("attributes.m", Type::Number),
    ("t", Type::Text),
    ("odd name", Type::Text),
    ("f", Type::Flag),
    ("known", Type::Flag),
    ("p", Type::Path),
    ("q", Type::Path),
    ("d", Type::Day),
    ("e", Type::Day),
];
const SPELT: [&str; 10] =
    ["n", "attributes.m", "t", "`odd name`", "f", "`known`", "p", "q", "d", "e"];
const TEXTS: [&str; 4] = ["", "a", "A", "it's \"b\" \\ €"];
const PATHS: [&str; 5] = ["A", "A > B", "A > B > C", "A > BC", "B"];
const DAYS: [&str; 3] = ["1969-12-31", "1970-01-01", "2024-02-29"];
const DAY_NUMBERS: [i64; 3] = [-1, 0, 19_782];

struct Fields;

impl Schema for Fields {
    fn field(&self, name: &str) -> Option<(FieldId, Type)> {
        let at = FIELDS.iter().position(|(known, _)| *known == name)?;
        Some((FieldId(at as u32), FIELDS[at].1))
    }

    fn names(&self) -> Vec<String> {
        FIELDS.iter().map(|(name, _)| name.to_string()).collect()
    }
}

/// One value, known by its type.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(f64),
    Text(&'static str),
    Flag(bool),
    Path(&'static str),
    /// Milliseconds since 1970.
    Day(i64),
}

/// One optional value per field.
#[derive(Clone, Debug)]
struct Values(Vec<Option<Value>>);

impl Row for Values {
    fn number(&self, field: FieldId) -> Option<f64> {
        match self.0[field.0 as usize] {
            Some(Value::Number(number)) => Some(number),
            _ => None,
        }
    }
    fn text(&self, field: FieldId) -> Option<&str> {
        match self.0[field.0 as usize] {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
    fn flag(&self, field: FieldId) -> Option<bool> {
        match self.0[field.0 as usize] {
            Some(Value::Flag(flag)) => Some(flag),
            _ => None,
        }
    }
    fn path(&self, field: FieldId) -> Option<&str> {
        match self.0[field.0 as usize] {
            Some(Value::Path(path)) => Some(path),
            _ => None,
        }
    }
    fn day(&self, field: FieldId) -> Option<i64> {
        match self.0[field.0 as usize] {
            Some(Value::Day(ms)) => Some(ms.div_euclid(DAY_MS)),
            _ => None,
        }
    }
}

/// A tree that is fully bracketed when written, so that no precedence helps it.
#[derive(Clone, Debug)]
enum Tree {
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
    Not(Box<Tree>),
    Compare(Term, &'static str, Term),
    In(Term, bool, Vec<Term>),
    Under(Term, Term),
    Known(usize, bool),
    Flag(Term),
}

#[derive(Clone, Debug)]
enum Term {
    /// What it is, and how it is written.
    Constant(Value, String),
    Field(usize, bool),
    Sum(Box<Term>, char, Box<Term>),
    Minus(Box<Term>),
}

impl Tree {
    fn written(&self) -> String {
        match self {
            Self::And(a, b) => format!("({}) and ({})", a.written(), b.written()),
            Self::Or(a, b) => format!("({}) or ({})", a.written(), b.written()),
            Self::Not(a) => format!("not ({})", a.written()),
            Self::Compare(a, order, b) => format!("{} {order} {}", a.written(), b.written()),
            Self::In(a, not, list) => {
                let list: Vec<String> = list.iter().map(Term::written).collect();
                let not = if *not { "not " } else { "" };
                format!("{} {not}in ({})", a.written(), list.join(", "))
            }
            Self::Under(a, b) => format!("{} under {}", a.written(), b.written()),
            Self::Known(at, current) => format!("known {}", Term::Field(*at, *current).written()),
            Self::Flag(term) => term.written(),
        }
    }

    /// The meaning, as the documentation puts it.
    fn holds(&self, row: &Values, current: Option<&Values>) -> bool {
        let value = |term: &Term| term.value(row, current);
        match self {
            Self::And(a, b) => a.holds(row, current) & b.holds(row, current),
            Self::Or(a, b) => a.holds(row, current) | b.holds(row, current),
            Self::Not(a) => !a.holds(row, current),
            Self::Compare(a, order, b) => compare(value(a), order, value(b)),
            Self::In(a, false, list) => list.iter().any(|item| compare(value(a), "=", value(item))),
            Self::In(a, true, list) => list.iter().all(|item| compare(value(a), "!=", value(item))),
            Self::Under(a, b) => match (value(a), value(b)) {
                (Some(Value::Path(path)), Some(Value::Path(above))) => {
                    let (path, above): (Vec<_>, Vec<_>) =
                        (path.split(" > ").collect(), above.split(" > ").collect());
                    path.starts_with(&above)
                }
                _ => false,
            },
            Self::Known(at, of_current) => value(&Term::Field(*at, *of_current)).is_some(),
            Self::Flag(term) => value(term) == Some(Value::Flag(true)),
        }
    }
}

impl Term {
    fn written(&self) -> String {
        match self {
            Self::Constant(_, text) => text.clone(),
            Self::Field(at, true) => format!("current.{}", SPELT[*at]),
            Self::Field(at, false) => SPELT[*at].to_string(),
            Self::Sum(a, sign, b) => format!("({} {sign} {})", a.written(), b.written()),
            Self::Minus(a) => format!("-({})", a.written()),
        }
    }

    fn value(&self, row: &Values, current: Option<&Values>) -> Option<Value> {
        let number = |term: &Term| match term.value(row, current) {
            Some(Value::Number(number)) => Some(number),
            _ => None,
        };
        let known = match self {
            Self::Constant(value, _) => value.clone(),
            Self::Field(at, true) => current?.0[*at].clone()?,
            Self::Field(at, false) => row.0[*at].clone()?,
            Self::Sum(a, '+', b) => Value::Number(number(a)? + number(b)?),
            Self::Sum(a, '-', b) => Value::Number(number(a)? - number(b)?),
            Self::Sum(a, '*', b) => Value::Number(number(a)? * number(b)?),
            Self::Sum(a, _, b) => Value::Number(number(a)? / number(b)?),
            Self::Minus(a) => Value::Number(-number(a)?),
        };
        match known {
            Value::Number(number) if !number.is_finite() => None,
            Value::Day(ms) => Some(Value::Day(ms.div_euclid(DAY_MS))),
            known => Some(known),
        }
    }
}

fn compare(a: Option<Value>, order: &str, b: Option<Value>) -> bool {
    let (Some(a), Some(b)) = (a, b) else {
        return false;
    };
    let (less, more) = match (&a, &b) {
        (Value::Number(a), Value::Number(b)) => (a < b, a > b),
        (Value::Day(a), Value::Day(b)) => (a < b, a > b),
        _ => (false, false),
    };
    match order {
        "=" => a == b,
        "!=" => a != b,
        "<" => less,
        "<=" => less || a == b,
        ">" => more,
        _ => more || a == b,
    }
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-3..4i32).prop_map(f64::from),
        1 => Just(1e308),
        1 => -1e3..1e3f64,
    ]
}

/// A value of the type with this number, as it may be written.
fn constant(kind: usize) -> BoxedStrategy<Term> {
    let plain = |value, text: &str| Term::Constant(value, text.to_string());
    match kind {
        0 => number().prop_map(|n| Term::Constant(Value::Number(n), format!("{n:?}"))).boxed(),
        1 => (0..TEXTS.len())
            .prop_map(move |at| {
                let escaped = TEXTS[at].replace('\\', "\\\\").replace('\'', "\\'");
                Term::Constant(Value::Text(TEXTS[at]), format!("'{escaped}'"))
            })
            .boxed(),
        2 => any::<bool>().prop_map(move |f| plain(Value::Flag(f), &f.to_string())).boxed(),
        3 => (0..PATHS.len())
            .prop_map(move |at| plain(Value::Path(PATHS[at]), &format!("\"{}\"", PATHS[at])))
            .boxed(),
        _ => (0..DAYS.len())
            .prop_map(move |at| {
                plain(Value::Day(DAY_NUMBERS[at] * DAY_MS), &format!("\"{}\"", DAYS[at]))
            })
            .boxed(),
    }
}

/// A field of the type with this number.
fn field(kind: usize) -> impl Strategy<Value = Term> + Clone {
    (0..2usize, any::<bool>()).prop_map(move |(at, current)| Term::Field(2 * kind + at, current))
}

/// Anything of the type with this number.
fn term(kind: usize) -> BoxedStrategy<Term> {
    let leaf = prop_oneof![3 => field(kind), 2 => constant(kind)];
    if kind != 0 {
        return leaf.boxed();
    }
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), prop::sample::select(vec!['+', '-', '*', '/']), inner.clone())
                .prop_map(|(a, sign, b)| Term::Sum(Box::new(a), sign, Box::new(b))),
            inner.prop_map(|a| Term::Minus(Box::new(a))),
        ]
    })
    .boxed()
}

/// A comparison or list over the type with this number. Its left side is a field, which gives a text its type.
fn comparison(kind: usize) -> BoxedStrategy<Tree> {
    let orders = if matches!(kind, 0 | 4) { 6 } else { 2 };
    let order = prop::sample::select(["=", "!=", "<", "<=", ">", ">="][..orders].to_vec());
    let left = if kind == 0 { term(0) } else { field(kind).boxed() };
    let of_current = field(kind).prop_map(|field| match field {
        Term::Field(at, _) => Term::Field(at, true),
        other => other,
    });
    let item = prop_oneof![4 => constant(kind), 1 => of_current];
    prop_oneof![
        2 => (left.clone(), order, term(kind)).prop_map(|(a, order, b)| Tree::Compare(a, order, b)),
        1 => (left, any::<bool>(), prop::collection::vec(item, 1..6))
            .prop_map(|(a, not, list)| Tree::In(a, not, list)),
    ]
    .boxed()
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        8 => (0..5usize).prop_flat_map(comparison),
        2 => (term(3), term(3)).prop_map(|(a, b)| Tree::Under(a, b)),
        1 => (0..FIELDS.len(), any::<bool>()).prop_map(|(at, current)| Tree::Known(at, current)),
        1 => term(2).prop_map(Tree::Flag),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Tree::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Tree::Or(Box::new(a), Box::new(b))),
            inner.prop_map(|a| Tree::Not(Box::new(a))),
        ]
    })
}

fn values() -> impl Strategy<Value = Values> {
    let value = |at: usize| {
        let known = match at / 2 {
            0 => prop_oneof![9 => number(), 1 => Just(f64::NAN)].prop_map(Value::Number).boxed(),
            1 => prop::sample::select(TEXTS.to_vec()).prop_map(Value::Text).boxed(),
            2 => any::<bool>().prop_map(Value::Flag).boxed(),
            3 => prop::sample::select(PATHS.to_vec()).prop_map(Value::Path).boxed(),
            _ => (prop::sample::select(DAY_NUMBERS.to_vec()), 0..DAY_MS)
                .prop_map(|(day, ms)| Value::Day(day * DAY_MS + ms))
                .boxed(),
        };
        prop::option::weighted(0.8, known)
    };
    (0..FIELDS.len()).map(value).collect::<Vec<_>>().prop_map(Values)
}

fn filter(text: &str) -> Filter {
    Filter::parse(text, &Fields).unwrap_or_else(|wrong| panic!("{text}: {wrong}"))
}

fn outcomes(text: &str, current: Option<&Values>, rows: &[Values]) -> Vec<bool> {
    let bound = filter(text).bind(current.map(|current| current as &dyn Row));
    rows.iter().map(|row| bound.matches(row)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_filter_means_what_a_naive_reading_means(
        tree in tree(),
        current in prop::option::of(values()),
        rows in prop::collection::vec(values(), 8),
    ) {
        let naive: Vec<bool> = rows.iter().map(|row| tree.holds(row, current.as_ref())).collect();
        prop_assert_eq!(outcomes(&tree.written(), current.as_ref(), &rows), naive);
    }

    #[test]
    fn a_filter_comes_back_from_its_own_print(tree in tree()) {
        let read = filter(&tree.written());
        let printed = read.to_string();
        let again = filter(&printed);
        prop_assert_eq!(&again, &read);
        prop_assert_eq!(again.to_string(), printed);
    }

    #[test]
    fn not_is_the_complement_and_de_morgan_holds(
        a in tree(),
        b in tree(),
        current in prop::option::of(values()),
        rows in prop::collection::vec(values(), 8),
    ) {
        let (a, b) = (a.written(), b.written());
        let outcomes = |text: String| outcomes(&text, current.as_ref(), &rows);
        let turned: Vec<bool> = outcomes(a.clone()).iter().map(|outcome| !outcome).collect();
        prop_assert_eq!(outcomes(format!("not ({a})")), turned);
        prop_assert_eq!(
            outcomes(format!("not (({a}) and ({b}))")),
            outcomes(format!("not ({a}) or not ({b})"))
        );
        prop_assert_eq!(
            outcomes(format!("not (({a}) or ({b}))")),
            outcomes(format!("not ({a}) and not ({b})"))
        );
    }

    #[test]
    fn any_text_is_a_filter_or_wrong_at_one_of_its_places(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        refused_in_place(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_words_are_a_filter_or_wrong_at_one_of_their_places(
        words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..40),
        between in prop::sample::select(vec![" ", ""]),
    ) {
        refused_in_place(&words.join(between));
    }
}

const WORDS: [&str; 34] = [
    "and",
    "or",
    "not",
    "in",
    "under",
    "known",
    "true",
    "(",
    ")",
    "(",
    ")",
    ",",
    "+",
    "-",
    "*",
    "/",
    "=",
    "!=",
    "<",
    ">=",
    "n",
    "t",
    "f",
    "p",
    "d",
    "current.n",
    "current.",
    "`odd name`",
    "1",
    "-2.5e3",
    "\"A > B\"",
    "'1970-01-01'",
    "\"",
    "\\",
];

/// Where it is no filter, the place is one in the text, and the message one line.
fn refused_in_place(text: &str) {
    if let Err(wrong) = Filter::parse(text, &Fields) {
        assert!(text.is_char_boundary(wrong.position), "{text:?}: {wrong:?}");
        assert_eq!(wrong.column, text[..wrong.position].chars().count() + 1, "{text:?}");
        assert!(!wrong.expected.is_empty() && !wrong.found.is_empty(), "{text:?}: {wrong:?}");
        assert!(!wrong.to_string().contains('\n'), "{text:?}: {wrong:?}");
    }
}

#[test]
fn deep_texts_are_refused_on_a_small_stack() {
    let small = std::thread::Builder::new().stack_size(512 * 1024);
    let deep = || {
        for part in [
            "(", "not ", "-", "not(", "n<-(", "known ", "n in (", "-(", "1+(", "f and (", "'", "`",
            "t='\\",
        ] {
            let text = part.repeat(MAX_BYTES / part.len());
            let wrong = Filter::parse(&text, &Fields).expect_err("this is no filter");
            assert!(wrong.position <= text.len());
        }
        let open = "not (".repeat(16);
        let deepest = format!("{open}-n + 1 > 2{}", ")".repeat(16));
        let wrong = Filter::parse(&deepest, &Fields).expect_err("one level too many");
        assert!(wrong.expected.starts_with("at most 32"), "{wrong}");
        let fits = filter(&deepest.replace("-n", "n"));
        assert!(!fits.bind(None).matches(&Values(vec![None; FIELDS.len()])));
        let long = format!("n{} > 1", " + n".repeat(1000));
        assert_eq!(filter(&long).clone().to_string(), long);
    };
    small.spawn(deep).expect("a thread").join().expect("no panic, and stack enough");
}
