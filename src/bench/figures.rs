//! What was measured, as it is written down.

use serde::Serialize;

use super::load::Slice;
use super::questions::QueryKind;

/// One server under one load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Requests per second.
    pub requests_per_s: f64,
    /// Half of the replies took no longer. Microseconds.
    pub p50_us: f64,
    /// 99 of 100 replies took no longer. Microseconds.
    pub p99_us: f64,
    /// CPU time of the server per request, microseconds; absent where it can't be known.
    pub cpu_us_per_request: Option<f64>,
}

impl Figures {
    /// `cpu_s` is the CPU time that the server used meanwhile, seconds.
    pub(super) fn of(slice: &Slice, cpu_s: Option<f64>) -> Self {
        let requests = slice.latencies.len().max(1) as f64;
        let at = |quantile| slice.latencies.value_at_quantile(quantile) as f64 / 1e3;
        Self {
            requests_per_s: slice.latencies.len() as f64 / slice.elapsed.as_secs_f64(),
            p50_us: at(0.5),
            p99_us: at(0.99),
            cpu_us_per_request: cpu_s.map(|seconds| seconds * 1e6 / requests),
        }
    }

    /// Each figure's median.
    pub(super) fn median(of: &[Self]) -> Self {
        let by = |figure: fn(&Self) -> f64| median(of.iter().map(figure).collect());
        let cpu: Option<Vec<f64>> = of.iter().map(|figures| figures.cpu_us_per_request).collect();
        Self {
            requests_per_s: by(|figures| figures.requests_per_s),
            p50_us: by(|figures| figures.p50_us),
            p99_us: by(|figures| figures.p99_us),
            cpu_us_per_request: cpu.map(median),
        }
    }
}

/// The middle one; of an even number the upper of the two in the middle; 0 of none.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// A server beside the twin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Beside {
    /// The server.
    #[serde(flatten)]
    pub figures: Figures,
    /// Requests per second, to the twin's.
    pub ratio: f64,
    /// p99, to the twin's.
    pub p99_ratio: f64,
}

/// One question at one concurrency, closed loop.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// The question; `None` is all three, mixed.
    pub query: Option<QueryKind>,
    /// Requests under way at any moment.
    pub in_flight: usize,
    /// The server as `serve` runs it: what it has answered before it may answer from memory.
    #[serde(flatten)]
    pub real: Beside,
    /// The server with every answer worked out afresh; absent where one is loaded that runs already.
    pub afresh: Option<Beside>,
    /// The same gRPC server with recorded replies.
    pub twin: Figures,
    /// hyper's HTTP/2 with the same replies.
    pub raw_http2: Figures,
    /// Redis GET of the same replies, on a connection for each request under way; absent where it is not installed.
    pub redis: Option<Figures>,
    /// The twin's requests per second, to those of `raw_http2`.
    pub twin_to_raw: f64,
    /// Length of a reply, bytes, on average.
    pub reply_bytes: f64,
}

/// What each server did in its turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    pub(super) real: Figures,
    pub(super) afresh: Option<Figures>,
    pub(super) twin: Figures,
    pub(super) raw: Figures,
    pub(super) redis: Option<Figures>,
}

impl Run {
    /// From what was measured in each round.
    pub(super) fn of(
        query: Option<QueryKind>,
        in_flight: usize,
        reply_bytes: f64,
        rounds: &[Round],
    ) -> Self {
        let all = |of: fn(&Round) -> Figures| rounds.iter().map(of).collect::<Vec<_>>();
        let (twin, raw) = (all(|round| round.twin), all(|round| round.raw));
        let beside_twin = |figures: Vec<Figures>| Beside {
            ratio: ratio(&figures, &twin, |figures| figures.requests_per_s),
            p99_ratio: ratio(&figures, &twin, |figures| figures.p99_us),
            figures: Figures::median(&figures),
        };
        Self {
            query,
            in_flight,
            real: beside_twin(all(|round| round.real)),
            afresh: rounds.iter().map(|round| round.afresh).collect::<Option<_>>().map(beside_twin),
            twin: Figures::median(&twin),
            raw_http2: Figures::median(&raw),
            redis: rounds
                .iter()
                .map(|round| round.redis)
                .collect::<Option<Vec<_>>>()
                .map(|all| Figures::median(&all)),
            twin_to_raw: ratio(&twin, &raw, |figures| figures.requests_per_s),
            reply_bytes,
        }
    }
}

