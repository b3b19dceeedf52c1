//! The methods of the shop's rules.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::admission::{aside, places};
use super::convert::Check;
use super::pb;
use super::pb::rule::{self, Action};
use super::pb::rule_service_server::RuleService;
use super::served::Counter;
use crate::error::{Error, Violation};
use crate::merchandising::{Hide, Pin, Promote, RuleText, Weigh};

/// `cartwright.v1.RuleService`.
#[derive(Debug)]
pub(super) struct ShopRules {
    pub(super) counter: Arc<Counter>,
}

#[tonic::async_trait]
impl RuleService for ShopRules {
    async fn put_rule(
        &self,
        request: Request<pb::PutRuleRequest>,
    ) -> Result<Response<pb::Rule>, Status> {
        let places = places(&request);
        let rule = RuleText::from(request.into_inner().rule.unwrap_or_default());
        let counter = self.counter.clone();
        let put = aside(places, move || counter.put_rule(&rule).map(|()| rule)).await;
        let put = put.map_err(|_| Status::internal("the rule was not taken"))?;
        Ok(Response::new(put.map_err(of_the_rule)?.into()))
    }

    async fn delete_rule(
        &self,
        request: Request<pb::DeleteRuleRequest>,
    ) -> Result<Response<pb::DeleteRuleResponse>, Status> {
        let places = places(&request);
        let id = request.into_inner().id;
        let mut check = Check::default();
        check.key("id", &id);
        check.passed(())?;
        let counter = self.counter.clone();
        let deleted = aside(places, move || counter.delete_rule(&id)).await;
        match deleted.map_err(|_| Status::internal("the rule was not deleted"))?? {
            true => Ok(Response::new(pb::DeleteRuleResponse {})),
            false => Err(Status::not_found("no rule of this id was put")),
        }
    }

    async fn list_rules(
        &self,
        request: Request<pb::ListRulesRequest>,
    ) -> Result<Response<pb::ListRulesResponse>, Status> {
        let counter = self.counter.clone();
        let rules = aside(places(&request), move || counter.rules()).await;
        let rules = rules.map_err(|_| Status::internal("the rules could not be read"))??;
        let rules = rules.into_iter().map(pb::Rule::from).collect();
        Ok(Response::new(pb::ListRulesResponse { rules }))
    }
}

/// What can't be understood of a rule is the request's fault.
fn of_the_rule(error: Error) -> Error {
    match error {
        Error::Input(description) => {
            Error::InvalidRequest(vec![Violation { field: "rule".into(), description }])
        }
        other => other,
    }
}

impl From<pb::Rule> for RuleText {
    fn from(rule: pb::Rule) -> Self {
        let some = |text: String| (!text.is_empty()).then_some(text);
        let mut text = Self {
            id: rule.id,
            placements: rule.placements,
            when: some(rule.when),
            from: some(rule.from),
            until: some(rule.until),
            ..Self::default()
        };
        let weigh = |rule::Weigh { filter, factor }| Some(Weigh { filter, factor });
        match rule.action {
            Some(Action::Pin(rule::Pin { item_id, position })) => {
                let position = usize::try_from(position).unwrap_or(0); // 0 is refused
                text.pin = Some(Pin { item: item_id, position });
            }
            Some(Action::Boost(boost)) => text.boost = weigh(boost),
            Some(Action::Bury(bury)) => text.bury = weigh(bury),
            Some(Action::Hide(rule::Hide { filter })) => text.hide = Some(Hide { filter }),
            Some(Action::Promote(rule::Promote { filter, share })) => {
                text.promote = Some(Promote { filter, share });
            }
            None => {}
        }
        text
    }
}

impl From<RuleText> for pb::Rule {
    fn from(text: RuleText) -> Self {
        let weigh = |Weigh { filter, factor }| rule::Weigh { filter, factor };
        let pin = |Pin { item, position }| rule::Pin {
            item_id: item,
            position: i32::try_from(position).unwrap_or(i32::MAX),
        };
        let promote = |Promote { filter, share }| rule::Promote { filter, share };
        let action = (text.pin.map(pin).map(Action::Pin))
            .or_else(|| text.boost.map(weigh).map(Action::Boost))
            .or_else(|| text.bury.map(weigh).map(Action::Bury))
            .or_else(|| text.hide.map(|Hide { filter }| Action::Hide(rule::Hide { filter })))
            .or_else(|| text.promote.map(promote).map(Action::Promote));
        Self {
            id: text.id,
            placements: text.placements,
            when: text.when.unwrap_or_default(),
            from: text.from.unwrap_or_default(),
            until: text.until.unwrap_or_default(),
            action,
        }
    }
}
