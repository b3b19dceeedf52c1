//! `cartwright.v1.IndexService`: which generations there are, and which one is served.

use std::sync::Arc;

use serde_json::Value;
use tonic::{Request, Response, Status};

use super::admission::{aside, places};
use super::pb;
use super::pb::index_service_server::IndexService;
use super::served::Counter;
use crate::error::Error;
use crate::index::{Generation, Manifest};

/// The service. What it does to the disk it does on threads that may block.
#[derive(Debug)]
pub(super) struct Generations {
    pub(super) counter: Arc<Counter>,
}

#[tonic::async_trait]
impl IndexService for Generations {
    async fn list_generations(
        &self,
        request: Request<pb::ListGenerationsRequest>,
    ) -> Result<Response<pb::ListGenerationsResponse>, Status> {
        self.aside(&request, |counter| {
            let generations = counter.index().list()?;
            Ok(pb::ListGenerationsResponse {
                generations: generations.iter().map(in_short).collect(),
                current_generation: counter.index().current().unwrap_or(0),
                served_generation: counter.generation().unwrap_or(0),
            })
        })
        .await
    }

    async fn activate_generation(
        &self,
        request: Request<pb::ActivateGenerationRequest>,
    ) -> Result<Response<pb::ActivateGenerationResponse>, Status> {
        let generation = request.get_ref().generation;
        self.aside(&request, move |counter| {
            let previous_generation = counter.generation().unwrap_or(0);
            known(counter, generation)?;
            counter.activate(generation).map_err(cannot_serve)?;
            Ok(pb::ActivateGenerationResponse { generation, previous_generation })
        })
        .await
    }

    async fn rollback_generation(
        &self,
        request: Request<pb::RollbackGenerationRequest>,
    ) -> Result<Response<pb::RollbackGenerationResponse>, Status> {
        self.aside(&request, |counter| {
            let previous_generation = counter.generation().unwrap_or(0);
            let generation = counter.roll_back().map_err(cannot_serve)?;
            Ok(pb::RollbackGenerationResponse { generation, previous_generation })
        })
        .await
    }

    async fn get_training_report(
        &self,
        request: Request<pb::GetTrainingReportRequest>,
    ) -> Result<Response<pb::TrainingReport>, Status> {
        let asked = request.get_ref().generation;
        self.aside(&request, move |counter| {
            let number = match asked {
                0 => counter.served_or_not_yet()?.snapshot().manifest.generation,
                number => number,
            };
            let generation = known(counter, number)?;
            let manifest = generation.manifest.as_ref().map_err(refused)?;
            Ok(report(in_short(&generation), manifest))
        })
        .await
    }
}

impl Generations {
    async fn aside<R, T: Send + 'static>(
        &self,
        request: &Request<R>,
        work: impl FnOnce(&Counter) -> Result<T, Status> + Send + 'static,
    ) -> Result<Response<T>, Status> {
        let counter = self.counter.clone();
        let done = aside(places(request), move || work(&counter)).await;
        done.map_err(|_| Status::internal("the generations can't be told"))?.map(Response::new)
    }
}

/// The generation of that number.
fn known(counter: &Counter, number: u64) -> Result<Generation, Status> {
    let found = counter.index().list()?.into_iter().find(|generation| generation.number == number);
    found.ok_or_else(|| Status::not_found(format!("there is no generation {number}")))
}

/// Whoever may change what is served may know why it can't be.
fn cannot_serve(error: Error) -> Status {
    refused(&error)
}

fn refused(error: &Error) -> Status {
    Status::failed_precondition(error.to_string())
}

fn in_short(generation: &Generation) -> pb::Generation {
    let number = generation.number;
    match &generation.manifest {
        Err(error) => {
            pb::Generation { generation: number, damage: error.to_string(), ..Default::default() }
        }
        Ok(manifest) => pb::Generation {
            generation: number,
            create_time: manifest.created.clone(),
            trained_until: manifest.trained_until.clone().unwrap_or_default(),
            counts: manifest.counts.clone().into_iter().collect(),
            forced: manifest.gate["forced"].as_bool().unwrap_or(false),
            damage: String::new(),
        },
    }
}

fn report(generation: pb::Generation, manifest: &Manifest) -> pb::TrainingReport {
    let days = manifest.gate["measured"]["input"]["days"].as_object().into_iter().flatten();
    pb::TrainingReport {
        generation: Some(generation),
        built_by: manifest.built_by.clone(),
        held_out: held_out(&manifest.learnt),
        notes: manifest.notes.clone(),
        checks: checks(&manifest.gate),
        compared_with: manifest.gate["compared_with"].as_u64().unwrap_or(0),
        rows_per_day: days.filter_map(|(day, rows)| Some((day.clone(), rows.as_u64()?))).collect(),
    }
}

fn held_out(learnt: &Value) -> Vec<pb::HeldOut> {
    let questions = learnt["held_out"].as_object().into_iter().flatten();
    let figure = |score: &Value, name: &str| score[name].as_f64().unwrap_or(0.0);
    questions
        .map(|(question, score)| pb::HeldOut {
            question: question.clone(),
            metric: score["metric"].as_str().unwrap_or_default().to_owned(),
            cases: score["cases"].as_u64().unwrap_or(0),
            figure: figure(score, "after"),
            popularity: figure(score, "popularity"),
        })
        .collect()
}

fn checks(gate: &Value) -> Vec<pb::GateCheck> {
    let list = gate["checks"].as_array().into_iter().flatten();
    list.map(|check| {
        let figure = |name: &str| check[name].as_f64();
        let (found, least, most) =
            (figure("found").unwrap_or(f64::NAN), figure("least"), figure("most"));
        let holds =
            least.is_none_or(|least| found >= least) && most.is_none_or(|most| found <= most);
        let name = check["name"].as_str().unwrap_or_default().to_owned();
        pb::GateCheck { name, found, before: figure("before"), least, most, holds }
    })
    .collect()
}
