//! Rules as the shop writes them.

use serde::{Deserialize, Serialize};

use super::{Action, Rule};
use crate::error::{Error, Result};
use crate::filter::{Filter, Schema};
use crate::ids::MAX_KEY_BYTES;
use crate::time::Timestamp;

/// A rule as it stands in a file or a request; just one of the actions is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleText {
    /// Its name: letters, digits, `-` and `_`, at most 100.
    pub id: String,
    /// Where it acts; everywhere, if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub placements: Vec<String>,
    /// A condition on the item asked about, or on some item of the basket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The first day, `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The last day, `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// An item at a place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// A score times a factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boost: Option<Weigh>,
    /// A score divided by a factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bury: Option<Weigh>,
    /// Left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hide: Option<Hide>,
    /// A share of the places.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promote: Option<Promote>,
}

/// See [`RuleText::pin`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The shop's key.
    pub item: String,
    /// From 1 to 500.
    pub position: usize,
}

/// See [`RuleText::boost`] and [`RuleText::bury`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weigh {
    /// What it acts on.
    pub filter: String,
    /// Above 1, at most 1,000.
    pub factor: f64,
}

/// See [`RuleText::hide`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hide {
    /// What it acts on.
    pub filter: String,
}

/// See [`RuleText::promote`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promote {
    /// What it acts on.
    pub filter: String,
    /// Above 0, at most 1.
    pub share: f64,
}

/// A file of rules: `[[rule]]` tables in TOML.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "rule")]
    rules: Vec<RuleText>,
}

/// A rule names so many placements at most: each question looks through them.
const MOST_PLACEMENTS: usize = 100;

/// Reads the text of a file of rules.
///
/// Errors: it is not TOML, or has something else in it; the message says where.
pub fn parse_file(text: &str) -> Result<Vec<RuleText>> {
    use figment::providers::{Format, Toml};
    let file: File = figment::Figment::from(Toml::string(text))
        .extract()
        .map_err(|error| Error::Input(format!("the rules can't be read: {error}")))?;
    Ok(file.rules)
}

impl RuleText {
    /// The rule, checked.
    ///
    /// Errors: what can't be understood, and where.
    pub(super) fn checked(&self, schema: &impl Schema, zone: &jiff::tz::TimeZone) -> Result<Rule> {
        let wrong = |what: String| Error::Input(format!("rule {:?}: {what}", shortened(&self.id)));
        let name = |field: &str, name: &str| match is_name(name) {
            true => Ok(()),
            false => Err(wrong(format!(
                "{field} must be 1 to 100 letters, digits, hyphens and underscores"
            ))),
        };
        name("`id`", &self.id)?;
        self.placements.iter().try_for_each(|placement| name("each of `placements`", placement))?;
        if self.placements.len() > MOST_PLACEMENTS {
            let came = self.placements.len();
            return Err(wrong(format!(
                "`placements` must be {MOST_PLACEMENTS} at most, and are {came}; a rule without any acts on all"
            )));
        }
        let filter = |field: &str, text: &str| {
            let parsed = Filter::parse(text, schema)
                .map_err(|error| wrong(format!("`{field}`: {error}")))?;
            match parsed.needs_current() {
                true => Err(wrong(format!(
                    "`{field}`: a rule has no `current` item; put the condition on the item asked about into `when`"
                ))),
                false => Ok(parsed),
            }
        };
        let day = |field: &str, text: &Option<String>| {
            let parse = |text: &String| {
                let date: jiff::civil::Date = text.parse().map_err(|_| {
                    wrong(format!("`{field}` must be a day such as 2026-03-01, and is {text:?}"))
                })?;
                Ok(date)
            };
            text.as_ref().map(parse).transpose()
        };
        let start = |date: jiff::civil::Date| {
            let midnight = date.to_zoned(zone.clone());
            midnight.map(|at| Timestamp(at.timestamp().as_millisecond()))
        };
        let out_of_range = |_| wrong("`from` must be a day that the calendar holds".into());
        let (from, until) = (day("from", &self.from)?, day("until", &self.until)?);
        if let (Some(from), Some(until)) = (from, until)
            && until < from
        {
            return Err(wrong("`until` is before `from`".into()));
        }
        // The last day that the calendar holds is "for ever", as sentinels like 9999-12-31 mean it.
        let after = until.and_then(|day| day.tomorrow().ok());
        Ok(Rule {
            id: self.id.as_str().into(),
            action: self.action(&wrong, &filter)?,
            placements: self.placements.clone(),
            when: self.when.as_deref().map(|when| filter("when", when)).transpose()?,
            from: from.map(start).transpose().map_err(out_of_range)?,
            end: after.and_then(|day| start(day).ok()),
        })
    }

    fn action(
        &self,
        wrong: &impl Fn(String) -> Error,
        filter: &impl Fn(&str, &str) -> Result<Filter>,
    ) -> Result<Action> {
        let within =
            |field: &str, value: f64, low: f64, high: f64| match value > low && value <= high {
                true => Ok(value),
                false => Err(wrong(format!(
                    "`{field}` must be above {low} and at most {high}, and is {value}"
                ))),
            };
        match (&self.pin, &self.boost, &self.bury, &self.hide, &self.promote) {
            (Some(Pin { item, position }), None, None, None, None) => {
                if item.is_empty() || item.len() > MAX_KEY_BYTES {
                    let bytes = item.len();
                    return Err(wrong(format!(
                        "`pin.item` must be 1 to {MAX_KEY_BYTES} bytes long, and is {bytes}"
                    )));
                }
                match (1..=500).contains(position) {
                    true => Ok(Action::Pin { item: item.clone(), position: *position }),
                    false => Err(wrong(format!(
                        "`pin.position` must be from 1 to 500, and is {position}"
                    ))),
                }
            }
            (None, Some(Weigh { filter: text, factor }), None, None, None) => Ok(Action::Weigh {
                filter: filter("boost.filter", text)?,
                factor: within("boost.factor", *factor, 1.0, 1000.0)? as f32,
            }),
            (None, None, Some(Weigh { filter: text, factor }), None, None) => Ok(Action::Weigh {
                filter: filter("bury.filter", text)?,
                factor: 1.0 / within("bury.factor", *factor, 1.0, 1000.0)? as f32,
            }),
            (None, None, None, Some(Hide { filter: text }), None) => {
                Ok(Action::Hide { filter: filter("hide.filter", text)? })
            }
            (None, None, None, None, Some(Promote { filter: text, share })) => {
                Ok(Action::Promote {
                    filter: filter("promote.filter", text)?,
                    share: within("promote.share", *share, 0.0, 1.0)?,
                })
            }
            _ => Err(wrong(
                "it needs just one of `pin`, `boost`, `bury`, `hide` and `promote`".into(),
            )),
        }
    }
}

/// What rules, and the places where they act, may be called.
pub fn is_name(name: &str) -> bool {
    let sign = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=100).contains(&name.len()) && name.chars().all(sign)
}

fn shortened(id: &str) -> String {
    id.chars().take(100).collect()
}
