//! Values of enums by their names, for replies as JSON.

use serde::Serializer;

use super::pb::Source;
use super::pb::rule_applied::Act;
use super::pb::seen_before::Kind;

pub(super) fn source<S: Serializer>(value: &i32, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(Source::try_from(*value).unwrap_or(Source::Unspecified).as_str_name())
}

pub(super) fn kind<S: Serializer>(value: &i32, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(Kind::try_from(*value).unwrap_or(Kind::Unspecified).as_str_name())
}

pub(super) fn act<S: Serializer>(value: &i32, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(Act::try_from(*value).unwrap_or(Act::Unspecified).as_str_name())
}