/// Within a round, since what slows the machine down slows all of a round down.
fn ratio(of: &[Figures], to: &[Figures], figure: fn(&Figures) -> f64) -> f64 {
    median(of.iter().zip(to).map(|(of, to)| figure(of) / figure(to)).collect())
}

/// One question at one rate, open loop.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OpenRun {
    /// The question; `None` is all three, mixed.
    pub query: Option<QueryKind>,
    /// Requests sent per second, whatever comes back.
    pub rate: f64,
    /// The server; latencies count from when a request was meant to be sent.
    #[serde(flatten)]
    pub figures: Figures,
    /// The server with every answer worked out afresh.
    pub afresh: Option<Figures>,
    /// The same gRPC server with recorded replies.
    pub twin: Figures,
    /// hyper's HTTP/2 with the same replies.
    pub raw_http2: Figures,
}

/// Everything that was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Closed loop, one question each.
    pub runs: Vec<Run>,
    /// Closed loop, all three questions mixed.
    pub mixed: Vec<Run>,
    /// Open loop.
    pub open: Vec<OpenRun>,
    /// Whether servers and load had a core each.
    pub pinned: bool,
    /// HTTP/2 connections.
    pub connections: usize,
    /// Slices of time that each server was loaded for.
    pub rounds: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(requests_per_s: f64) -> Figures {
        Figures { requests_per_s, p50_us: 1.0, p99_us: 2.0, cpu_us_per_request: Some(3.0) }
    }

    #[test]
    fn a_ratio_is_taken_within_a_round_before_the_median() {
        // The machine halves its speed in the second round and halves it again in the third.
        let rounds = [8.0, 4.0, 2.0].map(|speed| Round {
            real: at(speed),
            afresh: Some(at(0.5 * speed)),
            twin: at(2.0 * speed),
            raw: at(4.0 * speed),
            redis: Some(at(3.0 * speed)),
        });
        let run = Run::of(Some(QueryKind::RelatedItems), 16, 100.0, &rounds);
        assert_eq!((run.real.ratio, run.twin_to_raw), (0.5, 0.5));
        assert_eq!(run.real.figures.requests_per_s, 4.0);
        assert_eq!(run.redis.map(|redis| redis.requests_per_s), Some(12.0));
        assert_eq!(run.afresh.map(|afresh| afresh.ratio), Some(0.25));
    }

    #[test]
    fn the_figures_are_written_under_the_names_that_readers_look_for() {
        let one = at(1.0);
        let round = Round { real: one, afresh: Some(one), twin: one, raw: one, redis: None };
        let run = Run::of(Some(QueryKind::BasketUpsell), 64, 100.0, &[round]);
        let json = serde_json::to_value(Report { runs: vec![run], ..Report::default() });
        let json = json.expect("figures are finite");
        assert_eq!(json["runs"][0]["query"], "basket_upsell");
        for name in ["requests_per_s", "p50_us", "p99_us", "cpu_us_per_request"] {
            assert!(json["runs"][0][name].is_f64(), "{name}");
            assert!(json["runs"][0]["twin"][name].is_f64(), "twin.{name}");
            assert!(json["runs"][0]["afresh"][name].is_f64(), "afresh.{name}");
        }
        assert_eq!(
            (&json["runs"][0]["in_flight"], &json["runs"][0]["ratio"]),
            (&64.into(), &1.0.into())
        );
    }
}
