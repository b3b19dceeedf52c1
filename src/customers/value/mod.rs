//! What a customer will be worth: published models of repeat purchase and of spending.

mod bgnbd;
mod gamma_gamma;
mod pareto;
mod simplex;
mod timing;
mod total;
mod worth;

pub use bgnbd::BgNbd;
pub use gamma_gamma::{GammaGamma, Spend};
pub use pareto::ParetoNbd;
pub use timing::{Summary, Timing};
pub use worth::{Forecast, Models, Worth, WorthOptions};
