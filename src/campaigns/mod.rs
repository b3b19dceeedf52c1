//! Whether a campaign worked: those who were written to, beside those who were held out.
//!
//! | File | What |
//! |---|---|
//! | `subjects` | who was in it, and what they did before and after |
//! | `stats` | intervals and what could have been found |
//! | `judge` | figures, and a verdict in plain words |
//!
//! This room knows groups and what they bought. It refuses to know how the groups were chosen, and so what
//! chance did not decide it will not call the work of the campaign.

mod judge;
mod stats;
mod subjects;

pub use judge::{Comparison, Group, Judgement, Verdict, judge};
pub use stats::{Interval, newcombe};
pub use subjects::{Assigned, Assignment, Subject, Window, distinct, read_assignments, subject};
